"""What each part of the training recipe is worth, against the complete truth of a test part.

    python -m benchmarks.recipe DATA --out WORK

DATA is in RFCX's layout with the truth of a test part: train/, train_tp.csv, train_fp.csv, test/,
test_truth.csv, test_events.csv. Every arm of a seed has as many TP and FP rows in a step, and is
tested with its last weights. Rounds after the first go on from its weights with fewer steps; the
arm ``long`` takes the steps of all six in one go. All recordings train, so pseudo labels are made
in fold. What is done already in WORK is not repeated, so the table can be made in several sittings.

With a frozen network (``--backbone birdnet``) a fourth of the recordings is held out of every arm,
so that pseudo labels are made out of fold; ``--pool`` adds its random negatives and scenes to
every step of every arm; and the arms are those that a head can have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.compare import (
    annotated,
    backbone_settings,
    evaluate_weights,
    mean_sd,
    read_scores,
    side_by_side,
)
from negmine.annotations.recordings import open_unlabelled

if TYPE_CHECKING:
    from training.config import TrainConfig
    from training.schedules.schedule import Schedule, Stage

# Every augmentation group at the chance it has alone, the costly ones less often.
FULL = {
    "noise": 0.3, "pink": 0.3, "pitch": 0.1, "stretch": 0.1, "shift": 0.5, "gain": 0.5,
    "mixup": 0.5, "time_masks": 1, "freq_masks": 1,
}  # fmt: skip

# Rounds after LSoft, as stages have them.
THEN_LSEP: list[dict[str, Any]] = [{"settings": {"loss": "lsep"}}] * 2
ROWS: list[dict[str, Any]] = [{"pseudo": True, "fill": False, "settings": {"loss": "lsoft"}}] * 2

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

# Of a head on a frozen network: each against as many steps of its rows without it.
HEADS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "lsoft": ("LSoft", None, {"loss": "lsoft"}),
    "long-3": ("as many steps as three rounds", "lsoft", {"rounds": 3}),
    "long-4": ("as many steps as four rounds", "lsoft", {"rounds": 4}),
    "long": ("as many steps as six rounds", "lsoft", {"rounds": 6}),
    "pseudo": ("LSoft, three pseudo rounds", "long-4", {"stages": 4}),
    "rank": ("LSoft, three pseudo rounds, two of LSEP", "long", {"stages": 6}),
    "then-lsep": ("LSoft, two rounds of LSEP", "long-3", {"schedule": THEN_LSEP}),
    "lsep": ("LSEP throughout", "long-3", {"loss": "lsep"}),
    "rows": (
        "LSoft, two rounds with rows of pseudo labels", "long-3",
        {"schedule": ROWS, "pseudo_per_step": 7},
    ),
}  # fmt: skip


# Rounds that two arms share are trained once, so the two are not run side by side.
TOGETHER = ("pseudo", "rank")


@dataclass(frozen=True)
class Bench:
    """Where everything is, and the settings of every run.

    Attributes
    ----------
    most : int
        Test recordings used, the first by name.
    round_steps : int
        Steps of every round after the first.
    pool : Path or None
        Whose random negatives and scenes are in every step.
    frozen : bool
        Whether heads are trained.
    """

    data: Path
    out: Path
    most: int
    round_steps: int
    settings: dict[str, Any]
    pool: Path | None
    frozen: bool

    @property
    def arms(self) -> dict[str, tuple[str, str | None, dict[str, Any]]]:
        return HEADS if self.frozen else ARMS

    def run(self, seed: int, *arms: str) -> None:
        """Train and test some arms with one seed, one after the other; what is done is kept."""
        import torch

        torch.set_num_threads(1)
        for arm in arms:
            folder = self.out / f"seed{seed}" / arm
            if not (folder / "test.json").exists():
                config, weights = self._trained(folder, seed, arm)
                evaluate_weights(weights, config, self.data, self.most, folder / "test.json")

    def _changes(self, arm: str) -> dict[str, Any]:
        """Return what an arm changes, with what those before it do."""
        changes: dict[str, Any] = {}
        name: str | None = arm
        while name:
            _, name, own = self.arms[name]
            changes = own | changes
        if {"stages", "schedule"} & changes.keys():  # they take their rounds' steps one by one
            changes.pop("rounds", None)
        return changes

    def _trained(self, folder: Path, seed: int, arm: str) -> tuple[TrainConfig, Path]:
        """Train an arm; return its settings, and where its last weights are."""
        from training.augmentation import AugmentSettings
        from training.config import TrainConfig
        from training.data.settings import SampleUse
        from training.data.unlabelled import Unlabelled
        from training.engine.inputs import RunContext, RunInputs, sample_inputs
        from training.engine.run import run_training
        from training.schedules.stages import Labelling, run_stages

        changes = self._changes(arm)
        stages, schedule = changes.pop("stages", 0), changes.pop("schedule", ())
        augment = AugmentSettings(**changes.pop("augment", {}))
        more = (changes.pop("rounds", 1) - 1) * self.round_steps
        first = self.settings | {"seed": seed} | changes
        steps = self.settings["steps_per_epoch"] + more
        config = TrainConfig(**(first | {"steps_per_epoch": steps}), augment=augment, patience=0)
        recordings, annotations = annotated(self.data)
        use = SampleUse()
        if self.pool:
            pool = str(self.pool)
            use = use.replace(negatives=pool, negative_ratio=3.0, scenes=pool, scene_ratio=1.0)
        inputs = RunInputs(annotations, recordings, self.out / "cache", samples=sample_inputs(use))
        context = RunContext(caution=lambda line: None)
        if not stages and not schedule:
            run_training(config, inputs, folder, context)
            return config, folder / "last.pt"
        labelling = Labelling(in_fold=not self.frozen)
        if schedule and changes.get("pseudo_per_step"):
            others = open_unlabelled(self.data / "unlabelled")
            labelling = replace(labelling, unlabelled=Unlabelled(others.infos))
        shared = folder.with_name("stages-full" if arm == "full" else "stages")
        planned = self._rounds(stages) if stages else self._after_lsoft(schedule)
        results = run_stages(
            planned, config, inputs, shared if stages else folder, context, labelling
        )
        own = next(one for one in reversed(results) if one.fold == config.fold)
        return config, own.checkpoint.with_name("last.pt")

    def _rounds(self, count: int) -> Schedule:
        """Return the first stages of the recipe ``rfcx``."""
        from training.schedules.schedule import Schedule, read_schedule

        first, *later = read_schedule("rfcx").stages[:count]
        return Schedule("rfcx", (first, *(self._shorter(stage) for stage in later)))

    def _after_lsoft(self, stages: Sequence[Mapping[str, Any]]) -> Schedule:
        """Return LSoft, and stages that go on from its weights."""
        from training.schedules.schedule import Schedule, Stage

        later = [
            self._shorter(Stage(f"round{number}", init="previous", **stage))
            for number, stage in enumerate(stages, start=1)
        ]
        return Schedule("after lsoft", (Stage("lsoft", settings={"loss": "lsoft"}), *later))

    def _shorter(self, stage: Stage) -> Stage:
        return replace(stage, settings={**stage.settings, "steps_per_epoch": self.round_steps})


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--test", default=300, show_default=True, help="Test recordings, the first by name.")
@click.option("--arms", help="All by default.")
@click.option("--pool", type=click.Path(exists=True, path_type=Path), help="See above.")
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
    arms: str | None,
    pool: Path | None,
    steps: int,
    round_steps: int,
    jobs: int,
    **settings: Any,
) -> None:
    from training.backbone_kinds import kind_of

    frozen = kind_of(settings["backbone"]) == "frozen"
    # one epoch: nothing is validated on the way, and the last weights are tested
    settings |= {"steps_per_epoch": steps, "epochs": 1, "folds": 1}
    if frozen:
        settings |= {"folds": 4, "fold": 0, "lsoft": 0.5, "lr": 2e-3} | backbone_settings(
            settings["backbone"]
        )
    bench = Bench(data, out, test, round_steps, settings, pool, frozen)
    chosen = arms.split(",") if arms else list(bench.arms)
    together = [arm for arm in TOGETHER if arm in chosen]
    # the longest first
    groups: list[tuple[str, ...]]
    groups = [(arm,) for arm in reversed(chosen) if arm not in TOGETHER]
    groups = ([tuple(together)] if together else []) + groups
    side_by_side(bench.run, [(seed, *group) for seed in range(seeds) for group in groups], jobs)
    click.echo(markdown(bench.arms, out, chosen, seeds))


def markdown(
    titles: dict[str, tuple[str, str | None, dict[str, Any]]],
    out: Path,
    arms: list[str],
    seeds: int,
) -> str:
    """Tabulate mean and deviation of each arm, and its paired difference to its base arm."""
    found = {arm: read_scores(out, arm, seeds, list(METRICS)) for arm in arms}
    lines = [f"| arm | {' | '.join(METRICS.values())} | LWLRAP against | FP/h against |"]
    lines.append("|---" * (len(METRICS) + 3) + "|")
    for arm, scores in found.items():
        title, before, _ = titles[arm]
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
