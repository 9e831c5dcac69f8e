"""``margin``: what scores like the class's confirmed calls may be one of them.

Logits have a sign and no scale of their own, so "below 95 % of the call's score" turns round where
the score is negative. Three forms that do not:

- *absolute*: at most ``reference - margin``, in logits;
- *relative*: at most ``reference - margin * spread``, the spread being the distance between the
  calls' quartiles, which is never negative;
- *quantile*: below the ``margin`` quantile of the calls' scores.

The reference is a quantile of the calls' scores, so that one odd call among several decides little.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from negmine.mining.rules.rule import ClassScores, Limits
from negmine.settings import Settings, setting

Space = Literal["absolute", "relative", "quantile"]


class MarginSettings(Settings, frozen=True):
    """Margin: nothing that scores too much like the class's confirmed calls."""

    space: Space = setting(
        "quantile", "What it is measured in: logits, spreads of the calls, quantiles.", flag=""
    )
    margin: float = setting(0.1, "How far below the calls, or the quantile.", flag="")
    reference: float = setting(0.5, "Quantile of the calls' scores that it counts from.", flag="")


def margin_threshold(
    calls: np.ndarray, space: Space, margin: float, reference: float = 0.5
) -> float:
    """Return the highest score that a negative of the class may have.

    Parameters
    ----------
    calls : float array, shape (P,)
        Scores of the class's confirmed calls, in logits.
    space : {"absolute", "relative", "quantile"}
    margin : float
        Logits, spreads, or a quantile in [0, 1].
    reference : float
        The quantile of the calls' scores that margins are taken from; ``quantile`` has none.

    Returns
    -------
    float
        Infinity without a call: there is nothing to compare with.

    Raises
    ------
    ValueError
        If a quantile is outside [0, 1], or the space is unknown.
    """
    for name, value in (("reference", reference), *((("margin", margin),) * (space == "quantile"))):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} {value:g} is not a quantile; expected a number in [0, 1]")
    if not len(calls):
        return float("inf")
    if space == "quantile":
        return float(np.quantile(calls, margin))
    if space == "absolute":
        return float(np.quantile(calls, reference) - margin)
    if space == "relative":
        quarter, three = np.quantile(calls, [0.25, 0.75])
        return float(np.quantile(calls, reference) - margin * (three - quarter))
    raise ValueError(f"space '{space}': expected absolute, relative or quantile")


def _limits(known: ClassScores, s: MarginSettings) -> tuple[float, float]:
    return -np.inf, margin_threshold(known.calls, s.space, s.margin, s.reference)


RULE = Limits(MarginSettings, _limits, above="the margin")
