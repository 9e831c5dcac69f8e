"""Hard-negative mining and synthesis for sound detectors.

>>> import negmine
>>> pool = negmine.open_pool("pool")  # doctest: +SKIP
>>> samples = pool[0].render()  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from negmine.lazy import lazily

if TYPE_CHECKING:
    from negmine.pool import Pool, open_pool
    from negmine.pool.append import append_recipes
    from negmine.recipes.certificates import Absence, Certificate
    from negmine.recipes.labels import PartialLabels
    from negmine.recipes.layer import Layer
    from negmine.recipes.recipe import Recipe
    from negmine.recipes.source import Source

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

__getattr__ = lazily(
    __name__,
    {
        "Absence": "recipes.certificates",
        "Certificate": "recipes.certificates",
        "Layer": "recipes.layer",
        "PartialLabels": "recipes.labels",
        "Pool": "pool.pool",
        "Recipe": "recipes.recipe",
        "Source": "recipes.source",
        "append_recipes": "pool.append",
        "open_pool": "pool.pool",
    },
)
