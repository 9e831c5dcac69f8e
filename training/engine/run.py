"""One run of training, with its bars, its processes and its hard negatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from training.config import TrainConfig
from training.data.folds import held_out_recordings
from training.data.hard_negatives import HardNegatives
from training.engine.board import Board
from training.engine.cautions import cautions, unmixed
from training.engine.checkpoint import Checkpoint
from training.engine.distributed import joined_ranks
from training.engine.inputs import RunContext, RunInputs
from training.engine.run_folder import only_run
from training.engine.train import train


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
    title: str = "training",
) -> Trained:
    """Train with a progress bar of this title; the run's hard negatives become a plug-in."""
    annotations, recordings, hard = inputs.annotations, inputs.recordings, inputs.hard
    context = context.of_first()
    negatives: HardNegatives | None = None
    if hard:
        use, selection = hard.use, hard.selection

        def unmixed_classes(names: list[str]) -> None:
            share = use.mix.share if use.mix else 0.0
            context.caution(unmixed(names, annotations, share, selection))

        negatives = HardNegatives(
            selection, use.ratio, inputs.cache, context.progress, use.mix,
            pool=hard.pool, on_unmixed=unmixed_classes,
        )  # fmt: skip
        inputs = replace(inputs, plugins=[*inputs.plugins, negatives])
    with only_run(out), joined_ranks(context.device) as ranks:
        held_out = held_out_recordings(
            annotations, recordings.infos, config.folds, config.fold, config.seed, inputs.groups
        )
        added = bool(inputs.soft or inputs.plugins)
        for line in cautions(config, annotations, held_out, added):
            context.caution(line)
        board = Board(out) if context.tensorboard and ranks.first else None
        try:
            checkpoint = train(config, inputs, out, context, ranks=ranks, board=board, title=title)
        finally:
            if board:
                board.close()
    if negatives is None:
        return Trained(checkpoint)
    return Trained(checkpoint, negatives.used, negatives.left_out)
