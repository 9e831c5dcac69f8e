"""The commands with a head of a frozen network: train, predict, evaluate, mine, loop, export."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from conftest import Data
from frozen_networks import write_network

from negmine.cli.main import main
from training.engine.checkpoint import Checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = [
    *("--folds", 4, "--tp-per-step", 4, "--fp-per-step", 2, "--steps-per-epoch", 10),
    *("--epochs", 2, "--patience", 0, "--lr", 0.05, "--device", "cpu"),
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEGMINE_CACHE", str(tmp_path / "user"))


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "filters.onnx")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def done(*arguments: object) -> Result:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result


def run_train(data: Data, network: Path, out: Path, *more: object) -> Result:
    return call("train", *data.options, "--backbone", network, "--out", out, *SMALL, *more)


def test_rate_length_and_window_are_the_networks(
    shared_data: Data, network: Path, tmp_path: Path
) -> None:
    result = run_train(shared_data, network, tmp_path / "run")
    assert result.exit_code == 0, result.output
    config = Checkpoint.load(tmp_path / "run" / "best.pt").config
    assert (config.sample_rate, config.clip_s, config.window_s) == (8000, 1.0, 1.0)
    assert (config.weight_decay, config.placements) == (10.0, 4)
    again = done(
        "train", *shared_data.options, "--config", tmp_path / "run" / "config.toml",
        "--device", "cpu", "--out", tmp_path / "again",
    )  # fmt: skip
    assert again.exit_code == 0
    first, second = (Checkpoint.load(tmp_path / n / "best.pt") for n in ("run", "again"))
    assert first.fingerprint == second.fingerprint


def test_a_hidden_layer_reaches_the_run(shared_data: Data, network: Path, tmp_path: Path) -> None:
    result = run_train(shared_data, network, tmp_path / "run", "--hidden", 5)
    assert result.exit_code == 0, result.output
    assert Checkpoint.load(tmp_path / "run" / "best.pt").config.hidden == 5


@pytest.mark.parametrize(
    "option",
    [
        ("--n-mels", 64),
        ("--pooling", "mean"),
        ("--bands", "crops"),
        ("--precision", "bf16"),
        ("--compile",),
        ("--no-channels-last",),
        ("--pretrained",),
        ("--time-masks", 1),
        ("--sample-rate", 8000),
        ("--clip-s", 1),
        ("--window-s", 1),
    ],
)
def test_options_without_meaning_are_refused_by_name(
    shared_data: Data, network: Path, tmp_path: Path, option: tuple[object, ...]
) -> None:
    result = run_train(shared_data, network, tmp_path / "run", *option)
    assert result.exit_code == 2
    assert str(option[0]) in result.stderr.splitlines()[-1].replace("no-", "").replace(
        "--channels", "--no-channels"
    )
    assert not (tmp_path / "run").exists()


def test_a_hidden_layer_is_of_heads_alone(shared_data: Data, tmp_path: Path) -> None:
    result = call("train", *shared_data.options, "--out", tmp_path / "run", "--hidden", 8)
    assert result.exit_code == 2
    assert "--hidden" in result.stderr


def test_birdnet_that_was_not_added_is_one_line(shared_data: Data, tmp_path: Path) -> None:
    result = run_train(shared_data, Path("birdnet"), tmp_path / "run")
    assert result.exit_code == 2
    assert "negmine models add birdnet" in result.stderr


def test_new_sound_is_warned_of(shared_data: Data, network: Path, tmp_path: Path) -> None:
    result = run_train(shared_data, network, tmp_path / "run", "--noise", 0.5)
    assert result.exit_code == 0, result.output
    assert "passes the network each time" in result.stderr


def test_a_head_predicts_evaluates_mines_and_is_exported(
    shared_data: Data, shared_pool: Path, network: Path, tmp_path: Path
) -> None:
    assert run_train(shared_data, network, tmp_path / "run").exit_code == 0
    model = tmp_path / "run" / "best.pt"
    done(
        "predict", shared_data.recordings, "--model", model, "--out", tmp_path / "p.csv",
        "--detections", tmp_path / "found.txt", "--hop-s", 0.5, "--min-conf", 0,
    )  # fmt: skip
    assert len(pd.read_csv(tmp_path / "p.csv")) == 8
    table = pd.read_csv(tmp_path / "found.txt", sep="\t")
    # windows of 1 s, 0.5 s apart, in 8 recordings of 4 s, for two classes
    assert len(table) == 8 * 7 * 2
    refused = call(
        "predict", shared_data.recordings, "--model", model, "--out", tmp_path / "p.csv",
        "--window-s", 2,
    )  # fmt: skip
    assert refused.exit_code == 2
    assert "--window-s" in refused.stderr

    truth = pd.DataFrame({"recording_id": [f"rec{i:02d}" for i in range(8)], "s0": 1, "s1": 1})
    truth.loc[0, "s0"] = truth.loc[1, "s1"] = 0
    truth.to_csv(tmp_path / "truth.csv", index=False)
    found = done(
        "evaluate", shared_data.recordings, "--model", model, "--truth", tmp_path / "truth.csv",
        "--json",
    )  # fmt: skip
    assert "lwlrap" in json.loads(found.stdout)

    done(
        "mine", "--model", model, "--pool", shared_pool, "--out", tmp_path / "hard.parquet",
        "--device", "cpu",
    )  # fmt: skip
    done("export-model", model, tmp_path / "model.onnx")
    done(
        "mine", "--model", tmp_path / "model.onnx", "--pool", shared_pool, "--device", "cpu",
        "--out", tmp_path / "again.parquet",
    )  # fmt: skip
    columns = ["recipe", "class"]
    one, two = (
        pd.read_parquet(tmp_path / name)[columns].sort_values(columns).to_numpy().tolist()
        for name in ("hard.parquet", "again.parquet")
    )
    assert one == two
    mined = run_train(
        shared_data, network, tmp_path / "mined", "--hard-negatives", tmp_path / "hard.parquet"
    )
    assert mined.exit_code == 0, mined.output


def test_a_loop_of_heads(
    shared_data: Data, shared_pool: Path, network: Path, tmp_path: Path
) -> None:
    done(
        "loop", *shared_data.options, "--pool", shared_pool, "--backbone", network, "--rounds", 1,
        "--out", tmp_path / "rounds", *SMALL,
    )  # fmt: skip
    assert (tmp_path / "rounds" / "round1" / "best.pt").is_file()


def test_folds_and_seeds_of_heads(shared_data: Data, network: Path, tmp_path: Path) -> None:
    result = run_train(shared_data, network, tmp_path / "run", "--seeds", 1)
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(tmp_path / "run" / "oof.csv")) == 8
