"""How a review goes. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from negmine.settings import Seed, Settings, When, setting
from negmine.storage.names import Name

# Beyond this a clip is a dot in its picture.
_MOST_CONTEXT_S = 60.0


class ReviewSettings(Settings, frozen=True):
    """The review."""

    order: Literal["file", "hardest", "doubt", "random"] = setting(
        "file",
        "What comes first: as in the file, the highest scores, the highest doubts (of a selection "
        "alone), or any.",
        common=True,
    )
    seed: Seed = setting(0, "Of the order.", needs=When("order", "random"))
    classes: tuple[Name, ...] = setting(
        (), "Review this class alone. Repeatable.", flag="--class", metavar="C", common=True
    )
    context_s: Annotated[float, Field(ge=0, le=_MOST_CONTEXT_S)] = setting(
        2.0, "Seconds of the recording shown, and heard at a key, on each side of a clip."
    )
