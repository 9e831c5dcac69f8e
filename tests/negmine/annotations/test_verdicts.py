"""Verdicts of listeners: what a filled table gives, and what of it says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Data

from negmine.annotations import Annotation, Annotations, read_rfcx
from negmine.annotations.recordings import open_annotated
from negmine.annotations.verdicts import add_verdicts, read_verdicts
from negmine.audio.windows import Span
from negmine.errors import AnnotationError, InputError

HEADER = "recording,class,t_min,t_max,verdict,listener"


def box(recording: str, label: str, start_s: float, end_s: float, present: bool) -> Annotation:
    where = f"table {recording} {start_s}"
    return Annotation(recording, label, "1", present, Span(start_s, end_s), 500, 900, where)


TABLES = Annotations(
    (
        box("a", "0", 1.0, 1.5, True),
        Annotation("a", "1", "1", True, Span(4, 5), 2000, 3000, "table"),
        Annotation("b", "1", "1", True, Span(4, 5), 1800, 2500, "table"),
    ),
    ("0", "1"),
)


def written(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def added(tmp_path: Path, *rows: str) -> tuple[list[tuple[object, ...]], str]:
    """The boxes that rows of verdicts add, and what is said of them."""
    found = add_verdicts(TABLES, [written(tmp_path / "v.csv", *rows)])
    assert found.boxes[:3] == TABLES.boxes
    boxes = [(b.recording, b.label, b.present, b.span.start_s, b.span.end_s) for b in found.boxes]
    (note,) = found.notes
    return [*boxes[3:]], note


# ---- what verdicts give


def test_present_confirms_and_absent_rejects_the_window_in_the_classs_band(tmp_path: Path) -> None:
    table = written(tmp_path / "v.csv", "c,1,3,6,present,mia", "c,0,0,3,Absent,", "d,1,0,3,ABSENT,")
    found = add_verdicts(TABLES, [table])
    new = found.boxes[3:]
    assert [(b.recording, b.label, b.present, b.span) for b in new] == [
        ("c", "1", True, Span(3, 6)),
        ("c", "0", False, Span(0, 3)),
        ("d", "1", False, Span(0, 3)),
    ]
    # that of all its confirmed boxes
    assert [(b.f_min_hz, b.f_max_hz) for b in new] == [(1800, 3000), (500, 900), (1800, 3000)]
    assert new[0].where == f"{table} row 2"
    assert found.classes == TABLES.classes
    assert found.digest != TABLES.digest


def test_what_says_nothing_is_counted(tmp_path: Path) -> None:
    boxes, note = added(tmp_path, "c,0,0,3,present,", "c,0,3,6,,", "c,1,0,3,unsure,", "d,1,0,3,,")
    assert boxes == [("c", "0", True, 0, 3)]
    assert note == (
        "verdicts: 1 windows confirmed and 0 rejected, of 4 rows; 2 not heard yet, 1 unsure"
    )


def test_two_listeners_who_contradict_each_other_leave_the_window_unknown(tmp_path: Path) -> None:
    one = written(tmp_path / "one.csv", "c,0,0,3,present,mia", "c,1,0,3,absent,mia")
    two = written(tmp_path / "two.csv", "c,0,0.0,3.0,absent,leo", "c,1,0,3,absent,leo")
    found = add_verdicts(TABLES, [one, two])
    assert [(b.label, b.present) for b in found.boxes[3:]] == [("1", False)]
    assert "1 contradicted by another verdict or by a confirmed call" in found.notes[0]
    assert f"count as unknown, the first: {one} row 2" in found.notes[0]


def test_a_sure_listener_counts_beside_one_who_is_not(tmp_path: Path) -> None:
    boxes, _ = added(tmp_path, "c,0,0,3,unsure,mia", "c,0,0,3,present,leo")
    assert boxes == [("c", "0", True, 0, 3)]


def test_a_window_rejected_that_holds_a_confirmed_call_is_unknown(tmp_path: Path) -> None:
    boxes, note = added(tmp_path, "a,0,0,3,absent,", "a,0,1.3,4.3,absent,", "a,1,0,3,absent,")
    # the second holds 0.2 s of 0.5
    assert boxes == [("a", "0", False, 1.3, 4.3), ("a", "1", False, 0, 3)]
    assert "1 contradicted" in note


def test_a_confirmed_window_is_cut_where_the_class_was_rejected(tmp_path: Path) -> None:
    boxes, note = added(tmp_path, "c,0,3,6,present,", "c,0,4.5,7.5,absent,")
    assert boxes == [("c", "0", True, 3, 4.5), ("c", "0", False, 4.5, 7.5)]
    assert "contradicted" not in note
    boxes, note = added(tmp_path, "c,0,3,6,present,", "c,0,4.5,7.5,absent,", "c,0,0.5,3.5,absent,")
    assert [present for _, _, present, *_ in boxes] == [False, False]
    assert "1 contradicted" in note


def test_a_verdict_given_twice_counts_once(tmp_path: Path) -> None:
    boxes, _ = added(tmp_path, "c,0,0,3,absent,mia", "c,0,0,3,absent,leo")
    assert boxes == [("c", "0", False, 0, 3)]


def test_without_tables_nothing_changes() -> None:
    assert add_verdicts(TABLES, []) is TABLES


def test_columns_may_be_more_and_the_listener_missing(tmp_path: Path) -> None:
    header = "verdict,score,class,recording,t_max,t_min"
    table = written(tmp_path / "v.csv", "absent,-3.5,1,c,3,0", header=header)
    (verdict,) = read_verdicts(table, ("0", "1"))
    assert (verdict.recording, verdict.label, verdict.span) == ("c", "1", Span(0, 3))
    assert verdict.listener == ""


# ---- what is wrong


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("c,0,0,3,presnt,", "row 3: verdict 'presnt' (did you mean present?); write present"),
        ("c,0,0,3,no,", "row 3: verdict 'no'"),
        ("c,0,-1,2,absent,", "row 3: t_min -1 is negative"),
        ("c,0,3,3,absent,", "row 3: t_max 3 <= t_min 3; are the columns swapped"),
        ("c,0,x,3,absent,", "row 3: t_min 'x' is not a number"),
        ("c,7,0,3,absent,", "row 3: unknown class '7'"),
        (",0,0,3,absent,", "row 3: recording is empty"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    table = written(tmp_path / "v.csv", "c,0,0,3,absent,", row)
    with pytest.raises(InputError) as caught:
        read_verdicts(table, ("0", "1"))
    assert f"{table} {message}" in str(caught.value)


def test_a_table_without_any_verdict_is_an_error(tmp_path: Path) -> None:
    table = written(tmp_path / "v.csv", "c,0,0,3,,", "c,1,0,3,,")
    with pytest.raises(AnnotationError, match="no verdict is filled in yet"):
        add_verdicts(TABLES, [table])


# ---- recordings of verdicts, in another folder


def test_recordings_are_found_in_either_folder(data: Data, tmp_path: Path) -> None:
    field = tmp_path / "field"
    field.mkdir()
    (data.recordings / "rec07.flac").rename(field / "rec07.flac")
    annotations = tables_of(data)
    with pytest.raises(AnnotationError, match="no sound file for recording 'rec07'"):
        open_annotated(data.recordings, annotations)
    recordings, kept = open_annotated(data.recordings, annotations, beside=field)
    assert kept.boxes == annotations.boxes
    source = recordings.source("rec07")
    assert (source.root, source.name) == (field.resolve(), "rec07.flac")
    assert recordings.source("rec00").root == data.recordings.resolve()


def test_one_name_in_both_folders_is_an_error_where_it_is_annotated(
    data: Data, tmp_path: Path
) -> None:
    field = tmp_path / "field"
    field.mkdir()
    content = (data.recordings / "rec07.flac").read_bytes()
    (field / "other.flac").write_bytes(content)
    open_annotated(data.recordings, tables_of(data), beside=field)
    (field / "rec07.flac").write_bytes(content)
    with pytest.raises(InputError, match="share the recording name 'rec07'"):
        open_annotated(data.recordings, tables_of(data), beside=field)
    # the very folder, or one round it, is no second file
    open_annotated(data.recordings, tables_of(data), beside=data.recordings)
    open_annotated(data.recordings, tables_of(data), beside=data.root)


def tables_of(data: Data) -> Annotations:
    return read_rfcx(data.tp, data.fp)
