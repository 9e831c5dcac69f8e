"""How a review goes. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from negmine.settings import Seed, Settings, Share, When, setting
from negmine.storage.names import Name

# Beyond this a clip is a dot in its picture.
_MOST_CONTEXT_S = 60.0


class ReviewSettings(Settings, frozen=True):
    """The review."""

    order: Literal["file", "hardest", "threshold", "doubt", "random"] = setting(
        "file",
        "What comes first: as in the file, the highest scores, those closest to the operating "
        "threshold, the highest doubts (of a selection alone), or any.",
        common=True,
    )
    threshold: float | None = setting(
        None,
        "The operating threshold of every class, a logit.  [default: that of each class in the "
        "report beside the file; of a selection, the median score of the class's confirmed calls]",
        needs=When("order", "threshold"),
    )
    controls: Share = setting(
        0.1,
        "Clips of known answer mixed in blindly, as a share of those to judge: confirmed calls and "
        "rejections of the pool, by which the listener's errors are measured.",
        common=True,
    )
    seed: Seed = setting(
        0, "Of the order and the controls.", needs=(When("order", "random"), When("controls"))
    )
    classes: tuple[Name, ...] = setting(
        (), "Review this class alone. Repeatable.", flag="--class", metavar="C", common=True
    )
    certificates: tuple[Name, ...] = setting(
        (), "Review what this certificate vouches for alone, of a selection. Repeatable.",
        flag="--certificate",
    )  # fmt: skip
    min_doubt: Share = setting(0.0, "Review what has this doubt or more alone, of a selection.")
    max_doubt: Share = setting(1.0, "Review what has this doubt or less alone, of a selection.")
    context_s: Annotated[float, Field(ge=0, le=_MOST_CONTEXT_S)] = setting(
        2.0, "Seconds of the recording shown, and heard at a key, on each side of a clip."
    )
