"""The rows of a table of verdicts: windows of recordings, one class a row.

A verdict covers its whole window: ``present``, the class calls somewhere in it; ``absent``, it does
not; ``unsure``, or nothing, where the listener cannot say, or has not heard it yet.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from negmine.audio.windows import Span, to_microseconds
from negmine.errors import AnnotationError, did_you_mean
from negmine.storage.csv_tables import check_name, known_name, number_in, read_rows

COLUMNS = ("recording", "class", "t_min", "t_max", "verdict", "listener")
PRESENT, ABSENT, UNSURE = WORDS = ("present", "absent", "unsure")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a listener said of one class in one window.

    Attributes
    ----------
    recording : str
        The recording's file name without its suffix.
    label : str
        The class.
    span : Span
        Seconds in the recording.
    word : str
        One of `WORDS`, or empty: not heard yet.
    listener : str
        May be empty.
    where : str
        Table and row, for messages.
    confidence : float
        How surely an absence is right, in [0, 1]: see `negmine.annotations.listener_errors`.
    """

    recording: str
    label: str
    span: Span
    word: str
    listener: str
    where: str
    # no part of what mining is made with
    confidence: float = field(default=1.0, repr=False)


def verdict_word(where: str, text: str) -> str:
    """Return a cell's verdict in lower case: one of `WORDS`, or nothing.

    Raises
    ------
    AnnotationError
        If it is another word.
    """
    word = text.lower()
    if word and word not in WORDS:
        raise AnnotationError(
            f"{where}: verdict '{text}'{did_you_mean(word, WORDS)}; write {', '.join(WORDS)}, or "
            "nothing"
        )
    return word


def window_of(where: str, first: str, last: str) -> Span:
    """Return the window that the cells t_min and t_max name, in whole microseconds.

    Raises
    ------
    InputError
        If one is no number, t_min is negative, or t_max is not above it.
    """
    start_s = to_microseconds(number_in(where, "t_min", first))
    end_s = to_microseconds(number_in(where, "t_max", last))
    if start_s < 0:
        raise AnnotationError(f"{where}: t_min {start_s:g} is negative")
    if end_s <= start_s:
        raise AnnotationError(
            f"{where}: t_max {end_s:g} <= t_min {start_s:g}; are the columns swapped?"
        )
    return Span(start_s, end_s)


def verdict_rows(
    path: Path, classes: Collection[str] | None = None, *, may_be_empty: bool = False
) -> list[Verdict]:
    """Read a table, whether or not a verdict is filled in.

    Parameters
    ----------
    path : Path
        CSV with the columns recording, class, t_min, t_max (seconds), verdict, and listener, which
        may be left out.
    classes : collection of str, optional
        Those that it may name; any, if not given.
    may_be_empty : bool
        Whether the table may have a header alone.

    Returns
    -------
    list of Verdict
        A row each, also those without a word.

    Raises
    ------
    InputError
        If the table is malformed, names an unknown class, or holds a time or a word that is none.
    """
    found = []
    for where, cells in read_rows(path, COLUMNS, optional=("listener",), may_be_empty=may_be_empty):
        recording, label, first, last, text, listener = cells
        check_name(where, "recording", recording)
        if classes is None:
            check_name(where, "class", label)
        else:
            known_name(where, "class", label, classes)
        span, word = window_of(where, first, last), verdict_word(where, text)
        found.append(Verdict(recording, label, span, word, listener, where))
    return found
