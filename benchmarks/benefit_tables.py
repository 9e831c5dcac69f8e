"""The tables of `benchmarks.benefit`: what each arm scored, and what it gains on its control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Gain:
    """What an arm changes in a metric of its control, with 95 % intervals.

    Attributes
    ----------
    mean : float
        The paired difference over seeds; of counts the change in percent, of the geometric mean.
    seeds, recordings : (float, float)
        Student's t over seeds; over test recordings, of the mean over seeds.
    """

    mean: float
    seeds: tuple[float, float]
    recordings: tuple[float, float]

    def text(self, percent: bool) -> str:
        """Format it, as ``-20 % [-22, -18; -26, -11]``."""
        digits = ".0f" if percent else ".3f"
        mean, *ends = (f"{v:+{digits}}" for v in (self.mean, *self.seeds, *self.recordings))
        return f"{mean}{' %' if percent else ''} [{ends[0]}, {ends[1]}; {ends[2]}, {ends[3]}]"


def controls(arm: str, arms: Sequence[str]) -> list[str]:
    """Return what an arm is compared with, of some arms: its control, and TP + FP."""
    wanted = ARMS[arm].control, "tp-fp"
    return list(dict.fromkeys(c for c in wanted if c is not None and c in arms and c != arm))


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
        for control in controls(arm, arms):
            gains = (gain(out, arm, control, seeds, n).text(n in RATIOS) for n in METRICS)
            lines.append(f"| {ARMS[arm].title} | {ARMS[control].title} | {' | '.join(gains)} |")
    return "\n".join(lines)


def gain(out: Path, arm: str, control: str, seeds: int, metric: str) -> Gain:
    """Compare an arm with another, seed by seed, and resample by resample."""
    both = [read_scores(out, name, seeds, [metric])[metric].to_numpy() for name in (arm, control)]
    spread = [_resampled(out, name, seeds, metric) for name in (arm, control)]
    ratio = metric in RATIOS
    if ratio:
        with np.errstate(divide="ignore", invalid="ignore"):
            both, spread = [np.log(v) for v in both], [np.log(v) for v in spread]
    over_seeds = both[0] - both[1]
    over_clips = spread[0].mean(axis=0) - spread[1].mean(axis=0)
    values = [float(over_seeds.mean()), *_student(over_seeds), *interval(over_clips)]
    mean, *ends = (float(100 * np.expm1(v)) for v in values) if ratio else values
    return Gain(mean, (ends[0], ends[1]), (ends[2], ends[3]))


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
    _append(path, pd.DataFrame(rows, columns=columns))


def write_gains(
    path: Path, out: Path, arms: Sequence[str], seeds: int, data: str, backbone: str
) -> None:
    """Append what each arm gains to a CSV, a row a metric; see `Gain`."""
    rows = []
    for arm in arms:
        for control in controls(arm, arms):
            for metric in METRICS:
                found = gain(out, arm, control, seeds, metric)
                values = (found.mean, *found.seeds, *found.recordings)
                rows.append((data, backbone, arm, control, metric, *(f"{v:.4g}" for v in values)))
    _append(path, pd.DataFrame(rows, columns=GAINS))


# Of the CSV file of gains: the change, and the ends of its intervals.
GAINS = [
    "data", "backbone", "arm", "against", "metric", "change", "seeds_low", "seeds_high",
    "recordings_low", "recordings_high",
]  # fmt: skip


def _append(path: Path, table: pd.DataFrame) -> None:
    """Write a table's rows in place of those of the same data and backbone."""
    if path.exists():
        before = pd.read_csv(path, dtype=str)
        new = set(zip(table["data"], table["backbone"], strict=True))
        old = [one not in new for one in zip(before["data"], before["backbone"], strict=True)]
        table = pd.concat([before[old], table])
    table.to_csv(path, index=False)
