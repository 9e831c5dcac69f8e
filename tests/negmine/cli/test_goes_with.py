"""An option that would change nothing is refused, with what it goes with: in every command."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from negmine.cli.goes_with import Beside, GoesWith, check_goes_with
from negmine.cli.main import main

# What stands before the option; nothing of it is there, and nothing is looked for.
PREDICT = ["predict", "field", "--model", "best.pt", "--out", "out.csv"]
ENSEMBLE = ["ensemble", "a.csv", "b.csv", "--truth", "truth.csv"]

OF_OTHERS = [
    *((PREDICT, f"{option}", "--detections or --per-recording")
      for option in ("--hop-s 0.5", "--min-conf 0.1", "--merge", "--top 3")),
    (ENSEMBLE, "--how rank", "--out"),
    (["ensemble", "a.csv", "b.csv", "--out", "c.csv"], "--row-scale max",
     "--how row-scaled or --truth"),
]  # fmt: skip


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("before", "option", "wanted"),
    OF_OTHERS,
)
def test_what_would_do_nothing_is_refused(before: list[str], option: str, wanted: str) -> None:
    result = call(*before, *option.split())
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: {option.split()[0]} goes with {wanted}\n")


@pytest.mark.parametrize(
    ("before", "option"),
    [
        (PREDICT, "--per-recording each --hop-s 0.1"),
        (ENSEMBLE, "--row-scale max"),
    ],
)
def test_what_does_something_is_not(before: list[str], option: str) -> None:
    result = call(*before, *option.split())
    # what is named is not there
    assert result.exit_code != 0
    assert "goes with" not in result.stderr


def test_folders_of_an_ensemble_bring_a_truth_along(tmp_path: Path) -> None:
    result = call("ensemble", tmp_path, "b.csv", "--row-scale", "max")
    assert "no out-of-fold scores in this folder" in result.stderr


def test_an_index_that_is_named_is_not_chosen_by_memory() -> None:
    named = ["search", "a.wav", "--pool", "pool", "--model", "best.pt", "--index", "Flat"]
    result = call(*named, "--memory", "1")
    assert result.exit_code == 2
    assert "--index names an index and --memory lets one be chosen" in result.stderr


def test_one_of_several_values_is_enough_and_the_command_line_stands_below_them() -> None:
    table: GoesWith = ((("sharpness",), (Beside("readout", ("lse",)),)),)

    @click.command()
    @click.option("--sharpness", type=float)
    @click.option("--readout", default="max")
    @click.option("--stages", multiple=True)
    def command(sharpness: float, readout: str, stages: tuple[str, ...]) -> None:
        check_goes_with(table, *({"readout": stage} for stage in stages))

    def ends(*arguments: str) -> int:
        return CliRunner().invoke(command, ["--sharpness", "2", *arguments]).exit_code

    assert (ends(), ends("--readout", "lse")) == (2, 0)
    assert (ends("--stages", "max", "--stages", "lse"), ends("--stages", "max")) == (0, 2)
