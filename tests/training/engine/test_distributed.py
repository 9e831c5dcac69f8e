"""Several processes train as one does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Data
from reliability.commands import Commands
from torch import nn

from training.engine.checkpoint import Checkpoint
from training.engine.ema import AveragedWeights

SETTINGS = [
    "--sample-rate", "8000", "--clip-s", "1", "--n-mels", "16", "--window-s", "0.5",
    "--tp-per-step", "4", "--fp-per-step", "3", "--steps-per-epoch", "3", "--epochs", "2",
    "--folds", "4", "--quiet",
]  # fmt: skip


def words(data: Data, out: Path, *options: str) -> list[str]:
    return ["train", *data.options, "--out", str(out), *SETTINGS, *options]


def ranks(world: int) -> list[dict[str, str]]:
    """What ``torchrun`` adds to the environment of each process of a run."""
    if world == 1:
        return [{}]
    port = str(free_port())
    return [
        {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
        }
        for rank in range(world)
    ]  # fmt: skip


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run(commands: Commands, call: list[str], folder: Path, world: int) -> None:
    """Run a command in processes that have everything imported."""
    started = [commands.start(*call, folder=folder, environment=rank) for rank in ranks(world)]
    for ended in [process.end() for process in started]:
        assert ended.code == 0, ended


def run_afresh(call: list[str], world: int) -> None:
    """Run a command in processes that a user would start, on any system."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "negmine", *call],
            env=os.environ | {"OMP_NUM_THREADS": "1"} | rank, text=True, stderr=subprocess.PIPE,
        )
        for rank in ranks(world)
    ]  # fmt: skip
    for process in started:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


def test_two_processes_have_the_losses_of_one(
    commands: Commands, shared_data: Data, tmp_path: Path
) -> None:
    runs = {}
    for world in (1, 2):
        out = tmp_path / f"world{world}"
        run(commands, words(shared_data, out), tmp_path, world)
        runs[world] = Checkpoint.load(out / "last.pt")
    # sums in another order: rounding alone, which grows some tenfold a step, by the processor
    one, two = (np.array(runs[world].losses) for world in (1, 2))
    for steps, rtol in ((1, 1e-5), (3, 2e-4), (6, 2e-2)):
        np.testing.assert_allclose(one[:steps], two[:steps], rtol=rtol)
    # a gradient that is rounding alone moves a weight by a whole step of Adam: a few differ more
    close = [
        torch.isclose(value, runs[2].model[name], rtol=2e-2, atol=2e-3).flatten()
        for name, value in runs[1].model.items()
        if "running" in name
    ]
    assert torch.cat(close).float().mean() > 0.95
    assert runs[1].history[0].keys() == runs[2].history[0].keys()


def test_processes_with_unequal_rows_take_as_many_parts(
    commands: Commands, shared_data: Data, tmp_path: Path
) -> None:
    # seven rows in two processes are four and three: four parts would keep one waiting for ever
    out = tmp_path / "run"
    options = ["--accumulate", "4", "--ema", "0.5", "--epochs", "1"]
    run(commands, words(shared_data, out, *options), tmp_path, 2)
    assert len(Checkpoint.load(out / "last.pt").losses) == 3


def test_an_average_is_that_of_a_plain_loop_and_soon_forgets_its_start() -> None:
    model = nn.BatchNorm1d(1)
    average = AveragedWeights(model, decay=0.9)
    slow = 1.0
    for step, value in enumerate([5.0, 7.0, -1.0, 3.0]):
        with torch.no_grad():
            model.weight.fill_(value)
        assert model.num_batches_tracked is not None
        model.num_batches_tracked.fill_(step)
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        slow = decay * slow + (1 - decay) * value
        kept = average.state_dict()
        assert float(kept["weight"]) == pytest.approx(slow)
        assert int(kept["num_batches_tracked"]) == step
    other = AveragedWeights(nn.BatchNorm1d(1), decay=0.9)
    other.load(kept)
    assert float(other.state_dict()["weight"]) == pytest.approx(slow)


def test_without_a_decay_the_weights_themselves_are_kept() -> None:
    model = nn.Linear(1, 1)
    average = AveragedWeights(model, decay=0.0)
    with torch.no_grad():
        model.weight.fill_(42.0)
    assert float(average.state_dict()["weight"]) == 42.0


@pytest.mark.slow
def test_two_processes_cross_validate(shared_data: Data, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--seeds", "1", "--folds", "2", "--epochs", "1", "--steps-per-epoch", "2"]
    run_afresh(words(shared_data, out, *options), 2)
    held_out = [
        set(Checkpoint.load(out / "seed0" / f"fold{fold}" / "best.pt").held_out)
        for fold in range(2)
    ]
    scored = pd.read_csv(out / "oof.csv")["recording_id"]
    assert len(scored) == 8
    assert held_out[0].isdisjoint(held_out[1])
    assert set(scored) == held_out[0] | held_out[1]
    assert list(pd.read_csv(out / "members.csv")["fold"]) == ["0", "1", "all"]


RECIPE = """
[[stage]]
name = "first"

[[stage]]
name = "second"
pseudo = true
init = "previous"
loss = "bce"
"""


@pytest.mark.slow
def test_two_processes_train_a_recipe_as_one_does(shared_data: Data, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    options = ["--recipe", str(recipe), "--folds", "2", "--epochs", "1", "--pseudo-per-step", "2"]
    for world in (1, 2):
        run_afresh(words(shared_data, tmp_path / f"world{world}", *options), world)
    # rounding grows from stage to stage; rows drawn otherwise would be another loss altogether
    for stage, rtol in (("1-first", 5e-3), ("2-second", 5e-2)):
        for fold in ("fold0", "fold1"):
            one, two = (
                Checkpoint.load(tmp_path / f"world{world}" / stage / fold / "last.pt").losses
                for world in (1, 2)
            )
            np.testing.assert_allclose(one, two, rtol=rtol)
    table, other = (
        pd.read_parquet(tmp_path / f"world{world}" / "1-first" / "pseudo.parquet")
        for world in (1, 2)
    )
    assert table.shape == other.shape
    assert len(pd.read_csv(tmp_path / "world2" / "stages.csv")) == 4
