"""The complete truth of recordings, in the place of pseudo labels: what no label can do better."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.certificates import read_events
from negmine.audio.windows import Span
from negmine.storage.digests import file_digest


class TrueLabels:
    """Fills every unknown cell of a row with the truth.

    Parameters
    ----------
    events : Path
        CSV of every call in the recordings.
    classes : sequence of str
        In the order of the model's outputs.
    """

    def __init__(self, events: Path, classes: tuple[str, ...]) -> None:
        self.description = f"truth {file_digest(events)}"
        self._columns = {name: column for column, name in enumerate(classes)}
        self._events = read_events([events])

    def __call__(self, recording: str, span: Span) -> NDArray[np.float32]:
        """Return 1 where half of a call, or of the span, is inside: shape (C,)."""
        found = np.zeros(len(self._columns), dtype=np.float32)
        for name, column in self._columns.items():
            calls = (event.span for event in self._events[recording][name])
            held = (span.overlap_s(c) >= 0.5 * min(c.duration_s, span.duration_s) for c in calls)
            found[column] = any(held)
        return found
