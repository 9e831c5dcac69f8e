"""What each kind of row gains: random negatives, scenes, mined own cells, focal weights, the truth.

    python -m benchmarks.benefit DATA --out WORK --backbone birdnet --seeds 10 --jobs 2

DATA is in RFCX's layout with the truth of a test part: train/, train_tp.csv, train_fp.csv,
external/, test/, test_truth.csv, test_events.csv. Every arm trains from the start, with as many
steps, the same TP and FP rows in the same order, and is tested with its last weights. Mined rows
fooled the network of the same seed's arm `scenes`; their control has as many cells of the same
classes, kinds and weights. train_events.csv serves the arm `truth` alone. What is done already in
WORK is not repeated.

The tables' intervals are 95 %: over seeds (Student's t on paired differences), and over test
recordings (bootstrap of the mean over seeds).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from benchmarks.benefit_arms import ARMS, Arm
from benchmarks.benefit_tables import gains_table, results_table, write_raw
from benchmarks.compare import side_by_side
from benchmarks.truth_labels import TrueLabels
from negmine.annotations import read_rfcx
from negmine.annotations.recordings import open_annotated
from negmine.building import PoolSettings, build_pool
from negmine.building.settings import SceneSettings
from negmine.cli.console import Bars
from negmine.mining.mine import MineSettings, mine
from negmine.pool import Pool, open_pool
from negmine.storage.files import write_json
from negmine.storage.text_files import read_json

if TYPE_CHECKING:
    from training.data.settings import SampleUse

RESAMPLES = 1000


@dataclass(frozen=True)
class Bench:
    """Where everything is, and the settings of every run."""

    data: Path
    out: Path
    test: int
    scenes: int
    per_class: int
    settings: dict[str, Any]
    max_doubt: float = MineSettings().max_doubt

    def pool(self, alone: bool) -> Path:
        return self.out / ("pool-isolated" if alone else "pool")

    def build(self, alone: bool, bars: Bars) -> Pool:
        """Build the pool of all seeds: rejected detections, external sound, scenes."""
        path = self.pool(alone)
        if path.exists():
            return open_pool(path)
        annotations = read_rfcx(self.data / "train_tp.csv", self.data / "train_fp.csv")
        return build_pool(
            self.data / "train",
            annotations,
            path,
            external=[str(self.data / "external")],
            settings=PoolSettings(
                clip_s=self.settings["clip_s"],
                sample_rate=self.settings["sample_rate"],
                scene=SceneSettings(count=self.scenes, calls=(1, 1) if alone else (1, 3)),
            ),
            progress=bars,
        ).pool

    def train(self, seed: int, name: str) -> None:
        """Train an arm, and test it."""
        import torch

        from training.config import TrainConfig
        from training.data.settings import HardUse
        from training.engine.inputs import HardInputs, RunContext, RunInputs, sample_inputs
        from training.engine.run import run_training

        torch.set_num_threads(1)
        folder, arm = self.out / f"seed{seed}" / name, ARMS[name]
        if (folder / "test.npz").exists():
            return
        annotations = read_rfcx(self.data / "train_tp.csv", self.data / "train_fp.csv")
        recordings, annotations = open_annotated(self.data / "train", annotations)
        config = TrainConfig(
            **self.settings, seed=seed, epochs=1, folds=1, patience=0, focal=arm.focal
        )
        inputs = RunInputs(
            annotations,
            recordings,
            self.out / "cache",
            soft=self._truth(annotations.classes) if arm.truth else None,
            samples=sample_inputs(self._samples(arm)),
            hard=[
                HardInputs(
                    self.out / f"seed{seed}" / f"{arm.own}.parquet",
                    HardUse(ratio=arm.own_ratio, mix=0, own=True),
                )
            ]
            if arm.own
            else [],
        )
        run_training(config, inputs, folder, RunContext(caution=lambda line: None))
        self._test(folder, config)

    def _samples(self, arm: Arm) -> SampleUse:
        from training.data.settings import SampleUse

        pool, use = str(self.pool(arm.alone)), SampleUse()
        if arm.negatives:
            use = use.replace(negatives=pool, negative_ratio=arm.negatives)
        if arm.scenes:
            use = use.replace(scenes=pool, scene_ratio=arm.scenes)
        return use

    def _truth(self, classes: tuple[str, ...]) -> TrueLabels:
        return TrueLabels(self.data / "train_events.csv", classes)

    def _test(self, folder: Path, config: Any) -> None:
        """Store the metrics, and those of each resample of the test recordings."""
        import torch

        from training.engine.checkpoint import Checkpoint
        from training.evaluation.evaluate import evaluate
        from training.evaluation.inference import RecordingScorer
        from training.evaluation.truth import Truth, open_truth_recordings
        from training.models.frozen import FrozenDetector
        from training.models.network import open_network

        cpu = torch.device("cpu")
        checkpoint = Checkpoint.load(folder / "last.pt")
        tables = self.data / "test_truth.csv", self.data / "test_events.csv"
        truth = Truth(*tables, checkpoint.classes).first(self.test)
        recordings = open_truth_recordings(self.data / "test", truth)
        detector = checkpoint.detector(cpu)
        if isinstance(detector, FrozenDetector):
            # the arms of all seeds hear the same windows
            detector.base = open_network(config.backbone, "cpu", self.out / "cache" / "embeddings")
        scorer = RecordingScorer(detector, config, cpu)
        found = evaluate(scorer, recordings, truth, resamples=RESAMPLES)
        detector.flush()
        write_json(folder / "test.json", found.metrics)
        with (folder / "test.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **found.resampled)

    def choose(self, seed: int) -> None:
        """Mine with a seed's network that has heard scenes; write the selection and its control."""
        import torch

        from training.engine.scorer import load

        torch.set_num_threads(1)
        folder = self.out / f"seed{seed}"
        if (folder / "mined.parquet").exists():
            self._check_doubt(folder / "mined.report.json")
            return
        scorer = load(folder / "scenes" / "last.pt", "cpu")
        settings = MineSettings(per_class=self.per_class, seed=seed, max_doubt=self.max_doubt)
        mined = mine(scorer, open_pool(self.pool(False)), self.out / "scores", settings)
        report = mined.report.to_dict() | {"max_doubt": self.max_doubt}
        write_json(folder / "mined.report.json", report)
        mined.control.write(folder / "random.parquet")
        mined.selection.write(folder / "mined.parquet")

    def _check_doubt(self, report: Path) -> None:
        then = read_json(report).get("max_doubt", MineSettings().max_doubt)
        if then != self.max_doubt:
            raise click.UsageError(
                f"{report.parent}: mined at --max-doubt {then:g}, now {self.max_doubt:g}; choose "
                "another --out"
            )


