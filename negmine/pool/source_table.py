"""The sources of a pool as rows: one becomes an object when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from negmine.errors import PoolError
from negmine.recipes.columns import SOURCE, flat
from negmine.recipes.source import SYNTHETIC, Source
from negmine.storage.file_names import is_inside
from negmine.storage.files import write_table
from negmine.storage.parquet import read_table

SOURCES = flat(SOURCE)

# Root, name, fingerprint, duration in seconds, group.
_Row = tuple[Path, str, str, float, str]


class SourceTable(Sequence[Source]):
    """The sources of a pool, by number; those of its parts, one after another.

    Parameters
    ----------
    paths : sequence of Path
        The tables of the parts.
    roots : mapping of str to Path
        The pool's folders.

    Raises
    ------
    PoolError
        If a table is missing or damaged, or names a file outside the pool's folders.
    """

    def __init__(self, paths: Sequence[Path], roots: Mapping[str, Path]) -> None:
        self.roots = dict(roots)
        self._rows = [row for path in paths for row in _read(path, roots)]
        self._made: dict[int, Source] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        # kept: rows of a pool then share a source, and what is known of it
        if number not in self._made:
            self._made[number] = Source(*self._rows[number])
        return self._made[number]

    @property
    def groups(self) -> list[str]:
        """The group of each source."""
        return [group for *_, group in self._rows]

    def __iter__(self) -> Iterator[Source]:
        return (self[number] for number in range(len(self)))


def write_sources(path: Path, sources: Sequence[Source], roots: Mapping[str, Path]) -> None:
    """Write sources as a Parquet table, each with the name of its root."""
    names = {root: name for name, root in roots.items()} | {SYNTHETIC: str(SYNTHETIC)}
    columns = {name: [getattr(source, name) for source in sources] for name in SOURCES}
    columns["root"] = [names[root] for root in columns["root"]]
    write_table(path, pa.table(columns, schema=pa.schema(list(SOURCES.items()))))


def _read(path: Path, roots: Mapping[str, Path]) -> Iterator[_Row]:
    table, _ = read_table(path, SOURCES)
    known = {**roots, str(SYNTHETIC): SYNTHETIC}
    columns = {name: table.column(name).to_pylist() for name in SOURCES}
    for root, name in zip(columns["root"], columns["name"], strict=True):
        if root not in known or not is_inside(name):
            raise PoolError(f"{path}: '{name}' is outside the pool's folders")
    columns["root"] = [known[root] for root in columns["root"]]
    return zip(*columns.values(), strict=True)
