"""The pool: recipes by the million, kept as Arrow columns in a folder."""

from negmine.pool.pool import Pool, check_classes, open_pool

__all__ = ["Pool", "check_classes", "open_pool"]
