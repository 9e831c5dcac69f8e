"""A few more steps of a trained detector, on a pool's own rows and what was mined from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from negmine.audio.windows import to_samples
from negmine.errors import NegmineError
from negmine.mining.selection import open_selection
from negmine.pool import Pool
from negmine.recipes.recipe import Recipe
from training.config import HARD_MIX, HARD_RATIO, AugmentSettings, TrainConfig
from training.data.clips import ClipStore
from training.data.hard_negatives import HardNegatives, check_pool
from training.data.rows import Row, RowKind
from training.data.steps import Draw, StepDataset, draw_evenly, step_loader
from training.engine.checkpoint import Checkpoint
from training.engine.distributed import Ranks
from training.engine.history import learning_rate
from training.engine.step import make_optimiser, take_step
from training.models.detector import weights_fingerprint

# Rows of each kind that are rendered: a short retraining uses no more.
_MOST = 2_000


class PoolRows:
    """A pool's confirmed calls and rejected detections as the trainer's own rows.

    They are the clips of the pool, not newly drawn crops, and say no more than their labels do.

    Parameters
    ----------
    pool : Pool
    classes : tuple of str
        In the order of the model's outputs.
    config : TrainConfig
    without : frozenset of str
        Recordings that nothing is taken from.
    cache : Path
        Folder for the rendered clips.
    """

    def __init__(
        self, pool: Pool, classes: tuple[str, ...], config: TrainConfig, without: frozenset[str],
        cache: Path,
    ) -> None:  # fmt: skip
        self.classes = classes
        self._config = config
        self._length = to_samples(config.clip_s, config.sample_rate)
        rng = np.random.default_rng([config.seed, len(pool)])

        def some(rows: np.ndarray) -> np.ndarray:
            return np.sort(rng.permutation(np.flatnonzero(rows))[:_MOST])

        calls = some(~pool.calls.draws_on(without))
        rejected = some(pool.recipes.of_kind("fp") & ~pool.recipes.draws_on(without))
        tp, fp = pool.calls.at(calls), pool.recipes.at(rejected)
        self._recipes: list[Recipe] = [*tp, *fp]
        self._rows = {
            RowKind.TP: _by_class(classes, [recipe.labels.present for recipe in tp], 0),
            RowKind.FP: _by_class(classes, [set(recipe.labels.absent) for recipe in fp], len(tp)),
        }
        self._store = ClipStore.open(
            cache,
            [(recipe.id, config.sample_rate) for recipe in self._recipes],
            [self._length] * len(self._recipes),
            lambda i: self._recipes[i].render(config.sample_rate),
        )

    def draw(self, step: int) -> list[Draw]:
        """Draw the rows of a step, classes evenly."""
        rng = np.random.default_rng([self._config.seed, step])
        drawn = draw_evenly(rng, self._rows, self._config)
        return [Draw(kind, row, 0.0) for kind, row in drawn]

    def row(self, draw: Draw) -> Row:
        """Draw a row."""
        waveform = self._store.read(draw.box, 0, self._length)
        return Row(waveform, self._recipes[draw.box].labels, draw.kind)

    def bands(self) -> Mapping[str, tuple[float, float]]:
        """Return nothing: rows are used as they are."""
        return {}


def _by_class(
    classes: Sequence[str], labels: Sequence[Collection[str]], first: int
) -> list[np.ndarray]:
    """Group rows by class, where it has any, numbered from ``first``."""
    found = [[first + i for i, of_row in enumerate(labels) if name in of_row] for name in classes]
    return [np.array(rows) for rows in found if rows]


def retrain(
    checkpoint: Checkpoint,
    selection: Path,
    without: frozenset[str],
    steps: int,
    seed: int,
    folder: Path,
    device: torch.device,
    on_step: Callable[[], object] = lambda: None,
) -> Checkpoint:
    """Train a checkpoint on for some steps with a selection, by its own recipe.

    Sound is not changed at random, and pseudo labels are not used: of two selections, the shorter
    way shows which is better as well.

    Parameters
    ----------
    checkpoint : Checkpoint
        Stays as it is.
    selection : Path
        From ``negmine mine``; its pool's confirmed calls and rejected detections train beside it.
    without : frozenset of str
        Recordings that must not train.
    steps, seed : int
    folder : Path
        For the rendered clips.
    device : torch.device
    on_step : callable
        Called after each step.

    Raises
    ------
    PoolError
        If the selection does not fit its pool or the checkpoint, or none of it may be heard.
    NegmineError
        If training diverges.
    """
    config = replace(
        checkpoint.config, augment=AugmentSettings(), pseudo_per_step=0, first_draw=0, epochs=1,
        steps_per_epoch=steps, seed=seed, workers=0, ema=0.0, compile=False,
    )  # fmt: skip
    pool = open_selection(selection).open_pool()
    check_pool(pool, config, checkpoint.classes, f"pool {pool.path}")
    own = PoolRows(pool, checkpoint.classes, config, without, folder)
    negatives = HardNegatives(selection, HARD_RATIO, folder, mix=HARD_MIX)
    negatives.prepare(config, checkpoint.classes, without)
    dataset = StepDataset(own, [negatives], config)
    torch.manual_seed(seed)
    detector = checkpoint.detector(device).train()
    optimiser, scaler = make_optimiser(detector, config, device)
    for step, drawn in enumerate(step_loader(dataset, 0, 0)):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, config)
        loss = take_step(detector, optimiser, scaler, drawn, config, device, Ranks())
        if not math.isfinite(loss):
            raise NegmineError(f"retraining: the loss became {loss} in step {step}")
        on_step()
    model = {name: value.cpu() for name, value in detector.state_dict().items()}
    return replace(checkpoint, model=model, fingerprint=weights_fingerprint(model))
