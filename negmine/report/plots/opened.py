"""A selection and what is beside it, opened for a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from negmine.errors import InputError, PoolError, did_you_mean
from negmine.mining.selection import Chosen, Selection, open_selection
from negmine.pool import Pool
from negmine.report.read_report import report_beside


@dataclass(frozen=True)
class Opened:
    """A selection, its mining report if there is one, and the classes that are shown."""

    path: Path
    selection: Selection
    report: Mapping[str, Any] | None
    classes: tuple[str, ...]

    @cached_property
    def pool(self) -> Pool:
        return self.selection.open_pool()

    @property
    def rows(self) -> tuple[Chosen, ...]:
        """Its rows of the classes that are shown."""
        return self.of_classes(self.selection)

    def of_classes(self, selection: Selection) -> tuple[Chosen, ...]:
        return tuple(row for row in selection.rows if row.label in self.classes)

    def beside(self, what: str) -> tuple[Chosen, ...]:
        """Rows of the ``control`` or the ``review`` that mining wrote beside it, if it did.

        Raises
        ------
        PoolError
            If that file is no selection, or one of another pool.
        """
        path = self.path.with_suffix(f".{what}{self.path.suffix}")
        if not path.exists():
            return ()
        other = open_selection(path)
        if (other.pool_digest, other.model) != (self.selection.pool_digest, self.selection.model):
            raise PoolError(
                f"{path}: of another pool or model than {self.path.name} beside it; run 'negmine "
                "mine' again, or move it away"
            )
        return self.of_classes(other)


def open_for_plot(path: Path, wanted: Sequence[str]) -> Opened:
    """Open a selection for a plot.

    Raises
    ------
    PoolError
        If it is no selection.
    InputError
        If it has no row, or a class that is wanted is not in it.
    """
    selection = open_selection(path)
    report = report_beside(path, selection)
    if not selection.rows:
        raise InputError(f"{path}: holds no row, so there is nothing to draw")
    named = dict.fromkeys(
        [*((report or {}).get("classes") or {}), *(r.label for r in selection.rows)]
    )
    for name in wanted:
        if name not in named:
            raise InputError(f"{path}: no class '{name}' in it{did_you_mean(name, named)}")
    return Opened(path, selection, report, tuple(dict.fromkeys(wanted)) or tuple(named))
