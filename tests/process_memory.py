"""What processes hold in memory, as Linux tells it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc"
)


def held_mib(pids: Iterable[int]) -> float:
    """All that some processes have written, files apart; what they share is counted once."""
    found: list[str] = []
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        found += re.findall(r"^Pss_(?:Anon|Shmem): +(\d+) kB$", text, re.MULTILINE)
    assert found
    return sum(map(int, found)) / 1024


def mapped_kib(pids: Iterable[int], file: Path) -> tuple[int, int]:
    """A file's pages that some processes have mapped: counted once, and once a process."""
    once = each = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8")
        place = re.escape(f" {file.resolve()}\n") + r"(?:(?!Rss:).*\n)*"
        for rss, pss in re.findall(place + r"Rss: +(\d+) kB\nPss: +(\d+) kB\n", text):
            once, each = once + int(pss), each + int(rss)
    return once, each
