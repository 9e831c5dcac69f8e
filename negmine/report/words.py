"""Numbers of a page in words and digits."""

from __future__ import annotations

import math

# Shown where a number is not known: never 0.
UNKNOWN = "\N{EN DASH}"


def number_text(value: float, digits: int = 2, signed: bool = False) -> str:
    """Format a number with a true minus sign; a dash where it is not known."""
    if not math.isfinite(value):
        return UNKNOWN
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def count_text(value: float | None) -> str:
    """Format a whole number, its thousands apart; a dash where it is not known."""
    return f"{int(value):,}" if value is not None and math.isfinite(value) else UNKNOWN


def auc_words(auc: float) -> str:
    """Say what an area under the ROC curve of doubt means.

    It is the probability that the higher of two is the right one: of a random confirmed call and a
    random rejected detection (Hanley and McNeil 1982, "The meaning and use of the area under a
    receiver operating characteristic (ROC) curve").
    """
    if auc < 0.6:
        how = "Doubt hardly tells them apart here: listen before you trust it."
    elif auc < 0.8:
        how = "Doubt tells them apart in part: it is a hint, and no verdict."
    else:
        how = "Doubt mostly tells them apart."
    return (
        f"Of a confirmed call and a rejected detection, drawn at random, doubt is higher for the "
        f"call in {100 * auc:.0f} of 100 draws (50 would be chance). {how}"
    )
