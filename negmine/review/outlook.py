"""What more verdicts would bring: what was heard, carried over to what was not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from negmine.annotations.verdict_rows import ABSENT, PRESENT
from negmine.intervals import plain_rate


@dataclass(frozen=True)
class Outlook:
    """What the clips that are left may hold, if they are like those judged.

    Attributes
    ----------
    sure, present : int
        Clips with a sure verdict; those of them said to hold the class.
    left : int
        Clips without a verdict.
    calls, low, high : float
        Clips expected to hold the class among those left, with the exact 95 % interval of the share
        so far. 0 and all where nothing was heard.
    """

    sure: int
    present: int
    left: int
    calls: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_text(self) -> str:
        """Say it in a sentence or two; nothing where nothing was heard."""
        if not self.sure:
            return ""
        heard = f"Of {self.sure} clips with a sure verdict {self.present} hold a call."
        if not self.left:
            return heard
        return (
            f"{heard} If the {self.left} that are left are alike, about {self.calls:.0f} of them "
            f"({self.low:.0f} to {self.high:.0f}) hold one, and the others become negatives."
        )


def outlook(words: Iterable[str]) -> Outlook:
    """Estimate from verdicts, empty where there is none; controls are not among them."""
    said = list(words)
    present, left = said.count(PRESENT), said.count("")
    rate = plain_rate(present, present + said.count(ABSENT))
    low, high = rate.interval()
    estimate = rate.estimate if rate.trials else 0.0
    return Outlook(rate.trials, present, left, left * estimate, left * low, left * high)
