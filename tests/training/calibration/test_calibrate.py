"""The command that chooses thresholds, its table, and what ``predict`` makes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from click.testing import CliRunner, Result
from conftest import Data, make_data, open_data, tiny_config

from negmine.cli.main import main
from training.calibration.table import read_thresholds
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunInputs
from training.engine.train import train


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@dataclass(frozen=True)
class Run:
    data: Data
    models: tuple[Path, Path]
    table: Path

    @property
    def options(self) -> list[object]:
        return [x for path in self.models for x in ("--model", path)]

    def calibrate(self, out: Path, *more: object) -> Result:
        return call("calibrate", *self.data.options, *self.options, "--out", out, *more)


@pytest.fixture(scope="module")
def run(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Both folds of a tiny run, and a table of them."""
    root = tmp_path_factory.mktemp("folds")
    data = make_data(root / "data", recordings=12)
    opened = open_data(data)
    for fold in (0, 1):
        config = tiny_config(folds=2, fold=fold, steps_per_epoch=20, epochs=1)
        inputs = RunInputs(opened.annotations, opened.recordings, root / "cache")
        train(config, inputs, root / f"fold{fold}")
    made = Run(data, (root / "fold0" / "best.pt", root / "fold1" / "best.pt"), root / "t.csv")
    result = made.calibrate(made.table, "--precision", 0.7, "--quiet")
    assert result.exit_code == 0, result.output
    return made


def test_every_verdict_is_scored_by_the_model_that_held_it_out(run: Run) -> None:
    about = json.loads(run.table.with_suffix(".json").read_text())
    assert about["models"] == [Checkpoint.load(path).fingerprint for path in run.models]
    assert about["spans"] == {"judged": 48, "left_out": 0}
    assert "not that of a site" in about["precision_of"]
    table = pd.read_csv(run.table)
    assert table["class"].tolist() == [0, 1]
    assert (table.status == "ok").all()
    assert (table.present >= 6).all()
    assert (table.precision >= 0.6).all()
    assert ((table.precision_low < table.precision) & (table.precision_high <= 1)).all()


