"""From entries of tables to annotations."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.annotations.assemble import Assembly, annotations_of, assemble, resolve
from negmine.annotations.class_names import read_classes
from negmine.annotations.consistency import WHOLE
from negmine.annotations.recording_names import RecordingNames
from negmine.audio.folder import open_folder
from negmine.audio.windows import Span
from negmine.errors import AnnotationError, InputError
from negmine.formats.entry import Entry, Verdict
from negmine.recipes.source import Source

ROWS = iter(range(2, 10_000))


def entry(recording: str, label: str, verdict: Verdict = "present", *span: float) -> Entry:
    return Entry(
        recording, label, verdict, f"t.csv row {next(ROWS)}", Span(*span) if span else None
    )


def names(root: Path, *files: str) -> RecordingNames:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return RecordingNames([open_folder(root)])


def said(boxes: object) -> list[tuple[str, str, bool, Span]]:
    return [(b.recording, b.label, b.present, b.span) for b in boxes]  # type: ignore[attr-defined]


def test_verdicts_become_boxes_and_unknown_ones_are_counted() -> None:
    found = assemble(
        [
            entry("a", "owl", "present", 1, 2),
            entry("b", "owl", "absent", 0, 3),
            entry("c", "owl", "unknown"),
        ]
    )
    assert said(found.boxes) == [("a", "owl", True, Span(1, 2)), ("b", "owl", False, Span(0, 3))]
    assert (found.boxes[0].f_min_hz, found.boxes[0].f_max_hz) == (0, float("inf"))
    assert found.classes == ("owl",)
    assert found.notes == ("1 of 3 rows are not judged, or unsure: they say nothing",)


def test_a_row_without_times_is_of_the_whole_recording() -> None:
    found = assemble([entry("a", "owl"), entry("b", "owl", "absent"), entry("b", "owl", "absent")])
    assert said(found.boxes) == [("a", "owl", True, WHOLE), ("b", "owl", False, WHOLE)]
    assert found.notes[0].startswith("left out 1 of 3 verdicts: each repeats")


def test_no_confirmed_call_is_an_error_that_counts() -> None:
    with pytest.raises(AnnotationError, match="of 1 rows 0 are present, 0 absent and 1 not judged"):
        assemble([entry("a", "owl", "unknown")])


# ---- all classes


def test_an_absence_of_all_classes_is_written_out_between_what_else_is_said() -> None:
    found = assemble(
        [
            entry("a", "owl", "present", 2, 3),
            entry("a", "wren", "unknown", 8, 9),
            entry("b", "wren"),
            entry("a", "*", "absent", 0, 10),
            entry("c", "*", "absent"),
        ]
    )
    assert said(found.rejected) == [
        ("a", "owl", False, Span(0, 2)),
        ("a", "owl", False, Span(3, 10)),
        ("a", "wren", False, Span(0, 8)),
        ("a", "wren", False, Span(9, 10)),
        ("c", "owl", False, WHOLE),
        ("c", "wren", False, WHOLE),
    ]
    assert any(line.startswith("2 rows reject every class (2), except") for line in found.notes)


def test_a_presence_in_the_whole_recording_leaves_nothing_of_an_absence_of_all() -> None:
    found = assemble([entry("a", "owl"), entry("a", "*", "absent"), entry("b", "owl")])
    assert found.rejected == ()


# ---- contradictions


def test_rows_that_contradict_each_other_say_nothing_and_are_told() -> None:
    one, other = entry("a", "owl", "present", 1, 2), entry("a", "owl", "absent", 1, 2.01)
    found = resolve([one, other, entry("b", "owl")])
    assert said(annotations_of(found).boxes) == [("b", "owl", True, WHOLE)]
    assert found.contradictions == ((one.where, other.where),)
    assert any("1 pairs of rows contradict" in line for line in annotations_of(found).notes)


def test_an_absence_that_holds_a_call_is_left_out_and_the_call_stays() -> None:
    found = resolve([entry("a", "owl", "present", 4, 5), entry("a", "owl", "absent")])
    assert said(annotations_of(found).boxes) == [("a", "owl", True, Span(4, 5))]
    assert len(found.contradictions) == 1
    # of which it holds no half, it contradicts none
    beside = assemble([entry("a", "owl", "present", 4, 5), entry("a", "owl", "absent", 4.8, 8)])
    assert len(beside.boxes) == 2


def test_a_call_of_a_recording_part_of_which_has_none_is_nowhere() -> None:
    found = assemble([entry("a", "owl"), entry("a", "owl", "absent", 0, 3), entry("b", "owl")])
    assert said(found.boxes) == [
        ("a", "owl", False, Span(0, 3)),
        ("b", "owl", True, WHOLE),
    ]


# ---- classes


def test_classes_without_a_call_are_named_at_once_or_left_out() -> None:
    entries = [
        entry("a", "owl"),
        *(entry("b", name, "absent") for name in ("owls", "wren", "wren")),
    ]
    with pytest.raises(
        AnnotationError,
        match=r"2 classes .*'wren' \(2 rows\), 'owls' \(1 rows\) \(did you mean owl\?\)",
    ):
        assemble(entries)
    found = assemble(entries, Assembly(skip_uncalled=True))
    assert found.classes == ("owl",)
    assert "left out 3 rows: 2 classes have rejections" in found.notes[0]


def test_aliases_make_one_class_and_other_names_are_listed(tmp_path: Path) -> None:
    table = tmp_path / "classes.csv"
    table.write_text(
        "class,scientific,code\nowl,Strix aluco; Syrnium aluco,TAOW\n"
        "Blue Tit,Cyanistes caeruleus,\n"
    )
    wanted = read_classes(table)
    labels = [
        "OWL",
        "syrnium_aluco",
        "Strix aluco_Tawny Owl",
        "taow",
        "Blue tit",
        "Parus caeruleus",
        "owll",
        "rook",
    ]
    found = resolve([entry(label, label) for label in labels], Assembly(wanted))
    assert [b.label for b in annotations_of(found).boxes] == ["owl"] * 4 + ["Blue Tit"]
    assert dict(found.unmapped) == {"Parus caeruleus": 1, "owll": 1, "rook": 1}
    assert annotations_of(found).notes[0] == (
        "left out 3 rows of 3 names that are no class of --classes: 'Parus caeruleus' (1 rows) "
        "(the same species as Blue Tit, in another genus?), 'owll' (1 rows) "
        "(did you mean owl?), 'rook' (1 rows)"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,aliases\nowl,x\n", "no column 'class'; found name, aliases"),
        (
            "class,aliases\nowl,x\nwren,X\n",
            "row 3: 'X' is a name of class 'wren', and of class 'owl'",
        ),
        ("class,aliases\nowl,x\nowl,y\n", "row 3: class 'owl' appears twice"),
        ("class,aliases\n", "a header and no rows"),
        ("class,aliases\n,x\n", "row 2: class is empty"),
    ],
)
def test_a_malformed_table_of_classes_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "classes.csv").write_text(text)
    with pytest.raises(AnnotationError, match=message):
        read_classes(tmp_path / "classes.csv")


def test_songtypes_are_split_where_each_row_has_one() -> None:
    rows = [Entry("a", "owl", "present", "t.csv row 2", songtype="hoot")]
    assert assemble(rows, Assembly(songtypes="split")).classes == ("owl/hoot",)
    with pytest.raises(AnnotationError, match="row 3: no songtype"):
        assemble([Entry("a", "owl", "present", "t.csv row 3")], Assembly(songtypes="split"))


# ---- recordings


@pytest.mark.parametrize(
    "text",
    [
        "dawn",
        "dawn.wav",
        "DAWN.WAV",
        "/data/site 1/dawn.mp3",
        "C:\\sound\\dawn.wav",
        "./x/dawn.flac",
    ],
)
def test_a_file_is_found_by_any_writing_of_its_name(tmp_path: Path, text: str) -> None:
    known = names(tmp_path, "deep/dawn.wav", "site.3.wav")
    assert known.find(text).name == "dawn"
    assert known.find("site.3").name == "site.3"
    assert known.find("dusk").name == ""


def test_zeros_that_a_spreadsheet_took_are_found_where_one_file_fits(tmp_path: Path) -> None:
    known = names(tmp_path, "00123.wav", "7.wav", "07.wav")
    assert known.find("123").name == known.find("123.0").name == "00123"
    assert "zeros" in known.find("123").guess
    assert known.find("7").guess == ""
    # two files fit
    assert known.find("007").name == ""
    found = resolve(
        [entry("123", "owl"), entry("00123", "owl", "present", 0, 1)], Assembly(recordings=known)
    )
    assert {e.recording for e in found.entries} == {"00123"}
    assert (
        "as spreadsheets change them: 1 times; the first: '123' is '00123'"
        in annotations_of(found).notes[0]
    )


def test_what_a_spreadsheet_shortened_is_no_file_and_said(tmp_path: Path) -> None:
    known = names(tmp_path, "20210607150000.wav")
    assert known.find("2.02106E+13").name == ""
    assert "spreadsheet shortened" in known.hint("2.02106E+13")
    assert "a date" in known.hint("07/06/2021")


def test_files_that_share_a_name_go_by_their_folders(tmp_path: Path) -> None:
    known = names(tmp_path, "owl/1.wav", "wren/1.wav", "wren/2.wav")
    assert sorted(known.paths) == ["2", "owl/1", "wren/1"]
    assert known.find("owl/1.wav").name == "owl/1"
    assert known.find(str(tmp_path / "wren" / "1.wav")).name == "wren/1"
    with pytest.raises(InputError, match=r"share the recording name '1', which is annotated"):
        known.find("1.wav")
    with pytest.raises(InputError, match=r"1\.wav and .*1\.flac share|1\.flac and .*1\.wav share"):
        names(tmp_path / "owl", "1.flac")


def test_files_of_two_folders_that_share_a_name(tmp_path: Path) -> None:
    for name in ("a/rest/1.wav", "b/rest/1.wav", "c/ding/1.wav", "c/ding/deep/1.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    two = [open_folder(tmp_path / name) for name in ("a/rest", "c/ding")]
    assert sorted(RecordingNames(two).paths) == ["deep/1", "ding/1", "rest/1"]
    # what a pool's sources are called is what recordings are
    for folder in two:
        for path in folder.paths:
            source = Source(folder.root, folder.name_of(path), "f", 1.0, "a site")
            own = next(name for name, one in RecordingNames(two).paths.items() if one == path)
            assert own in source.names
            assert source.is_of(frozenset({own}))
            assert not source.is_of(frozenset({"2"}))
    with pytest.raises(InputError, match=r"rest/1\.wav and .*rest/1\.wav share the recording name"):
        RecordingNames([open_folder(tmp_path / name) for name in ("a/rest", "b/rest")])


def test_recordings_that_are_not_there_fail_later_or_are_counted(tmp_path: Path) -> None:
    known = names(tmp_path, "a.wav")
    entries = [entry("a", "owl"), entry("b", "owl"), entry("b", "wren")]
    strict = assemble(entries, Assembly(recordings=known))
    assert {b.recording for b in strict.boxes} == {"a", "b"}
    found = resolve(entries, Assembly(recordings=known, present_only=True))
    assert annotations_of(found).classes == ("owl",)
    assert list(found.missing) == ["b"]
    assert (
        annotations_of(found)
        .notes[0]
        .startswith(
            "1 of 2 recordings are not there; their 2 rows are left out; the first: "
            f"{entries[1].where}"
        )
    )
    with pytest.raises(
        AnnotationError, match=r"no confirmed call: of 0 rows.*1 recordings are not there"
    ):
        assemble([entry("b", "owl")], Assembly(recordings=known, present_only=True))


def test_groups_of_tables_are_those_of_the_recordings() -> None:
    pairs = [("a", "hill"), ("b", "lake"), ("a", "hill"), ("c", "")]
    rows = [Entry(name, "owl", "present", "t.csv row 2", group=group) for name, group in pairs]
    found = assemble(rows)
    assert found.groups == {"a": "hill", "b": "lake"}
    assert found.only(["a"]).groups == found.groups
    with pytest.raises(AnnotationError, match="recording 'a' is of group 'lake', and of 'hill'"):
        assemble([*rows, Entry("a", "owl", "present", "t.csv row 9", group="lake")])


def test_one_group_of_all_recordings_is_none() -> None:
    # a survey of one site: kept together, there would be nothing to hold out
    rows = [Entry(name, "owl", "present", "t.csv row 2", group="hill") for name in ("a", "b")]
    found = assemble(rows)
    assert found.groups == {}
    assert any("one group of all recordings, 'hill'" in note for note in found.notes)
    kept = assemble([*rows, Entry("c", "owl", "present", "t.csv row 4")])
    assert kept.groups == {"a": "hill", "b": "hill"}
