"""Training a head: runs, what they keep, and what their checkpoints do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Data, Opened, open_data, tiny_config
from frozen_networks import SAMPLES, write_network
from scorer_contract import check_scorer

from negmine.audio.silence import SILENT_LOGIT
from negmine.errors import InputError, ModelError
from negmine.models.scorer import load_scorer
from negmine.pool import open_pool
from negmine.scores.embed import score_pool
from training.augmentation import AugmentSettings
from training.config import TrainConfig
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunInputs
from training.engine.scorer import CheckpointScorer, checkpoint_scorer
from training.engine.step import take_step
from training.engine.train import train
from training.evaluation.inference import RecordingScorer
from training.export.onnx import export_model
from training.models.network import Network

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEGMINE_CACHE", str(tmp_path / "user"))


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "filters.onnx")


def settings(network: Path, **changes: Any) -> TrainConfig:
    return tiny_config(
        **{
            "backbone": str(network),
            "n_mels": 64,
            "window_s": 1.0,
            "placements": 3,
            "lr": 0.05,
            "steps_per_epoch": 20,
            "epochs": 3,
            "loss": "bce",
        }
        | changes
    )


@pytest.fixture
def run(shared_data: Data, network: Path, tmp_path: Path) -> Callable[..., Checkpoint]:
    opened: Opened = open_data(shared_data, alternating=True)

    def made(out: str = "run", cache: str = "cache", **changes: Any) -> Checkpoint:
        inputs = RunInputs(opened.annotations, opened.recordings, tmp_path / cache)
        return train(settings(network, **changes), inputs, tmp_path / out)

    return made


def weights(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in checkpoint.model.items()}


@pytest.mark.parametrize("hidden", [0, 8])
def test_a_head_learns_the_tones(run: Callable[..., Checkpoint], hidden: int) -> None:
    checkpoint = run(hidden=hidden)
    assert checkpoint.history[-1]["known_ap"] == pytest.approx(1.0)
    assert checkpoint.history[-1]["loss"] < checkpoint.history[0]["loss"] / 2


def test_levels_learn_faster_than_weights(run: Callable[..., Checkpoint]) -> None:
    # at the rate of the weights a level would move by 0.006 at most in 60 steps
    checkpoint = run(lr=1e-4)
    assert checkpoint.model["head.bias"].abs().max() > 0.01


def test_a_checkpoint_holds_the_head_and_the_networks_digest(
    run: Callable[..., Checkpoint], network: Path, tmp_path: Path
) -> None:
    checkpoint = run()
    assert checkpoint.network == {
        "name": str(network),
        "fingerprint": load_scorer(network, "cpu").fingerprint,
    }
    assert checkpoint.front_end is None
    assert set(checkpoint.model) == {"mean", "scale", "head.weight", "head.bias"}
    assert (tmp_path / "run" / "best.pt").stat().st_size < 20_000


def test_a_checkpoint_is_a_scorer(run: Callable[..., Checkpoint], tmp_path: Path) -> None:
    checkpoint = run()
    scorer = load_scorer(tmp_path / "run" / "best.pt", "cpu")
    check_scorer(scorer)
    assert scorer.held_out == frozenset(checkpoint.held_out)
    assert (scorer.sample_rate, scorer.clip_s) == (8000, 1.0)


def test_the_same_seed_gives_the_same_bytes(run: Callable[..., Checkpoint], tmp_path: Path) -> None:
    run("one", "cold")
    run("two", "cold")  # embeddings are there already
    run("three", "other", workers=2)
    one, two = ((tmp_path / name / "best.pt").read_bytes() for name in ("one", "two"))
    assert one == two
    # the number of workers is among its settings
    assert Checkpoint.load(tmp_path / "three" / "best.pt").fingerprint == (
        Checkpoint.load(tmp_path / "one" / "best.pt").fingerprint
    )


def test_a_run_that_was_stopped_ends_as_if_it_had_not(
    run: Callable[..., Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("whole", ema=0.5)
    steps = 0

    def stopping(*arguments: Any) -> float:
        nonlocal steps
        steps += 1
        if steps == 25:
            raise RuntimeError("stopped")
        return take_step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("training.engine.train.take_step", stopping)
        with pytest.raises(RuntimeError, match="stopped"):
            run("parts", ema=0.5)
    again = run("parts", ema=0.5)
    assert again.fingerprint == whole.fingerprint
    assert again.history == whole.history


def test_crops_pass_the_network_once(
    run: Callable[..., Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    embedded = Network._embedded

    def counted(self: Network, clips: np.ndarray) -> np.ndarray:
        seen.append(len(clips))
        return embedded(self, clips)

    monkeypatch.setattr(Network, "_embedded", counted)
    run("one")
    # 6 training recordings of one call and one rejection each, in three placements at most; two
    # held-out recordings' verdicts; a faint row in some steps; one clip to learn the width
    assert sum(seen) < 6 * 2 * 3 + 8 + 30
    first = sum(seen)
    seen.clear()
    run("two")
    assert 0 < sum(seen) < first / 10


def test_a_recording_in_pieces_is_read_as_in_one(run: Callable[..., Checkpoint]) -> None:
    checkpoint = run()
    sound = np.random.default_rng(1).normal(0, 0.1, 9 * SAMPLES + 1234).astype(np.float32)

    def read(samples: np.ndarray, piece_s: float, block: int) -> Any:
        scorer = RecordingScorer(checkpoint.detector(CPU), checkpoint.config, CPU, piece_s=piece_s)
        one = scorer.begin()
        for first in range(0, len(samples), block):
            one.add(samples[first : first + block])
        return one.end()

    halves = [n * SAMPLES // 2 for n in (2, 3, 4, 5)]
    for length in (len(sound), 3 * SAMPLES + 100, *halves, SAMPLES // 3):
        whole = read(sound[:length], 100.0, 10**6)
        # side by side; the last one where the recording's end is in it
        assert whole.start_s[:-1].tolist() == [float(i) for i in range(len(whole.start_s) - 1)]
        assert (whole.start_s < whole.end_s).all()
        assert whole.start_s[-1] < length / SAMPLES <= whole.start_s[-1] + 1
        for piece_s, block in ((1.0, 5000), (2.0, 777), (1.5, 12_000)):
            parts = read(sound[:length], piece_s, block)
            np.testing.assert_allclose(parts.windows, whole.windows, rtol=1e-5)
            np.testing.assert_allclose(parts.clip, whole.clip, rtol=1e-5)
            np.testing.assert_array_equal(parts.end_s, whole.end_s)


@pytest.mark.parametrize("hidden", [0, 5])
def test_an_export_scores_as_the_checkpoint(
    run: Callable[..., Checkpoint], tmp_path: Path, hidden: int
) -> None:
    checkpoint = run(hidden=hidden)
    exported = export_model(checkpoint, tmp_path / "out.onnx")
    assert exported.difference < 1e-5
    scorer, own = (
        load_scorer(path, "cpu") for path in (tmp_path / "out.onnx", tmp_path / "run" / "best.pt")
    )
    clips = np.random.default_rng(2).normal(0, 0.1, (3, SAMPLES)).astype(np.float32)
    for found, wanted in zip(scorer.score(clips), own.score(clips), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert scorer.held_out == own.held_out
    assert scorer.classes == own.classes
    import onnx

    # the network's own logits, and their weights, are not in it
    kept = {one.name for one in onnx.load(tmp_path / "out.onnx").graph.initializer}
    assert "dense" not in kept


def test_without_its_network_a_checkpoint_says_what_to_do(
    run: Callable[..., Checkpoint], network: Path, tmp_path: Path
) -> None:
    run()
    network.unlink()
    with pytest.raises(ModelError, match=r"not among the added ones.*negmine models add FILE"):
        load_scorer(tmp_path / "run" / "best.pt", "cpu")


def test_another_network_does_not_go_on_with_a_run(
    run: Callable[..., Checkpoint], network: Path
) -> None:
    run(epochs=1)
    write_network(network, seed=5)
    with pytest.raises(InputError, match="another network"):
        run(epochs=1)


def test_a_run_starts_from_a_head_of_the_same_network_alone(
    shared_data: Data, run: Callable[..., Checkpoint], network: Path, tmp_path: Path
) -> None:
    first = run()
    opened = open_data(shared_data, alternating=True)

    def started(**changes: Any) -> Checkpoint:
        inputs = RunInputs(
            opened.annotations, opened.recordings, tmp_path / "cache",
            init=tmp_path / "run" / "best.pt",
        )  # fmt: skip
        return train(settings(network, epochs=1, **changes), inputs, tmp_path / "next")

    assert started().history[0]["loss"] < first.history[0]["loss"]
    with pytest.raises(ModelError, match="made with another"):
        started(hidden=4)
    write_network(network, seed=5)
    with pytest.raises((ModelError, InputError), match="another"):
        started()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bands": "crops"}, "bands"),
        ({"precision": "bf16"}, "precision"),
        ({"compile": True}, "compile"),
        ({"pretrained": True}, "pretrained"),
        ({"readout": "power"}, "readout"),
        ({"augment": AugmentSettings(time_masks=1)}, "time-masks"),
        ({"clip_s": 2.0}, "1 s"),
        ({"sample_rate": 16_000}, "at 8000 Hz"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(
    run: Callable[..., Checkpoint], changes: dict[str, Any], named: str
) -> None:
    with pytest.raises((ModelError, InputError), match=named):
        run(**changes)


def test_changed_sound_passes_the_network_again(run: Callable[..., Checkpoint]) -> None:
    plain = run("plain", epochs=1)
    changed = run("changed", epochs=1, augment=AugmentSettings(noise=1.0, gain=1.0))
    assert not np.array_equal(weights(plain)["mean"], weights(changed)["mean"])


def test_another_head_scores_a_pool_without_the_network(
    run: Callable[..., Checkpoint],
    shared_pool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = open_pool(shared_pool)
    first, second = (checkpoint_scorer(run(out, seed=i), CPU) for i, out in enumerate("ab"))
    score_pool(first, pool, tmp_path / "scores")
    plain = score_pool(CheckpointScorer(Checkpoint.load(tmp_path / "b" / "best.pt"), CPU), pool,
                       tmp_path / "plain")  # fmt: skip

    def refused(self: Network, clips: np.ndarray) -> np.ndarray:
        raise AssertionError("the network was asked again")

    monkeypatch.setattr(Network, "_embedded", refused)
    found = score_pool(second, pool, tmp_path / "scores")
    for one, other in zip(found, plain, strict=True):
        rows = np.arange(len(one))
        np.testing.assert_allclose(one.logits(rows), other.logits(rows), rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(one.embeddings(rows), other.embeddings(rows))


def test_a_silent_clip_scores_lowest_by_a_head_too(
    run: Callable[..., Checkpoint],
    shared_pool: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("negmine.scores.embed.is_silent", lambda clip: clip[0] > 0)
    pool = open_pool(shared_pool)
    scores, _ = score_pool(checkpoint_scorer(run(), CPU), pool, tmp_path / "scores")
    lowest = (scores.logits(np.arange(len(scores))) == SILENT_LOGIT).all(axis=1)
    wanted = [pool.recipes[i].render()[0] > 0 for i in range(len(pool))]
    assert lowest.tolist() == wanted
    assert 0 < sum(wanted) < len(wanted)
