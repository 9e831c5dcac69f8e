"""Call what a command calls, and turn its refusal into one line, as the command line does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from reliability.commands import text_faults

from negmine.cli.console import one_line_errors

LONGEST_S = 10.0


class RefusedError(Exception):
    """Input that was refused in one line, as it should be."""


@contextmanager
def one_line() -> Iterator[None]:
    """Raise `RefusedError` for an error that a user is told in one line; others pass."""
    began = time.monotonic()
    try:
        with one_line_errors():
            yield
    except click.ClickException as error:
        text = error.format_message()
        assert "out of memory" not in text, text
        assert text.strip(), "an error without words"
        assert "\n" not in text, f"more than a line: {text!r}"
        assert not text_faults(text), f"{text_faults(text)}: {text[:300]!r}"
        raise RefusedError(text) from error
    finally:
        seconds = time.monotonic() - began
    assert seconds < LONGEST_S, f"took {seconds:.0f} s"
