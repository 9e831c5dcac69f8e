"""Sound files sorted into folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.annotations.assemble import Assembly, resolve
from negmine.annotations.recording_names import RecordingNames
from negmine.audio.folder import open_folder
from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.entry import Entry
from negmine.formats.format import Options
from negmine.formats.recognise import ReadAs, Table, read_tables, recognised


def touched(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def read(root: Path, **options: str) -> Table:
    (table,) = read_tables([root], ReadAs(options=Options(**options)))  # type: ignore[arg-type]
    return table


def said(root: Path, entries: tuple[Entry, ...]) -> list[tuple[str, str, str]]:
    return [(Path(e.recording).relative_to(root).as_posix(), e.label, e.verdict) for e in entries]


def test_what_birdnet_trains_on(tmp_path: Path) -> None:
    touched(
        tmp_path, "Owl/a.wav", "Owl/deep/b.mp3", "-Owl/c.wav", "Owl,Wren/d.flac", "Noise/e.wav",
        "background/f.wav", "empty/notes.txt", "g.wav", ".git/h.wav",
    )  # fmt: skip
    table = read(tmp_path)
    assert table.format == "birdnet_folders"
    assert said(tmp_path, table.entries) == [
        ("-Owl/c.wav", "Owl", "absent"),
        ("Noise/e.wav", "*", "absent"),
        ("Owl/a.wav", "Owl", "present"),
        ("Owl/deep/b.mp3", "Owl", "present"),
        ("Owl,Wren/d.flac", "Owl", "present"),
        ("Owl,Wren/d.flac", "Wren", "present"),
        ("background/f.wav", "*", "absent"),
    ]
    assert all(entry.span is None for entry in table.entries)
    assert table.notes.text() == (
        f"{tmp_path / 'empty'}: no sound file in it; left out",
        f"{tmp_path}: left out 1 sound files that are in no folder of a class",
    )


REVIEW = (
    "Positive/0.812_3_dawn_north_3.00s_6.00s.wav",
    "Negative/0.500_1_dusk_0.00s_3.00s.wav",
    "Positive/my own name.wav",
)


def test_what_was_sorted_in_a_review_is_a_span_of_its_recording(tmp_path: Path) -> None:
    root = touched(tmp_path / "Wren", *REVIEW)
    table = read(root)
    assert table.format == "birdnet_review"
    assert [(e.recording, e.label, e.verdict, e.span, e.score) for e in table.entries] == [
        ("dusk", "Wren", "absent", Span(0, 3), 0.5),
        ("dawn_north", "Wren", "present", Span(3, 6), 0.812),
        (str(root / REVIEW[2]), "Wren", "present", None, None),
    ]
    assert table.notes.text() == (
        f"{root}: by the folder's name, the class is 'Wren'; --label names another",
    )
    assert {e.label for e in read(root, label="owl").entries} == {"owl"}


def test_a_clip_counts_as_a_recording_where_what_it_was_cut_from_is_not_there(
    tmp_path: Path,
) -> None:
    root = touched(tmp_path / "Wren", *REVIEW)
    field = touched(tmp_path / "field", "dawn_north.flac")
    known = RecordingNames([open_folder(field), open_folder(root)])
    found = resolve(read(root).entries, Assembly(recordings=known))
    assert [(e.recording, e.span) for e in found.entries] == [
        ("0.500_1_dusk_0.00s_3.00s", None),
        ("dawn_north", Span(3, 6)),
        ("my own name", None),
    ]
    assert found.missing == {}
    assert (
        "clips count as recordings, since what they were cut from is not there: 1 times"
        in (found.notes.text()[0])
    )


@pytest.mark.parametrize("name", ["birdnet_folders", "birdnet_review"])
def test_a_file_is_no_folder(tmp_path: Path, name: str) -> None:
    touched(tmp_path, "t.csv")
    with pytest.raises(AnnotationError, match=r"t\.csv: is no folder"):
        read_tables([tmp_path / "t.csv"], ReadAs(name))


def test_a_folder_of_another_format_may_hold_folders(tmp_path: Path) -> None:
    root = touched(tmp_path / "db", "hoplite.sqlite", "index/a.wav")
    assert recognised(root) == "hoplite"
    assert recognised(touched(tmp_path / "sorted", "index/a.wav")) == "birdnet_folders"


def test_a_folder_without_folders_is_of_no_format(tmp_path: Path) -> None:
    touched(tmp_path / "clips", "a.wav")
    with pytest.raises(AnnotationError, match="found a folder without any"):
        read(tmp_path / "clips")
