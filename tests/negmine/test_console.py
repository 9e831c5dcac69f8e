"""What commands share: tables, JSON, bars, and errors of one line."""

from __future__ import annotations

import json
import math

import click
import pytest
from click.testing import CliRunner

from negmine.console import Bars, CleanCommand, print_json, table
from negmine.errors import AudioError, ModelError


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
            bars("scoring", 7, unit="clip")(7)
        printed = capsys.readouterr()
        assert printed.out == ""
        if quiet:
            assert printed.err == ""
        else:
            assert "reading: 100%" in printed.err
            assert "scoring: 100%" in printed.err
