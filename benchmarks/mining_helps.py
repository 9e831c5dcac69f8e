"""Whether mining helps: what negatives are worth, chosen and used in one way or another.

    python -m benchmarks.mining_helps DATA --out WORK --jobs 2

DATA is in RFCX's layout with the truth of a test part: train/, train_tp.csv, train_fp.csv, test/,
test_truth.csv, test_events.csv; external/ and unlabelled/ are used where they are. For each seed a
base is trained on TP and FP rows; it chooses negatives from one pool; every
arm goes on from the seed's base with as many steps and the same TP and FP rows, and is tested with
its last weights. train_events.csv and unlabelled_events.csv, where they are, audit what was chosen;
nothing trains on them. What is done already in WORK is not repeated.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.compare import evaluate_weights, side_by_side
from benchmarks.mining_arms import ARMS, CHOICES
from benchmarks.mining_tables import audit_table, results_table
from negmine.annotations import read_rfcx
from negmine.annotations.recordings import Recordings, open_annotated, open_unlabelled
from negmine.audio.read import AudioInfo
from negmine.building import PoolSettings, build_pool
from negmine.building.settings import (
    AgreedSettings,
    EraseSettings,
    FpSettings,
    MixSettings,
    TransplantSettings,
)
from negmine.cli.console import Bars
from negmine.mining.mine import MineSettings, mine
from negmine.pool import Pool, open_pool
from negmine.scores.embed import score_pool
from negmine.storage.files import write_json, writing_folder
from negmine.synthesis.into_pool import read_ancestry, rules_for, synthesise_into
from negmine.synthesis.settings import SynthesisSettings
from training.engine.inputs import RunInputs


@dataclass(frozen=True)
class Bench:
    """Where everything is, and the settings of every run."""

    data: Path
    out: Path
    seeds: int
    steps: int
    test: int
    per_class: int
    mix: int
    careless: bool
    settings: dict[str, Any]

    def opened(self) -> tuple[Any, Recordings]:
        annotations = read_rfcx(self.data / "train_tp.csv", self.data / "train_fp.csv")
        recordings, annotations = open_annotated(self.data / "train", annotations)
        return annotations, recordings

    @cached_property
    def unlabelled(self) -> dict[str, AudioInfo]:
        """Recordings without annotations, by name; none where the data have none."""
        root = self.data / "unlabelled"
        return dict(open_unlabelled(root).infos) if root.is_dir() else {}

    def base(self, seed: int) -> Path:
        return self.out / f"seed{seed}" / "base" / "last.pt"

    def train(self, seed: int, arm: str) -> None:
        """Train a base or an arm, and test it."""
        import torch

        from training.config import TrainConfig
        from training.data.hard_negatives import HardNegatives
        from training.data.settings import HardUse
        from training.engine.train import train
        from training.schedules.pseudo import PseudoLabels
        from training.schedules.pseudo_rows import PseudoRows

        torch.set_num_threads(1)
        folder = self.out / f"seed{seed}" / arm
        stored = folder / "test.json"
        if stored.exists():
            return
        annotations, recordings = self.opened()
        settings = self.settings | {"seed": seed}
        cache = self.out / "cache"
        extra: dict[str, Any] = {}
        if arm != "base":
            made = ARMS[arm]
            settings |= {"steps_per_epoch": self.steps, "first_draw": settings["steps_per_epoch"]}
            plugins: list[Any] = []
            if made.chosen:
                path = self.out / f"seed{seed}" / f"{made.chosen}.parquet"
                plugins.append(
                    HardNegatives(
                        path,
                        HardUse(ratio=made.rows, mix=made.inside, mix_snr_db=made.snr_db),
                        cache,
                    )
                )
            if made.pseudo:
                soft = PseudoLabels.read(self.out / "pseudo.parquet", annotations.classes)
                settings |= {"pseudo_per_step": settings["tp_per_step"] // 4}
                plugins.append(PseudoRows(soft, annotations, recordings, self.unlabelled))
            extra = {"init": self.base(seed), "plugins": plugins}
        config = TrainConfig(**settings, epochs=1, folds=1, patience=0)
        train(config, RunInputs(annotations, recordings, cache, **extra), folder)
        evaluate_weights(folder / "last.pt", config, self.data, self.test, stored)

    def pool(self, bars: Bars) -> Pool:
        """Build one pool for all seeds, of every kind of negative that the data allow."""
        if (self.out / "pool").exists():
            return open_pool(self.out / "pool")
        annotations, _ = self.opened()
        judges = tuple(str(self.base(seed)) for seed in range(min(3, self.seeds)))
        agreed = bool(self.unlabelled) and len(judges) > 1 and not self.careless
        other = ["external", "unlabelled"] if self.careless else ["external"]
        external = [str(self.data / name) for name in other if (self.data / name).is_dir()]
        return build_pool(
            self.data / "train",
            annotations,
            self.out / "pool",
            external=external,
            settings=PoolSettings(
                clip_s=self.settings["clip_s"],
                sample_rate=self.settings["sample_rate"],
                unlabelled=str(self.data / "unlabelled") if agreed else None,
                agreed=AgreedSettings(models=judges if agreed else ()),
                fp=FpSettings(pad="beyond"),
                erase=EraseSettings(count=self.mix // 6),
                transplant=TransplantSettings(count=self.mix // 6),
                mix=MixSettings(count=self.mix, parts=(2, 2), offset=0.0),
            ),
            progress=bars,
        ).pool

    def choose(self, seed: int, names: Iterable[str]) -> None:
        """Write what some choices take with a seed's base, and the random control of `top`."""
        import torch

        from training.engine.scorer import load

        torch.set_num_threads(1)
        folder, pool = self.out / f"seed{seed}", open_pool(self.out / "pool")
        for name in names:
            choice = CHOICES[name]
            if (folder / f"{name}.parquet").exists():
                continue
            settings = MineSettings(per_class=self.per_class, seed=seed, strategy=choice.strategy)
            drawn = self.searched(seed, pool, choice.budget) if choice.budget else pool
            mined = mine(load(self.base(seed), "cpu"), drawn, self.out / "scores", settings)
            write_json(folder / f"{name}.report.json", mined.report.to_dict())
            if name == "top":
                mined.control.write(folder / "random.parquet")
            mined.review.write(folder / f"{name}.review.parquet")
            mined.selection.write(folder / f"{name}.parquet")

    def searched(self, seed: int, pool: Pool, budget: int) -> Pool:
        """Make a seed's own copy of the pool, with what a search of its base found."""
        from training.engine.scorer import load

        path = self.out / f"seed{seed}" / "pool"
        if not path.exists():
            with writing_folder(path) as temporary:
                shutil.copytree(pool.path, temporary, dirs_exist_ok=True)
        own = open_pool(path)
        if not read_ancestry(path):
            scorer = load(self.base(seed), "cpu")
            known = score_pool(scorer, own, self.out / "scores")
            search = SynthesisSettings(budget=budget, seed=seed, per_class=self.per_class)
            synthesise_into(scorer, own, search, rules_for(own, None), known=known)
        return open_pool(path)

    def label(self, bars: Bars) -> None:
        """Write pseudo labels of the training recordings: the mean of what each base says."""
        from training.engine.checkpoint import Checkpoint
        from training.engine.inputs import RunContext
        from training.schedules.pseudo import PseudoLabels, WindowLabels, label_recordings

        path = self.out / "pseudo.parquet"
        if path.exists():
            return
        annotations, recordings = self.opened()
        bases = [Checkpoint.load(self.base(seed)) for seed in range(self.seeds)]
        context = RunContext(progress=bars)
        each = [
            label_recordings(
                [base], annotations, recordings, context, others=[self.unlabelled], in_fold=True
            )
            for base in bases
        ]
        joined = {
            name: WindowLabels(
                windows.start_s,
                windows.end_s,
                np.stack([one.recordings[name].values for one in each]).mean(0, dtype=np.float32),
            )
            for name, windows in each[0].recordings.items()
        }
        names = [base.fingerprint for base in bases]
        PseudoLabels(annotations.classes, joined, names).write(path)


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--seeds", default=5, show_default=True)
@click.option("--arms", default=",".join(ARMS), show_default=True)
@click.option("--base-steps", default=400, show_default=True)
@click.option("--steps", default=200, show_default=True, help="Of each arm, after its base.")
@click.option("--test", default=300, show_default=True, help="Test recordings, the first by name.")
@click.option("--per-class", default=100, show_default=True)
@click.option("--mix", default=3000, show_default=True, help="Mixes in the pool.")
@click.option(
    "--careless",
    is_flag=True,
    help="Take unannotated recordings as external sound, free of calls.",
)
@click.option("--tp-per-step", default=20, show_default=True)
@click.option("--fp-per-step", default=8, show_default=True)
@click.option("--clip-s", default=2.0, show_default=True)
@click.option("--sample-rate", default=32_000, show_default=True)
@click.option("--backbone", default="small", show_default=True)
@click.option("--precision", default="fp32", show_default=True)
@click.option("--jobs", default=1, show_default=True, help="Runs side by side.")
@click.option("--quiet", is_flag=True)
def main(
    data: Path,
    out: Path,
    seeds: int,
    arms: str,
    base_steps: int,
    steps: int,
    test: int,
    per_class: int,
    mix: int,
    careless: bool,
    jobs: int,
    quiet: bool,
    **settings: Any,
) -> None:
    names = arms.split(",")
    settings["steps_per_epoch"] = base_steps
    wanted = {ARMS[name].chosen for name in names} - {None}
    choices = [name for name in CHOICES if name in wanted or (name == "top" and wanted)]
    bench = Bench(data, out, seeds, steps, test, per_class, mix, careless, settings)
    side_by_side(bench.train, [(seed, "base") for seed in range(seeds)], jobs)
    with Bars(quiet) as bars:
        pool = bench.pool(bars)
    side_by_side(bench.choose, [(seed, choices) for seed in range(seeds)], jobs)
    with Bars(quiet) as bars:
        if any(ARMS[name].pseudo for name in names):
            bench.label(bars)
    side_by_side(bench.train, [(seed, arm) for seed in range(seeds) for arm in names], jobs)
    click.echo(results_table(out, names, seeds))
    events = [data / f"{part}_events.csv" for part in ("train", "unlabelled")]
    if events[0].exists():
        click.echo(audit_table(out, choices, pool, [e for e in events if e.exists()], seeds))


if __name__ == "__main__":
    main()
