"""One run of training, with its bars, its processes and its hard negatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.notices import warn
from training.config import HARD_MIX, HARD_RATIO, HardMix, TrainConfig
from training.data.folds import held_out_recordings
from training.data.hard_negatives import HardNegatives
from training.data.steps import RowSource, Soft
from training.engine.board import Board
from training.engine.cautions import cautions, unmixed
from training.engine.checkpoint import Checkpoint
from training.engine.distributed import joined_ranks, local_device
from training.engine.run_folder import only_run
from training.engine.train import RunState, train

# Given a title, a total and a unit, a progress bar gives what advances it.
Progress = Callable[..., Callable[..., Any]]


@dataclass(frozen=True)
class Trained:
    """A run that ended.

    Attributes
    ----------
    checkpoint : Checkpoint
        The best.
    used, left_out : int
        Rows of the hard negatives that trained, and those that draw on what validates.
    """

    checkpoint: Checkpoint
    used: int = 0
    left_out: int = 0


def run_training(
    config: TrainConfig,
    annotations: Annotations,
    recordings: Recordings,
    out: Path,
    *,
    cache: Path,
    progress: Progress,
    hard_negatives: Path | None = None,
    hard_pool: Path | None = None,
    hard_ratio: float = HARD_RATIO,
    hard_mix: HardMix | None = HARD_MIX,
    init: Path | None = None,
    band_table: Path | None = None,
    groups: Mapping[str, str] | None = None,
    soft: Soft | None = None,
    plugins: Sequence[RowSource] = (),
    tensorboard: bool = False,
    device: torch.device,
    title: str = "training",
    caution: Callable[[str], object] = warn,
) -> Trained:
    """Train with a progress bar; ``caution`` is given a line for each thing that labels lack."""

    def decoding(what: str, total: int) -> Callable[[], object]:
        return progress(what, total, "clip")

    def unmixed_classes(names: list[str]) -> None:
        share = hard_mix.share if hard_mix else 0.0
        caution(unmixed(names, annotations, share, hard_negatives))

    negatives = (
        HardNegatives(
            hard_negatives,
            hard_ratio,
            cache,
            decoding,
            hard_mix,
            pool=hard_pool,
            on_unmixed=unmixed_classes,
        )
        if hard_negatives
        else None
    )
    advance: Callable[..., Any] | None = None
    done = 0

    def show(state: RunState) -> None:
        nonlocal advance, done
        # the bar begins with the first step: decoding has bars of its own before it
        advance = advance or progress(title, config.total_steps, "step")
        advance(state.step - done, loss=f"{state.loss:.4f}", known_ap=f"{state.score:.3f}")
        done = state.step
        if board:
            board.step(state.step, state.loss)

    with only_run(out), joined_ranks(device) as ranks:
        if not ranks.first:
            progress = caution = _silent
        held_out = held_out_recordings(
            annotations, recordings.infos, config.folds, config.fold, config.seed, groups
        )
        added = bool(negatives or soft or plugins)
        for line in cautions(config, annotations, held_out, added):
            caution(line)
        board = Board(out) if tensorboard and ranks.first else None
        try:
            checkpoint = train(
                config,
                annotations,
                recordings,
                out,
                cache=cache,
                plugins=[*plugins, *([negatives] if negatives else [])],
                init=init,
                band_table=band_table,
                groups=groups,
                soft=soft,
                ranks=ranks,
                device=local_device(device),
                progress=decoding,
                on_step=show,
                on_epoch=board.epoch if board else lambda entry: None,
            )
        finally:
            if board:
                board.close()
    if negatives is None:
        return Trained(checkpoint)
    return Trained(checkpoint, negatives.used, negatives.left_out)


def _silent(*_: object) -> Callable[..., object]:
    return lambda *args, **kwargs: None
