"""The flag ``--hard-negatives`` for any trainer: of click's, or of argparse's. Imports no torch."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FILE_HELP = "A selection of 'negmine mine', whose clips are mixed into every batch."
_SHARE_HELP = "Share of each batch that are hard negatives, in (0, 1)."
_SHARE = 0.25


def click_option(command: _Command) -> _Command:
    r"""Add ``--hard-negatives`` and ``--hard-share`` to a command of click's.

    The command gets ``hard_negatives`` (a Path, or None) and ``hard_share`` (a float), as
    `mixed_loader` takes them.

    Examples
    --------
    >>> import click
    >>> from click.testing import CliRunner
    >>> from negmine.torch import click_option
    >>> @click.command()
    ... @click_option
    ... def train(hard_negatives, hard_share):
    ...     print(hard_negatives, hard_share)
    >>> CliRunner().invoke(train, ["--hard-negatives", "hard.parquet"]).output
    'hard.parquet 0.25\n'
    """
    share = click.FloatRange(0, 1, min_open=True, max_open=True)
    command = click.option(
        "--hard-share", type=share, default=_SHARE, show_default=True, help=_SHARE_HELP
    )(command)
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option("--hard-negatives", type=kind, help=_FILE_HELP)(command)


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--hard-negatives`` and ``--hard-share`` to a parser of argparse's.

    Its result has ``hard_negatives`` (a Path, or None) and ``hard_share`` (a float), as
    `mixed_loader` takes them.

    Examples
    --------
    >>> import argparse
    >>> from negmine.torch import add_argument
    >>> parser = argparse.ArgumentParser()
    >>> add_argument(parser)
    >>> parser.parse_args(["--hard-share", "0.5"])
    Namespace(hard_negatives=None, hard_share=0.5)
    """
    group = parser.add_argument_group("hard negatives")
    group.add_argument("--hard-negatives", type=_file, metavar="FILE", help=_FILE_HELP)
    group.add_argument(
        "--hard-share",
        type=_share,
        default=_SHARE,
        metavar="SHARE",
        help=f"{_SHARE_HELP}  [default: %(default)s]",
    )


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text}: no such file")
    return Path(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share, a number in (0, 1)")
    return value
