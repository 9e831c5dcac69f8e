"""An option that would change nothing is refused, with what it goes with."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import Data

from negmine.cli.main import main
from training.cli.options_used import GO_WITH


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hard-ratio", "1"], "--hard-ratio goes with --hard-negatives"),
        (["--hard-mix-snr", "0", "5"], "--hard-mix-snr goes with --hard-negatives"),
        (
            ["--hard-negatives", "none.parquet", "--hard-mix", "0", "--hard-mix-by", "any"],
            "--hard-mix-by goes with --hard-mix",
        ),
        (["--pretrained", "--init", "none.pt"], "both say where weights start"),
        (["--loss", "bce", "--lsoft", "0.2"], "--lsoft goes with --loss lsoft"),
        (["--lsep-bce", "0"], "--lsep-bce goes with --loss lsep"),
        (["--large-loss-rate", "0.1"], "--large-loss-rate goes with --loss large"),
        (["--band-margin", "0.5"], "--band-margin goes with --bands crops or shared"),
        (["--band-margin", "0.5", "--pitch", "0.5"], "--band-margin goes with --bands"),
        (["--band-table", "none.csv"], "--band-table goes with --bands crops or shared"),
        (["--lse-sharpness", "2"], "--lse-sharpness goes with --readout lse"),
        (["--recipe", "rfcx", "--large-loss-rate", "0.1"], "goes with --loss large"),
        (["--pseudo-hop", "1"], "--pseudo-hop goes with --recipe"),
        (["--folds", "1", "--patience", "3"], "--patience goes with --folds 2 or more"),
        (
            ["--folds", "1", "--fold-by", "site", "--site-regex", "rec"],
            "--fold-by goes with --folds 2 or more",
        ),
    ],
)
def test_what_would_do_nothing_is_refused(
    shared_data: Data, tmp_path: Path, options: list[str], message: str
) -> None:
    result = call("train", *shared_data.options, "--out", tmp_path / "run", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--rounds 1 --replay 0.2", "--replay goes with --rounds 2 or more"),
        ("--rounds 1 --stop-after 2", "--stop-after goes with --rounds 2 or more"),
        ("--folds 1 --stop-after 2", "--stop-after goes with --folds 2 or more"),
        ("--folds 1 --patience 2", "--patience goes with --folds 2 or more"),
    ],
)
def test_rounds_and_folds_of_a_loop_are_what_options_act_on(
    shared_data: Data, tmp_path: Path, options: str, message: str
) -> None:
    loop = ["loop", *shared_data.options, "--pool", tmp_path / "none", "--out", tmp_path / "run"]
    result = call(*loop, *options.split())
    assert result.exit_code == 2
    assert message in result.stderr
    # with as much of it as it takes, what comes next is looked for
    result = call(*loop, *options.replace("s 1", "s 2").split())
    assert "goes with" not in result.stderr
    assert f"{tmp_path / 'none'}" in result.stderr.replace("\n", "")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--pseudo-per-step", "3"),
        ("--pseudo-quantile", "0.5"),
        ("--pseudo-level", "calls"),
        ("--pseudo-temperature", "2"),
        ("--pseudo-hop", "1"),
        ("--unlabelled", "."),
    ],
)
def test_options_of_pseudo_labels_take_a_stage_that_trains_on_some(
    shared_data: Data, tmp_path: Path, option: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.toml"
    file.write_text('[[stage]]\nname = "a"\n\n[[stage]]\nname = "b"\ninit = "previous"\n')
    out = ["--out", tmp_path / "run"]
    result = call("train", *shared_data.options, *out, "--recipe", file, option, value)
    assert result.exit_code == 2
    assert f"{option} sets pseudo labels, but no stage of recipe" in result.stderr
    missing = ["--recipe", "rfcx", "--backbone", "no_such_model"]
    result = call("train", *shared_data.options, *out, option, value, *missing)
    # what is wrong with it comes after the options: the model, or the folder
    assert "pseudo labels" not in result.stderr
    assert "no_such_model" in result.stderr or "no sound files" in result.stderr


@pytest.mark.parametrize("option", ["--fp-per-step", "--fp-beyond"])
def test_rows_of_rejected_detections_take_some(
    shared_data: Data, tmp_path: Path, option: str
) -> None:
    calls = [shared_data.recordings, "--tp", shared_data.tp]
    result = call("train", *calls, "--out", tmp_path / "run", option, "1")
    assert result.exit_code == 2
    assert f"{option} goes with --fp\n" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--loss", "lsep", "--lsep-bce", "0.5"],
        # what a stage of the recipe uses is no stage's to set
        ["--recipe", "rfcx", "--lsep-bce", "0.5", "--lsoft", "0.3"],
        ["--bands", "shared", "--band-margin", "0.5"],
        ["--augment", "full", "--bands", "crops", "--band-margin", "0.5"],
        ["--readout", "lse", "--lse-sharpness", "2"],
        ["--folds", "2", "--patience", "3"],
        ["--folds", "2", "--fold-by", "site", "--site-regex", "[0-9]$"],
    ],
)
def test_what_does_something_is_not(shared_data: Data, tmp_path: Path, options: list[str]) -> None:
    # a model that does not exist is looked for after the options
    missing = ["--backbone", "no_such_model"]
    result = call("train", *shared_data.options, "--out", tmp_path / "run", *options, *missing)
    assert "goes with" not in result.stderr
    assert "no_such_model" in result.stderr


def test_a_stage_that_contradicts_itself_is_told_in_one_line(
    shared_data: Data, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[stage]]\nname = "a"\n[stage.augment]\nshift = 1.0\nshift_s = 3.0\n')
    options = ["--out", tmp_path / "run", "--recipe", file, "--folds", "2"]
    result = call("train", *shared_data.options, *options)
    assert result.exit_code == 2
    assert "stage 1, 'a': a shift of 3 s leaves nothing of a clip of 2 s" in result.stderr


def test_a_file_of_an_earlier_run_may_hold_more_than_is_used(
    shared_data: Data, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    held = 'folds = 1\npatience = 3\nbackbone = "no_such_model"\n'
    file.write_text('loss = "bce"\nlsoft = 0.3\nband_margin = 0.4\n' + held)
    result = call("train", *shared_data.options, "--out", tmp_path / "run", "--config", file)
    assert "no_such_model" in result.stderr
    assert "goes with" not in result.stderr


def test_every_option_in_the_table_is_one_of_train() -> None:
    train = main.get_command(None, "train")  # type: ignore[arg-type]
    assert train is not None
    known = {parameter.name for parameter in train.params}
    for names, others in GO_WITH:
        assert {*names, *(other.option for other in others)} <= known
