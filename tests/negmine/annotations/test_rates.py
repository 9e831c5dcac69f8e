"""The rate of a pool or a run, and calls that cannot be heard at it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from click.testing import CliRunner, Result
from conftest import COLUMNS, Data

from negmine.annotations import read_rfcx
from negmine.annotations.rates import check_audible, own_rate, rate_note, upsampled_note
from negmine.audio.read import AudioInfo
from negmine.cli.main import main
from negmine.errors import AnnotationError
from negmine.mining.selection import Chosen, Selection
from negmine.pool import open_pool

RUN = (
    *("--clip-s", 1, "--n-mels", 16, "--window-s", 0.5, "--folds", 1, "--tp-per-step", 4),
    *("--fp-per-step", 2, "--steps-per-epoch", 1, "--epochs", 1, "--device", "cpu"),
)


def info(rate: int) -> AudioInfo:
    return AudioInfo(Path("x.wav"), rate, 4 * rate, 1, "", np.ones(40, dtype=np.float32))


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def check(tmp_path: Path, low: float, high: float, file_hz: int, rate: int) -> None:
    rows = [("a", "frog", 1, 0.5, 200.0, 1.0, 800.0), ("b", "bat", 1, 0.5, low, 1.0, high)]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(tmp_path / "tp.csv", index=False)
    infos = {"a": info(8000), "b": info(file_hz)}
    check_audible(read_rfcx(tmp_path / "tp.csv", None), infos, rate)


@pytest.mark.parametrize(
    ("low", "high", "file_hz", "rate", "told"),
    [
        (44_600, 45_400, 256_000, 32_000, "receives up to 16000 Hz; pass --sample-rate 96000"),
        (15_000, 20_000, 48_000, 32_000, "receives up to 16000 Hz; pass --sample-rate 44100"),
        (4000, 4500, 16_000, 8000, "receives up to 4000 Hz; pass --sample-rate 16000"),
        (120_000, 150_000, 250_000, 32_000, "pass --sample-rate 250000"),
        (9000, 9500, 16_000, 32_000, "of 16000 Hz holds nothing above 8000 Hz; correct f_min"),
        (9000, 9500, 16_000, 8000, "of 16000 Hz holds nothing above 8000 Hz"),
        (100, float(24_000), 48_000, 16_000, "pass --sample-rate 48000"),
    ],
)
def test_calls_above_what_is_heard_are_refused_with_the_rate_to_use(
    tmp_path: Path, low: float, high: float, file_hz: int, rate: int, told: str
) -> None:
    with pytest.raises(AnnotationError) as raised:
        check(tmp_path, low, high, file_hz, rate)
    assert f"tp.csv row 3: class 'bat' calls from {low:g} to {high:g} Hz (1 of its 1" in str(
        raised.value
    )
    assert told in str(raised.value)


def test_the_rate_to_use_holds_the_calls_of_all_classes(tmp_path: Path) -> None:
    calls = {"low": (44_600, 45_400), "high": (59_000, 61_000)}
    rows = [(name, name, 1, 0.5, edges[0], 1.0, edges[1]) for name, edges in calls.items()]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(tmp_path / "tp.csv", index=False)
    annotations = read_rfcx(tmp_path / "tp.csv", None)
    with pytest.raises(AnnotationError, match=r"'low' calls.*pass --sample-rate 192000"):
        check_audible(annotations, dict.fromkeys(calls, info(256_000)), 32_000)


@pytest.mark.parametrize(
    ("low", "high", "file_hz", "rate"),
    [
        (44_600, 45_400, 256_000, 96_000),
        (14_000, 17_000, 48_000, 32_000),  # reaches beyond, and lies mostly below
        (0, 24_000, 48_000, 16_000),  # the whole band: says nothing of frequencies
        (0, 48_000, 16_000, 8000),
        (3000, 15_000, 8000, 16_000),  # drawn beyond what the file holds
    ],
)
def test_calls_that_are_heard_are_not_refused(
    tmp_path: Path, low: float, high: float, file_hz: int, rate: int
) -> None:
    check(tmp_path, low, high, file_hz, rate)


def test_the_rate_is_that_of_most_recordings_but_no_higher_than_asked_for() -> None:
    assert own_rate(map(info, (8000, 16_000, 16_000, 48_000))) == 16_000
    assert own_rate(map(info, (16_000, 8000))) == 8000
    assert own_rate(map(info, (96_000, 48_000, 48_000))) == 32_000
    assert own_rate([]) == 32_000
    mixed = list(map(info, (8000, 16_000, 16_000)))
    told = "sound at 16000 Hz (resampled); files: 1 at 8000 Hz, 2 at 16000 Hz"
    assert rate_note(mixed, 16_000) == told
    assert rate_note(mixed[1:], 16_000) == "sound at 16000 Hz; files: 2 at 16000 Hz"
    assert upsampled_note((8000, 16_000), 8000) is None
    told = str(upsampled_note((8000, 16_000, 16_000), 16_000))
    assert "1 of 3 sound files are of 8000 Hz or more" in told
    assert told.endswith("--sample-rate 8000 gives all the same band")


def test_a_pool_and_a_run_take_the_recordings_own_rate_and_tell_it(
    data: Data, tmp_path: Path
) -> None:
    built = call("build-pool", *data.options, "--clip-s", 1, "--out", tmp_path / "pool")
    assert built.exit_code == 0, built.output
    assert "sound at 8000 Hz; files: 8 at 8000 Hz" in built.stderr
    assert json.loads((tmp_path / "pool" / "pool.json").read_text())["sample_rate"] == 8000
    # added to, the pool keeps its rate
    appended = ["--append", "--external", data.external, "--out", tmp_path / "pool"]
    assert call("build-pool", *data.options, "--clip-s", 1, *appended).exit_code == 0
    trained = call("train", *data.options, "--out", tmp_path / "run", *RUN)
    assert trained.exit_code == 0, trained.output
    assert "sound at 8000 Hz; files: 8 at 8000 Hz" in trained.stderr
    assert "sample_rate = 8000" in (tmp_path / "run" / "config.toml").read_text()


def test_files_of_a_lower_rate_than_was_asked_for_are_warned_of(data: Data, tmp_path: Path) -> None:
    rate = ("--sample-rate", 16_000, "--quiet")
    built = call("build-pool", *data.options, "--clip-s", 1, *rate, "--out", tmp_path / "pool")
    trained = call("train", *data.options, "--out", tmp_path / "run", *RUN, *rate)
    for done in (built, trained):
        assert done.exit_code == 0, done.output
        assert "warning: 8 of 8 sound files are of 8000 Hz" in done.stderr


def test_calls_above_the_rate_are_refused_by_every_command_that_takes_them(
    data: Data, tmp_path: Path
) -> None:
    for path in sorted(data.recordings.glob("*.flac")):
        samples, rate = sf.read(path)
        sf.write(path, np.repeat(samples, 8), 8 * rate)
    table = pd.read_csv(data.tp)
    high = table["species_id"] == 1
    table.loc[high, ["f_min", "f_max"]] = [20_000, 21_000]
    table.to_csv(data.tp, index=False)
    for command in (("build-pool", "--clip-s", 1), ("train", *RUN)):
        out = tmp_path / command[0]
        done = call(command[0], *data.options, *command[1:], "--out", out)
        assert done.exit_code == 2
        assert "class '1' calls from 20000 to 21000 Hz (8 of its 8" in done.stderr
        assert "receives up to 16000 Hz; pass --sample-rate 44100" in done.stderr
        assert not out.exists()


def test_a_run_of_one_rate_takes_no_pool_of_another(
    shared_data: Data, shared_pool: Path, tmp_path: Path
) -> None:
    pool = open_pool(shared_pool)
    rows = [
        Chosen(one.id, label, 0.0, 1, one.kind, "external", 0.99, "", 0.0, 0.01)
        for one in pool
        for label in one.labels.absent
    ]
    Selection(tuple(rows), pool.path, pool.digest, "model").write(tmp_path / "hard.parquet")
    given = ["--hard-negatives", tmp_path / "hard.parquet", "--out", tmp_path / "run", *RUN]
    done = call("train", *shared_data.options, *given, "--sample-rate", 16_000)
    assert done.exit_code == 2
    assert "built at 8000 Hz, but this run is at 16000 Hz; pass --sample-rate 8000" in done.stderr
    # by default it takes the pool's
    done = call("train", *shared_data.options, *given)
    assert done.exit_code == 0, done.output


def test_recordings_of_a_lower_rate_than_the_model_are_warned_of(
    shared_checkpoint: Path, tmp_path: Path
) -> None:
    field = tmp_path / "field"
    field.mkdir()
    for name, rate in (("low", 4000), ("own", 8000)):
        sound = np.random.default_rng(3).normal(0, 0.1, 3 * rate)
        sf.write(field / f"{name}.wav", sound, rate)
    given = ["--model", shared_checkpoint, "--device", "cpu", "--quiet"]
    predicted = call("predict", field, *given, "--out", tmp_path / "p.csv")
    (tmp_path / "truth.csv").write_text("recording_id,s0,s1\nlow,1,0\nown,0,1\n")
    evaluated = call("evaluate", field, *given, "--truth", tmp_path / "truth.csv")
    for done in (predicted, evaluated):
        assert done.exit_code == 0, done.output
        assert "warning: 1 of 2 sound files are of 4000 Hz or more, below the 8000" in done.stderr
