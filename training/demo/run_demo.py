"""The main job from end to end, against a complete truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import expit

from negmine.annotations import Annotations, read_rfcx
from negmine.annotations.class_bands import class_bands
from negmine.annotations.recordings import open_annotated
from negmine.building import PoolSettings, build_pool
from negmine.building.settings import MixSettings
from negmine.errors import InputError
from negmine.mining.mine import MineSettings
from negmine.mining.selection import Chosen, open_selection
from negmine.pool import Pool
from negmine.progress import Progress
from negmine.report.spectrogram_grid import Panel, draw_grid
from negmine.text_tables import table
from training.config import TrainConfig
from training.data.settings import HardUse
from training.demo.soundscapes import DATA_SIZE, DataSize, make_soundscapes
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunContext, RunInputs
from training.engine.run import run_training
from training.engine.scorer import CheckpointScorer
from training.evaluation.evaluate import evaluate_all
from training.evaluation.inference import RecordingScorer
from training.evaluation.truth import Truth, open_truth_recordings
from training.schedules.loop import Mining, Round, run_loop
from training.schedules.settings import LoopSettings

CLIP_S = 2.0


@dataclass(frozen=True)
class DemoSize:
    """How much data a demo makes, and how long it trains.

    Attributes
    ----------
    name : str
        Of its folders, before the seed.
    mixes : int
        Mixes in the pool.
    per_class : int
        Mined negatives a class.
    """

    name: str = ""
    data: DataSize = DATA_SIZE
    mixes: int = 1000
    tp_per_step: int = 20
    fp_per_step: int = 8
    steps_per_epoch: int = 40
    epochs: int = 6
    per_class: int = 30


FULL = DemoSize()
# all the same steps on so little that it shows only that they run
TINY = DemoSize(
    name="tiny-",
    data=DataSize(train=16, test=3, external=2, seconds=6.0),
    mixes=40,
    tp_per_step=6,
    fp_per_step=3,
    steps_per_epoch=2,
    epochs=1,
    per_class=3,
)

# Panels of the picture: the hardest negatives of each class.
_PANELS_PER_CLASS = 2

_NAMES = {
    "alone": "TP + FP",
    "base": "+ random certified negatives",
    "random": "+ more random ones (control)",
    "mined": "+ mined ones, as many",
}
_RATE = "fp/h@0.7"


@dataclass(frozen=True)
class DemoResult:
    """Scores of each arm against the complete truth of the test part."""

    arms: dict[str, dict[str, float]]
    picture: Path
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return {"arms": self.arms, "picture": str(self.picture), "seconds": self.seconds}

    def to_text(self) -> str:
        columns = {"lwlrap": "LWLRAP", _RATE: "FP/hour at 0.7 recall", "neg@3": "neg@3"}
        digits = {_RATE: 0}
        rows = [
            [name, *(f"{scores[key]:.{digits.get(key, 3)}f}" for key in columns)]
            for name, scores in self.arms.items()
        ]
        notes = (
            f"Random certified negatives: {self._change('base', 'alone')} false positives an hour "
            f"against TP + FP. Mined ones: {self._change('mined', 'random')} against as many "
            "random ones.\n"
            "One seed on small synthetic data: a smoke test, not evidence. LWLRAP: higher is "
            "better; the others: lower.\n"
            f"The hardest negatives: {self.picture}   ({self.seconds:.0f} s)"
        )
        return f"{table(['against the complete truth', *columns.values()], rows)}\n\n{notes}"

    def _change(self, arm: str, control: str) -> str:
        """Describe the change of false positives an hour from one arm to another."""
        before, after = (self.arms[_NAMES[name]][_RATE] for name in (control, arm))
        return f"{100 * (after / before - 1):+.0f} %" if before else f"from 0 to {after:.0f}"


def run_demo(out: Path, seed: int, progress: Progress, size: DemoSize = FULL) -> DemoResult:
    """Make soundscapes, build a pool, train without it, then one round of the loop, and compare.

    What is in ``out`` already, of the same seed, is not made again.

    Raises
    ------
    InputError
        If ``out`` holds something else.
    """
    began = time.monotonic()
    data = out / "data" / f"{size.name}seed{seed}"
    if out.exists() and any(out.iterdir()) and not (out / "data").is_dir():
        raise InputError(f"{out}: not empty, and not made by the demo; choose another --out")
    if not data.exists():
        make_soundscapes(data, size.data, seed, progress)
    rate = size.data.sample_rate
    run = out / f"run-{size.name}seed{seed}"
    annotations = read_rfcx(data / "train_tp.csv", data / "train_fp.csv")
    recordings, annotations = open_annotated(
        data / "train", annotations, progress=lambda total: progress("reading recordings", total)
    )
    pool = build_pool(
        data / "train",
        annotations,
        run / "pool",
        external=[str(data / "external")],
        settings=PoolSettings(
            clip_s=CLIP_S, sample_rate=rate, mix=MixSettings(count=size.mixes), seed=seed
        ),
        progress=progress,
    ).pool
    config = TrainConfig(
        sample_rate=rate,
        clip_s=CLIP_S,
        tp_per_step=size.tp_per_step,
        fp_per_step=size.fp_per_step,
        steps_per_epoch=size.steps_per_epoch,
        epochs=size.epochs,
        patience=0,
        seed=seed,
    )
    device = torch.device("cpu")
    inputs = RunInputs(annotations, recordings, run / "cache")
    context = RunContext(device, progress)
    run_training(config, inputs, run / "alone", context, "TP + FP alone")
    rounds = run_loop(
        config,
        inputs,
        run,
        context,
        LoopSettings(rounds=1, control=True),
        Mining(pool, MineSettings(per_class=size.per_class, seed=seed), HardUse(mix=0)),
    )
    truth = Truth(data / "test_truth.csv", data / "test_events.csv", annotations.classes)
    test = open_truth_recordings(data / "test", truth, progress)
    # the last weights, as all arms trained for the same steps
    folders = {"alone": run / "alone"} | {one.arm: one.checkpoint.parent for one in rounds}
    checkpoints = [Checkpoint.load(folder / "last.pt") for folder in folders.values()]
    scorers = [RecordingScorer(one.detector(device), config, device) for one in checkpoints]
    found = evaluate_all(scorers, test, truth, progress=progress)
    arms = {_NAMES[arm]: one.metrics for arm, one in zip(folders, found, strict=True)}
    picture = out / f"{size.name}hardest_negatives.png"
    names = pd.read_csv(data / "classes.csv", dtype={"species_id": str})
    _draw(picture, rounds, pool, annotations, dict(zip(names.species_id, names.name, strict=True)))
    return DemoResult(arms, picture, time.monotonic() - began)


def _draw(
    path: Path,
    rounds: Sequence[Round],
    pool: Pool,
    annotations: Annotations,
    names: dict[str, str],
) -> None:
    """Draw the hardest negatives of each class, scored by the first and the last model."""
    chosen = [
        row
        for row in open_selection(rounds[-1].checkpoint.with_name("hard.parquet")).rows
        if row.rank <= _PANELS_PER_CLASS
    ]
    clips = [pool.recipes[pool.recipes.row_of(row.recipe)].render() for row in chosen]
    before, after = (
        _probabilities(found.checkpoint, clips, chosen) for found in (rounds[0], rounds[-1])
    )
    bands = class_bands(annotations, margin=0)
    panels = [
        Panel(
            clip,
            f"taken for {names.get(row.label, row.label)}: {before[i]:.2f} → {after[i]:.2f}\n"
            f"{row.kind}, {row.certificate}, confidence {row.confidence:.2f}",
            bands[row.label],
        )
        for i, (row, clip) in enumerate(zip(chosen, clips, strict=True))
    ]
    title = "The hardest negatives: class they were taken for, its probability before → after"
    draw_grid(path, panels, pool.sample_rate, title)


def _probabilities(
    checkpoint: Path, clips: Sequence[np.ndarray], chosen: Sequence[Chosen]
) -> np.ndarray:
    scorer = CheckpointScorer(Checkpoint.load(checkpoint), torch.device("cpu"))
    _, logits = scorer.score(np.stack(clips))
    columns = [scorer.classes.index(row.label) for row in chosen]
    picked = logits[np.arange(len(chosen)), columns]
    return np.asarray(expit(picked))
