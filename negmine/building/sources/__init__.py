"""Sources of confident negatives: one file each, each a generator of recipes with certificates.

How one is written is in `negmine.building.sources.context`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from negmine.building.sources.context import BuildContext
    from negmine.recipes.recipe import Recipe, Recipes

    Rows = Callable[[BuildContext, Any], Iterator[Recipe | Recipes]]


def rows_of(name: str) -> Rows:
    """Return the function that yields a source's rows."""
    rows: Rows = import_module(f"negmine.building.sources.{name}").rows
    return rows
