"""Learning curves: which epoch is the best, and what stands in a run's table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from negmine.cli.main import main
from negmine.errors import InputError
from negmine.report.plots.drawn import labels_of
from negmine.report.plots.learning_plot import best_epoch, read_run
from training.engine import history


def write_run(folder: Path, rows: list[dict[str, float]]) -> Path:
    folder.mkdir(parents=True)
    history.HistoryFiles(folder).write(rows, last=False)
    return folder


NAN = float("nan")


@pytest.mark.parametrize(
    "scores",
    [
        [{}, {}, {}],
        [{"known_ap": 0.2}, {"known_ap": 0.6}, {"known_ap": 0.6}],
        [{"known_ap": NAN}, {"known_ap": NAN}, {"known_ap": NAN}],
        [{"known_ap": NAN}, {"known_ap": 0.1}, {"known_ap": NAN}],
        [
            {"known_ap": 0.9, "fp/h@0.7": 8.0},
            {"known_ap": 0.1, "fp/h@0.7": 4.0},
            {"known_ap": 0.3, "fp/h@0.7": 4.0},
        ],
    ],
)
def test_the_best_epoch_is_the_one_that_training_keeps(
    scores: list[dict[str, float]], tmp_path: Path
) -> None:
    rows = [{"epoch": n + 1.0, "loss": 1.0 / (n + 1)} | one for n, one in enumerate(scores)]
    run = read_run(write_run(tmp_path / "run", rows))
    kept = [n for n in range(len(rows)) if history.is_best(rows[: n + 1])]
    ranks = [history._rank(row) for row in rows]
    assert ranks[best_epoch(run)] == max(ranks)
    assert best_epoch(run) in kept
    np.testing.assert_allclose(run["loss"], [row["loss"] for row in rows])


def test_runs_are_compared_and_told(tmp_path: Path) -> None:
    one = [
        {"epoch": 1.0, "loss": 0.5, "known_ap": 0.3},
        {"epoch": 2.0, "loss": 0.2, "known_ap": 0.1},
    ]
    runs = [write_run(tmp_path / name / "run", one) for name in ("a", "b")]
    out = tmp_path / "c.svg"
    result = CliRunner().invoke(
        main, ["plot", "learning", *map(str, runs), "--out", str(out), "--json"]
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)["runs"]
    best = {"epochs": 2, "best": 1, "loss": 0.5, "known_ap": 0.3}
    assert told == [{"run": "a/run"} | best, {"run": "b/run"} | best]
    text = out.read_text()
    assert "a/run (best epoch: 1)" in text
    assert "known_ap (0 to 1), higher is better" in text


def test_labels_tell_paths_apart(tmp_path: Path) -> None:
    assert labels_of([Path("x/a.csv"), Path("y/b.csv")]) == ["a", "b"]
    assert labels_of([Path("x/a.csv"), Path("y/a.csv")]) == ["x/a", "y/a"]
    assert labels_of([Path("_a.csv")]) == ["./_a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch,known_ap\n1,0.3\n", "no column 'loss'"),
        ("epoch,loss\n", "holds no epoch yet"),
        ("epoch,loss\n1,much\n", r"metrics.csv row 2.*much"),
    ],
)
def test_a_table_that_is_no_run(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_run(tmp_path)
