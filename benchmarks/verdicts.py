"""What verdicts are worth, by what chose the windows.

    python -m benchmarks.verdicts DATA --out WORK --seeds 3

DATA is in RFCX's layout with an unlabelled part and its calls, and the truth of a test part:
train/, train_tp.csv, train_fp.csv, unlabelled/, unlabelled_events.csv, test/, test_truth.csv,
test_events.csv. For each seed a base is trained on TP and FP rows, and a model a fold, which ask:
every call is scored by one that held it out. A listener who knows the calls (`benchmarks.listener`)
hears what each strategy asks for; every arm goes on from the seed's base with as many steps on TP
and FP rows and its own verdicts, and is tested. What is done already in WORK is not repeated.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.certificates import read_events
from benchmarks.compare import evaluate_weights, mean_sd, read_scores, side_by_side
from benchmarks.listener import Listener, fill
from negmine.annotations import read_rfcx
from negmine.annotations.recordings import open_annotated, open_unlabelled
from negmine.annotations.verdicts import add_verdicts
from negmine.asking.ask import Judgements, ask
from negmine.asking.settings import STRATEGIES, AskSettings
from negmine.asking.table import write_asked
from negmine.storage.files import write_json

METRICS = {
    "lwlrap": "LWLRAP",
    "macro_ap": "macro AP",
    "fp/h@0.7": "FP/h at 0.7",
    "fp/h@0.9": "FP/h at 0.9",
}


@dataclass(frozen=True)
class Bench:
    """Where everything is, and the settings of every run."""

    data: Path
    out: Path
    folds: int
    steps: int
    test: int
    error: float
    settings: dict[str, Any]

    def folder(self, seed: int, arm: str) -> Path:
        return self.out / f"seed{seed}" / arm

    def train(self, seed: int, arm: str) -> None:
        """Train a base (``base``), a model that asks (``fold0``, ...) or an arm, and test it.

        An arm is ``none``, or a strategy and a number of windows a class, as ``top-10``.
        """
        import torch

        from training.config import TrainConfig
        from training.engine.inputs import RunInputs
        from training.engine.train import train

        torch.set_num_threads(1)
        folder, asks = self.folder(seed, arm), arm.startswith("fold")
        stored = folder / "test.json"
        if stored.exists() or (asks and (folder / "last.pt").exists()):
            return
        settings = self.settings | {"seed": seed}
        init = None
        if asks:
            settings |= {"folds": self.folds, "fold": int(arm.removeprefix("fold"))}
        elif arm != "base":
            init = self.folder(seed, "base") / "last.pt"
            settings |= {"steps_per_epoch": self.steps, "first_draw": settings["steps_per_epoch"]}
        annotations = read_rfcx(self.data / "train_tp.csv", self.data / "train_fp.csv")
        heard = self.folder(seed, arm) / "heard.csv"
        if "-" in arm:
            annotations = add_verdicts(annotations, [heard])
        recordings, annotations = open_annotated(
            self.data / "train", annotations, beside=self.data / "unlabelled"
        )
        config = TrainConfig(**({"folds": 1} | settings), epochs=1, patience=0)
        inputs = RunInputs(annotations, recordings, self.out / "cache", init=init)
        train(config, inputs, folder)
        if not asks:
            evaluate_weights(folder / "last.pt", config, self.data, self.test, stored)

    def ask(self, seed: int, arms: Sequence[str]) -> None:
        """Write what is asked in each arm, and what the listener says."""
        import torch

        from training.engine.scorer import load

        torch.set_num_threads(1)
        names = [f"fold{fold}" for fold in range(self.folds)] or ["base"]
        models = [load(self.folder(seed, name) / "last.pt", "cpu") for name in names]
        annotations = read_rfcx(self.data / "train_tp.csv", self.data / "train_fp.csv")
        recordings, annotations = open_annotated(self.data / "train", annotations)
        unlabelled = open_unlabelled(self.data / "unlabelled")
        truth = read_events([self.data / "unlabelled_events.csv"])
        for arm in arms:
            heard = self.folder(seed, arm) / "heard.csv"
            if heard.exists():
                continue
            strategy, _, count = arm.rpartition("-")
            settings: Any = {"per_class": int(count), "strategy": strategy, "seed": seed}
            asked = ask(
                models, unlabelled, Judgements(annotations, recordings), self.out / "scores",
                AskSettings(**settings),
            )  # fmt: skip
            write_asked(heard.with_name("asked.csv"), asked)
            counts = fill(heard.with_name("asked.csv"), heard, Listener(truth, self.error, seed))
            write_json(heard.with_name("heard.json"), counts)


def results_table(out: Path, arms: Sequence[str], seeds: int) -> str:
    """Tabulate each arm's tests, and the paired difference to as many random windows, 95 %."""
    found = {arm: read_scores(out, arm, seeds, list(METRICS)) for arm in arms}
    titles = [*METRICS.values(), "present", "absent", "unsure"]
    lines = [f"| arm | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for arm, scores in found.items():
        cells = [mean_sd(scores[name].to_numpy()) for name in METRICS]
        counts = ["", "", ""]
        if "-" in arm:
            heard = pd.DataFrame(
                json.loads((out / f"seed{seed}" / arm / "heard.json").read_text())
                for seed in range(seeds)
            )
            counts = [f"{heard[word].mean():.0f}" for word in titles[-3:]]
        lines.append(f"| {arm} | {' | '.join([*cells, *counts])} |")
    lines += [
        "",
        "Mean (sd) over seeds; verdicts in all. Paired with as many random windows, and these with "
        "none: difference, or change of FP/h, with 95 % intervals (Student's t over seeds):",
        "",
        f"| arm | against | {' | '.join(METRICS.values())} |",
        "|---" * (len(METRICS) + 2) + "|",
    ]
    for arm in arms:
        strategy, dash, count = arm.rpartition("-")
        control = f"random-{count}" if strategy != "random" else "none"
        if dash and control in found:
            pairs = [_paired(name, found[arm][name], found[control][name]) for name in METRICS]
            lines.append(f"| {arm} | {control} | {' | '.join(pairs)} |")
    return "\n".join(lines)


def _paired(name: str, values: pd.Series, control: pd.Series) -> str:
    """Return the mean over seeds, and its interval where there are several."""
    rate = name.startswith("fp/h")
    apart = np.log(values / control) if rate else values - control
    middle, count = float(apart.mean()), len(apart)
    half = stats.t.ppf(0.975, count - 1) * apart.std(ddof=1) / np.sqrt(count) if count > 1 else 0.0
    if rate:
        low, found, high = (100 * np.expm1(middle + end) for end in (-half, 0.0, half))
        return f"{found:+.0f} %" + (f" ({low:+.0f} to {high:+.0f})" if half else "")
    return f"{middle:+.3f}" + (f" ± {half:.3f}" if half else "")


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--strategies", default=",".join(STRATEGIES), show_default=True)
@click.option("--per-class", default="10,40", show_default=True, help="Windows a class.")
@click.option("--error", default=0.0, show_default=True, help="The listener's rate of errors.")
@click.option("--folds", default=4, show_default=True, help="Models that ask; 0: the base alone.")
@click.option("--base-steps", default=400, show_default=True)
@click.option("--steps", default=200, show_default=True, help="Of each arm, after its base.")
@click.option("--test", default=300, show_default=True, help="Test recordings, the first by name.")
@click.option("--tp-per-step", default=20, show_default=True)
@click.option("--fp-per-step", default=8, show_default=True)
@click.option("--clip-s", default=2.0, show_default=True)
@click.option("--sample-rate", default=32_000, show_default=True)
@click.option("--backbone", default="small", show_default=True, help="birdnet: heads of it.")
@click.option("--jobs", default=1, show_default=True, help="Runs side by side.")
def main(
    data: Path,
    out: Path,
    seeds: int,
    strategies: str,
    per_class: str,
    error: float,
    folds: int,
    base_steps: int,
    steps: int,
    test: int,
    jobs: int,
    **settings: Any,
) -> None:
    from training.backbone_kinds import kind_of
    from training.cli.frozen import DEFAULTS
    from training.models.network import open_network

    if kind_of(settings["backbone"]) == "frozen":
        network = open_network(settings["backbone"], "cpu")
        length_s = network.length / network.sample_rate
        settings |= {"sample_rate": network.sample_rate, "clip_s": length_s, "window_s": length_s}
        settings |= DEFAULTS
    wanted = [f"{name}-{count}" for count in per_class.split(",") for name in strategies.split(",")]
    bench = Bench(data, out, folds, steps, test, error, settings | {"steps_per_epoch": base_steps})
    every = range(seeds)
    firsts = ["base", *(f"fold{fold}" for fold in range(folds))]
    side_by_side(bench.train, [(seed, name) for seed in every for name in firsts], jobs)
    side_by_side(bench.ask, [(seed, wanted) for seed in every], jobs)
    arms = ["none", *wanted]
    side_by_side(bench.train, [(seed, arm) for seed in every for arm in arms], jobs)
    click.echo(results_table(out, arms, seeds))


if __name__ == "__main__":
    main()
