"""Tables as people keep them: with commas, semicolons or tabs, and with decimal commas.

`negmine.storage.csv_tables` reads the tables of negmine itself, strictly. Here what a spreadsheet
of another language makes of a table is read, too, and noted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from negmine.errors import AnnotationError, did_you_mean, shorten
from negmine.formats.entry import Notes
from negmine.storage.csv_tables import open_table
from negmine.storage.decimals import decimal
from negmine.storage.text_files import open_regular

_DELIMITERS = {"\t": "tabs", ";": "semicolons", ",": "commas"}
# As spreadsheets write 1.5 or 3.12, which they take for days: 01.May, 3-Dec, Dec-12, 2026-05-01.
_DATE = re.compile(
    r"[0-9]{1,4}[-./ ]{1,2}[^\W\d_]{3,9}\.?|[^\W\d_]{3,9}[-./ ]{1,2}[0-9]{1,4}"
    r"|[0-9]{1,4}([-./])[0-9]{1,2}\1[0-9]{1,4}( [0-9:]+)?"
)
_MOST_BYTES = 2 << 30
_HEAD_BYTES = 64 << 10


@dataclass(frozen=True)
class SheetRow:
    """A row of a sheet: its cells by the name of their column.

    Attributes
    ----------
    where : str
        Table and row, for messages.
    """

    where: str
    cells: Mapping[str, str]
    notes: Notes
    delimiter: str

    def __getitem__(self, column: str) -> str:
        """Return a cell; empty where the table has no such column."""
        return self.cells.get(column, "")

    def number(self, column: str) -> float | None:
        """Return a cell as a finite number; None where it is empty.

        A comma is a decimal point where commas do not separate cells, or the cell was quoted.

        Raises
        ------
        AnnotationError
            If it is no number.
        """
        return number_of(self.where, column, self[column], self.notes)

    def needed(self, column: str) -> float:
        """Return a cell as a finite number.

        Raises
        ------
        AnnotationError
            If it is empty, or no number.
        """
        value = self.number(column)
        if value is None:
            raise AnnotationError(f"{self.where}: {column} is empty; a number is needed")
        return value


@dataclass(frozen=True)
class Sheet:
    """A table with a header: iterate over its rows, as often as is needed.

    Attributes
    ----------
    rows : callable
        Opens the table; returns number and cells of each row below the header. The file is open
        while rows are read, and closed where their reader ends or fails.
    """

    path: Path
    columns: tuple[str, ...]
    delimiter: str
    rows: Callable[[], Generator[tuple[int, list[str]], None, None]]
    notes: Notes

    def __iter__(self) -> Iterator[SheetRow]:
        with closing(self.rows()) as rows:
            for number, cells in rows:
                where = f"{self.path} row {number}"
                if self.delimiter == "\t":
                    cells = [_unquoted(where, cell, self.notes) for cell in cells]
                # tables that are joined end to end bring their headers, and marks of byte order
                cells[0] = cells[0].removeprefix("\ufeff")
                if not any(cells):
                    self.notes.drop(where, "it is empty")
                elif tuple(cells) == self.columns:
                    self.notes.drop(where, "it repeats the header")
                else:
                    found = dict(zip(self.columns, cells, strict=True))
                    yield SheetRow(where, found, self.notes, self.delimiter)

    def first_of(self, *names: str) -> str | None:
        """Return the first of some columns that the table has; None where it has none."""
        return next((name for name in names if name in self.columns), None)

    def require(self, columns: Sequence[str]) -> None:
        """Check that the table has columns.

        Raises
        ------
        AnnotationError
            If one is missing.
        """
        for column in columns:
            if column not in self.columns:
                raise AnnotationError(
                    f"{self.path}: no column '{column}'{did_you_mean(column, self.columns)}; "
                    f"found {shorten(self.columns, 20)}"
                )

    def ignore(self, used: Sequence[str], known: Sequence[str] = ()) -> None:
        """Note which columns are not used, but for those ``known`` to hold nothing of use."""
        odd = [name for name in self.columns if name not in used and name not in known]
        if odd:
            self.notes.say(f"{self.path}: columns that are not used: {shorten(odd, 12)}")


def number_of(where: str, column: str, text: str, notes: Notes) -> float | None:
    """Return a text as a finite number, as `SheetRow.number` does; None where it is empty.

    Raises
    ------
    AnnotationError
        If it is no number.
    """
    if not text:
        return None
    value = decimal(text)
    if math.isnan(value) and text.count(",") == 1 and "." not in text:
        value = decimal(text.replace(",", "."))
        if not math.isnan(value):
            notes.repair(where, "a decimal comma is read as a decimal point")
    if not math.isfinite(value):
        date = " (a date that a spreadsheet made of a number?)" if _DATE.fullmatch(text) else ""
        raise AnnotationError(f"{where}: {column} '{text}' is not a number{date}")
    return value


def _unquoted(where: str, cell: str, notes: Notes) -> str:
    """Take quotes off a cell between tabs, where spreadsheets put them round commas."""
    if len(cell) < 2 or cell[0] != '"' or cell[-1] != '"':
        return cell
    notes.repair(where, "quotes round a cell are taken off")
    return cell[1:-1].replace('""', '"').strip()


def delimiter_of(line: str) -> str:
    """Return what separates the cells of a first line: a tab, a semicolon, or else a comma."""
    counts = {mark: line.count(mark) for mark in _DELIMITERS}
    return max(_DELIMITERS, key=lambda mark: counts[mark]) if any(counts.values()) else ","


def open_sheet(path: Path, notes: Notes) -> Sheet:
    """Open a table with a header, whatever separates its cells.

    Raises
    ------
    InputError
        If it is no such table; also while rows are read.
    """
    with open_regular(path, _MOST_BYTES) as file:
        head = file.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace")
    delimiter = delimiter_of(head.partition("\n")[0])
    if delimiter == ";":
        notes.say(f"{path}: cells are separated by semicolons; read so")
    columns, _ = open_table(path, delimiter=delimiter)

    def rows() -> Generator[tuple[int, list[str]], None, None]:
        yield from open_table(path, delimiter=delimiter)[1]

    return Sheet(path, columns, delimiter, rows, notes)
