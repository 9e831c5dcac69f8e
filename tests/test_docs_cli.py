"""Every command explains itself, and the README knows it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from negmine.cli.main import main

README = Path(__file__).parents[1] / "README.md"


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, by what is typed after 'negmine'."""
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from walk(below, (*path, name))


COMMANDS = dict(walk(main))
named = pytest.mark.parametrize("name", COMMANDS, ids=lambda name: name or "negmine")


def test_the_walk_finds_the_commands() -> None:
    assert {"", "build-pool", "inspect", "mine", "train", "evaluate"} <= COMMANDS.keys()


@named
def test_a_commands_help_says_what_it_does_and_shows_an_example(name: str) -> None:
    result = CliRunner().invoke(main, [*name.split(), "--help"])
    assert result.exit_code == 0
    text = inspect.cleandoc(COMMANDS[name].help or "")
    assert re.search(r"^Example\b.*:\n +negmine ", text, re.MULTILINE)
    if name:
        assert f"negmine {name} " in text
    summary = text.split("\n\n")[0].strip()
    assert summary.endswith("."), summary
    assert max(map(len, result.stdout.splitlines())) <= 100


@named
def test_every_option_has_help(name: str) -> None:
    silent = [
        parameter.opts[0]
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name])
def test_the_readme_shows_every_command(name: str) -> None:
    text = README.read_text(encoding="utf-8")
    assert re.search(rf"\bnegmine {name}\b", text), f"README.md never shows 'negmine {name}'"


@named
def test_a_command_has_few_parameters(name: str) -> None:
    callback = COMMANDS[name].callback
    assert callback is not None
    assert len(inspect.signature(callback).parameters) <= 8
