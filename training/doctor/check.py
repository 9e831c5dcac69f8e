"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Check:
    """One row of the doctor's table.

    Attributes
    ----------
    name : str
        What was looked at.
    state : {"ok", "note", "problem"}
        A note is worth knowing; a problem means that something does not work.
    do : str
        What to do about a note or a problem.
    """

    name: str
    found: str
    state: State = "ok"
    do: str = ""

    def to_line(self) -> str:
        """Format a note or a problem as one line."""
        return f"{self.state}: {self.name}: {self.found}; {self.do}"
