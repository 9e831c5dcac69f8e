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
from torch import nn

from training.engine.checkpoint import Checkpoint
from training.engine.ema import AveragedWeights

SETTINGS = [
    "--sample-rate", "8000", "--clip-s", "1", "--n-mels", "16", "--window-s", "0.5",
    "--tp-per-step", "4", "--fp-per-step", "3", "--steps-per-epoch", "3", "--epochs", "2",
    "--folds", "4", "--quiet",
]  # fmt: skip


def start(
    data: Data, out: Path, rank: int, world: int, port: int, *options: str
) -> subprocess.Popen[str]:
    """One process of a run, as ``torchrun`` would start it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if world > 1:
        environment |= {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        }  # fmt: skip
    command = [sys.executable, "-m", "negmine", "train", *data.options, "--out", str(out)]
    return subprocess.Popen(
        [*command, *SETTINGS, *options], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_two_processes_have_the_losses_of_one(shared_data: Data, tmp_path: Path) -> None:
    runs = {}
    for world in (1, 2):
        port, out = free_port(), tmp_path / f"world{world}"
        started = [start(shared_data, out, rank, world, port) for rank in range(world)]
        for process in started:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
        runs[world] = Checkpoint.load(out / "last.pt")
    # sums in another order: rounding alone, grown over six steps of training
    np.testing.assert_allclose(runs[1].losses, runs[2].losses, rtol=2e-3)
    np.testing.assert_allclose(runs[1].losses[0], runs[2].losses[0], rtol=1e-5)
    for name, value in runs[1].model.items():
        if "running" in name:
            torch.testing.assert_close(value, runs[2].model[name], rtol=2e-2, atol=2e-3)
    assert runs[1].history[0].keys() == runs[2].history[0].keys()


def test_processes_with_unequal_rows_take_as_many_parts(shared_data: Data, tmp_path: Path) -> None:
    # seven rows in two processes are four and three: four parts would keep one waiting for ever
    port, out = free_port(), tmp_path / "run"
    options = ["--accumulate", "4", "--ema", "0.5", "--epochs", "1"]
    started = [start(shared_data, out, rank, 2, port, *options) for rank in range(2)]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
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
    port, out = free_port(), tmp_path / "run"
    options = ["--seeds", "1", "--folds", "2", "--epochs", "1", "--steps-per-epoch", "2"]
    started = [start(shared_data, out, rank, 2, port, *options) for rank in range(2)]
    for process in started:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
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
        port, out = free_port(), tmp_path / f"world{world}"
        started = [start(shared_data, out, rank, world, port, *options) for rank in range(world)]
        for process in started:
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors
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
