"""What each part of the training recipe is worth, against the complete truth of a test part.

    python -m benchmarks.recipe DATA --out WORK

DATA is in RFCX's layout with the truth of a test part: train/, train_tp.csv, train_fp.csv, test/,
test_truth.csv, test_events.csv. Every arm of a seed has as many TP and FP rows in a step, and is
tested with its last weights. Rounds after the first go on from its weights with fewer steps; the
arm ``long`` takes the steps of all six in one go. All recordings train, so pseudo labels are made
in fold. What is done already in WORK is not repeated, so the table can be made in several sittings.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from benchmarks.compare import evaluate_weights, mean_sd, read_scores, side_by_side
from training.engine.inputs import RunContext, RunInputs

# Every augmentation group at the chance it has alone, the costly ones less often.
FULL = {
    "noise": 0.3, "pink": 0.3, "pitch": 0.1, "stretch": 0.1, "shift": 0.5, "gain": 0.5,
    "mixup": 0.5, "time_masks": 1, "freq_masks": 1,
}  # fmt: skip

METRICS = {
    "lwlrap": "LWLRAP",
    "macro_ap": "macro AP",
    "neg@3": "neg@3",
    "fp/h@0.7": "FP/h at 0.7",
}

# Title, the arm it is compared with, and what it changes in that arm's settings. Augmentation
# groups are each compared with the arm before them all.
ARMS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "bce": ("masked BCE, mean pooling", None, {"loss": "bce", "pooling": "mean"}),
    "lsoft": ("+ LSoft", "bce", {"loss": "lsoft"}),
    "positive": ("+ positive-only pooling", "lsoft", {"pooling": "positive"}),
    "shared": ("+ shared bands", "positive", {"bands": "shared"}),
    "noise": ("+ noise, pink noise", "positive", {"augment": {"noise": 0.3, "pink": 0.3}}),
    "pitch": ("+ pitch, tempo", "positive", {"augment": {"pitch": 0.2, "stretch": 0.2}}),
    "shift": ("+ shift, volume", "positive", {"augment": {"shift": 0.5, "gain": 0.5}}),
    "mixup": ("+ mixup", "positive", {"augment": {"mixup": 0.5}}),
    "masks": ("+ SpecAugment", "positive", {"augment": {"time_masks": 1, "freq_masks": 1}}),
    "long": ("+ as many steps as all rounds", "positive", {"rounds": 6}),
    "pseudo": ("+ three pseudo rounds", "positive", {"stages": 4}),
    "rank": ("+ two LSEP rounds", "long", {"stages": 6}),
    "full": ("full recipe", "rank", {"bands": "shared", "augment": FULL}),
}


# Rounds that two arms share are trained once, so the two are not run side by side.
TOGETHER = ("pseudo", "rank")


def run_arms(
    data: Path,
    out: Path,
    most: int,
    round_steps: int,
    settings: dict[str, Any],
    seed: int,
    *arms: str,
) -> None:
    """Train and test some arms with one seed, one after the other: see `run_arm`."""
    for arm in arms:
        run_arm(arm, data, out, most, round_steps, settings | {"seed": seed})


def run_arm(
    arm: str, data: Path, out: Path, most: int, round_steps: int, settings: dict[str, Any]
) -> None:
    """Train one arm with one seed, and test it; what is done already is kept.

    Parameters
    ----------
    most : int
        Test recordings used, the first by name.
    round_steps : int
        Steps of every round after the first.
    settings : dict
        Of every arm.
    """
    import torch

    from negmine.annotations import read_rfcx
    from negmine.annotations.recordings import open_annotated
    from training.augmentation import AugmentSettings
    from training.config import TrainConfig
    from training.engine.train import train
    from training.schedules.schedule import Schedule, read_schedule
    from training.schedules.stages import Labelling, run_stages

    torch.set_num_threads(1)
    folder = out / f"seed{settings['seed']}" / arm
    stored = folder / "test.json"
    if stored.exists():
        return
    changes: dict[str, Any] = {}
    name: str | None = arm
    while name:
        _, name, own = ARMS[name]
        changes = own | changes
    if "stages" in changes:  # they take their rounds' steps one after the other
        changes.pop("rounds", None)
    augment = AugmentSettings(**changes.pop("augment", {}))
    stages = changes.pop("stages", 0)
    settings = settings | {
        "steps_per_epoch": settings["steps_per_epoch"]
        + (changes.pop("rounds", 1) - 1) * round_steps
    }
    config = TrainConfig(**(settings | changes), augment=augment, patience=0)
    annotations = read_rfcx(data / "train_tp.csv", data / "train_fp.csv")
    recordings, annotations = open_annotated(data / "train", annotations)
    inputs = RunInputs(annotations, recordings, out / "cache")
    if stages:
        first, *later = read_schedule("rfcx").stages[:stages]
        shorter = {"steps_per_epoch": round_steps}
        later = [replace(stage, settings={**stage.settings, **shorter}) for stage in later]
        shared = out / f"seed{settings['seed']}" / ("stages-full" if arm == "full" else "stages")
        schedule = Schedule("rfcx", (first, *later))
        results = run_stages(
            schedule, config, inputs, shared, RunContext(), Labelling(in_fold=True)
        )
        weights = results[-1].checkpoint.with_name("last.pt")
    else:
        train(config, inputs, folder)
        weights = folder / "last.pt"
    evaluate_weights(weights, config, data, most, stored)


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--test", default=300, show_default=True, help="Test recordings, the first by name.")
@click.option("--arms", default=",".join(ARMS), show_default=True)
@click.option("--steps", default=200, show_default=True)
@click.option("--round-steps", default=200, show_default=True, help="Of rounds after the first.")
@click.option("--tp-per-step", default=20, show_default=True)
@click.option("--fp-per-step", default=8, show_default=True)
@click.option("--clip-s", default=2.0, show_default=True)
@click.option("--sample-rate", default=32_000, show_default=True)
@click.option("--precision", default="fp32", show_default=True)
@click.option("--backbone", default="small", show_default=True)
@click.option("--jobs", default=1, show_default=True, help="Arms trained side by side.")
def main(
    data: Path,
    out: Path,
    seeds: int,
    test: int,
    arms: str,
    steps: int,
    round_steps: int,
    jobs: int,
    **settings: Any,
) -> None:
    chosen = arms.split(",")
    # one epoch: nothing is validated on the way, and the last weights are tested
    settings |= {"steps_per_epoch": steps, "epochs": 1, "folds": 1}
    together = [arm for arm in TOGETHER if arm in chosen]
    # the longest first
    groups: list[tuple[str, ...]]
    groups = [(arm,) for arm in reversed(chosen) if arm not in TOGETHER]
    groups = ([tuple(together)] if together else []) + groups
    run = partial(run_arms, data, out, test, round_steps, settings)
    side_by_side(run, [(seed, *group) for seed in range(seeds) for group in groups], jobs)
    click.echo(markdown(out, chosen, seeds))


def markdown(out: Path, arms: list[str], seeds: int) -> str:
    """Tabulate mean and deviation of each arm, and its paired difference to its base arm."""
    found = {arm: read_scores(out, arm, seeds, list(METRICS)) for arm in arms}
    lines = [f"| arm | {' | '.join(METRICS.values())} | LWLRAP against | FP/h against |"]
    lines.append("|---" * (len(METRICS) + 3) + "|")
    for arm, scores in found.items():
        title, before, _ = ARMS[arm]
        cells = [mean_sd(scores[name].to_numpy()) for name in METRICS]
        for name in ("lwlrap", "fp/h@0.7"):
            if before in found:
                difference = (scores[name] - found[before][name]).to_numpy()
                cells.append(f"{mean_sd(difference, '+')} ({(difference > 0).sum()}/{seeds})")
            else:
                cells.append("")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines.append("")
    lines.append(
        "Mean (sd) over seeds; against: the arm it changes, paired, seeds above zero of all."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
