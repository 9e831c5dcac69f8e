"""What changes nothing is a warning in one line, and the command goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from negmine.cli.main import main

# What stands before the option; nothing of it is there, and nothing is looked for.
RENDER = "render pool --out clips"
SYNTHESISE = "synthesise pool --model best.pt"
SPLIT = "pool split pool --into a=1 --into b=1 --out folds"
BUILD = "build-pool train --tp tp.csv --out pool"
PREDICT = "predict field --model best.pt --out out.csv"
ENSEMBLE = "ensemble a.csv b.csv"
TABLES = "--tp or --annotations"
WINDOWS = "--detections or --per-recording"


def call(line: str) -> Result:
    return CliRunner().invoke(main, line.split())


@pytest.mark.parametrize(
    ("command", "option", "line"),
    [
        (RENDER, "--seed 1", "--seed has no effect without --sample"),
        (SYNTHESISE, "--fp fp.csv", "--fp has no effect without --tp or --annotations"),
        (
            SYNTHESISE,
            "--songtypes split",
            "--songtypes has no effect without --tp or --annotations",
        ),
        (SYNTHESISE, "--max-doubt 0.2", "--max-doubt has no effect without --scores"),
        (SPLIT, "--by group", "--by has no effect: groups stay together without it"),
        (
            BUILD,
            "--verdict-recordings heard",
            "--verdict-recordings has no effect without --verdicts",
        ),
        (PREDICT, "--hop-s 0.5", f"--hop-s has no effect without {WINDOWS}"),
        (PREDICT, "--min-conf 0.1", f"--min-conf has no effect without {WINDOWS}"),
        (PREDICT, "--merge", f"--merge has no effect without {WINDOWS}"),
        (PREDICT, "--top 3", f"--top has no effect without {WINDOWS}"),
        (
            f"{PREDICT} --readout mean",
            "--window-s 2",
            f"--window-s has no effect without {WINDOWS} or --readout max or lse",
        ),
        (f"{ENSEMBLE} --truth t.csv", "--how rank", "--how has no effect without --out"),
        (
            f"{ENSEMBLE} --out c.csv",
            "--row-scale max",
            "--row-scale has no effect without --how row-scaled or --truth",
        ),
    ],
)
def test_an_option_without_effect_is_told_and_the_command_goes_on(
    command: str, option: str, line: str
) -> None:
    result = call(f"{command} {option}")
    assert result.stderr.startswith(f"warning: {line}")
    assert result.stderr.count("no effect") == 1
    assert result.stderr.splitlines()[-1].startswith("Error: ")  # nothing is there


@pytest.mark.parametrize(
    "line",
    [
        f"{RENDER} --seed 1 --sample 3",
        f"{SYNTHESISE} --tp tp.csv --fp fp.csv --songtypes split",
        f"{SYNTHESISE} --scores scores --max-doubt 0.2",
        SPLIT,
        f"{BUILD} --verdicts heard.csv --verdict-recordings heard",
        f"{PREDICT} --per-recording each --hop-s 0.1",
        f"{PREDICT} --window-s 2",
        f"{ENSEMBLE} --truth t.csv --row-scale max",
    ],
)
def test_what_has_an_effect_is_not_warned_of(line: str) -> None:
    result = call(line)
    assert result.exit_code != 0
    assert "no effect" not in result.stderr


def test_an_index_that_is_named_is_not_chosen_by_memory() -> None:
    result = call("search a.wav --pool pool --model best.pt --index Flat --memory 1")
    assert result.exit_code == 2
    assert "--index names an index and --memory lets one be chosen" in result.stderr


def test_folders_of_an_ensemble_bring_a_truth_along(tmp_path: Path) -> None:
    result = call(f"ensemble {tmp_path} b.csv --row-scale max")
    assert "no out-of-fold scores in this folder" in result.stderr
    assert "no effect" not in result.stderr