def ordered(names: list[str]) -> tuple[list[str], list[str]]:
    """Return the arms that need nothing mined, and those that do, each with what it needs."""
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise click.UsageError(f"--arms: no arm '{unknown[0]}'; there are {', '.join(ARMS)}")
    mined = [name for name in names if ARMS[name].own]
    first = [name for name in ARMS if name in names and name not in mined]
    if mined and "scenes" not in first:
        first.append("scenes")
    return first, mined


def _arms_using(alone: bool, names: list[str]) -> list[Arm]:
    made = [ARMS[name] for name in names]
    return [a for a in made if a.alone == alone and (a.negatives or a.scenes or a.own)]


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--seeds", default=10, show_default=True)
@click.option("--arms", default=",".join(ARMS), show_default=True)
@click.option("--steps", default=600, show_default=True)
@click.option("--test", default=10_000, show_default=True, help="Test recordings, at most.")
@click.option("--scenes", default=3600, show_default=True, help="Scenes in the pool.")
@click.option("--per-class", default=200, show_default=True, help="Mined rows a class.")
@click.option("--max-doubt", default=MineSettings().max_doubt, show_default=True)
@click.option("--tp-per-step", default=20, show_default=True)
@click.option("--fp-per-step", default=8, show_default=True)
@click.option("--lsoft", default=0.5, show_default=True)
@click.option("--lr", default=2e-3, show_default=True)
@click.option("--weight-decay", default=1e-2, show_default=True)
@click.option("--placements", default=0, show_default=True)
@click.option("--clip-s", default=3.0, show_default=True)
@click.option("--window-s", default=3.0, show_default=True)
@click.option("--sample-rate", default=48_000, show_default=True)
@click.option("--backbone", default="birdnet", show_default=True)
@click.option("--jobs", default=1, show_default=True, help="Runs side by side.")
@click.option("--raw", type=click.Path(path_type=Path), help="CSV to write, a row a metric.")
@click.option("--quiet", is_flag=True)
def main(
    data: Path,
    out: Path,
    seeds: int,
    arms: str,
    steps: int,
    test: int,
    scenes: int,
    per_class: int,
    max_doubt: float,
    jobs: int,
    raw: Path | None,
    quiet: bool,
    **settings: Any,
) -> None:
    names = arms.split(",")
    first, mined = ordered(names)
    settings |= {"steps_per_epoch": steps}
    bench = Bench(data, out, test, scenes, per_class, settings, max_doubt)
    with Bars(quiet) as bars:
        for alone in (False, True):
            if _arms_using(alone, [*first, *mined]):
                bench.build(alone, bars)
    # the first run fills the caches that all the others share
    side_by_side(bench.train, [(0, first[0])], 1)
    side_by_side(bench.train, [(s, name) for name in first for s in range(seeds)], jobs)
    if mined:
        side_by_side(bench.choose, [(seed,) for seed in range(seeds)], jobs)
        side_by_side(bench.train, [(s, name) for name in mined for s in range(seeds)], jobs)
    done = [name for name in ARMS if name in {*first, *mined}]
    click.echo(results_table(out, done, seeds))
    click.echo(gains_table(out, done, seeds))
    if raw:
        write_raw(raw, out, done, seeds, data.name, settings["backbone"])


if __name__ == "__main__":
    main()
