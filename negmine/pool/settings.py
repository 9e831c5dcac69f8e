"""Which rows of a pool a command is about. Imports nothing heavy."""

from __future__ import annotations

from negmine.settings import Count, Seed, Settings, When, setting
from negmine.storage.names import Name


class RowChoice(Settings, frozen=True):
    """Which rows."""

    ids: tuple[str, ...] = setting((), "A recipe's id. Repeatable.", metavar="ID")
    kind: str | None = setting(None, "Recipes of this kind alone.")
    label: Name | None = setting(
        None, "Recipes certified free of this class alone.", flag="--class"
    )
    sample: Count | None = setting(None, "This many of them, drawn at random.", common=True)
    seed: Seed = setting(0, "Of the draw.", needs=When("sample"))
