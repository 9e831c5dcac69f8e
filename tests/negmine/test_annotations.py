"""Reading annotations: what a table says, and which row is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import COLUMNS, Data

from negmine.annotations import Annotations, read_rfcx
from negmine.audio.windows import Span
from negmine.errors import AnnotationError

Row = Sequence[object]
TP: list[Row] = [
    ("r1", "10", 1, 0.5, 800, 1.0, 1200),
    ("r2", "9", 4, 2.5, 2300, 3.0, 2700),
    ("r1", "9", 1, 1.5, 2300, 2.25, 2700),
]
FP: list[Row] = [("r3", "9", 1, 0.5, 800, 1.0, 1200)]


def write(path: Path, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> Path:
    lines = [",".join(map(str, row)) for row in (columns, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def changed(row: Row, **cells: object) -> Row:
    return [cells.get(name, cell) for name, cell in zip(COLUMNS, row, strict=True)]


@pytest.fixture
def tp(tmp_path: Path) -> Path:
    return write(tmp_path / "tp.csv", TP)


@pytest.fixture
def fp(tmp_path: Path) -> Path:
    return write(tmp_path / "fp.csv", FP)


# ---- what is read


def test_boxes_come_in_the_order_of_the_tables_with_their_verdicts(tp: Path, fp: Path) -> None:
    found = read_rfcx(tp, fp)
    assert [(b.recording, b.label, b.present, b.span) for b in found.boxes] == [
        ("r1", "10", True, Span(0.5, 1.0)),
        ("r2", "9", True, Span(2.5, 3.0)),
        ("r1", "9", True, Span(1.5, 2.25)),
        ("r3", "9", False, Span(0.5, 1.0)),
    ]
    assert (found.boxes[1].f_min_hz, found.boxes[1].f_max_hz) == (2300.0, 2700.0)
    assert found.boxes[1].songtype == "4"
    assert found.boxes[3].where == f"{fp} row 2"
    assert found.confirmed == found.boxes[:3]
    assert found.rejected == found.boxes[3:]
    assert {name: len(boxes) for name, boxes in found.by_recording.items()} == {
        "r1": 2,
        "r2": 1,
        "r3": 1,
    }


def test_classes_that_are_numbers_are_in_the_order_of_numbers(tp: Path) -> None:
    assert read_rfcx(tp).classes == ("9", "10")


def test_a_class_may_have_a_name(tmp_path: Path) -> None:
    rows = [changed(TP[0], species_id=name) for name in ("wren", "10", "Owl", "9")]
    assert read_rfcx(write(tmp_path / "tp.csv", rows)).classes == ("10", "9", "Owl", "wren")


def test_songtypes_are_merged_or_split(tp: Path, fp: Path) -> None:
    assert read_rfcx(tp, fp, songtypes="merge").classes == ("9", "10")
    split = read_rfcx(tp, fp, songtypes="split")
    assert split.classes == ("10/1", "9/1", "9/4")
    assert [b.label for b in split.rejected] == ["9/1"]


@pytest.mark.parametrize("songtype", ["1/2", "x" * 255])
def test_a_songtype_that_makes_no_name_of_its_own_is_an_error(
    tmp_path: Path, songtype: str
) -> None:
    path = write(tmp_path / "tp.csv", [changed(TP[0], songtype_id=songtype)])
    assert read_rfcx(path).classes == ("10",)
    with pytest.raises(AnnotationError, match=r"row 2: .*(holds a '/'|has 258 characters)"):
        read_rfcx(path, songtypes="split")


def test_the_songtype_may_be_left_out(tmp_path: Path) -> None:
    columns = [c for c in COLUMNS if c != "songtype_id"]
    rows = [[cell for i, cell in enumerate(row) if i != 2] for row in TP]
    found = read_rfcx(write(tmp_path / "tp.csv", rows, columns))
    assert found.classes == ("9", "10")
    assert {b.songtype for b in found.boxes} == {""}


def test_columns_may_come_in_any_order_among_others_from_a_spreadsheet(tmp_path: Path) -> None:
    columns = ["note", *reversed(COLUMNS)]
    rows = [['"near, far"', *reversed(row)] for row in TP]
    path = write(tmp_path / "tp.csv", rows, columns)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    plain = read_rfcx(write(tmp_path / "plain.csv", TP))
    assert [b.span for b in read_rfcx(path).boxes] == [b.span for b in plain.boxes]
    assert read_rfcx(path).digest == plain.digest


def test_a_recording_may_be_called_na(tmp_path: Path) -> None:
    path = write(tmp_path / "tp.csv", [changed(TP[0], recording_id="NA", species_id="null")])
    assert (read_rfcx(path).boxes[0].recording, read_rfcx(path).classes) == ("NA", ("null",))


# ---- what is refused


def test_a_missing_table_is_named(tmp_path: Path, tp: Path) -> None:
    with pytest.raises(AnnotationError, match=r"gone\.csv: no such file"):
        read_rfcx(tmp_path / "gone.csv")
    with pytest.raises(AnnotationError, match=r"gone\.csv: no such file"):
        read_rfcx(tp, tmp_path / "gone.csv")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tp.csv").touch()
    with pytest.raises(AnnotationError, match=r"tp\.csv: the file is empty; expected recording_id"):
        read_rfcx(tmp_path / "tp.csv")


@pytest.mark.parametrize("table", ["tp", "fp"])
def test_a_table_without_rows_is_named(tmp_path: Path, table: str) -> None:
    tables = {name: write(tmp_path / f"{name}.csv", TP) for name in ("tp", "fp")}
    write(tables[table], [])
    with pytest.raises(AnnotationError, match=rf"{table}\.csv: the table has a header and no rows"):
        read_rfcx(tables["tp"], tables["fp"])


@pytest.mark.parametrize("column", [c for c in COLUMNS if c != "songtype_id"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    at = COLUMNS.index(column)
    columns = [c for c in COLUMNS if c != column]
    rows = [[cell for i, cell in enumerate(row) if i != at] for row in TP]
    with pytest.raises(AnnotationError, match=rf"no column '{column}'; expected recording_id, "):
        read_rfcx(write(tmp_path / "tp.csv", rows, columns))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("specie_id", "species_id"), ("tmin", "t_min"), ("recordingid", "recording_id")],
)
def test_a_misspelt_column_is_told_its_right_name(tmp_path: Path, wrong: str, right: str) -> None:
    columns = [wrong if c == right else c for c in COLUMNS]
    message = rf"unknown column '{wrong}' \(did you mean {right}\?\); expected .*; found .*{wrong}"
    with pytest.raises(AnnotationError, match=message):
        read_rfcx(write(tmp_path / "tp.csv", TP, columns))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"t_min": 7.9, "t_max": 3.2}, r"t_max 3\.2 <= t_min 7\.9; are the columns swapped\?"),
        ({"t_min": 2, "t_max": 2}, "t_max 2 <= t_min 2"),
        ({"f_min": 900, "f_max": 100}, "f_max 100 <= f_min 900; are the columns swapped"),
        ({"t_min": -0.5}, r"t_min -0\.5 is negative"),
        ({"f_min": -1}, "f_min -1 is negative"),
        ({"t_max": "1,5"}, ""),
        ({"t_max": "soon"}, "t_max 'soon' is not a number"),
        ({"t_min": ""}, "t_min '' is not a number"),
        ({"f_max": "nan"}, "f_max 'nan' is not a number"),
        ({"t_max": "inf"}, "t_max 'inf' is not a number"),
        ({"species_id": ""}, "species_id is empty"),
        ({"recording_id": ""}, "recording_id is empty"),
    ],
)
def test_a_malformed_row_is_named_as_a_spreadsheet_counts(
    tmp_path: Path, cells: dict[str, object], message: str
) -> None:
    rows = [*TP, changed(TP[0], **cells)]
    with pytest.raises(AnnotationError, match=rf"tp\.csv.*\b(row|line) 5\b.*{message}") as caught:
        read_rfcx(write(tmp_path / "tp.csv", rows))
    assert "\n" not in str(caught.value)


def test_a_row_that_stops_short_is_named(tmp_path: Path) -> None:
    # species_id stands last, so it is what the short row lacks
    order = [0, 2, 3, 4, 5, 6, 1]
    rows: list[Row] = [[row[i] for i in order] for row in TP]
    rows[1] = rows[1][:-1]
    path = write(tmp_path / "tp.csv", rows, [COLUMNS[i] for i in order])
    with pytest.raises(AnnotationError, match=r"tp\.csv row 3: 6 cells.*'species_id'"):
        read_rfcx(path)


def test_rows_longer_than_the_header_are_not_shifted(tmp_path: Path) -> None:
    rows = [[*row, 0.5] for row in TP]
    message = r"tp\.csv row 2: 8 cells.* 7 columns; no column is named for '0\.5'"
    with pytest.raises(AnnotationError, match=message):
        read_rfcx(write(tmp_path / "tp.csv", rows))


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "tp.csv").write_bytes(bytes(range(256)))
    with pytest.raises(AnnotationError, match=r"tp\.csv: "):
        read_rfcx(tmp_path / "tp.csv")


def test_rejected_classes_without_a_confirmed_call_are_named_at_once(
    tmp_path: Path, tp: Path
) -> None:
    rows = [changed(FP[0], species_id=name) for name in ("9", "99", "99", "owl")]
    fp = write(tmp_path / "fp.csv", rows)
    message = (
        r"2 classes have rejections and no confirmed call: '99' \(2 rows\), 'owl' \(1 rows\); the "
        r"first: .*fp\.csv row 3; .*--skip-uncalled-classes"
    )
    with pytest.raises(AnnotationError, match=message):
        read_rfcx(tp, fp)
    found = read_rfcx(tp, fp, skip_uncalled=True)
    assert found.classes == ("9", "10")
    assert len(found.rejected) == 1
    assert found.notes[0].startswith("left out 3 rows: 2 classes have rejections and no confirmed")


def test_an_unknown_recording_is_named_with_the_count_of_others(tp: Path, fp: Path) -> None:
    found = read_rfcx(tp, fp)
    found.check_recordings({"r1", "r2", "r3"})
    message = (
        r"tp\.csv row 3: no sound file for recording 'r2' \(did you mean r22\?\); "
        "2 of 3 recordings are missing; is this the right folder"
    )
    with pytest.raises(AnnotationError, match=message):
        found.check_recordings({"r1", "r22"})


def test_a_box_beyond_the_end_of_its_recording_is_named(tp: Path, fp: Path) -> None:
    found = read_rfcx(tp, fp)
    # times in tables are rounded
    found.check_durations({"r1": 60.0, "r2": 2.95, "r3": 1.0})
    message = r"tp\.csv row 3: the box ends at 3 s but recording 'r2' at 2\.80 s; .* in seconds\?"
    with pytest.raises(AnnotationError, match=message):
        found.check_durations({"r1": 60.0, "r2": 2.8, "r3": 1.0})


# ---- boxes and names that come twice


def test_a_repeated_box_counts_once_and_is_said(tmp_path: Path, fp: Path) -> None:
    twice = write(tmp_path / "tp.csv", [*TP, *[changed(row, songtype_id=9) for row in TP]])
    found = read_rfcx(twice, fp)
    assert found.boxes == (*read_rfcx(twice).confirmed, *found.rejected)
    assert [b.where for b in found.confirmed] == [f"{twice} row {n}" for n in (2, 3, 4)]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("left out 3 of 7 boxes: each repeats another row's")
    assert found.notes[0].endswith(f"the first: {twice} row 5")
    # of another songtype: other classes
    assert len(read_rfcx(twice, songtypes="split").boxes) == 6


def test_a_box_that_is_confirmed_and_rejected_is_an_error(tmp_path: Path, tp: Path) -> None:
    fp = write(tmp_path / "fp.csv", [FP[0], TP[1]])
    message = r"fp\.csv row 3: rejects class '9' in the very box that .*tp\.csv row 3 confirms"
    with pytest.raises(AnnotationError, match=message):
        read_rfcx(tp, fp)


def test_boxes_that_differ_by_rounding_are_one(tmp_path: Path) -> None:
    row = TP[0]
    start, end, low = (float(str(row[COLUMNS.index(name)])) for name in ("t_min", "t_max", "f_min"))
    close = changed(row, t_min=start + 1e-3, t_max=end - 1e-9, f_min=low + 0.4)
    tp = write(tmp_path / "tp.csv", [row, close, changed(close, t_min=(start + end) / 2)])
    found = read_rfcx(tp)
    assert [box.where for box in found.boxes] == [f"{tp} row 2", f"{tp} row 4"]
    assert found.notes[0].startswith("left out 1 of 3 boxes")
    fp = write(tmp_path / "fp.csv", [close])
    with pytest.raises(AnnotationError, match=r"in the very box that .*tp\.csv row 2 confirms"):
        read_rfcx(write(tmp_path / "tp.csv", [row]), fp)


def test_names_are_one_however_they_are_spelt(tmp_path: Path) -> None:
    composed, decomposed = "R\u00e3", "Ra\u0303"
    rows = [changed(TP[i], species_id=f" {name} ", recording_id=decomposed)
            for i, name in enumerate((composed, decomposed))]  # fmt: skip
    found = read_rfcx(write(tmp_path / "tp.csv", rows))
    assert (found.classes, {b.recording for b in found.boxes}) == ((composed,), {composed})
    assert found.notes == ()


def test_names_that_look_alike_are_said(tmp_path: Path) -> None:
    names = ("3", "3.0", "03", "Owl", "OWL", "7")
    path = write(tmp_path / "tp.csv", [changed(TP[0], species_id=name) for name in names])
    found = read_rfcx(path)
    assert len(found.classes) == 6
    assert [line.split(" differ")[0] for line in found.notes] == [
        f"{path}: the classes '03' (1 times) and '3' (1 times) and '3.0' (1 times)",
        f"{path}: the classes 'OWL' (1 times) and 'Owl' (1 times)",
    ]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"species_id": "\x1b[31mowl"}, r"species_id holds the control character U\+001B"),
        ({"recording_id": "r" * 256}, "recording_id 'r{20}...' has 256 characters; at most 255"),
        ({"t_max": "1_0"}, "t_max '1_0' is not a number"),
        ({"t_max": "\uff11"}, "t_max '.' is not a number"),
        ({"t_max": "1e999"}, "t_max '1e999' is not a number"),
        ({"f_max": '"1200,5"'}, "f_max '1200,5' is not a number; write a decimal point"),
    ],
)
def test_odd_names_and_numbers_are_refused(
    tmp_path: Path, cells: dict[str, str], message: str
) -> None:
    path = write(tmp_path / "tp.csv", [TP[0], changed(TP[1], **cells)])
    with pytest.raises(AnnotationError, match=rf"tp\.csv row 3: {message}"):
        read_rfcx(path)


# ---- parts and digests


def test_parts_split_the_boxes_and_keep_the_classes(shared_data: Data) -> None:
    whole = read_rfcx(shared_data.tp, shared_data.fp)
    named = ["rec01", "rec04", "no such"]
    kept, left = whole.only(named), whole.without(named)
    assert {b.recording for b in kept.boxes} == {"rec01", "rec04"}
    assert sorted(kept.boxes + left.boxes, key=whole.boxes.index) == list(whole.boxes)
    assert not set(kept.boxes) & set(left.boxes)
    assert kept.classes == left.classes == whole.classes
    assert whole.only([]).boxes == ()
    assert whole.without([]) == whole


def test_the_digest_is_of_the_verdicts_and_not_of_the_tables_names(
    tmp_path: Path, tp: Path, fp: Path
) -> None:
    found = read_rfcx(tp, fp)
    assert read_rfcx(write(tmp_path / "renamed.csv", TP), fp).digest == found.digest


@pytest.mark.parametrize(
    "change",
    [
        {"recording": "r9"},
        {"label": "9"},
        {"present": False},
        {"span": Span(0.5, 1.125)},
        {"f_min_hz": 1.5},
        {"f_max_hz": 9999.0},
    ],
)
def test_the_digest_changes_with_a_verdict(tp: Path, fp: Path, change: dict[str, object]) -> None:
    found = read_rfcx(tp, fp)
    first = dataclasses.replace(found.boxes[0], **change)  # type: ignore[arg-type]
    other = Annotations((first, *found.boxes[1:]), found.classes)
    assert other.digest != found.digest
    assert found.without(["r3"]).digest != found.digest
