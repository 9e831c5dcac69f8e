"""Which format a table is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.errors import AnnotationError
from negmine.formats import NAMES, format_of
from negmine.formats.format import Options
from negmine.formats.recognise import ReadAs, head_of, read_entries, read_tables, recognised

RFCX = "recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max\nr1,9,1,0.5,800,1.5,1200\n"


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_every_format_has_a_title_and_its_name() -> None:
    for name in NAMES:
        assert format_of(name).title
    assert NAMES[-1] == "plain"


def test_a_head_is_the_first_line_or_the_folders(tmp_path: Path) -> None:
    head = head_of(table(tmp_path / "a.csv", '\ufeff"a b";c\r\n1;2\r\n'))
    assert head.columns == ("a b", "c")
    assert head.has("c")
    assert not head.has("c", "d")
    (tmp_path / "d" / "Owl").mkdir(parents=True)
    (tmp_path / "d" / ".hidden").mkdir()
    assert head_of(tmp_path / "d").folders == ("Owl",)
    (tmp_path / "b.db").write_bytes(b"SQLite format 3\0" + bytes(100))
    assert head_of(tmp_path / "b.db").magic == b"SQLite format 3\0"
    with pytest.raises(AnnotationError, match=r"gone\.csv: no such file"):
        head_of(tmp_path / "gone.csv")
    (tmp_path / "e.csv").touch()
    with pytest.raises(AnnotationError, match=r"e\.csv: the file is empty"):
        head_of(tmp_path / "e.csv")


def test_a_table_of_no_format_is_an_error_that_lists_them(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "alpha,beta\n1,2\n")
    with pytest.raises(AnnotationError, match=r"found the columns alpha, beta; the formats are .*"):
        recognised(path)
    with pytest.raises(AnnotationError, match=r"no format 'plian' \(did you mean plain\?\)"):
        recognised(path, "plian")
    assert recognised(path, "plain") == "plain"
    assert recognised(path, options=Options({"recording": "Alpha"})) == "plain"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04\x14\0\0\0", "a workbook of a spreadsheet, .* save the sheet as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\0", "a workbook of Excel 97"),
        ("file,class\na,owl\n".encode("utf-16"), "text in UTF-16: save it as CSV UTF-8"),
        (
            b"sep=;\r\nfile;class\r\na;owl\r\n",
            "a first line that is for Excel alone, 'sep=': remove",
        ),
    ],
)
def test_what_a_spreadsheet_wrote_instead_is_named(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(AnnotationError, match=f"of no known format; found {message}"):
        recognised(tmp_path / "t.csv")


def test_tables_of_rfcx_have_their_verdict_by_their_name(tmp_path: Path) -> None:
    tp, fp = (table(tmp_path / f"train_{name}.csv", RFCX) for name in ("tp", "fp"))
    tables = read_tables([tp, fp])
    assert [one.format for one in tables] == ["rfcx", "rfcx"]
    assert [one.entries[0].verdict for one in tables] == ["present", "absent"]
    assert "by its name, all rows are absent" in tables[1].notes.text()[0]
    other = table(tmp_path / "traintp.csv", RFCX)
    with pytest.raises(AnnotationError, match="pass it as --tp or --fp"):
        read_tables([other])
    # with a column of verdicts it is a plain one
    judged = RFCX.replace("f_max\n", "f_max,verdict\n").replace("1200\n", "1200,0\n")
    assert read_tables([table(other, judged)])[0].format == "plain"


def test_entries_come_in_order_with_what_to_know_of_their_tables(tmp_path: Path) -> None:
    one = table(tmp_path / "one.csv", "file,class,verdict,x\na,owl,1,\n")
    two = table(tmp_path / "two.csv", "file,class,verdict\nb,owl,0\n")
    entries, notes = read_entries([one, two])
    assert [entry.recording for entry in entries] == ["a", "b"]
    assert notes == (f"{one}: columns that are not used: x",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,class,verdict\n", "nothing is read of it as plain"),
        ("file,class,verdict\n,owl,1\n", "nothing .*left out 1 rows: no recording"),
        ("file,class,verdict\na,o\x07wl,1\n", r"row 2: the class holds the control character"),
    ],
)
def test_a_table_that_says_nothing_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_tables([table(tmp_path / "t.csv", text)], ReadAs())


def test_a_table_of_each_recording_some_without_any_detection(tmp_path: Path) -> None:
    head = "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
    row = "0.0,3.0,Strix aluco,Tawny Owl,0.9,a.wav\n"
    texts = (head + row, head, head + row + row.replace("0.0", ""), head)
    paths = [table(tmp_path / f"{n}.csv", text) for n, text in enumerate(texts)]
    entries, notes = read_entries([*paths[:2], paths[3]])
    assert len(entries) == 1
    assert [note for note in notes if "nothing is read" in note] == [
        f"{paths[1]}: nothing is read of it as birdnet (and the same of 1 more tables)"
    ]
    with pytest.raises(AnnotationError, match=r"2\.csv row 3: one of its two times is empty"):
        read_entries(paths)
    with pytest.raises(AnnotationError, match=r"1\.csv: nothing is read of it as birdnet"):
        read_entries([paths[1], paths[3]])
    joined = [table(tmp_path / f"j{n}.csv", head + row + head) for n in range(3)]
    _, notes = read_entries(joined)
    assert f"left out 3 rows: it repeats the header; the first: {joined[0]} row 3" in notes
