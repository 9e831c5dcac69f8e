"""Which classes exclude each other, by a table: where one calls, the other cannot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from negmine.errors import InputError
from negmine.storage.csv_tables import class_list, read_rows

COLUMNS = ("class", "excludes")


def read_exclusive(path: Path, classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read a CSV table with columns class and excludes (``a;b``).

    Exclusion holds both ways, whichever row says it.

    Returns
    -------
    dict of str to tuple of str
        For each class in the table, what its presence excludes, in the order of ``classes``.

    Raises
    ------
    InputError
        If the table is malformed, names an unknown class, or lets a class exclude itself.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for where, (one, others) in read_rows(path, COLUMNS):
        (name,) = class_list(one, classes, where) if ";" not in one and one != "*" else ("",)
        if not name:
            raise InputError(f"{where}: one class is expected in 'class', found '{one}'")
        for other in class_list(others, classes, where):
            if other == name:
                raise InputError(f"{where}: class '{name}' cannot exclude itself")
            found[name].add(other)
            found[other].add(name)
    order = {name: i for i, name in enumerate(classes)}
    return {
        name: tuple(sorted(found[name], key=order.__getitem__)) for name in classes if name in found
    }
