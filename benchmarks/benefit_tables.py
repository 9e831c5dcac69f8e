"""The tables of `benchmarks.benefit`: what each arm scored, and what it gains on its control."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from benchmarks.benefit_arms import ARMS
from benchmarks.chosen_thresholds import CHOSEN_FILE
from benchmarks.compare import mean_sd, read_scores
from training.metrics import interval

METRICS = {
    "lwlrap": "LWLRAP",
    "macro_ap": "macro AP",
    "fp/h@0.7": "FP/h at recall 0.7",
    "fp/h@0.9": "FP/h at 0.9",
    "precision@0.7": "precision at 0.7",
    "recall@1fp/h": "recall at 1 FP/h",
    "recall@10fp/h": "recall at 10 FP/h",
}
# Of `benchmarks.chosen_thresholds`; runs that were tested before it was there have none.
CHOSEN = {
    "one:fp/h": "one threshold: FP/h",
    "one:recall": "recall",
    "own:fp/h": "a threshold a class: FP/h",
    "own:recall": "its recall",
}
# Counts are compared by their ratio, shares by their difference.
RATIOS = ("fp/h@0.7", "fp/h@0.9")


def results_table(out: Path, arms: Sequence[str], seeds: int) -> str:
    """Tabulate mean and deviation over seeds of each arm."""
    lines = [f"| arm | {' | '.join(METRICS.values())} |", "|---" * (len(METRICS) + 1) + "|"]
    for arm in arms:
        scores = read_scores(out, arm, seeds, list(METRICS))
        cells = [mean_sd(scores[name].to_numpy()) for name in METRICS]
        lines.append(f"| {ARMS[arm].title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def chosen_table(out: Path, arms: Sequence[str], seeds: int) -> str:
    """Tabulate what thresholds give that were chosen on other recordings; '' if no arm has them.

    The last column is the change of FP/h at a threshold a class, against one threshold of TP + FP
    that nothing calibrated: what an arm and thresholds give together.
    """
    found = {arm: scores for arm in arms if (scores := _chosen(out, arm, seeds)) is not None}
    if not found:
        return ""
    titles = [*CHOSEN.values(), "a class's own against one", "against TP + FP, one"]
    lines = [
        "",
        "At thresholds chosen on the other half of the test recordings, for a recall of 0.7.",
        "",
        f"| arm | {' | '.join(titles)} |",
        "|---" * (len(titles) + 1) + "|",
    ]
    base = found.get("tp-fp")
    for arm, scores in found.items():
        cells = [mean_sd(scores[name].to_numpy()) for name in CHOSEN]
        cells.append(_change(scores["own:fp/h"], scores["one:fp/h"]))
        cells.append("-" if base is None else _change(scores["own:fp/h"], base["one:fp/h"]))
        lines.append(f"| {ARMS[arm].title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _chosen(out: Path, arm: str, seeds: int) -> pd.DataFrame | None:
    """Read an arm's figures at chosen thresholds; None if not all of its seeds have them."""
    files = [out / f"seed{seed}" / arm / CHOSEN_FILE for seed in range(seeds)]
    if not all(path.exists() for path in files):
        return None
    return read_scores(out, arm, seeds, list(CHOSEN), CHOSEN_FILE)


def _change(values: pd.Series[float], control: pd.Series[float]) -> str:
    """Format the change of rates, paired by seed, in percent with its interval over seeds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values.to_numpy()) - np.log(control.to_numpy())
    mean, low, high = (100 * np.expm1(value) for value in (logs.mean(), *_student(logs)))
    return f"{mean:+.0f} % [{low:+.0f}, {high:+.0f}]"


def gains_table(out: Path, arms: Sequence[str], seeds: int) -> str:
    """Tabulate what each arm gains on its control, and on TP + FP, with both intervals."""
    lines = [
        "",
        "Against the control, and against TP + FP. In brackets 95 %: over seeds; over recordings.",
        "",
        f"| arm | against | {' | '.join(METRICS.values())} |",
        "|---" * (len(METRICS) + 2) + "|",
    ]
    for arm in arms:
        controls = dict.fromkeys(c for c in (ARMS[arm].control, "tp-fp") if c in arms and c != arm)
        for control in controls:
            cells = [_gain(out, arm, str(control), seeds, name) for name in METRICS]
            title = ARMS[str(control)].title
            lines.append(f"| {ARMS[arm].title} | {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gain(out: Path, arm: str, control: str, seeds: int, metric: str) -> str:
    """Format a paired difference, or the change of a ratio in percent."""
    both = [read_scores(out, name, seeds, [metric])[metric].to_numpy() for name in (arm, control)]
    spread = [_resampled(out, name, seeds, metric) for name in (arm, control)]
    if metric in RATIOS:
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = [np.log(values) for values in (*both, *spread)]
        over_seeds = logs[0] - logs[1]
        over_clips = logs[2].mean(axis=0) - logs[3].mean(axis=0)
        ends = [*_student(over_seeds), *interval(over_clips)]
        changes = (100 * np.expm1(value) for value in (over_seeds.mean(), *ends))
        mean, low, high, first, last = (f"{value:+.0f}" for value in changes)
        return f"{mean} % [{low}, {high}; {first}, {last}]"
    over_seeds = both[0] - both[1]
    ends = [*_student(over_seeds), *interval(spread[0].mean(axis=0) - spread[1].mean(axis=0))]
    values = [over_seeds.mean(), *ends]
    mean, low, high, first, last = (f"{value:+.3f}" for value in values)
    return f"{mean} [{low}, {high}; {first}, {last}]"


def _student(values: NDArray[np.float64]) -> tuple[float, float]:
    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def _resampled(out: Path, arm: str, seeds: int, metric: str) -> NDArray[np.float64]:
    """Return a metric of each seed and resample of the recordings: shape (seeds, B)."""
    found = []
    for seed in range(seeds):
        with np.load(out / f"seed{seed}" / arm / "test.npz", allow_pickle=False) as stored:
            found.append(stored[metric])
    return np.stack(found)


def write_raw(
    path: Path, out: Path, arms: Sequence[str], seeds: int, data: str, backbone: str
) -> None:
    """Append what each run scored to a CSV: data, backbone, arm, seed, metric, value."""
    found = {arm: [read_scores(out, arm, seeds, list(METRICS))] for arm in arms}
    for arm, tables in found.items():
        if (chosen := _chosen(out, arm, seeds)) is not None:
            tables.append(chosen)
    rows = [
        (data, backbone, arm, seed, metric, f"{value:.6g}")
        for arm, tables in found.items()
        for metric, values in pd.concat(tables, axis=1).items()
        for seed, value in enumerate(values)
    ]
    columns = ["data", "backbone", "arm", "seed", "metric", "value"]
    table = pd.DataFrame(rows, columns=columns)
    if path.exists():
        before = pd.read_csv(path, dtype=str)
        other = (before["data"] != data) | (before["backbone"] != backbone)
        table = pd.concat([before[other], table])
    table.to_csv(path, index=False)
