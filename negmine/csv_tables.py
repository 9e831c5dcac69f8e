"""Small tables that people write by hand: CSV, read as text, every name checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from negmine.errors import InputError, did_you_mean

# Stands for all classes in a cell that lists classes.
EVERY = "*"


def read_rows(
    path: Path, columns: Sequence[str], *, may_be_empty: bool = False
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each row's place, for messages, and its cells in the order of ``columns``.

    Raises
    ------
    InputError
        If the file is no CSV, lacks a column, or has no row where it must have one.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as CSV: {error}") from error
    found = [str(column) for column in table.columns]
    for column in columns:
        if column not in found:
            raise InputError(
                f"{path}: no column '{column}'{did_you_mean(column, found)}; expected "
                f"{', '.join(columns)}; found {', '.join(found)}"
            )
    if table.empty and not may_be_empty:
        raise InputError(f"{path}: the table has no rows")
    cells = zip(*(table[column] for column in columns), strict=True)
    for number, row in enumerate(cells, start=2):
        yield f"{path} row {number}", tuple(cell.strip() for cell in row)


def class_list(text: str, classes: Sequence[str], where: str) -> tuple[str, ...]:
    """The classes that a cell lists, separated by semicolons; ``*`` is all of them.

    Raises
    ------
    InputError
        If the cell is empty or a class unknown.
    """
    if text == EVERY:
        return tuple(classes)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(";") if name.strip()))
    if not names:
        raise InputError(f"{where}: no class; name some, separated by ';', or all with '*'")
    for name in names:
        if name not in classes:
            raise InputError(
                f"{where}: unknown class '{name}'{did_you_mean(name, classes)}; "
                f"the classes are {', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''}"
            )
    return names
