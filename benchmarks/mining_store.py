"""What the benchmark of mining and those of its peers share: made-up scores, and measures."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import peak_rss_mib


class Told:
    """A scorer whose every score is in the store: it is never asked."""

    held_out: frozenset[str] = frozenset()
    sample_rate = 32_000
    clip_s = 2.0
    fingerprint = "made-up-scores-00000000"

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def score(self, waveforms: Any) -> Any:
        raise AssertionError("a score is missing")


def raw_ids(recipes: Any) -> Any:
    """Return ids of a table as a store takes them: uint8 array, shape (N, 12)."""
    import numpy as np

    from negmine.recipes.columns import ID_BYTES

    return np.ascontiguousarray(recipes.ids.raw).view(np.uint8).reshape(-1, ID_BYTES)


class Timed:
    """Seconds of the processor, and peak memory, of a block in a fresh process.

    Memory is the process's own. Pages of mapped files are the system's, which takes them back when
    it needs them; where it does not tell them apart (macOS), they are counted.
    """

    def __enter__(self) -> Timed:
        self._start, self._peak, self._done = time.process_time(), 0.0, threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.process_time() - self._start
        self._done.set()
        self._watching.join()
        self.mib = self._peak or peak_rss_mib()

    def _watch(self) -> None:
        status = Path("/proc/self/status")
        while status.exists() and not self._done.wait(0.02):
            for line in status.read_text(encoding="ascii").splitlines():
                if line.startswith("RssAnon:"):
                    self._peak = max(self._peak, int(line.split()[1]) / 2**10)
