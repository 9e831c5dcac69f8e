"""The order of commands in --help."""

from __future__ import annotations

import re

import click
from click.testing import CliRunner

from negmine.cli.main import main
from negmine.cli.plugins import SECTIONS


def test_help_lists_every_command_once_by_what_it_is_for() -> None:
    text = CliRunner().invoke(main, ["--help"]).stdout
    places = [text.index(f"\n{heading}:") for heading in SECTIONS]
    assert places == sorted(places)
    listed = re.findall(r"^  ([\w-]+)  ", text[places[0] :], re.MULTILINE)
    assert sorted(listed) == main.list_commands(click.Context(main))
    assert listed[:4] == ["import", "build-pool", "train", "mine"]


def test_no_heading_names_what_is_not_there() -> None:
    there = main.list_commands(click.Context(main))
    assert {name for names in SECTIONS.values() for name in names} <= set(there)
