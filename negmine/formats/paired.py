"""Tables that name no recording: the file that they are about has their own name."""

from __future__ import annotations

import re
from pathlib import Path

# What tools put behind a recording's name: Raven, BirdNET-Analyzer, HawkEars and BriteKit.
_ENDINGS = re.compile(
    r"(\.Table\.[0-9]+)?(\.selections?)?(\.BirdNET)?(\.selection\.table|\.results)?"
    r"(_scores|_HawkEars)?\.(txt|tsv|csv|audacity)$",
    re.IGNORECASE,
)


def paired_recording(path: Path) -> str:
    """Return the name of the recording that a table is about.

    Examples
    --------
    >>> paired_recording(Path("dawn.Table.1.selections.txt"))
    'dawn'
    >>> paired_recording(Path("dawn.BirdNET.selection.table.txt"))
    'dawn'
    >>> paired_recording(Path("labels/dawn_scores.txt"))
    'dawn'
    """
    return _ENDINGS.sub("", path.name)