def test_what_a_model_was_trained_on_is_left_out_and_said(run: Run, tmp_path: Path) -> None:
    result = call(
        "calibrate", *run.data.options, "--model", run.models[0], "--out", tmp_path / "t.csv",
        "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["spans"] == {"judged": 24, "left_out": 24}
    assert "left out 24 of 48 judged spans" in result.stderr


def test_predict_takes_the_thresholds_class_by_class(run: Run, tmp_path: Path) -> None:
    field = run.data.recordings
    found, scores = tmp_path / "found.txt", tmp_path / "scores.csv"
    options = ["predict", field, *run.options, "--out", scores, "--detections", found]
    result = call(*options, "--thresholds", run.table)
    assert result.exit_code == 0, result.output
    with_table = pd.read_csv(found, sep="\t")
    assert list(with_table.columns[-2:]) == ["Probability", "Threshold"]
    assert call(*options, "--min-conf", "0").exit_code == 0
    every = pd.read_csv(found, sep="\t")
    assert "Probability" not in every
    values = read_thresholds(run.table).values
    limit = values[every.Species.to_numpy()]
    # confidences are written in four digits
    clear = (every.Confidence - limit).abs() > 1e-4
    assert clear.mean() > 0.9
    assert len(with_table) - (every.Confidence >= limit).sum() <= (~clear).sum()
    assert (with_table.Confidence >= with_table.Threshold - 1e-4).all()
    assert with_table.Probability.between(0, 1).all()
    order = with_table[with_table.Species == 0].sort_values("Confidence")
    assert order.Probability.diff().min() > -1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--thresholds", "{table}", "--window-s", "0.25"], "windows of 0.512 s"),
        (["--thresholds", "{table}", "--min-conf", "0.5"], "choose one"),
        (["--thresholds", "{none}"], "none.csv"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(
    run: Run, tmp_path: Path, change: list[str], message: str
) -> None:
    change = [one.format(table=run.table, none=tmp_path / "none.csv") for one in change]
    out = tmp_path / "out.csv"
    more = ["--detections", tmp_path / "found.txt"]
    result = call("predict", run.data.recordings, *run.options, "--out", out, *more, *change)
    assert (result.exit_code, out.exists()) == (2, False)
    assert message in result.stderr


def test_a_table_of_another_model_is_refused(
    run: Run, shared_checkpoint: Path, tmp_path: Path
) -> None:
    result = call(
        "predict", run.data.recordings, "--model", shared_checkpoint, "--out",
        tmp_path / "out.csv", "--detections", tmp_path / "found.txt", "--thresholds", run.table,
    )  # fmt: skip
    assert result.exit_code == 2
    assert "of another model" in result.stderr
    one = call(
        "predict", run.data.recordings, "--model", run.models[0], "--out", tmp_path / "out.csv",
        "--detections", tmp_path / "found.txt", "--thresholds", run.table,
    )  # fmt: skip
    assert one.exit_code == 0, one.output
    assert "made with 2 models, of which 1" in one.stderr


def test_a_table_changed_by_hand_is_taken_and_said(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    about = run.table.with_suffix(".json")
    table.with_suffix(".json").write_bytes(about.read_bytes())
    changed = pd.read_csv(run.table)
    changed.loc[0, "threshold"] = np.nan
    changed.to_csv(table, index=False)
    found = tmp_path / "found.txt"
    result = call(
        "predict", run.data.recordings, *run.options, "--out", tmp_path / "out.csv",
        "--detections", found, "--thresholds", table,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "changed since it was made" in result.stderr
    assert "no threshold for 1 of 2 classes (0)" in result.stderr
    assert set(pd.read_csv(found, sep="\t").Species) == {1}
    changed.loc[0, "threshold"] = 1.5
    changed.to_csv(table, index=False)
    result = call(
        "predict", run.data.recordings, *run.options, "--out", tmp_path / "out.csv",
        "--detections", found, "--thresholds", table,
    )  # fmt: skip
    assert (result.exit_code, "row 2: threshold 1.5" in result.stderr) == (2, True)


def test_verdicts_on_windows_of_a_site_make_it_the_precision_there(
    run: Run, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    calls = make_data(tmp_path / "more", recordings=10, seed=5)
    site.mkdir()
    rows = []
    for i, path in enumerate(sorted(calls.recordings.iterdir())):
        samples, rate = sf.read(path)
        sf.write(site / f"site{i}.flac", samples, rate)
        for start in np.arange(0, 4, 0.5):
            for label, at in (("0", 0.5), ("1", 2.5)):
                word = "present" if start == at else "absent"
                rows.append((f"site{i}", label, start, start + 0.5, word, "me"))
    heard = tmp_path / "heard.csv"
    columns = ["recording", "class", "t_min", "t_max", "verdict", "listener"]
    pd.DataFrame(rows, columns=columns).to_csv(heard, index=False)
    options = ["--site", site, "--verdicts", heard, "--json"]
    result = run.calibrate(tmp_path / "t.csv", "--precision", 0.5, *options)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert "precision is that of windows of" in told["precision_of"]
    assert told["site"]["hours"] == pytest.approx(40 / 3600)
    table = pd.DataFrame(told["table"])
    assert (table["present"] + table["absent"] <= 80).all()  # rows of the tables do not count
    chosen = table[table.status == "ok"]
    assert len(chosen)
    wrong = chosen.detections_per_hour * (1 - chosen.precision)
    assert wrong.to_numpy() == pytest.approx(chosen.fp_per_hour.to_numpy(), rel=0.02, abs=0.2)
    rate = run.calibrate(tmp_path / "u.csv", "--fp-per-hour", 900, *options)
    assert rate.exit_code == 0, rate.output
    found = pd.DataFrame(json.loads(rate.stdout)["table"])
    assert (found.fp_per_hour.dropna() <= 1500).all()
    assert found.threshold.notna().any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--fp-per-hour", "1"], "name its recordings by --site"),
        (["--fp-per-hour", "1", "--precision", "0.5"], "choose one"),
        (["--out", "t.json"], "a table is a CSV"),
    ],
)
def test_misuse_is_one_line(run: Run, tmp_path: Path, change: list[str], message: str) -> None:
    result = run.calibrate(tmp_path / "t.csv", *change)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not any(tmp_path.iterdir())


def test_a_site_without_verdicts_gives_rates_and_bounds_and_says_so(
    run: Run, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        sf.write(site / f"n{i}.wav", rng.normal(0, 0.05, 20 * 8000), 8000)
    whole = (site / "n0.wav").read_bytes()
    (site / "bad.wav").write_bytes(whole[: len(whole) // 2])
    failed = run.calibrate(tmp_path / "t.csv", "--site", site)
    assert (failed.exit_code, "bad.wav" in failed.stderr) == (1, True)
    assert not (tmp_path / "t.csv").exists()
    options = ["--site", site, "--skip-bad", "--json"]
    result = run.calibrate(tmp_path / "t.csv", "--precision", 0.7, *options)
    assert result.exit_code == 0, result.output
    assert "nothing how many of them are right" in result.stderr
    told = json.loads(result.stdout)
    assert (told["site"]["recordings"], told["site"]["hours"]) == (3, pytest.approx(1 / 60))
    assert "not that of a site" in told["precision_of"]
    for row in told["table"]:
        assert row["detections_per_hour"] >= 0
        assert row["fp_per_hour"] is None
    bound = run.calibrate(tmp_path / "u.csv", "--fp-per-hour", 600, *options)
    assert bound.exit_code == 0, bound.output
    for row in json.loads(bound.stdout)["table"]:
        assert row["status"] == "bound: all counted as false"
        assert row["detections_per_hour"] <= 600
        assert row["detections_per_hour"] < row["fp_per_hour_high"]
        assert row["fp_per_hour_low"] == 0
