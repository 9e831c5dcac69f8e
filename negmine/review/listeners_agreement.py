"""How far two listeners agree on what both have heard."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from negmine.annotations.verdict_rows import ABSENT, PRESENT, Verdict


@dataclass(frozen=True)
class ListenersAgreement:
    """What two listeners said of the same spans and classes.

    Attributes
    ----------
    both : int
        Clips of which both are sure; the others do not count.
    same : int
        Those of which they say the same.
    kappa : float
        Cohen's (1960): 1 where they always agree, 0 where no more than by chance. NaN where it is
        undefined: no clip, or one word of all.
    """

    first: str
    second: str
    both: int
    same: int
    kappa: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_text(self) -> str:
        kappa = "undefined" if math.isnan(self.kappa) else f"{self.kappa:.2f}"
        return (
            f"'{self.first}' and '{self.second}' agree on {self.same} of {self.both} clips of "
            f"which both are sure; Cohen's kappa {kappa}"
        )


def agreements(verdicts: Iterable[Verdict]) -> list[ListenersAgreement]:
    """Compare every two listeners that have a sure verdict on the same span and class."""
    from sklearn.metrics import cohen_kappa_score

    said: defaultdict[str, dict[tuple[object, ...], str]] = defaultdict(dict)
    for one in verdicts:
        if one.word in (PRESENT, ABSENT):
            said[one.listener][one.recording, one.label, one.span] = one.word
    found = []
    for first, second in combinations(sorted(said), 2):
        shared = [key for key in said[first] if key in said[second]]
        if not shared:
            continue
        words = [[said[name][key] for key in shared] for name in (first, second)]
        same = sum(one == other for one, other in zip(*words, strict=True))
        varied = len({*words[0], *words[1]}) > 1
        kappa = float(cohen_kappa_score(*words)) if varied else math.nan
        found.append(ListenersAgreement(first, second, len(shared), same, kappa))
    return found
