"""Tables that people and tools write: CSV, read and written in this one place.

Every table passes the same checks, whichever command reads it: a regular file in UTF-8, separated
by commas, every column named and named once, every row of as many cells as the header. Cells are
text without blanks round it and in Unicode's composed form, so that a name is the same name in
every table. Numbers are plain decimal ones.

Spreadsheets take a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula. Names that do
are written with an apostrophe before them, and read without it. Numbers are never touched.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from negmine.errors import InputError, did_you_mean, shorten
from negmine.storage.decimals import decimal
from negmine.storage.names import LONGEST_NAME, clean_name, odd_character
from negmine.storage.text_files import open_regular

if TYPE_CHECKING:
    import pandas as pd

# Means all classes in a cell that lists classes.
EVERY = "*"

_MOST_BYTES = 2 << 30
_LONGEST_LINE = 16 << 20
_MOST_ROWS = 10_000_000
_UNSAFE = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")


def read_rows(
    path: Path,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    may_be_empty: bool = False,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each row's place, for messages, and its cells in the order of ``columns``.

    Parameters
    ----------
    columns : sequence of str
        Others may be present, too.
    optional : sequence of str
        Those of the columns that may be missing: their cells are then empty.
    may_be_empty : bool
        Whether the table may have a header alone.

    Raises
    ------
    InputError
        If the file is not such a table, lacks a column, or has no row where it must have one.
    """
    found, rows = open_table(path, columns)
    place = {name: index for index, name in enumerate(found)}
    for column in columns:
        if column not in place and column not in optional:
            raise _lacking(path, column, columns, found)
    wanted = [place.get(column, len(found)) for column in columns]
    empty = not may_be_empty
    for number, cells in rows:
        empty = False
        cells.append("")
        yield f"{path} row {number}", tuple(cells[index] for index in wanted)
    if empty:
        raise InputError(f"{path}: the table has a header and no rows")


def _lacking(path: Path, column: str, columns: Sequence[str], found: Sequence[str]) -> InputError:
    expected = f"expected {', '.join(columns)}; found {shorten(found, 20)}"
    if len(found) == 1:
        for mark, name in ((";", "semicolons"), ("\t", "tabs")):
            if mark in found[0]:
                return InputError(
                    f"{path}: no column '{column}': the cells are separated by {name}; save the "
                    f"table with commas; {expected}"
                )
    for name in found:
        if name not in columns and (hint := did_you_mean(name, [column])):
            return InputError(f"{path}: unknown column '{name}'{hint}; {expected}")
    return InputError(f"{path}: no column '{column}'; {expected}")


def open_table(
    path: Path, expected: Sequence[str] = (), delimiter: str = ","
) -> tuple[tuple[str, ...], Iterator[tuple[int, list[str]]]]:
    """Open a table: return its columns, and its rows as they are read.

    Parameters
    ----------
    expected : sequence of str
        Columns, for the message where the file is empty.
    delimiter : str
        What separates cells; between tabs, quotes are text.

    Returns
    -------
    columns : tuple of str
    rows : iterator of (int, list of str)
        Number and cells, as many as there are columns. Row 2 is the first below the header, as a
        spreadsheet counts. Empty lines are counted and left out.

    Raises
    ------
    InputError
        If the file is not such a table; also while rows are read.
    """
    records = _records(path, delimiter)
    _, header = next(records, (0, []))
    if not header:
        wanted = f"; expected {', '.join(expected)}" if expected else ""
        raise InputError(f"{path}: the file is empty{wanted}")
    _check_header(path, header)
    return tuple(header), _full_rows(path, header, records)


def _check_header(path: Path, header: Sequence[str]) -> None:
    for number, name in enumerate(header, start=1):
        if not name:
            raise InputError(
                f"{path}: column {number} has no name; give it one, or remove it (spreadsheets "
                "write such a column for a cell beside the table, pandas without index=False, R "
                "without row.names=FALSE)"
            )
    for name, count in Counter(header).items():
        if count > 1:
            places = [n for n, other in enumerate(header, start=1) if other == name]
            raise InputError(
                f"{path}: column '{name}' appears {count} times, as columns {shorten(places)}; "
                "keep one"
            )


