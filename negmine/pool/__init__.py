"""The pool: recipes by the million, kept as Arrow columns in a folder."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from negmine.pool.pool import Pool, check_classes, open_pool

__all__ = ["Pool", "check_classes", "open_pool"]


def __getattr__(name: str) -> Any:
    # imported when asked for: the settings of a pool are read without numpy or pyarrow
    if name in __all__:
        return getattr(import_module("negmine.pool.pool"), name)
    raise AttributeError(f"module 'negmine.pool' has no attribute '{name}'")
