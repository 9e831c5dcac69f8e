"""A stream scored as it comes has the numbers of ``predict``, and grows no memory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from click.testing import CliRunner, Result
from conftest import SAMPLE_RATE, Data, tiny_config, tone_detector
from frozen_networks import RATE, write_network

from negmine.cli.main import main
from negmine.models.scorer import load_scorer
from training.evaluation.inference import RecordingScorer
from training.evaluation.listening import listen
from training.models.frozen import FrozenDetector
from training.models.network import Network

CPU = torch.device("cpu")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def sound(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    samples = 0.1 * rng.standard_normal(round(seconds * SAMPLE_RATE))
    samples[3 * SAMPLE_RATE : 5 * SAMPLE_RATE] = 0  # a gap
    return samples.astype(np.float32)


def blocks(samples: np.ndarray, size: int = 800) -> Iterator[np.ndarray]:
    for first in range(0, len(samples), size):
        yield samples[first : first + size]


def scorers(kind: str, tmp_path: Path, hop_s: float | None) -> tuple[RecordingScorer, ...]:
    """Two that differ in their pieces alone: one for files, one for streams."""
    torch.manual_seed(0)
    if kind == "frozen":
        network = Network(load_scorer(write_network(tmp_path / "f.onnx"), "cpu"), "f")
        detector = FrozenDetector(3, network)
        torch.nn.init.normal_(detector.head.weight)
        config = tiny_config(sample_rate=RATE, window_s=1.0)
        pieces: dict[str, float] = {"piece_s": 1.0}
        return tuple(
            RecordingScorer(detector, config, CPU, hop_s=hop_s, **more) for more in ({}, pieces)
        )
    made = tone_detector()
    return tuple(
        RecordingScorer(made, tiny_config(), CPU, hop_s=hop_s, piece_s=piece_s)
        for piece_s in (61.0, 1.0)
    )


@pytest.mark.parametrize("kind", ["trained", "frozen"])
@pytest.mark.parametrize("hop_s", [None, 0.25])
@pytest.mark.parametrize("seconds", [0.3, 9.0, 12.7])
def test_a_stream_has_the_windows_of_a_file(
    kind: str, hop_s: float | None, seconds: float, tmp_path: Path, one_thread: None
) -> None:
    whole, piecewise = scorers(kind, tmp_path, hop_s)
    samples = sound(seconds)
    want = whole.read(samples)
    parts = list(listen(piecewise, blocks(samples)))
    probabilities = 1 / (1 + np.exp(-want.windows.astype(float)))
    got = np.concatenate([part.scores for part in parts])
    np.testing.assert_allclose(
        got, np.where(want.audible[:, None], probabilities, 0), rtol=1e-3, atol=1e-5
    )
    starts = np.concatenate([part.start_s for part in parts])
    ends = np.concatenate([part.end_s for part in parts])
    np.testing.assert_allclose(starts, want.start_s)
    np.testing.assert_allclose(ends, np.minimum(want.end_s, want.duration_s))
    assert parts[-1].heard_s == pytest.approx(seconds)
    if seconds > 9:
        assert len(parts) > 3  # as they come, not at the end


def test_nothing_of_what_was_scored_is_kept(one_thread: None) -> None:
    _, scorer = scorers("trained", Path(), None)
    one = scorer.begin(clip=False)
    rng = np.random.default_rng(0)
    most = 0
    for _ in range(60):
        one.add(rng.normal(0, 0.1, SAMPLE_RATE).astype(np.float32))
        one.take()
        most = max(most, sum(len(part) for part in one._windows._found))
        held = sum(len(block) for block in one._blocks)
        assert held < 8 * SAMPLE_RATE
    assert most <= 1


def test_the_command_prints_what_predict_detects(
    shared_data: Data, shared_checkpoint: Path, tmp_path: Path
) -> None:
    file = sorted(shared_data.recordings.iterdir())[0]
    options = ["--threshold", 0.3, "--refractory-s", 0, "--json"]
    result = call("listen", shared_checkpoint, file, *options)
    assert result.exit_code == 0, result.output
    *found, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert summary["heard_s"] == 4.0
    assert sum(summary["activations"].values()) == len(found)
    predicted = call(
        "predict", file, "--model", shared_checkpoint, "--out", tmp_path / "s.csv",
        "--detections", tmp_path / "found.txt", "--min-conf", 0.3,
    )  # fmt: skip
    assert predicted.exit_code == 0
    lines = (tmp_path / "found.txt").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    want = sorted((float(row[10]), row[7], float(row[8])) for row in rows)
    got = sorted((round(one["start_s"], 4), one["class"], round(one["score"], 4)) for one in found)
    assert len(want) > 5
    assert [one[:2] for one in got] == [one[:2] for one in want]
    assert [one[2] for one in got] == pytest.approx([one[2] for one in want], abs=2e-4)
    text = call("listen", shared_checkpoint, file, "--threshold", 0.3, "--refractory-s", 0)
    assert f"{len(found)} activations in 4.0 s" in text.stdout


def test_a_pipe_is_scored_as_it_comes_and_ctrl_c_ends_it_with_a_summary(
    shared_data: Data, shared_checkpoint: Path
) -> None:
    samples, _ = sf.read(sorted(shared_data.recordings.iterdir())[0], dtype="int16")
    command = [sys.executable, "-m", "negmine", "listen", str(shared_checkpoint), "-"]
    command += ["--rate", str(SAMPLE_RATE), "--threshold", "0", "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=False) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(np.tile(samples, 5).astype("<i2").tobytes())
        process.stdin.flush()
        # the pipe stays open: what is printed now came before its end
        first = json.loads(process.stdout.readline())
        assert first["start_s"] == 0.0
        # all of it is scored, and nothing more comes: Ctrl-C must end it all the same
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(30) == 130
        finally:
            process.kill()
        rest = process.stdout.read().splitlines()
    summary = json.loads(rest[-1])
    assert 4 < summary["heard_s"] <= 20
    assert summary["activations"]["0"] >= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([], "name one source"),
        (["x.wav", "--microphone", "--threshold", "0.5"], "name one source"),
        (["x.wav", "--threshold", "0.5"], "x.wav"),
        (["x.wav"], "no threshold"),
    ],
)
def test_misuse_of_listen_is_one_line(
    shared_checkpoint: Path, change: list[str], message: str
) -> None:
    result = call("listen", shared_checkpoint, *change)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_without_sounddevice_the_extra_is_named(
    shared_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = call("listen", shared_checkpoint, "--microphone", "--threshold", "0.5")
    assert result.exit_code == 1
    assert "pip install 'negmine[listen]'" in result.stderr
