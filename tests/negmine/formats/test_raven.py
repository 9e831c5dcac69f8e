"""Raven's selection tables: which file, which second, which class."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.format import Options
from negmine.formats.recognise import ReadAs, Table, read_tables

HEAD = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def read(path: Path, text: str, **options: object) -> Table:
    path.write_text(text, encoding="utf-8")
    (table,) = read_tables([path], ReadAs(options=Options(**options)))  # type: ignore[arg-type]
    assert table.format == "raven"
    return table


def test_a_table_without_files_is_of_the_recording_it_is_named_after(tmp_path: Path) -> None:
    text = HEAD + "\tAnnotation\n1\tWaveform 1\t1\t1\t2\t300\t900\towl\n"
    table = read(tmp_path / "dawn.Table.1.selections.txt", text)
    assert [e.recording for e in table.entries] == ["dawn"]
    assert [e.verdict for e in table.entries] == ["present"]
    assert any("the one that the table is named after" in line for line in table.notes.text())


def test_times_that_run_on_over_files_need_the_offset(tmp_path: Path) -> None:
    rows = "1\tS\t1\t1\t2\t3\t9\towl\ta.wav\n2\tS\t1\t61\t62\t3\t9\towl\tb.wav\n"
    text = HEAD + "\tSpecies\tBegin File\n" + rows
    with pytest.raises(AnnotationError, match=r"row 3: a second recording .*'File Offset \(s\)'"):
        read(tmp_path / "t.txt", text)
    columns = {"t_min": "Begin Time (s)", "t_max": "End Time (s)"}
    table = read(tmp_path / "t.txt", text, columns=columns)
    assert [(e.recording, e.span) for e in table.entries] == [
        ("a.wav", Span(1, 2)),
        ("b.wav", Span(61, 62)),
    ]


def test_a_selection_that_ends_in_another_file_is_left_out(tmp_path: Path) -> None:
    text = HEAD + "\tSpecies\tBegin File\tEnd File\tFile Offset (s)\n"
    text += (
        "1\tS\t1\t1\t2\t3\t9\towl\ta.wav\ta.wav\t1\n2\tS\t1\t59\t61\t3\t9\towl\ta.wav\tb.wav\t59\n"
    )
    table = read(tmp_path / "t.txt", text)
    assert [e.span for e in table.entries] == [Span(1, 2)]
    assert table.notes.dropped == {"the selection ends in another file": 1}


def test_views_that_differ_are_an_error_and_joined_tables_are_not(tmp_path: Path) -> None:
    text = HEAD + "\tSpecies\n"
    one = "1\tWaveform 1\t1\t1\t2\t3\t9\towl\n1\tSpectrogram 1\t1\t1\t2\t3\t9\towl\n"
    other = "1\tWaveform 1\t1\t5\t6\t3\t9\towl\n1\tSpectrogram 1\t1\t5\t6\t3\t9\towl\n"
    table = read(tmp_path / "t.txt", text + one + text + other)
    assert [e.span for e in table.entries] == [Span(1, 2), Span(5, 6)]
    mixed = one.replace("Spectrogram 1\t1\t1\t2", "Spectrogram 1\t1\t1\t3")
    with pytest.raises(AnnotationError, match="selection 1 is another in its view"):
        read(tmp_path / "t.txt", text + mixed)


def test_the_column_of_classes(tmp_path: Path) -> None:
    row = "1\tS\t1\t1\t2\t3\t9\tx\towl\n"
    two = HEAD + "\tMood\tWhat\n" + row
    with pytest.raises(AnnotationError, match=r"--column class=NAME.*may be Mood, What"):
        read(tmp_path / "t.txt", two)
    table = read(tmp_path / "t.txt", two, columns={"class": "what"})
    assert [e.label for e in table.entries] == ["owl"]
    assert any("not used: Mood" in line for line in table.notes.text())
    table = read(tmp_path / "t.txt", two, label="wren")
    assert [e.label for e in table.entries] == ["wren"]
    with pytest.raises(AnnotationError, match="no column 'bird'"):
        read(tmp_path / "t.txt", two, columns={"class": "bird"})
    with pytest.raises(
        AnnotationError, match=r"--column duration=NAME is not taken by this format"
    ):
        read(tmp_path / "t.txt", two, columns={"class": "What", "duration": "Mood"})
