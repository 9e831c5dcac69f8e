"""Trains, tests and mines the arms of `benchmarks.benefit`, each in the folder of its seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from benchmarks.benefit_arms import ARMS, Arm, Chosen
from benchmarks.certificates import read_events
from benchmarks.chosen_thresholds import CHOSEN_FILE, at_chosen_thresholds
from benchmarks.compare import annotated
from benchmarks.listener import Listener, fill
from benchmarks.truth_labels import TrueLabels
from negmine.annotations import read_rfcx
from negmine.annotations.recordings import Recordings, open_annotated, open_unlabelled
from negmine.annotations.verdicts import add_verdicts
from negmine.asking.ask import Judgements, ask
from negmine.asking.settings import AskSettings
from negmine.asking.table import write_asked
from negmine.building import PoolSettings, build_pool
from negmine.building.settings import SceneSettings
from negmine.cli.console import Bars
from negmine.mining.mine import MineSettings, mine
from negmine.pool import Pool, open_pool
from negmine.storage.files import write_json
from negmine.storage.text_files import read_json

if TYPE_CHECKING:
    from training.data.settings import SampleUse
    from training.evaluation.truth import Truth

RESAMPLES = 1000
# At which `benchmarks.chosen_thresholds` are chosen.
CHOSEN_RECALL = 0.7
# Networks that ask: every call is scored by one that held it out.
FOLDS = 4


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
    error: float = 0.0

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

    def folder(self, seed: int, name: str) -> Path:
        return self.out / f"seed{seed}" / name

    def train(self, seed: int, name: str) -> None:
        """Train an arm, and test it; or ``fold0``, ``fold1``, ...: a network that asks."""
        import torch

        from training.config import TrainConfig
        from training.data.settings import HardUse
        from training.engine.inputs import HardInputs, RunContext, RunInputs, sample_inputs
        from training.engine.run import run_training

        torch.set_num_threads(1)
        folder, asks = self.folder(seed, name), name.startswith("fold")
        if (folder / ("last.pt" if asks else "test.npz")).exists():
            return
        arm = ARMS["scenes" if asks else name]
        recordings, annotations = annotated(self.data)
        if arm.asks:
            annotations = add_verdicts(annotations, [self.heard(seed, arm.asks)])
            recordings, annotations = open_annotated(
                self.data / "train", annotations, beside=self.data / "unlabelled"
            )
        config = TrainConfig(**self.settings, folds=1, seed=seed, epochs=1, patience=0)
        if asks:
            config = config.replace(folds=FOLDS, fold=int(name.removeprefix("fold")))
        inputs = RunInputs(
            annotations,
            recordings,
            self.out / "cache",
            soft=self._truth(annotations.classes) if arm.truth else None,
            samples=sample_inputs(self._samples(arm)),
            hard=[
                HardInputs(
                    self.chosen(seed, arm.own_by, arm.own),
                    HardUse(ratio=arm.own_ratio, mix=0, own=True),
                )
            ]
            if arm.own
            else [],
        )
        run_training(config, inputs, folder, RunContext(caution=lambda line: None))
        if not asks:
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
        from training.models.frozen import FrozenDetector
        from training.models.network import open_network

        cpu = torch.device("cpu")
        checkpoint = Checkpoint.load(folder / "last.pt")
        recordings, truth = _tested(self.data, checkpoint.classes, self.test)
        detector = checkpoint.detector(cpu)
        if isinstance(detector, FrozenDetector):
            # the arms of all seeds hear the same windows
            detector.base = open_network(config.backbone, "cpu", self.out / "cache" / "embeddings")
        scorer = RecordingScorer(detector, config, cpu)
        found = evaluate(scorer, recordings, truth, resamples=RESAMPLES)
        detector.flush()
        chosen = at_chosen_thresholds(found.windows, CHOSEN_RECALL)
        write_json(folder / CHOSEN_FILE, chosen)
        write_json(folder / "test.json", found.metrics)
        with (folder / "test.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **found.resampled)

    def chosen(self, seed: int, by: str, what: Chosen) -> Path:
        """Return where what the network of an arm mined is, or its control."""
        return self.folder(seed, f"{what}-by-{by}.parquet")

    def choose(self, seed: int, by: str) -> None:
        """Mine with a seed's network of an arm; write the selection and its control."""
        import torch

        from training.engine.scorer import load

        torch.set_num_threads(1)
        report = self.folder(seed, f"mined-by-{by}.report.json")
        if self.chosen(seed, by, "mined").exists():
            self._check_doubt(report)
            return
        scorer = load(self.folder(seed, by) / "last.pt", "cpu")
        settings = MineSettings(per_class=self.per_class, seed=seed, max_doubt=self.max_doubt)
        mined = mine(scorer, open_pool(self.pool(False)), self.out / "scores", settings)
        write_json(report, mined.report.to_dict() | {"max_doubt": self.max_doubt})
        mined.control.write(self.chosen(seed, by, "random"))
        mined.selection.write(self.chosen(seed, by, "mined"))

    def heard(self, seed: int, asks: str) -> Path:
        """Return the table of verdicts of a strategy and number of windows, as ``top-10``."""
        return self.folder(seed, f"heard-{asks}.csv")

    def hear(self, seed: int, asked: list[str]) -> None:
        """Write what the networks of the folds ask, and what a listener who knows says."""
        import torch

        from training.engine.scorer import load

        torch.set_num_threads(1)
        wanted = [one for one in asked if not self.heard(seed, one).exists()]
        if not wanted:
            return
        models = [
            load(self.folder(seed, f"fold{fold}") / "last.pt", "cpu") for fold in range(FOLDS)
        ]
        recordings, annotations = annotated(self.data)
        unlabelled = _unlabelled(self.data)
        truth = read_events([self.data / "unlabelled_events.csv"])
        for one in wanted:
            strategy, _, count = one.rpartition("-")
            settings: Any = {"per_class": int(count), "strategy": strategy, "seed": seed}
            found = ask(
                models, unlabelled, Judgements(annotations, recordings), self.out / "scores",
                AskSettings(**settings),
            )  # fmt: skip
            table = self.folder(seed, f"asked-{one}.csv")
            write_asked(table, found)
            counts = fill(table, self.heard(seed, one), Listener(truth, self.error, seed))
            write_json(self.heard(seed, one).with_suffix(".json"), counts)

    def _check_doubt(self, report: Path) -> None:
        then = read_json(report).get("max_doubt", MineSettings().max_doubt)
        if then != self.max_doubt:
            raise click.UsageError(
                f"{report.parent}: mined at --max-doubt {then:g}, now {self.max_doubt:g}; choose "
                "another --out"
            )


# What a process that runs several arms opens once: each recording is decoded to be checked.
@cache
def _unlabelled(data: Path) -> Recordings:
    return open_unlabelled(data / "unlabelled")


@cache
def _tested(data: Path, classes: tuple[str, ...], most: int) -> tuple[Recordings, Truth]:
    from training.evaluation.truth import Truth, open_truth_recordings

    truth = Truth(data / "test_truth.csv", data / "test_events.csv", classes).first(most)
    return open_truth_recordings(data / "test", truth), truth
