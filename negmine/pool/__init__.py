"""The pool: recipes by the million, kept as Arrow columns in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from negmine.lazy import lazily

if TYPE_CHECKING:
    from negmine.pool.pool import Pool, check_classes, open_pool

__all__ = ["Pool", "check_classes", "open_pool"]

__getattr__ = lazily(__name__, dict.fromkeys(__all__, "pool"))
