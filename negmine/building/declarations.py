"""What a table declares of files of other sound, such as the ranges of species."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from negmine.errors import InputError, did_you_mean
from negmine.storage.csv_tables import class_list, read_rows

COLUMNS = ("pattern", "absent_classes")


@dataclass(frozen=True)
class Declaration:
    """One row: files, and the classes that they cannot contain.

    Attributes
    ----------
    pattern : str
        As in a shell, on the file's path from its folder's name on: ``africa/*``, ``*/rain_?.wav``.
        A pattern that names a folder covers what is in it.
    absent : tuple of str
    where : str
        Table and row, for messages.
    """

    pattern: str
    absent: tuple[str, ...]
    where: str

    def covers(self, name: str) -> bool:
        """Return whether a file is meant, by its path from its folder's name on."""
        return fnmatchcase(name, self.pattern) or fnmatchcase(name, f"{self.pattern.rstrip('/')}/*")


def read_declarations(path: Path, classes: Sequence[str]) -> tuple[Declaration, ...]:
    """Read a CSV table with columns pattern and absent_classes (``a;b``, or ``*`` for all).

    Raises
    ------
    InputError
        If the table is malformed or names an unknown class.
    """
    found = []
    for where, (pattern, names) in read_rows(path, COLUMNS):
        if not pattern:
            raise InputError(f"{where}: no pattern; '*' means every file")
        found.append(Declaration(pattern, class_list(names, classes, where), where))
    return tuple(found)


def declared_files(
    names: Collection[str], absent: tuple[str, ...], table: Sequence[Declaration]
) -> dict[str, tuple[str, ...]]:
    """Read the classes that each file of a folder is declared free of.

    A folder of which no row speaks is declared as a whole. Where rows speak of some of its files,
    those have the classes of all rows that cover them, and the others are not declared at all: the
    table's author has decided file by file.

    Parameters
    ----------
    names : collection of str
        Paths from the folder's name on.
    absent : tuple of str
        What the folder as a whole is declared free of.
    table : sequence of Declaration

    Returns
    -------
    dict of str to tuple of str
        Without the files that are not declared. Files declared alike share one tuple.
    """
    rows = {name: [i for i, row in enumerate(table) if row.covers(name)] for name in names}
    if not any(rows.values()):
        return dict.fromkeys(names, absent)
    joined: dict[tuple[int, ...], tuple[str, ...]] = {}
    for key in map(tuple, rows.values()):
        joined[key] = tuple(dict.fromkeys(name for i in key for name in table[i].absent))
    return {name: joined[tuple(found)] for name, found in rows.items() if found}


def check_used(table: Sequence[Declaration], names: Mapping[str, object]) -> None:
    """Check that every row covers some file.

    Raises
    ------
    InputError
        Naming the first row that covers none: most often a misspelt pattern.
    """
    for row in table:
        if not any(map(row.covers, names)):
            folders = {name.rpartition("/")[0] for name in names}
            raise InputError(
                f"{row.where}: no file matches '{row.pattern}'"
                f"{did_you_mean(row.pattern.rstrip('/*'), folders)}; patterns begin with the "
                "folder's own name, as in 'africa/*'"
            )
