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

# In this order: what mixes and changes clips comes after what certifies them.
ORDER = ("external", "noise", "fp", "near", "agreed", "erase", "transplant", "mix", "scene")

# Sources on whose rows, the most of a pool, no other draws: they need not be kept.
LEAVES = ("mix", "scene")


def rows_of(name: str) -> Rows:
    """Return the function that yields a source's rows."""
    rows: Rows = import_module(f"negmine.building.sources.{name}").rows
    return rows
