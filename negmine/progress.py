"""What a long job tells of how far it is: bars of units, one at a time."""

from __future__ import annotations

from typing import Protocol


class Advance(Protocol):
    """Moves a bar on."""

    def __call__(self, count: float = 1, /, **shown: object) -> object:
        """Count units as done; show these values beside the bar."""


class Progress(Protocol):
    """Begins bars: each closes the one before."""

    def __call__(self, what: str, total: int, unit: str = "file", /) -> Advance:
        """Begin a bar of ``total`` units; return what advances it."""


def no_progress(what: str, total: int, unit: str = "file", /) -> Advance:
    """Show nothing."""
    return no_advance


def no_advance(count: float = 1, /, **shown: object) -> None:
    """Move nothing on."""
