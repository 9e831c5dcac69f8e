"""Numbers in text: plain decimal ones, as people write them."""

from __future__ import annotations

import math
import re

# Checked before float(), which also reads 1_0, inf and digits of other scripts.
_DECIMAL = re.compile(r"[0-9.eE+-]+")


def decimal(text: str) -> float:
    """Parse a finite decimal number; NaN where the text is none.

    Examples
    --------
    >>> decimal("-0.5"), decimal("1e3"), decimal("1_0")
    (-0.5, 1000.0, nan)
    """
    if not _DECIMAL.fullmatch(text):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
