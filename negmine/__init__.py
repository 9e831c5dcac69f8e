"""Hard-negative mining and synthesis for sound detectors.

>>> import negmine
>>> pool = negmine.open_pool("pool")  # doctest: +SKIP
>>> samples = pool[0].render()  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from negmine.labels import Absence, Certificate, PartialLabels
    from negmine.pool import Pool, open_pool
    from negmine.pool.append import append_recipes
    from negmine.recipe import Layer, Recipe, Source

__version__ = "0.1.0"

__all__ = [
    "Absence",
    "Certificate",
    "Layer",
    "PartialLabels",
    "Pool",
    "Recipe",
    "Source",
    "__version__",
    "append_recipes",
    "open_pool",
]

_HOMES = {
    "Absence": "labels",
    "Certificate": "labels",
    "Layer": "recipe",
    "PartialLabels": "labels",
    "Pool": "pool",
    "Recipe": "recipe",
    "Source": "recipe",
    "append_recipes": "pool.append",
    "open_pool": "pool",
}


def __getattr__(name: str) -> Any:
    # imported when asked for: the command line answers --help without numpy or pyarrow
    if name in _HOMES:
        return getattr(import_module(f"negmine.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'negmine' has no attribute '{name}'")
