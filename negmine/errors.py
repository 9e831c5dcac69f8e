"""Errors a user can mend: one line each, saying what, where, what was found, what to do.

The command line prints the message and exits with ``exit_code``: 2 where the call or what it names
is wrong (a misspelt column, a checkpoint of other classes), 1 where the work itself failed (an
unreadable file, a full disk).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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


class ModelError(InputError):
    """A model cannot be opened, or does not fit the pool or the classes."""


class AudioError(NegmineError):
    """Sound cannot be read, or is silent where it must not be."""


class OutputError(NegmineError):
    """A result cannot be written."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """' (did you mean X?)' for the nearest of the known names, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def shorten(names: Iterable[object], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
