"""``--verdicts``: what a person heard joins the tables of every command that reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import Data

from negmine.cli.main import main
from negmine.pool import open_pool


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def heard(data: Data, tmp_path: Path) -> tuple[Path, Path]:
    """A folder of recordings without annotations, and verdicts on windows of one second there."""
    field = tmp_path / "field"
    field.mkdir()
    for name in ("rec06", "rec07"):
        (data.recordings / f"{name}.flac").rename(field / f"{name}.flac")
    for table in (data.tp, data.fp):
        lines = table.read_text().splitlines(keepends=True)
        table.write_text("".join(line for line in lines if line[:5] not in ("rec06", "rec07")))
    verdicts = tmp_path / "heard.csv"
    verdicts.write_text(
        "recording,class,t_min,t_max,score,strategy,verdict,listener,model\n"
        "rec06,0,0.25,1.25,2.5,top,present,mia,abc\n"
        "rec06,1,0.25,1.25,1.5,top,absent,mia,abc\n"
        "rec07,1,0.25,1.25,1.0,top,unsure,mia,abc\n"
    )
    return field, verdicts


SMALL = ("--clip-s", "1", "--sample-rate", "8000")


def test_a_pool_takes_them_as_calls_and_rejections(
    data: Data, heard: tuple[Path, Path], tmp_path: Path
) -> None:
    field, verdicts = heard
    build = ("build-pool", *data.options, *SMALL, "--external", data.external, "--json")
    assert run(*build, "--out", tmp_path / "before").exit_code == 0
    result = run(
        *build, "--out", tmp_path / "pool", "--verdicts", verdicts, "--verdict-recordings", field
    )
    assert result.exit_code == 0, result.output
    assert (
        "warning: verdicts: 1 windows confirmed and 1 rejected, of 3 rows; 0 not heard yet, 1 "
        "unsure" in result.stderr
    )
    before, pool = (open_pool(tmp_path / name) for name in ("before", "pool"))
    assert len(pool.calls_of("0")) == len(before.calls_of("0")) + 1
    (new,) = [r for r in pool.recipes if r.layers[0].source and r.layers[0].source.root == field]
    assert (new.kind, new.layers[0].start_s) == ("fp", 0.25)
    assert new.labels.absent["1"].confidence == 1.0
    assert new.labels.present == {"0"}
    assert len(new.render()) == 8000


def test_their_folder_without_them_is_told_to_have_no_effect(data: Data, tmp_path: Path) -> None:
    result = run(
        "build-pool", *data.options, "--out", tmp_path / "p", "--verdict-recordings", tmp_path
    )
    assert result.exit_code == 0
    assert "--verdict-recordings has no effect without --verdicts" in result.stderr


def test_recordings_that_are_nowhere_are_named(
    data: Data, heard: tuple[Path, Path], tmp_path: Path
) -> None:
    _, verdicts = heard
    result = run("build-pool", *data.options, "--out", tmp_path / "p", "--verdicts", verdicts)
    assert result.exit_code == 2
    assert f"{verdicts} row 2: no sound file for recording 'rec06'" in result.stderr
    assert not (tmp_path / "p").exists()


def test_training_takes_them(
    data: Data, heard: tuple[Path, Path], tmp_path: Path, one_thread: None
) -> None:
    field, verdicts = heard
    small = ("--clip-s", 1, "--sample-rate", 8000, "--n-mels", 16, "--window-s", 0.5)
    steps = ("--steps-per-epoch", 1, "--epochs", 1, "--tp-per-step", 2, "--fp-per-step", 1)
    train = ("train", *data.options, *small, *steps, "--folds", 1, "--device", "cpu")
    heard_too = ("--verdicts", verdicts, "--verdict-recordings", field)
    result = run(*train, "--out", tmp_path / "run", *heard_too)
    assert result.exit_code == 0, result.output
    assert "warning: verdicts: 1 windows confirmed and 1 rejected" in result.stderr
    # the tables are others without them
    again = run(*train, "--out", tmp_path / "run")
    assert again.exit_code == 2
    assert run(*train, "--out", tmp_path / "run", *heard_too).exit_code == 0
