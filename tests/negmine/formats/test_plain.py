"""Plain tables, as people keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.entry import Entry, Notes
from negmine.formats.format import Options
from negmine.formats.recognise import ReadAs, Table, read_tables


def read(path: Path, text: str, **options: object) -> Table:
    path.write_text(text, encoding="utf-8")
    (table,) = read_tables([path], ReadAs(options=Options(**options)))  # type: ignore[arg-type]
    return table


def said(entries: tuple[Entry, ...]) -> list[tuple[object, ...]]:
    return [(e.recording, e.label, e.verdict, e.span, e.band_hz) for e in entries]


def test_columns_are_known_by_usual_names(tmp_path: Path) -> None:
    table = read(
        tmp_path / "t.csv",
        "File Name,Species,Start (s),End (s),Low Freq (Hz),High Freq (Hz),Correct,Site,Observer,"
        "Confidence\na.wav,owl,1,2.5,300,800,yes,hill,Ann,0.75\nb.wav,wren,0,3,,,no,lake,,\n",
    )
    assert table.format == "plain"
    assert said(table.entries) == [
        ("a.wav", "owl", "present", Span(1, 2.5), (300, 800)),
        ("b.wav", "wren", "absent", Span(0, 3), None),
    ]
    first = table.entries[0]
    assert (first.group, first.judge, first.score) == ("hill", "Ann", 0.75)
    assert first.where == f"{tmp_path / 't.csv'} row 2"
    assert table.notes.text() == ()


def test_what_perch_hoplite_lists_is_a_plain_table(tmp_path: Path) -> None:
    head = "idx,project,filename,window_start,window_end,label,logits\n"
    text = head + "0,hills,n/a.wav,5.0,10.0,owl,1.5\n"
    table = read(tmp_path / "t.csv", text)
    assert said(table.entries) == [("n/a.wav", "owl", "unknown", Span(5, 10), None)]
    assert table.entries[0].score == 1.5


def test_columns_can_be_named(tmp_path: Path) -> None:
    columns = {"recording": "soundscape", "class": "what", "t_min": "from"}
    text = "soundscape,what,from,duration,heard,x\na,owl,1,2,1,y\n"
    table = read(tmp_path / "t.csv", text, columns=columns, verdict_column="Heard")
    assert said(table.entries) == [("a", "owl", "present", Span(1, 3), None)]
    assert table.notes.text() == (f"{tmp_path / 't.csv'}: columns that are not used: x",)


def test_without_times_a_row_is_of_the_whole_recording(tmp_path: Path) -> None:
    table = read(tmp_path / "t.csv", "file,verdict\na,1\nb,0\nc,?\n", label="alarm")
    assert said(table.entries) == [
        ("a", "alarm", "present", None, None),
        ("b", "alarm", "absent", None, None),
        ("c", "alarm", "unknown", None, None),
    ]


def test_without_verdicts_rows_are_calls_and_scored_rows_are_unknown(tmp_path: Path) -> None:
    calls = read(tmp_path / "a.csv", "file,class\na,owl\n")
    assert [e.verdict for e in calls.entries] == ["present"]
    assert "all its rows are taken as confirmed calls" in calls.notes.text()[0]
    scored = read(tmp_path / "b.csv", "file,class,confidence\na,owl,0.9\n")
    assert [e.verdict for e in scored.entries] == ["unknown"]
    assert "are not judged" in scored.notes.text()[0]


def test_a_column_that_looks_like_verdicts_is_never_overlooked(tmp_path: Path) -> None:
    text = "file,class,n,Checked\na,owl,1,yes\nb,owl,0,no\nb,owl,0,\n"
    with pytest.raises(AnnotationError, match=r"'Checked' looks like .*--column 'verdict=Checked'"):
        read(tmp_path / "a.csv", text)
    named = read(tmp_path / "b.csv", text, verdict_column="Checked")
    assert [e.verdict for e in named.entries] == ["present", "absent", "unknown"]
    none = read(tmp_path / "c.csv", text, columns={"verdict": ""})
    assert [e.verdict for e in none.entries] == ["present"] * 3
    scored = read(tmp_path / "d.csv", text.replace(",n,", ",score,"))
    assert [e.verdict for e in scored.entries] == ["unknown"] * 3
    assert any("'verdict=Checked' would read that" in line for line in scored.notes.text())
    remarks = read(tmp_path / "e.csv", text.replace("b,owl,0,no", "b,owl,0,far away"))
    assert [e.verdict for e in remarks.entries] == ["present"] * 3


def test_rows_without_recording_or_class_are_counted(tmp_path: Path) -> None:
    table = read(tmp_path / "t.csv", "file,class,verdict\na,owl,1\n,owl,1\nb,,0\n,,\n")
    assert len(table.entries) == 1
    assert dict(table.notes.dropped) == {
        "no recording": 1,
        "no class": 1,
        "it is empty": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,verdict\na,1\n", r"no column of classes; .*--column class=NAME.*--label"),
        ("file,class,begin\na,owl,1\n", "beginnings, 'begin', and none of ends"),
        ("file,class,end\na,owl,1\n", "ends, 'end', and none of beginnings"),
        ("file,class,start ms\na,owl,1\n", "'start ms' may hold times, and is not known"),
        ("file,class,start,end\na,owl,1,\n", "one of its two times is empty"),
        ("file,class,start,end\na,owl,5,2\n", "not after the beginning .* one column sorted alone"),
        ("file,class,start,end\na,owl,-1,2\n", "beginning -1 s is negative"),
        ("file,class,start,end\na,owl,01.May,2\n", r"start '01\.May' is not a number \(a date"),
        ("file,class,start,end\na,owl,1,2026-05-02\n", r"end '2026-05-02' is not .* \(a date"),
        ("file,class,start,end\na,owl,1,soon\n", r"end 'soon' is not a number$"),
        ("file,class,low_freq,high_freq\na,owl,900,100\n", "band from 900 to 100 Hz is none"),
        ("file,class,verdict\na,owl,maybee\n", r"row 2: verdict 'maybee' \(did you mean maybe\?\)"),
        ("file,class,verdict\na,*,1\n", "'\\*' means all, and cannot be present"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        read(tmp_path / "t.csv", text)
    assert "\n" not in str(caught.value)


# ---- as a spreadsheet leaves them

PLAIN = "file,class,start,end,verdict\na,owl,0.5,1.25,1\nb,wren,2,3.5,0\n"


def test_a_spreadsheets_byte_order_mark_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    plain = read(tmp_path / "t.csv", PLAIN)
    text = "\ufeff" + PLAIN.replace(",", ";").replace(".", ",").replace("\n", "\r\n")
    table = read(tmp_path / "t.csv", text)
    assert table.entries == plain.entries
    assert plain.notes == Notes()
    path = tmp_path / "t.csv"
    assert table.notes.text() == (
        f"{path}: cells are separated by semicolons; read so",
        f"a decimal comma is read as a decimal point: 3 times; the first: {path} row 2",
    )


def test_notes_beyond_the_last_column_are_named(tmp_path: Path) -> None:
    noted = PLAIN.replace("1.25,1\n", "1.25,1,nice one\n")
    with pytest.raises(AnnotationError, match=r"row 2: 6 cells.*no column is named for 'nice one'"):
        read(tmp_path / "t.csv", noted)
    inside = PLAIN.replace("verdict\n", "verdict,notes\n").replace(",1\n", ",1,nice\n")
    table = read(tmp_path / "t.csv", inside.replace(",0\n", ",0,\n"))
    assert len(table.entries) == 2
    assert table.notes.text() == (f"{tmp_path / 't.csv'}: columns that are not used: notes",)


def test_a_column_sorted_alone_is_met_where_it_shows(tmp_path: Path) -> None:
    text = "file,class,start,end\na,owl,0,1\nb,owl,5,6\nc,owl,9,2\n"
    with pytest.raises(AnnotationError, match=r"row 4: the end 2 s is not after .*sorted alone"):
        read(tmp_path / "t.csv", text)
