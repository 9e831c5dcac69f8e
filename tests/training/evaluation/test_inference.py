"""Long recordings in pieces, held against a single pass."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from conftest import SAMPLE_RATE, tiny_config, tone, tone_detector
from torch import nn

from training.config import Readout
from training.evaluation.inference import RecordingScorer
from training.models.detector import Detector
from training.models.frontend import FrontEndSettings

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
EDGES = ((500.0, 1500.0), (2000.0, 3000.0), (100.0, 3900.0))


def detector(bands: str = "off", pooling: str = "positive") -> Detector:
    torch.manual_seed(0)
    front_end = FrontEndSettings.for_mels(SAMPLE_RATE, 32)
    made = Detector(3, front_end, "small", bands=bands, pooling=pooling, edges_hz=EDGES)  # type: ignore[arg-type]
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_(0, 0.2)
    return made.eval()


def sound(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    samples = 0.05 * rng.standard_normal(round(seconds * SAMPLE_RATE))
    return np.asarray(samples.astype(np.float32) * np.sin(np.arange(len(samples)) / 20_000) ** 2)


@pytest.mark.parametrize("readout", get_args(Readout))
@pytest.mark.parametrize("bands", ["off", "shared", "crops"])
def test_pieces_agree_with_a_single_pass(readout: str, bands: str) -> None:
    config = tiny_config(readout=readout, n_mels=32)
    samples = sound(31.3)
    whole = RecordingScorer(detector(bands), config, CPU, hop_s=0.25).read(samples)
    cut = RecordingScorer(detector(bands), config, CPU, hop_s=0.25, piece_s=7.0).read(samples)
    np.testing.assert_allclose(cut.clip, whole.clip, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(cut.windows, whole.windows, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(cut.start_s, whole.start_s)
    np.testing.assert_array_equal(cut.end_s, whole.end_s)
    assert cut.duration_s == whole.duration_s == 31.3


def test_without_an_overlap_the_pieces_would_not_agree() -> None:
    config, samples = tiny_config(n_mels=32), sound(20.0)
    whole = RecordingScorer(detector(), config, CPU).read(samples)
    bare = RecordingScorer(detector(), config, CPU, piece_s=5.0, overlap_s=0.0).read(samples)
    assert np.abs(bare.windows - whole.windows).max() > 1e-3


def test_a_piece_shorter_than_the_overlap_leaves_nothing_out() -> None:
    config, samples = tiny_config(n_mels=32), sound(8.0)
    whole = RecordingScorer(detector(), config, CPU).read(samples)
    cut = RecordingScorer(detector(), config, CPU, piece_s=1.0).read(samples)
    np.testing.assert_allclose(cut.windows, whole.windows, rtol=1e-3, atol=1e-4)


def test_blocks_of_any_size_give_the_same() -> None:
    scorer = RecordingScorer(detector(), tiny_config(n_mels=32), CPU, piece_s=3.0)
    samples = sound(11.0)
    want = scorer.read(samples)
    one = scorer.begin()
    for block in np.split(samples, [1, 9000, 9001, 50_000]):
        one.add(block)
    got = one.end()
    np.testing.assert_allclose(got.windows, want.windows, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got.clip, want.clip, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seconds", [0.01, 0.4, 1.0])
def test_a_recording_shorter_than_a_window_has_one(seconds: float) -> None:
    config = tiny_config(n_mels=32, window_s=1.0)
    reading = RecordingScorer(detector(), config, CPU).read(sound(seconds))
    assert len(reading.windows) == 1
    assert np.isfinite(reading.clip).all()


def test_windows_tell_when_a_call_is_heard() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.01, 30 * SAMPLE_RATE).astype(np.float32)
    for hz, start in ((1000, 20.25), (2500, 3.1)):
        samples[round(start * SAMPLE_RATE) :][: SAMPLE_RATE // 2] += tone(hz, 0.5)
    reading = RecordingScorer(tone_detector(), tiny_config(), CPU).read(samples)
    logits, start_s, end_s = reading.windows, reading.start_s, reading.end_s
    assert logits.shape == (len(start_s), 2)
    assert logits.dtype == np.float32
    # side by side, to the recording's end
    assert start_s[0] == 0
    np.testing.assert_array_equal(start_s[1:], end_s[:-1])
    np.testing.assert_allclose(end_s[:-1] - start_s[:-1], 31 / 62.5)
    assert end_s[-1] == pytest.approx(30, abs=0.05)
    for column, (first, last) in enumerate([(20.25, 20.75), (3.1, 3.6)]):
        best = int(logits[:, column].argmax())
        assert start_s[best] < last
        assert end_s[best] > first
        loud = logits[:, column] > 3
        assert (start_s[loud] < last + 0.05).all()
        assert (end_s[loud] > first - 0.05).all()