def _full_rows(
    path: Path, header: Sequence[str], records: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    width = len(header)
    for number, cells in records:
        if number > _MOST_ROWS:
            raise InputError(f"{path}: more than {_MOST_ROWS} rows; split the table")
        if len(cells) > width:
            raise InputError(
                f"{path} row {number}: {len(cells)} cells, and the header names {width} columns; "
                f"no column is named for '{cells[width]}'"
            )
        if len(cells) < width:
            raise InputError(
                f"{path} row {number}: {len(cells)} cells, and the header names {width} columns; "
                f"nothing is given for '{header[len(cells)]}'"
            )
        yield number, cells


def _records(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield rows of a file that are no empty lines, by number, their cells cleaned."""
    number = 0
    with open_regular(path, _MOST_BYTES) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        reader = csv.reader(
            _lines(text),
            strict=True,
            skipinitialspace=True,
            delimiter=delimiter,
            quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
        )
        try:
            for number, cells in enumerate(reader, start=1):
                if cells:
                    yield number, [_cell(path, number, cell) for cell in cells]
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}: not readable as CSV: not UTF-8 after row {number}; save the table as "
                "UTF-8"
            ) from error
        except (csv.Error, OSError) as error:
            raise InputError(f"{path}: not readable as CSV after row {number}: {error}") from error


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield lines of a file, none longer than memory should hold."""
    while line := text.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE and line[-1] not in "\r\n":
            raise csv.Error(f"a line of more than {_LONGEST_LINE} characters")
        yield line


def _cell(path: Path, number: int, text: str) -> str:
    if "\0" in text:
        raise InputError(f"{path} row {number}: holds a byte of zero: not readable as CSV")
    text = clean_name(text)
    if text[:1] == "'" and _ESCAPED.match(text):
        return text[1:]
    return text


def check_name(where: str, column: str, name: str) -> str:
    """Check a name that a table brings in.

    Raises
    ------
    InputError
        If it is empty, longer than a file's name, or holds a control character.
    """
    if not name:
        raise InputError(f"{where}: {column} is empty")
    if len(name) > LONGEST_NAME:
        raise InputError(
            f"{where}: {column} '{name[:20]}...' has {len(name)} characters; at most "
            f"{LONGEST_NAME} make a name"
        )
    if odd := odd_character(name):
        raise InputError(f"{where}: {column} holds the control character {odd}; remove it")
    return name


def number_in(where: str, column: str, text: str) -> float:
    """Read a cell as a finite decimal number, such as 3, -0.5 or 1e-3.

    Raises
    ------
    InputError
        If it is none: words such as inf, digits of other scripts, and 1_000 are not either.
    """
    value = decimal(text)
    if math.isnan(value):
        comma = "," in text and not math.isnan(decimal(text.replace(",", ".", 1)))
        hint = "; write a decimal point" if comma else ""
        raise InputError(f"{where}: {column} '{text}' is not a number{hint}")
    return value


def known_name(where: str, what: str, name: str, known: Iterable[str]) -> str:
    """Check that a name is one of those known.

    Raises
    ------
    InputError
        If it is not, with the nearest that is.
    """
    names = known if isinstance(known, Mapping | frozenset | set) else tuple(known)
    if name not in names:
        raise InputError(
            f"{where}: unknown {what} '{name}'{did_you_mean(name, names)}; known are "
            f"{shorten(names, 10)}"
        )
    return name


def class_list(text: str, classes: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the classes that a cell lists, separated by semicolons; ``*`` is all of them.

    Raises
    ------
    InputError
        If the cell is empty or a class unknown.
    """
    if text == EVERY:
        return tuple(classes)
    names = tuple(dict.fromkeys(clean_name(name) for name in text.split(";") if name.strip()))
    if not names:
        raise InputError(f"{where}: no class; name some, separated by ';', or all with '*'")
    for name in names:
        known_name(where, "class", name, classes)
    return names


def safe_cell(text: str) -> str:
    """Quote a text so that no spreadsheet takes it for a formula; reading gives it back."""
    return f"'{text}" if _UNSAFE.match(text) else text


def _safe(cell: object) -> object:
    return safe_cell(str(cell)) if isinstance(cell, str | Path) else cell


def write_csv(
    path: Path, table: pd.DataFrame, *, float_format: str | None = None, separator: str = ","
) -> None:
    """Write a table, whole or not at all; its texts are safe in a spreadsheet.

    Parameters
    ----------
    table : DataFrame
        Its index is left out.
    float_format : str, optional
        Such as ``%.9g``.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    # late: readers of tables do without pandas and Arrow
    from pandas.api.types import is_numeric_dtype

    from negmine.storage.files import writing

    safe = table.rename(columns=lambda name: safe_cell(str(name)))
    for place, kind in enumerate(table.dtypes):
        if not is_numeric_dtype(kind):
            safe.isetitem(place, [_safe(cell) for cell in table.iloc[:, place]])
    with writing(path) as temporary:
        safe.to_csv(
            temporary, sep=separator, index=False, float_format=float_format, lineterminator="\n"
        )
