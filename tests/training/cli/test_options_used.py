"""Options that change nothing are warned of, with what makes them act; contradictions refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import Data

from negmine.cli.main import main
from negmine.settings import settings_of
from training.cli.settings import LoopRunSettings, TrainSettings

# A model that does not exist is looked for after the options: nothing trains.
MISSING = ["--backbone", "no_such_model"]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def warnings(result: Result) -> list[str]:
    """The lines that say of an option that it has no effect."""
    assert "no_such_model" in result.stderr or "none" in result.stderr, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("warning: --")]
    return [line.removeprefix("warning: ") for line in lines]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--hard-ratio 1", "--hard-ratio has no effect without --hard-negatives"),
        ("--hard-mix-snr 0 5", "--hard-mix-snr has no effect without --hard-negatives"),
        ("--pool .", "--pool has no effect without --hard-negatives"),
        ("--loss bce --lsoft 0.2", "--lsoft has no effect without --loss lsoft"),
        ("--lsep-bce 0", "--lsep-bce has no effect without --loss lsep"),
        ("--large-loss-rate 0.1", "--large-loss-rate has no effect without --loss large"),
        ("--band-margin 0.5", "--band-margin has no effect without --bands crops or shared"),
        ("--band-margin 0.5 --pitch 1", "--band-margin has no effect without --bands crops or"),
        ("--band-table none.csv", "--band-table has no effect without --bands crops or shared or"),
        ("--lse-sharpness 2", "--lse-sharpness has no effect without --readout lse"),
        ("--recipe rfcx --large-loss-rate 0.1", "has no effect without --loss large"),
        ("--pseudo-hop 1", "--pseudo-hop has no effect without --recipe"),
        ("--pseudo-in-fold", "--pseudo-in-fold has no effect without --recipe"),
        ("--stage-init scratch", "--stage-init has no effect without --recipe"),
        ("--unlabelled .", "--unlabelled has no effect without --recipe"),
        ("--folds 1 --patience 3", "--patience has no effect without --folds 2 or more"),
        ("--epochs 3 --patience 2", "--patience has no effect without more epochs: there are"),
        ("--folds 1 --fold-by site --site-regex rec", "--fold-by has no effect without --folds 2"),
        ("--folds 1 --fold-by site --site-regex rec", "--site-regex has no effect without --folds"),
        ("--site-regex rec", "--site-regex has no effect without --fold-by site"),
        ("--sites none.csv", "--sites has no effect without --fold-by site"),
        ("--recipe rfcx --fold 1", "--fold has no effect: --recipe trains every fold"),
        ("--seeds 1 --fold 1", "--fold has no effect: --seeds trains every fold"),
        ("--pitch-semitones 3", "--pitch-semitones has no effect without --pitch"),
        ("--augment full --mixup 0 --mixup-snr 1 2", "--mixup-snr has no effect without --mixup"),
        ("--shift-pad", "--shift-roll has no effect without --shift"),
        ("--freq-mask-share 0.1", "--freq-mask-share has no effect without --freq-masks"),
    ],
)
def test_what_would_do_nothing_is_warned_of(
    shared_data: Data, tmp_path: Path, options: str, message: str
) -> None:
    run = ["train", *shared_data.options, "--out", tmp_path / "run"]
    result = call(*run, *options.split(), *MISSING)
    assert any(line.startswith(message) or message in line for line in warnings(result))


@pytest.mark.parametrize(
    "options",
    [
        "--loss lsep --lsep-bce 0.5",
        # what a stage of the recipe uses is no stage's to set
        "--recipe rfcx --lsep-bce 0.5 --lsoft 0.3",
        "--recipe rfcx --pseudo-hop 1 --pseudo-per-step 3 --unlabelled EXTERNAL",
        "--recipe rfcx --pseudo-in-fold --fold 1",
        "--bands shared --band-margin 0.5",
        "--augment full --bands crops --band-margin 0.5",
        "--readout lse --lse-sharpness 2",
        "--folds 2 --patience 3 --epochs 5",
        "--folds 2 --patience 0 --epochs 1",
        "--folds 2 --fold-by site --site-regex [0-9]$",
        "--fp-per-step 1 --fp-beyond 0.5",
        "--augment light --noise-snr 0 5 --shift-pad",
    ],
)
def test_what_does_something_is_not(shared_data: Data, tmp_path: Path, options: str) -> None:
    words = options.replace("EXTERNAL", str(shared_data.external)).split()
    run = ["train", *shared_data.options, "--out", tmp_path / "run"]
    assert warnings(call(*run, *words, *MISSING)) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--pretrained --init none.pt --backbone resnet18", "both say where weights start"),
        ("--pretrained", "--pretrained needs a timm model: --backbone is 'small'"),
        ("--fold-by site", "--fold-by site takes one of --sites and --site-regex"),
        ("--fold-by site --sites a --site-regex b", "takes one of --sites and --site-regex"),
        ("--seeds 2 --folds 1", "--seeds: with --folds 1 no model holds anything out"),
        ("--seeds 2 --init none.pt", "--init: with --seeds no model may have seen"),
        ("--seeds 2 --recipe rfcx --pseudo-in-fold", "--pseudo-in-fold: with --seeds no model"),
        ("--seeds 2 --seed 4294967295", "there are no 2 seeds from there on"),
        ("--noise 0.5 --noise-snr 9 1", "--noise-snr 9 1: the range is empty; swap the two"),
        ("--hard-mix-snr 5 1", "--hard-mix-snr 5 1: the range is empty; swap the two"),
        ("--shift 0.5 --shift-s 2", "--shift-s 2 is not shorter than --clip-s 2"),
    ],
)
def test_what_contradicts_itself_is_refused(
    shared_data: Data, tmp_path: Path, options: str, message: str
) -> None:
    run = ["train", *shared_data.options, "--out", tmp_path / "run"]
    result = call(*run, *options.split())
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--rounds 1 --replay 0.2", "--replay has no effect without --rounds 2 or more"),
        ("--rounds 1 --stop-after 2", "--stop-after has no effect without --rounds 2 or more"),
        ("--folds 1 --stop-after 2", "--stop-after has no effect without --folds 2 or more"),
        ("--folds 1 --patience 2", "--patience has no effect without --folds 2 or more"),
    ],
)
def test_rounds_and_folds_of_a_loop_are_what_options_act_on(
    shared_data: Data, tmp_path: Path, options: str, message: str
) -> None:
    loop = ["loop", *shared_data.options, "--pool", tmp_path / "none", "--out", tmp_path / "run"]
    assert warnings(call(*loop, *options.split())) == [message]
    # with as much of it as it takes, hard negatives too, there is nothing to warn of
    enough = options.replace("s 1", "s 2").split()
    assert warnings(call(*loop, *enough, "--hard-mix", "0.3", "--hard-mix-by", "own")) == []


@pytest.mark.parametrize(
    "option",
    [
        "--pseudo-per-step 3",
        "--pseudo-quantile 0.5",
        "--pseudo-level calls",
        "--pseudo-temperature 2",
        "--pseudo-hop 1",
        "--unlabelled .",
    ],
)
def test_options_of_pseudo_labels_take_a_stage_that_trains_on_some(
    shared_data: Data, tmp_path: Path, option: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[stage]]\nname = "a"\n\n[[stage]]\nname = "b"\ninit = "previous"\n')
    run = ["train", *shared_data.options, "--out", tmp_path / "run", "--recipe", file]
    (line,) = warnings(call(*run, *option.split(), *MISSING))
    flag = option.split()[0]
    assert line.startswith(f"{flag} has no effect: no stage of recipe {file} has pseudo = true")


@pytest.mark.parametrize("option", ["--fp-per-step", "--fp-beyond"])
def test_rows_of_rejected_detections_take_some(
    shared_data: Data, tmp_path: Path, option: str
) -> None:
    run = ["train", shared_data.recordings, "--tp", shared_data.tp, "--out", tmp_path / "run"]
    (line,) = warnings(call(*run, option, "1", *MISSING))
    assert (
        line
        == f"{option} has no effect without --fp or --verdicts or --annotations or --negative-files"
    )


def test_a_stage_that_contradicts_itself_is_told_in_one_line(
    shared_data: Data, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[stage]]\nname = "a"\n[stage.augment]\nshift = 1.0\nshift_s = 3.0\n')
    options = ["--out", tmp_path / "run", "--recipe", file, "--folds", "2"]
    result = call("train", *shared_data.options, *options)
    assert result.exit_code == 2
    assert "stage 1, 'a': --shift-s 3 is not shorter than --clip-s 2" in result.stderr


def test_a_file_of_an_earlier_run_may_hold_more_than_is_used(
    shared_data: Data, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    held = 'folds = 1\npatience = 3\nbackbone = "no_such_model"\n'
    file.write_text('loss = "bce"\nlsoft = 0.3\nband_margin = 0.4\n' + held)
    result = call("train", *shared_data.options, "--out", tmp_path / "run", "--config", file)
    assert warnings(result) == []


@pytest.mark.parametrize("model", [TrainSettings, LoopRunSettings])
def test_what_settings_need_is_there(model: type[TrainSettings] | type[LoopRunSettings]) -> None:
    known = {one.path for one in settings_of(model)}
    for one in settings_of(model):
        for when in one.needs:
            assert when.name.startswith("--") or when.path(one.path) in known, one.path
