"""One run of training, with its bars, its processes and its hard negatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.config import TrainConfig
from training.data.folds import held_out_recordings
from training.data.hard_negatives import HardNegatives
from training.engine.board import Board
from training.engine.cautions import cautions, unmixed
from training.engine.checkpoint import Checkpoint
from training.engine.distributed import joined_ranks, local_device
from training.engine.inputs import HardInputs, RunContext, RunInputs
from training.engine.run_folder import only_run
from training.engine.train import RunState, train


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
    inputs: RunInputs,
    out: Path,
    context: RunContext,
    *,
    hard: HardInputs | None = None,
    title: str = "training",
) -> Trained:
    """Train with a progress bar of this title."""
    annotations, recordings = inputs.annotations, inputs.recordings
    progress, caution = context.progress, context.caution

    def decoding(what: str, total: int) -> Callable[[], object]:
        return progress(what, total, "clip")

    negatives: HardNegatives | None = None
    if hard:
        use, selection = hard.use, hard.selection

        def unmixed_classes(names: list[str]) -> None:
            share = use.mix.share if use.mix else 0.0
            caution(unmixed(names, annotations, share, selection))

        negatives = HardNegatives(
            selection, use.ratio, inputs.cache, decoding, use.mix,
            pool=hard.pool, on_unmixed=unmixed_classes,
        )  # fmt: skip
        inputs = replace(inputs, plugins=[*inputs.plugins, negatives])
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

    with only_run(out), joined_ranks(context.device) as ranks:
        if not ranks.first:
            progress = caution = _silent
        held_out = held_out_recordings(
            annotations, recordings.infos, config.folds, config.fold, config.seed, inputs.groups
        )
        added = bool(inputs.soft or inputs.plugins)
        for line in cautions(config, annotations, held_out, added):
            caution(line)
        board = Board(out) if context.tensorboard and ranks.first else None
        try:
            checkpoint = train(
                config,
                inputs,
                out,
                ranks=ranks,
                device=local_device(context.device),
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
