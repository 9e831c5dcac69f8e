"""What every reader of an annotation table yields: one statement of a person, or of a detector."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from negmine.audio.windows import Span

Verdict = Literal["present", "absent", "unknown"]

# As a label: all classes, those that nothing else says of the same span.
EVERY_CLASS = "*"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of an annotation table, before anything is known of the recordings.

    Attributes
    ----------
    recording : str
        As the table names it: a file's name, with or without suffix and folders.
    label : str
        The class as the table names it, or `EVERY_CLASS`.
    verdict : "present", "absent" or "unknown"
        ``unknown``: a detection that was not judged, or whose judges disagree.
    where : str
        Table and row, for messages.
    span : Span, optional
        Seconds in the recording; None: the whole recording.
    band_hz : (float, float), optional
        Lowest and highest frequency in Hz; None: not given. The highest may be infinite: up to
        half the sample rate.
    songtype : str
        The kind of call.
    group : str
        What must not be on both sides of a split, such as a site; empty: the recording itself.
    judge : str
        Who said so; may be empty.
    score : float, optional
        The detector's confidence.
    clip : str
        The path of a file that was cut from there: it counts as the recording where that is not at
        hand. Empty: there is none.
    """

    recording: str
    label: str
    verdict: Verdict
    where: str
    span: Span | None = None
    band_hz: tuple[float, float] | None = None
    songtype: str = ""
    group: str = ""
    judge: str = ""
    score: float | None = None
    clip: str = ""


@dataclass
class Notes:
    """What a reader left out, repaired or ignored: counted by reason, the first place kept.

    Attributes
    ----------
    lines : list of str
        Remarks on a table as a whole, such as columns that are not used.
    dropped : Counter of str
        Rows that gave no entry, by reason.
    repaired : Counter of str
        Cells or rows that were read otherwise than they are written, by what was done.
    first : dict of str to str
        The place of the first of each reason.
    """

    lines: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def say(self, line: str) -> None:
        """Remark on a table as a whole; the same line once."""
        if line not in self.lines:
            self.lines.append(line)

    def drop(self, where: str, reason: str) -> None:
        """Count a row that gives no entry."""
        self.dropped[reason] += 1
        self.first.setdefault(reason, where)

    def repair(self, where: str, what: str) -> None:
        """Count what is read otherwise than it is written."""
        self.repaired[what] += 1
        self.first.setdefault(what, where)

    def text(self) -> tuple[str, ...]:
        """Return all of it, one line each."""
        dropped = (
            f"left out {count} rows: {why}; the first: {self.first[why]}"
            for why, count in self.dropped.items()
        )
        repaired = (
            f"{what}: {count} times; the first: {self.first[what]}"
            for what, count in self.repaired.items()
        )
        return (*self.lines, *dropped, *repaired)
