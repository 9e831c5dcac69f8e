"""Errors a user can mend: one line each, saying what, where, what was found, what to do.

The command line prints the message and exits with ``exit_code``: 2 where the call or what it names
is wrong (a misspelt column, a checkpoint of other classes), 1 where the work itself failed (an
unreadable file, a full disk).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import islice


class NegmineError(Exception):
    """Base of every error that negmine raises on purpose."""

    exit_code = 1


class InputError(NegmineError):
    """The call, or a file it names, is not what the command needs."""

    exit_code = 2


class AnnotationError(InputError):
    """A table of annotations is malformed or disagrees with the recordings."""


class PoolError(InputError):
    """A pool or a selection is missing, of another version, or does not fit the call."""


class DamageError(PoolError):
    """A file that negmine wrote is no longer what was written."""


class ModelError(InputError):
    """A model cannot be opened, or does not fit the pool or the classes."""


class AudioError(NegmineError):
    """Sound cannot be read, or is silent where it must not be."""


class OutputError(NegmineError):
    """A result cannot be written."""


# What a terminal obeys instead of showing: controls, marks that turn the direction of writing,
# separators of lines, and bytes of file names that are no text.
_UNSEEN = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_ANY_UNSEEN = re.compile(f"[{_UNSEEN}]")
_UNSEEN_IN_LINES = re.compile(f"(?!\n)[{_UNSEEN}]")
_LONG_WORD = re.compile(r"\S{300,}")
_LONGEST_LINE = 2000
_LONGEST_NAME = 80
# Names that a misspelt one is compared with: some seconds at most.
_MOST_COMPARED = 200_000


def visible(text: str, *, lines: bool = False) -> str:
    r"""Escape a text for a terminal: what it would obey, not show, becomes ``\u001b``.

    Parameters
    ----------
    text : str
    lines : bool
        Whether ends of lines stay.
    """
    unseen = _UNSEEN_IN_LINES if lines else _ANY_UNSEEN
    return unseen.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """Put a message on one line of bounded length: long words, then the whole, lose the middle.

    Lines are joined, since other libraries' messages have several.
    """
    joined = visible(" ".join(line.strip() for line in text.strip().split("\n")))
    joined = _LONG_WORD.sub(lambda found: _without_middle(found[0], 200), joined)
    return _without_middle(joined, _LONGEST_LINE)


def _without_middle(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end]}...({len(text) - most} more)...{text[-end:]}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ' (did you mean X?)' for the nearest of the known names, or nothing."""
    if len(name) > 4 * _LONGEST_NAME:
        # no misspelling, and comparing takes time that grows with the square of the length
        return ""
    near = difflib.get_close_matches(name, islice(known, _MOST_COMPARED), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def shorten(names: Iterable[object], most: int = 5) -> str:
    """List the first few names, and how many more there are."""
    listed = [_without_middle(str(name), _LONGEST_NAME) for name in names]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
