"""What a run has to say on its way: warnings, a line each, through Python's logging.

The command line prints them on standard error. From Python, whatever is set up for the logger
``negmine`` takes them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

LOGGER = logging.getLogger("negmine")


def warn(text: str) -> None:
    """Say one line that a user must know of."""
    LOGGER.warning("%s", text)


def warn_each(lines: Iterable[str]) -> None:
    """Say some lines."""
    for line in lines:
        warn(line)
