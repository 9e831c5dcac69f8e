"""What a page shows. Imports nothing heavy."""

from __future__ import annotations

from negmine.settings import Count, Settings, setting
from negmine.storage.names import Name


class PageSettings(Settings, frozen=True):
    """The page."""

    per_class: Count = setting(5, "Negatives shown a class, the highest-scoring.", common=True)
    classes: tuple[Name, ...] = setting(
        (), "Show this class alone. Repeatable.", flag="--class", metavar="C", common=True
    )
