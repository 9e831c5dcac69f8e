"""What a page shows. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from negmine.limits import MOST_ROWS
from negmine.settings import Settings, setting
from negmine.storage.names import clean_name


class PageSettings(Settings, frozen=True):
    """The page."""

    per_class: Annotated[int, Field(ge=1, le=MOST_ROWS)] = setting(
        5, "Negatives shown a class, the highest-scoring.", common=True
    )
    classes: tuple[Annotated[str, AfterValidator(clean_name)], ...] = setting(
        (), "Show this class alone. Repeatable.", flag="--class", metavar="C", common=True
    )
