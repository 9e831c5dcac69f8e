"""The one reader of tables, and the one writer: what both refuse, and what they keep."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.annotations.sites import sites_by_table
from negmine.audit.audit_folder import read_clip_verdicts
from negmine.audit.frames import Claim
from negmine.building.declarations import read_declarations
from negmine.building.sources.exclusive import read_exclusive
from negmine.errors import InputError
from negmine.storage import csv_tables
from negmine.storage.csv_tables import read_rows, safe_cell, write_csv
from negmine.storage.decimals import decimal
from negmine.storage.names import clean_name
from training.evaluation.score_tables import read_scores, read_truth


def rows_of(path: Path) -> list[tuple[str, ...]]:
    return [cells for _, cells in read_rows(path, ("a", "b"))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,a\n1,2,3\n", "column 'a' appears 2 times, as columns 1, 3; keep one"),
        ("a,b, a \n1,2,3\n", "column 'a' appears 2 times"),
        ("a,b\n1,2\n1,2,a note\n", "row 3: 3 cells.* 2 columns; no column is named for 'a note'"),
        ("a,b\n1\n", "row 2: 1 cells.* 2 columns; nothing is given for 'b'"),
        (",a,b\n0,1,2\n", "column 1 has no name"),
        ("a;b\n1;2\n", "no column 'a': the cells are separated by semicolons; save"),
        ("a\tb\n1\t2\n", "separated by tabs"),
        ("A,b\n1,2\n", "no column 'a'; expected a, b; found A, b"),
        ('a,b\n1,"2\n', "not readable as CSV after row 1: unexpected end of data"),
        ('a,b\n1,"2"x\n', "not readable as CSV after row 1"),
        ("a,b\n1,\0\n", "row 2: holds a byte of zero"),
        (b"a,b\n1,\xff\n", "not UTF-8 after row"),
        (b"\xff\xfea\0,\0b\0\n\0", "not UTF-8"),
        ("a,b\n1," + "x" * 200_000, "not readable as CSV after row 1: field larger"),
        ("a,b\n", "has a header and no rows"),
        ("", "the file is empty; expected a, b"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=rf"t\.csv.* {message}"):
        rows_of(path)


def test_a_line_without_an_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "1," * 600)
    with (
        patch.object(csv_tables, "_LONGEST_LINE", 1000),
        pytest.raises(InputError, match="a line of more than 1000 characters"),
    ):
        rows_of(tmp_path / "t.csv")


def test_cells_are_cleaned_and_lines_counted_as_a_spreadsheet_does(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("\ufeffb,note, a\r\n\r\n Ra\u0303 ,\"x\ny\",' 1\r\n'-2,,'x\r\n".encode())
    assert list(read_rows(path, ("a", "b"))) == [
        (f"{path} row 3", ("' 1", "R\u00e3")),
        (f"{path} row 4", ("'x", "-2")),
    ]


READERS: list[tuple[str, str, Callable[[Path], object]]] = [
    ("recording_id,site", "r,s", lambda path: sites_by_table(["r"], path)),
    ("pattern,absent_classes", "x,owl", lambda path: read_declarations(path, ("owl",))),
    ("class,excludes", "owl,frog", lambda path: read_exclusive(path, ("owl", "frog"))),
    ("recording_id,sowl", "r,1", read_scores),
    ("recording_id,sowl", "r,1", lambda path: read_truth(path, ("owl",))),
]


@pytest.mark.parametrize(("header", "row", "read"), READERS)
def test_every_table_passes_the_same_checks(
    tmp_path: Path, header: str, row: str, read: Callable[[Path], object]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header}\n{row}\n")
    read(path)
    last = header.split(",")[1]
    for content, message in (
        (f"{header}\n{row},note\n", "row 2: 3 cells"),
        (f"{header},{last}\n{row},x\n", f"column '{last}' appears 2 times"),
        (f"{header},\n{row},\n", "column 3 has no name"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=message):
            read(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match=r"t\.csv: is a pipe or a device, not a regular file"):
        read(path)
    with pytest.raises(InputError, match="is a folder, not a regular file"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3.0), ("-0.5", -0.5), ("+1e-3", 1e-3), (".5", 0.5), ("7.", 7.0)],
)
def test_numbers_are_decimal(text: str, value: float) -> None:
    assert decimal(text) == value


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "-Infinity", "1_0", "0x1p3", "\uff11", "1e999", "e", "1 2", "1,5"]
)
def test_what_only_python_takes_for_a_number_is_none(text: str) -> None:
    assert decimal(text) != decimal(text)


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
formulas = st.builds("".join, st.tuples(st.sampled_from(["", "'", "''"]),
                                        st.sampled_from("=+-@"), texts))  # fmt: skip


@given(st.one_of(formulas, texts).map(clean_name))
def test_any_name_reads_back_as_it_was_written(name: str) -> None:
    written = safe_cell(name)
    assert written[:1] not in tuple("=+-@")
    assert csv_tables._cell(Path("t.csv"), 1, written) == name


def test_written_tables_keep_numbers_and_hide_formulas(tmp_path: Path) -> None:
    names = ["-", "+1", "=cmd|' /C calc'!A0", "@x", "'-", "owl"]
    table = pd.DataFrame({"a": names, "b": [-1.5, 2, -3, 4, 5, 6], "=c": [None, "x", "y"] * 2})
    write_csv(tmp_path / "t.csv", table)
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[:3] == ["a,b,'=c", "'-,-1.5,", "'+1,2.0,x"]
    assert not [line for line in lines if line[0] in "=+-@"]
    assert [row[0] for row in rows_of(tmp_path / "t.csv")] == names
    assert [float(row[1]) for row in rows_of(tmp_path / "t.csv")] == [-1.5, 2, -3, 4, 5, 6]


def test_verdicts_of_a_class_like_a_formula(tmp_path: Path) -> None:
    from negmine.audit.audit_folder import Key, write_verdicts

    claim = Claim("r", "-", False, "fp", "verified", 1.0, "", 0.0, 0.0, "s", 1)
    key = Key(("c.flac",), (claim,), {})
    write_verdicts(tmp_path / "v.csv", key, 2.0)
    text = (tmp_path / "v.csv").read_text()
    assert text.splitlines()[1] == "c,'-,0.0,2.0,,"
    (tmp_path / "v.csv").write_text(text.replace("2.0,,", "2.0,absent,"))
    assert [verdict.word for verdict in read_clip_verdicts(tmp_path / "v.csv", key)] == ["absent"]


@pytest.mark.slow
def test_a_million_rows_take_seconds(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "r\u00e3,2.5\n" * 1_000_000)
    started = time.perf_counter()
    assert sum(1 for _ in read_rows(path, ("a", "b"))) == 1_000_000
    assert time.perf_counter() - started < 20
