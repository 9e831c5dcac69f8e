"""The checkpoint as a scorer, found by the suffix of its file."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from conftest import SAMPLE_RATE
from slow_pooling import positive_mean

from negmine.errors import ModelError
from negmine.models.scorer import Compilable, Scorer, load_scorer
from training.config import Readout
from training.engine.checkpoint import Checkpoint
from training.engine.scorer import CheckpointScorer, choose_device
from training.models.backbones import SmallCNN

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(shared_checkpoint: Path) -> Checkpoint:
    return Checkpoint.load(shared_checkpoint)


@pytest.fixture(scope="module")
def scorer(shared_checkpoint: Path) -> Scorer:
    return load_scorer(shared_checkpoint, "cpu")


def clips(count: int, seed: int = 0, seconds: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.05, (count, round(seconds * SAMPLE_RATE))).astype(np.float32)


def test_pt_files_open_as_scorers(scorer: Scorer, checkpoint: Checkpoint) -> None:
    assert isinstance(scorer, CheckpointScorer)
    assert isinstance(scorer, Scorer)
    assert scorer.classes == ("0", "1")
    assert scorer.sample_rate == SAMPLE_RATE
    assert scorer.clip_s == 1.0


def test_held_out_recordings_are_those_of_the_run(scorer: Scorer, checkpoint: Checkpoint) -> None:
    assert scorer.held_out == frozenset(checkpoint.held_out)
    # one fold of four of eight recordings
    assert len(scorer.held_out) == 2
    assert scorer.held_out < {f"rec{i:02d}" for i in range(8)}


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 100.0])
def test_how_many_pass_the_network_at_once_does_not_matter(
    scorer: Scorer, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = clips(5)
    alone = [scorer.score(batch[i : i + 1]) for i in range(5)]
    monkeypatch.setattr("training.engine.scorer._CPU_SECONDS", seconds)
    for found, of_each in zip(scorer.score(batch), zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(found, np.concatenate(of_each), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [1, 3, 9])
@pytest.mark.parametrize("seconds", [1.0, 2.3])
def test_shapes_and_types(scorer: Scorer, count: int, seconds: float) -> None:
    embeddings, logits = scorer.score(clips(count, seconds=seconds))
    assert embeddings.shape == (count, 192)
    assert logits.shape == (count, 2)
    assert embeddings.dtype == logits.dtype == np.float32
    assert np.isfinite(embeddings).all()
    assert np.isfinite(logits).all()


def test_same_clips_score_the_same(scorer: Scorer, shared_checkpoint: Path) -> None:
    first = scorer.score(clips(4))
    for again in (scorer.score(clips(4)), load_scorer(shared_checkpoint, "cpu").score(clips(4))):
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])


def test_clip_scores_the_same_in_any_company(scorer: Scorer) -> None:
    together = scorer.score(clips(5))
    for i, clip in enumerate(clips(5)):
        alone = scorer.score(clip[np.newaxis])
        np.testing.assert_allclose(alone[0][0], together[0][i], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(alone[1][0], together[1][i], rtol=1e-4, atol=1e-5)


def test_waveforms_are_not_changed(scorer: Scorer) -> None:
    waveforms = clips(2)
    scorer.score(waveforms)
    np.testing.assert_array_equal(waveforms, clips(2))


@pytest.mark.parametrize("readout", ["max", "mean", "power"])
def test_logits_are_read_out_as_configured(checkpoint: Checkpoint, readout: Readout) -> None:
    config = checkpoint.config.replace(readout=readout)
    made = CheckpointScorer(replace(checkpoint, config=config), CPU)
    embeddings, logits = made.score(clips(3))
    detector = checkpoint.detector(CPU)
    with torch.inference_mode():
        features = detector.features(torch.from_numpy(clips(3)))
        # 0.5 s of 7.8 frames a second
        want = detector.read_out(features, readout, 4)
    np.testing.assert_allclose(embeddings, positive_mean(features.maps[0]).numpy(), rtol=1e-5)
    np.testing.assert_allclose(logits, want.numpy(), rtol=1e-5, atol=1e-6)


def test_embedding_under_the_head_is_the_mean_readout(checkpoint: Checkpoint) -> None:
    config = checkpoint.config.replace(readout="mean")
    embeddings, logits = CheckpointScorer(replace(checkpoint, config=config), CPU).score(clips(3))
    weight, bias = (checkpoint.model[f"head.{name}"].numpy() for name in ("weight", "bias"))
    np.testing.assert_allclose(embeddings @ weight.T + bias, logits, rtol=1e-4, atol=1e-5)


def test_fingerprint_is_that_of_weights_and_readout(checkpoint: Checkpoint) -> None:
    config, front_end = checkpoint.config, checkpoint.front_end
    assert front_end is not None
    seen = [
        CheckpointScorer(changed, CPU).fingerprint
        for changed in (
            checkpoint,
            replace(checkpoint, fingerprint="0" * 32),
            replace(checkpoint, config=config.replace(readout="mean")),
            replace(checkpoint, config=config.replace(readout="power")),
            replace(checkpoint, config=config.replace(window_s=0.25)),
            replace(checkpoint, config=config.replace(precision="bf16")),
            replace(checkpoint, front_end=replace(front_end, f_min_hz=60.0)),
        )
    ]
    assert len(set(seen)) == len(seen)


def test_fingerprint_is_not_that_of_the_file_or_the_run(
    checkpoint: Checkpoint, shared_checkpoint: Path, tmp_path: Path, scorer: Scorer
) -> None:
    shutil.copy(shared_checkpoint, tmp_path / "another name.pt")
    assert load_scorer(tmp_path / "another name.pt", "cpu").fingerprint == scorer.fingerprint
    later = replace(checkpoint, step=99, config=checkpoint.config.replace(epochs=50, lr=1e-5))
    assert CheckpointScorer(later, CPU).fingerprint == scorer.fingerprint


def test_bf16_scores_are_float32_and_near(checkpoint: Checkpoint, scorer: Scorer) -> None:
    config = checkpoint.config.replace(precision="bf16")
    embeddings, logits = CheckpointScorer(replace(checkpoint, config=config), CPU).score(clips(3))
    assert embeddings.dtype == logits.dtype == np.float32
    want = scorer.score(clips(3))[1]
    assert not np.array_equal(logits, want)
    np.testing.assert_allclose(logits, want, atol=0.1 * np.abs(want).max())


# it takes a minute, and what the compiler itself warns of is not ours
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_compiled_scorer_scores_as_before(shared_checkpoint: Path, scorer: Scorer) -> None:
    compiled = load_scorer(shared_checkpoint, "cpu", compiled=True)
    assert isinstance(compiled, Compilable)
    assert compiled.fingerprint == scorer.fingerprint
    for count, seconds in ((3, 1.0), (5, 1.7)):
        found, want = (s.score(clips(count, seconds=seconds)) for s in (compiled, scorer))
        for one, other in zip(found, want, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_what_cannot_be_compiled_is_told_in_one_line(
    shared_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(self: SmallCNN, **settings: object) -> None:
        def broken(*_: object, **named: object) -> NoReturn:
            raise RuntimeError("no C++ compiler\nand much else")

        self.forward = broken  # type: ignore[method-assign]

    monkeypatch.setattr(SmallCNN, "compile", no_compiler)
    with pytest.raises(ModelError, match=r"cannot be compiled: no C\+\+ compiler$"):
        load_scorer(shared_checkpoint, "cpu", compiled=True)


def test_file_of_another_suffix_has_no_reader(shared_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "best.weights"
    shutil.copy(shared_checkpoint, path)
    with pytest.raises(ModelError, match=r"no reader for '\.weights' models.*\.pt"):
        load_scorer(path)


def test_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="not a checkpoint"):
        load_scorer(path, "cpu")


@pytest.mark.parametrize("name", ["nonsense", "cuda:99", "cpu:x"])
def test_device_that_is_not_to_be_had(name: str) -> None:
    with pytest.raises(ModelError, match=f"device '{name}' is not available: ") as caught:
        choose_device(name)
    assert "\n" not in str(caught.value)


def test_auto_is_a_device_that_works() -> None:
    assert torch.ones(1, device=choose_device("auto")).sum() == 1
    assert choose_device("cpu") == CPU
