"""What a build leaves out: how many, why, and of which files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from negmine.errors import shorten

# Files named a line.
_MOST = 5


class LeftOut(Counter[str]):
    """Counts by reason; those of one file are also counted by the file.

    Attributes
    ----------
    files : dict of str to Counter
        By reason: how many of each file.
    """

    def __init__(self) -> None:
        super().__init__()
        self.files: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def of(self, name: str, reason: str, count: int = 1) -> None:
        """Count what is left out of one file."""
        if count:
            self[reason] += count
            self.files[reason][name] += count

    def lines(self) -> Iterator[str]:
        """Yield a line a reason, with the files that lose most."""
        for reason, count in self.items():
            if count:
                most = sorted(self.files[reason].items(), key=lambda item: (-item[1], item[0]))
                names = [name if n == 1 else f"{name} ({n})" for name, n in most]
                yield f"left out {count}: {reason}{': ' if names else ''}{shorten(names, _MOST)}"
