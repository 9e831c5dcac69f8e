"""How often a listener errs: what they said of controls, clips of known answer heard blindly.

``heard.controls.csv`` beside a table of verdicts ``heard.csv`` keeps them. Its columns are none of
a table of verdicts: no command takes it for one, and a control never becomes an annotation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from negmine.annotations.verdict_rows import ABSENT, PRESENT, UNSURE, WORDS, Verdict, window_of
from negmine.audio.windows import Span
from negmine.errors import InputError
from negmine.intervals import Rate, plain_rate
from negmine.recipes.certificates import MIN_CONFIDENCE
from negmine.storage.csv_tables import check_name, number_in, read_rows

COLUMNS = ("recording", "class", "t_min", "t_max", "known", "said", "listener", "after")

# Between the names of those who say the same, in a merged table.
JOINT = " & "

# With fewer calls among the controls, what a listener misses is not known well enough to be used.
LEAST_CALLS = 10


@dataclass(frozen=True, slots=True)
class Control:
    """A clip of known answer that a listener heard.

    Attributes
    ----------
    known, said : str
        ``present`` or ``absent``; what was said may be ``unsure``, too.
    after : int
        Verdicts of the listener that were in the table when it was said.
    """

    recording: str
    label: str
    span: Span
    known: str
    said: str
    listener: str
    after: int

    @property
    def key(self) -> tuple[str, str, Span]:
        """What it is about."""
        return self.recording, self.label, self.span


def controls_beside(table: Path) -> Path:
    """Return where the controls of a table of verdicts are."""
    return table.with_suffix(".controls.csv")


def read_controls(path: Path) -> list[Control]:
    """Read a table of controls, in the order in which they were said.

    Raises
    ------
    InputError
        If it is no such table.
    """
    found = []
    for where, cells in read_rows(path, COLUMNS, may_be_empty=True):
        recording, label, first, last, known, said, listener, after = cells
        check_name(where, "recording", recording)
        check_name(where, "class", label)
        span = window_of(where, first, last)
        if known not in (PRESENT, ABSENT) or said not in WORDS:
            raise InputError(f"{where}: known '{known}', said '{said}': no control's row")
        count = number_in(where, "after", after)
        found.append(Control(recording, label, span, known, said, listener, int(count)))
    return found


@dataclass(frozen=True)
class ListenerErrors:
    """What a listener said of controls.

    Attributes
    ----------
    missed : Rate
        Of the calls on which they are sure, those said to be absent.
    false_calls : Rate
        Of the rejections on which they are sure, those said to be present.
    unsure : int
    """

    missed: Rate
    false_calls: Rate
    unsure: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "controls": self.missed.trials + self.false_calls.trials + self.unsure,
            "unsure": self.unsure,
            "missed": _rate(self.missed),
            "false_calls": _rate(self.false_calls),
        }


def _rate(rate: Rate) -> dict[str, Any]:
    low, high = rate.interval()
    return {
        "errors": rate.hits, "of": rate.trials, "rate": rate.estimate, "low": low, "high": high,
    }  # fmt: skip


def errors_of(controls: Iterable[Control], listener: str) -> ListenerErrors:
    """Count a listener's errors."""
    own = [(one.known, one.said) for one in controls if one.listener == listener]
    counts = {
        known: [sum(pair == (known, said) for pair in own) for said in (PRESENT, ABSENT)]
        for known in (PRESENT, ABSENT)
    }
    heard, missed = counts[PRESENT]
    called, free = counts[ABSENT]
    return ListenerErrors(
        plain_rate(missed, heard + missed),
        plain_rate(called, called + free),
        len(own) - heard - missed - called - free,
    )


def absent_confidence(errors: ListenerErrors, words: Sequence[str]) -> float | None:
    """Return how likely a class is absent where a listener says so, by Bayes' rule.

    With m the share of calls that they miss, f that of false calls, both as Jeffreys' prior has
    them, (errors + 1/2) / (controls + 1), and p the share of windows that hold the class:
    (1 - f)(1 - p) over (1 - f)(1 - p) + m p. p is what they call present, corrected for their
    errors (Rogan and Gladen 1978).

    Parameters
    ----------
    words : sequence of str
        All their verdicts.

    Returns
    -------
    float or None
        None where fewer than `LEAST_CALLS` calls were among the controls. 0 where they do no better
        than chance: an absence then says nothing.
    """
    present, absent = words.count(PRESENT), words.count(ABSENT)
    if errors.missed.trials < LEAST_CALLS or not absent:
        return None
    m = (errors.missed.hits + 0.5) / (errors.missed.trials + 1)
    f = (errors.false_calls.hits + 0.5) / (errors.false_calls.trials + 1)
    if not errors.false_calls.trials:
        f = 0.0
    if m + f >= 1:
        return 0.0
    p = min(1.0, max(0.0, (present / (present + absent) - f) / (1 - m - f)))
    free = (1 - f) * (1 - p)
    return free / (free + m * p) if free > 0 else 0.0


def listeners_confidence(
    verdicts: Sequence[Verdict], controls: Sequence[Control], listener: str
) -> float | None:
    """Return `absent_confidence` of a listener, by the verdicts that are theirs, or theirs too."""
    words = [one.word for one in verdicts if listener in one.listener.split(JOINT)]
    return absent_confidence(errors_of(controls, listener), words)


def weighed(verdicts: Sequence[Verdict], controls: Sequence[Control]) -> list[Verdict]:
    """Give absences the confidence that their listeners' errors leave: see `absent_confidence`.

    Of several who say so together, the surest counts. The absences of a listener who does no better
    than chance become ``unsure``.
    """
    names = {name for one in verdicts for name in one.listener.split(JOINT)}
    of = {name: listeners_confidence(verdicts, controls, name) for name in names}
    return [_weighed(one, [of[name] for name in one.listener.split(JOINT)]) for one in verdicts]


def _weighed(verdict: Verdict, confidences: Sequence[float | None]) -> Verdict:
    if verdict.word != ABSENT:
        return verdict
    surest = max(1.0 if one is None else one for one in confidences)
    if surest < MIN_CONFIDENCE:
        return replace(verdict, word=UNSURE)
    return replace(verdict, confidence=surest)
