"""What commands share: tables, JSON, bars, and errors of one line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from negmine.cli.console import Bars, CleanCommand, CleanGroup, one_line_errors, print_json, say
from negmine.errors import AudioError, ModelError
from negmine.notices import warn
from negmine.text_tables import table


def test_a_table_has_its_first_column_left_and_numbers_right() -> None:
    assert table(["class", "n"], [["frog", "7"], ["a", "12345"]]).splitlines() == [
        "class      n",
        "-----  -----",
        "frog       7",
        "a      12345",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert table(["class", "n"], []) == "class  n\n-----  -"


def test_json_has_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": math.nan, "deep": {"list": [1.5, math.nan], "pair": (1, "coquí")}})
    out = capsys.readouterr().out
    assert "NaN" not in out
    assert json.loads(out) == {"a": None, "deep": {"list": [1.5, None], "pair": [1, "coquí"]}}


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_json_has_null_for_infinity(value: float, capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": value})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {"a": None}


@pytest.mark.parametrize(("error", "code"), [(AudioError("a\n  b\n"), 1), (ModelError("a b"), 2)])
def test_an_error_is_one_line_and_its_own_exit_code(error: Exception, code: int) -> None:
    @click.command(cls=CleanCommand)
    def command() -> None:
        raise error

    result = CliRunner().invoke(command)
    assert (result.exit_code, result.output) == (code, "Error: a b\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ModelError("class '\x1b[2Jowl\r\u202e'"), "Error: class '\\u001b[2Jowl\\u000d\\u202e'"),
        (click.UsageError("no \x9b\udcff"), "Error: no \\u009b\\udcff"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(error: Exception, line: str) -> None:
    @click.command(cls=CleanCommand)
    def command() -> None:
        raise error

    assert CliRunner().invoke(command).output.splitlines()[-1] == line


@pytest.mark.parametrize("name", ["x" * 389_000, "x y " * 100_000])
def test_a_line_is_of_bounded_length_and_keeps_its_end(name: str) -> None:
    @click.command(cls=CleanCommand)
    def command() -> None:
        warn(f"unknown class '{name}'; leave it out")
        raise ModelError(f"unknown class '{name}'; name another")

    result = CliRunner().invoke(command)
    warning, error = result.stderr.splitlines()
    assert max(len(warning), len(error)) < 2100
    assert warning.startswith("warning: unknown class 'x")
    assert error.endswith("'; name another")


def test_a_wrong_option_with_a_long_value_is_a_short_line() -> None:
    @click.command(cls=CleanCommand)
    @click.option("--n", type=int)
    def command(n: int) -> None: ...

    group = CleanGroup("group", {"command": command})
    result = CliRunner().invoke(group, ["command", "--n", "\x1b" * 5000])
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    assert max(map(len, result.stderr.splitlines())) < 2100


def test_summaries_show_what_a_name_holds(capsys: pytest.CaptureFixture[str]) -> None:
    say(table(["class", "n"], [["a\n\x1b", "1"]]), quiet=False)
    print_json({"a\u202e": "\x1b\x9b\udcff"})
    out = capsys.readouterr().out
    assert out.splitlines()[2] == "a\\u000a\\u001b  1"
    assert not set(out) & set("\x1b\x9b\u202e")
    assert json.loads(out.partition("{")[1] + out.partition("{")[2]) == {
        "a\u202e": "\x1b\x9b\udcff"
    }


def test_an_error_that_is_not_ours_is_not_hidden() -> None:
    @click.command(cls=CleanCommand)
    def command() -> None:
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(command).exception, ZeroDivisionError)


def test_bars_follow_one_another_and_are_quiet_when_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for quiet in (False, True):
        with Bars(quiet) as bars:
            advance = bars("reading", 3)
            advance()
            advance(2, loss=0.5)
            bars("scoring", 7, "clip")(7)
        printed = capsys.readouterr()
        assert printed.out == ""
        if quiet:
            assert printed.err == ""
        else:
            assert "reading: 100%" in printed.err
            assert "scoring: 100%" in printed.err


def test_a_path_that_no_file_system_takes_is_one_line() -> None:
    too_long = pytest.raises(click.ClickException, match="File name too long")
    with too_long as caught, one_line_errors():
        Path("x" * 5000).stat()
    assert len(caught.value.message) < 1000
    # others are bugs, and keep their traceback
    with pytest.raises(OSError, match="odd"), one_line_errors():
        raise OSError("odd")
