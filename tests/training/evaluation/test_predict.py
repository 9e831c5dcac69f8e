"""The command that scores recordings, and what it writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from click.testing import CliRunner, Result
from conftest import SAMPLE_RATE, Data
from reliability.commands import Commands

from negmine.annotations.raven import COLUMNS, selection_table, write_selections
from negmine.cli.main import main
from training.engine.checkpoint import Checkpoint
from training.evaluation.detections import detect, most_confident


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_windows_that_follow_one_another_are_merged_a_class_at_a_time() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.7], [0.2, 0.8], [0.5, 0.1]])
    start = np.arange(4.0)
    plain = detect(3, probabilities, start, start + 1, 0.5)
    assert plain["label"].tolist() == [0, 0, 0, 1, 1]
    assert plain["start_s"].tolist() == [0, 1, 3, 1, 2]
    merged = detect(3, probabilities, start, start + 1, 0.5, merge=True)
    columns = ["recording", "label", "start_s", "end_s", "confidence"]
    assert merged[columns].to_numpy().tolist() == [
        [3, 0, 0, 2, 0.9], [3, 0, 3, 4, 0.5], [3, 1, 1, 3, 0.8]
    ]  # fmt: skip
    assert detect(0, probabilities, start, start + 1, 0.95, merge=True).empty
    assert most_confident(plain, 1)["confidence"].tolist() == [0.9, 0.8]


def test_times_run_on_through_all_recordings_and_offsets_do_not(tmp_path: Path) -> None:
    found = pd.DataFrame(
        {
            "recording": [1, 0], "label": [1, 0], "start_s": [2.0, 3.0], "end_s": [3.0, 4.0],
            "confidence": [0.5, 0.75],
        }
    )  # fmt: skip
    bands = [(100.0, 200.0), (300.0, 400.0)]
    table = selection_table(found, ["frog", "owl"], bands, [Path("a.wav"), Path("b.wav")], [10, 5])
    write_selections(tmp_path / "found.txt", table)
    read = pd.read_csv(tmp_path / "found.txt", sep="\t")
    assert tuple(read.columns) == COLUMNS
    assert read["Begin Time (s)"].tolist() == [3.0, 12.0]
    assert read["End Time (s)"].tolist() == [4.0, 13.0]
    assert read["File Offset (s)"].tolist() == [3.0, 2.0]
    assert read["Begin Path"].tolist() == ["a.wav", "b.wav"]
    assert read["Species"].tolist() == ["frog", "owl"]
    assert read["Low Freq (Hz)"].tolist() == [100.0, 300.0]


def test_scores_and_detections_come_from_one_command(
    shared_data: Data, shared_checkpoint: Path, tmp_path: Path
) -> None:
    out, found = tmp_path / "scores.csv", tmp_path / "found.txt"
    options = ["--model", shared_checkpoint, "--out", out, "--detections", found]
    result = call(
        "predict", shared_data.recordings, *options, "--per-recording", tmp_path / "each",
        "--min-conf", "0", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    scores = pd.read_csv(out)
    assert list(scores.columns) == ["recording_id", "s0", "s1"]
    assert scores.recording_id.tolist() == sorted(p.stem for p in shared_data.recordings.iterdir())
    told = json.loads(result.stdout)
    windows = pd.read_csv(found, sep="\t")
    # recordings of 4 s in windows of half a second, two classes
    assert told["recordings"] == 8
    assert told["hours"] == pytest.approx(8 * 4 / 3600)
    assert len(windows) == sum(told["detections"].values()) >= 8 * 8 * 2
    each = sorted((tmp_path / "each").iterdir())
    assert len(each) == 8
    assert sum(len(pd.read_csv(path, sep="\t")) for path in each) == len(windows)
    # the clip's score is the best of its half-overlapping windows, at least that of these
    best = windows.groupby("Species")["Confidence"].max()
    assert (scores[["s0", "s1"]].max().to_numpy() >= best.to_numpy() - 1e-4).all()
    again = call("predict", shared_data.recordings, *options, "--min-conf", "0", "--quiet")
    assert again.exit_code == 0
    assert pd.read_csv(out).equals(scores)


def test_recordings_of_any_rate_and_length_and_broken_ones(
    shared_data: Data, shared_checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    made = (("fast", 44100, 3.0), ("slow", 4000, 0.3), ("even", SAMPLE_RATE, 9.0))
    for name, rate, seconds in made:
        sf.write(folder / f"{name}.wav", rng.normal(0, 0.1, round(rate * seconds)), rate)
    (folder / "broken.wav").write_bytes(b"no sound")
    options = ["predict", folder, "--model", shared_checkpoint, "--out", tmp_path / "out.csv"]
    failed = call(*options)
    assert failed.exit_code == 1
    assert "broken.wav" in failed.stderr
    assert "--skip-bad" in failed.stderr
    assert not (tmp_path / "out.csv").exists()
    result = call(*options, "--skip-bad")
    assert result.exit_code == 0, result.output
    assert "broken.wav" in result.stderr
    assert pd.read_csv(tmp_path / "out.csv").recording_id.tolist() == ["even", "fast", "slow"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--hop-s", "3", "--detections", "found.txt"], "longer than the windows"),
        (["--model", "none.pt"], "no such checkpoint"),
    ],
)
def test_misuse_of_predict_is_one_line(
    shared_data: Data, shared_checkpoint: Path, tmp_path: Path, change: list[str], message: str
) -> None:
    result = call(
        "predict", shared_data.recordings, "--model", shared_checkpoint, "--out",
        tmp_path / "out.csv", *change,
    )  # fmt: skip
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("readout", ["mean", "power"])
def test_a_window_that_nothing_reads_is_warned_of(
    shared_data: Data, shared_checkpoint: Path, tmp_path: Path, readout: str
) -> None:
    options = ["predict", shared_data.recordings, "--model", shared_checkpoint, "--out"]
    options += [tmp_path / "out.csv", "--window-s", 0.25]
    other = Checkpoint.load(shared_checkpoint)
    other.config = other.config.replace(readout=readout)
    other.save(tmp_path / "other.pt")
    wanted = "--detections or --per-recording or --readout max or lse"
    # the checkpoint's own readout is max; several models must agree on their windows
    found = ["--readout", readout, "--detections", tmp_path / "found.txt"]
    for more, count in (
        (["--readout", readout], 1),
        ([], 0),
        (["--readout", readout, "--model", shared_checkpoint], 0),
        (found, 0),
    ):
        result = call(*options, *more)
        assert result.exit_code == 0
        assert result.stderr.count(f"--window-s has no effect without {wanted}") == count
    options[options.index(shared_checkpoint)] = tmp_path / "other.pt"
    result = call(*options)
    assert result.stderr.count(f"--window-s has no effect without {wanted}") == 1


def test_a_path_to_nothing_is_misuse(shared_checkpoint: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for name, message in {"gone.wav": "no such file or folder", "pipe.wav": "not a sound"}.items():
        options = ["--model", shared_checkpoint, "--out", tmp_path / "out.csv"]
        result = call("predict", tmp_path / name, *options)
        assert result.exit_code == 2
        assert f"{name}: {message}" in result.stderr


def test_an_empty_folder_is_misuse(shared_checkpoint: Path, tmp_path: Path) -> None:
    result = call("predict", tmp_path, "--model", shared_checkpoint, "--out", tmp_path / "o.csv")
    assert result.exit_code == 2
    assert "no sound files" in result.stderr


def test_several_models_are_averaged(
    shared_data: Data, shared_checkpoint: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    for out, models in ((one, [shared_checkpoint]), (two, [shared_checkpoint] * 2)):
        named = [part for model in models for part in ("--model", model)]
        assert call("predict", shared_data.recordings, *named, "--out", out).exit_code == 0
    np.testing.assert_allclose(
        pd.read_csv(one)[["s0", "s1"]], pd.read_csv(two)[["s0", "s1"]], rtol=1e-6
    )


def write_long(path: Path, minutes: int) -> None:
    block = np.random.default_rng(0).normal(0, 0.1, 60 * SAMPLE_RATE)
    with sf.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
        for _ in range(minutes):
            file.write(block)


def test_ctrl_c_ends_predict_at_once_and_writes_nothing(
    commands: Commands, shared_checkpoint: Path, tmp_path: Path
) -> None:
    write_long(tmp_path / "long.wav", 90)
    out = tmp_path / "out"
    out.mkdir()
    running = commands.start(
        "predict", tmp_path / "long.wav", "--model", shared_checkpoint,
        "--out", out / "scores.csv", "--detections", out / "found.txt",
        "--per-recording", out / "each", folder=tmp_path,
    )  # fmt: skip
    while running.alive and "predicting" not in running.said:  # the bar: reading has begun
        time.sleep(0.01)
    running.send(signal.SIGINT)
    ended = running.end()
    assert ended.code == 130, ended
    assert "stopped; nothing was written" in ended.err
    assert "Traceback" not in ended.err
    assert not [path for path in out.rglob("*") if path.is_file()]


_PEAKS = """
import resource, sys
import torch
from click.testing import CliRunner
from negmine.cli.main import main
torch.set_num_threads(1)
for name in sys.argv[3:]:
    done = CliRunner().invoke(
        main, ["predict", name, "--model", sys.argv[1], "--out", sys.argv[2], "--quiet"]
    )
    assert done.exit_code == 0, done.output
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_an_hour_takes_no_more_memory_than_minutes(shared_checkpoint: Path, tmp_path: Path) -> None:
    for minutes in (4, 60):
        write_long(tmp_path / f"{minutes}.wav", minutes)
    run = subprocess.run(
        [sys.executable, "-c", _PEAKS, shared_checkpoint, tmp_path / "out.csv",
         tmp_path / "4.wav", tmp_path / "60.wav"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    few, hour = (int(line) for line in run.stdout.split())
    # an hour of float32 at 8 kHz alone is 115 MB
    assert hour - few < 40


def test_recordings_in_a_cache_are_read_from_it(
    shared_data: Data, shared_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = pd.DataFrame({"recording_id": [f"rec{i:02d}" for i in range(8)], "s0": 1, "s1": 0})
    truth.to_csv(tmp_path / "truth.csv", index=False)
    predicted = ["predict", shared_data.recordings, "--model", shared_checkpoint, "--out"]
    evaluated = [
        "evaluate", shared_data.recordings, "--model", shared_checkpoint, "--truth",
        tmp_path / "truth.csv", "--scores-out",
    ]  # fmt: skip
    cache = tmp_path / "cache"
    for name, command in {"p": predicted, "e": evaluated}.items():
        assert call(*command, tmp_path / f"{name}.csv", "--quiet").exit_code == 0
    rate = ["--sample-rate", SAMPLE_RATE]
    assert call("cache", shared_data.recordings, "--out", cache, *rate).exit_code == 0
    with monkeypatch.context() as patched:
        patched.setattr("negmine.recipes.cache.stream", undecoded)
        for name, command in {"p": predicted, "e": evaluated}.items():
            found = tmp_path / f"{name}-cached.csv"
            result = call(*command, found, "--cache", cache, "--quiet")
            assert (result.exit_code, result.stderr) == (0, "")
            # 16 bits, mono, at the model's rate: the same to the bit
            assert found.read_bytes() == (tmp_path / f"{name}.csv").read_bytes()
    predicted[1] = shared_data.external
    result = call(*predicted, tmp_path / "x.csv", "--cache", cache, "--quiet")
    assert result.exit_code == 0
    assert "lacks 3 recordings at this rate, which were decoded" in result.stderr
    result = call(*predicted, tmp_path / "y.csv", "--cache", tmp_path / "none", "--quiet")
    assert (result.exit_code, "no finished cache" in result.stderr) == (2, True)
    assert not (tmp_path / "y.csv").exists()


def undecoded(*_: object) -> None:
    raise AssertionError("decoded beside the cache")
