"""Activations, held against a slow count, and ``evaluate --negative``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from click.testing import CliRunner, Result
from conftest import SAMPLE_RATE
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from negmine.cli.main import main
from training import metrics
from training.evaluation.activations import Activations
from training.evaluation.settings import ActivationSettings


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def slow(
    scores: np.ndarray, start: np.ndarray, threshold: np.ndarray, smooth: int, refractory: float
) -> list[tuple[int, float, float]]:
    found = []
    for label in range(scores.shape[1]):
        last = -np.inf
        for row in range(len(scores)):
            score = scores[max(0, row - smooth + 1) : row + 1, label].mean()
            if score >= threshold[label] and start[row] >= last + refractory - 1e-9:
                found.append((label, start[row], score))
                last = start[row]
    return sorted(found)


@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0, 4), st.lists(st.integers(0, 40)))
def test_activations_are_those_of_a_slow_count_however_the_stream_is_cut(
    seed: int, smooth: int, refractory: float, cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    scores, start = rng.random((40, 2)), np.arange(40) * 0.5
    threshold = np.array([0.6, np.nan if seed % 3 == 0 else 0.4])
    settings = ActivationSettings(smooth_s=smooth * 0.5, refractory_s=refractory)
    counter = Activations(threshold, settings, 0.5)
    found = []
    for rows in np.split(np.arange(40), sorted(cuts)):
        found += counter.take(scores[rows], start[rows], start[rows] + 1)
    got = sorted((one.label, one.start_s, one.score) for one in found)
    want = slow(scores, start, threshold, smooth, refractory)
    assert [one[:2] for one in got] == [one[:2] for one in want]
    assert [one[2] for one in got] == pytest.approx([one[2] for one in want])


def test_the_interval_of_a_count_is_garwoods() -> None:
    for count in (0, 1, 7, 120):
        low, high = metrics.poisson_interval(count)
        assert poisson.sf(count - 1, low) == pytest.approx(0.025 if count else 1.0)
        assert poisson.cdf(count, high) == pytest.approx(0.025)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    folder = tmp_path / "noise"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        sf.write(folder / f"n{i}.wav", rng.normal(0, 0.1, 20 * SAMPLE_RATE), SAMPLE_RATE)
    return folder


def test_false_activations_an_hour_are_those_of_the_windows_that_predict_detects(
    noise: Path, shared_checkpoint: Path, tmp_path: Path
) -> None:
    found, classes = tmp_path / "found.txt", tmp_path / "classes.csv"
    call(
        "predict", noise, "--model", shared_checkpoint, "--out", tmp_path / "s.csv",
        "--detections", found, "--min-conf", "0",
    )  # fmt: skip
    windows = pd.read_csv(found, sep="\t")
    limit = float(windows.Confidence.median()) + 5e-5
    options = ["evaluate", noise, "--model", shared_checkpoint, "--negative", "--threshold", limit]
    result = call(*options, "--refractory-s", 0, "--json", "--classes-out", classes)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["hours"] == pytest.approx(60 / 3600)
    counts = [row["activations"] for row in told["classes"]]
    assert counts[:2] == [
        int((windows.Confidence[windows.Species == label] >= limit).sum()) for label in (0, 1)
    ]
    assert counts[2] == sum(counts[:2])
    assert told["classes"][0]["per_hour"] == pytest.approx(counts[0] * 60)
    assert pd.read_csv(classes).activations.tolist() == counts
    fewer = json.loads(call(*options, "--refractory-s", 2, "--json").stdout)
    assert 0 < fewer["classes"][2]["activations"] < counts[2]
    none = call("evaluate", noise, "--model", shared_checkpoint, "--negative", "--threshold", 1)
    assert "0..221" in none.stdout  # 3.689 events in a minute


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--negative"], "no threshold: give --thresholds"),
        (["--negative", "--threshold", "0.5", "--truth", "t.csv"], "no meaning with --negative"),
        (["--negative", "--threshold", "0.5", "--readout", "max"], "no meaning with --negative"),
        (["--negative", "--threshold", "0.5", "--thresholds", "t.csv"], "choose one"),
        ([], "Missing option '--truth'"),
    ],
)
def test_misuse_of_negative_is_one_line(
    noise: Path, shared_checkpoint: Path, change: list[str], message: str
) -> None:
    result = call("evaluate", noise, "--model", shared_checkpoint, *change)
    assert result.exit_code == 2
    assert message in result.stderr
