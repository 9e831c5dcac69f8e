"""Which rows of a pool a command is about. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from negmine.limits import LAST_SEED, MOST_ROWS
from negmine.settings import Settings, When, setting
from negmine.storage.names import clean_name


class RowChoice(Settings, frozen=True):
    """Which rows."""

    ids: tuple[str, ...] = setting((), "A recipe's id. Repeatable.", metavar="ID")
    kind: str | None = setting(None, "Recipes of this kind alone.")
    label: Annotated[str, AfterValidator(clean_name)] | None = setting(
        None, "Recipes certified free of this class alone.", flag="--class"
    )
    sample: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = setting(
        None, "This many of them, drawn at random.", common=True
    )
    seed: Annotated[int, Field(ge=0, le=LAST_SEED)] = setting(
        0, "Of the draw.", needs=When("sample")
    )
