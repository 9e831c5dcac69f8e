"""One run of training, with its bars, its processes and the rows of pools that it adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from negmine.errors import shorten
from training.config import TrainConfig
from training.data.folds import held_out_recordings, lone_groups
from training.data.hard_negatives import HardNegatives
from training.data.sampled_rows import SampledRows
from training.engine.board import Board
from training.engine.cautions import cautions, elsewhere, unmixed
from training.engine.checkpoint import Checkpoint
from training.engine.distributed import joined_ranks
from training.engine.inputs import HardInputs, RunContext, RunInputs, SampleInputs
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
    sampled : mapping of str to int
        Rows that were drawn from pools, by what they are.
    """

    checkpoint: Checkpoint
    used: int = 0
    left_out: int = 0
    sampled: Mapping[str, int] = field(default_factory=dict)


def run_training(
    config: TrainConfig,
    inputs: RunInputs,
    out: Path,
    context: RunContext,
    title: str = "training",
) -> Trained:
    """Train with a progress bar of this title; the run's rows of pools become plug-ins."""
    annotations, recordings = inputs.annotations, inputs.recordings
    context = context.of_first()
    negatives = [_hard_negatives(one, inputs, context) for one in inputs.hard]
    samples = _samples(inputs, context)
    inputs = replace(inputs, plugins=[*inputs.plugins, *samples, *negatives])
    with only_run(out), joined_ranks(context.device) as ranks:
        held_out = held_out_recordings(
            annotations, recordings.infos, config.folds, config.fold, config.seed, inputs.groups
        )
        added = bool(inputs.soft or inputs.plugins)
        for line in (
            *_always_training(config, inputs),
            *cautions(config, annotations, held_out, added),
        ):
            context.caution(line)
        board = Board(out) if context.tensorboard and ranks.first else None
        try:
            checkpoint = train(config, inputs, out, context, ranks=ranks, board=board, title=title)
        finally:
            if board:
                board.close()
    return Trained(
        checkpoint,
        used=sum(one.used for one in negatives),
        left_out=sum(one.left_out for one in negatives),
        sampled={one.what: one.used for one in samples},
    )


def _always_training(config: TrainConfig, inputs: RunInputs) -> list[str]:
    """Warn of classes that no fold validates, as the calls of each are in one group alone."""
    if config.folds == 1:
        return []
    group = {name: (inputs.groups or {}).get(name, name) for name in inputs.recordings.infos}
    alone = lone_groups(inputs.annotations, group)
    classes = sorted(name for names in alone.values() for name in names)
    if not classes:
        return []
    return [
        f"{len(classes)} classes ({shorten(classes)}) have their confirmed calls in one "
        f"{'group' if inputs.groups else 'recording'} each, which always trains: no fold validates "
        "them"
    ]


def _samples(inputs: RunInputs, context: RunContext) -> list[SampledRows]:
    # scenes are on the same sound, and what is mixed in is everywhere: where a row is from then
    # says nothing
    alone = all(one.what == "negatives" and not one.mix for one in inputs.samples)
    return [_sample(one, inputs, context, alone) for one in inputs.samples]


def _sample(one: SampleInputs, inputs: RunInputs, context: RunContext, alone: bool) -> SampledRows:
    def unmixed_classes(names: list[str]) -> None:
        context.caution(unmixed(names, inputs.annotations, one.mix, f"pool {one.pool.path}"))

    return SampledRows(
        one.pool, one.what, one.ratio, inputs.cache, context.progress,
        mix=one.mix, mix_snr_db=one.mix_snr_db,
        recordings=inputs.recordings.infos if alone else (),
        on_elsewhere=lambda count: context.caution(elsewhere(count)),
        on_unmixed=unmixed_classes,
    )  # fmt: skip


def _hard_negatives(hard: HardInputs, inputs: RunInputs, context: RunContext) -> HardNegatives:
    use = hard.use

    def unmixed_classes(names: list[str]) -> None:
        context.caution(unmixed(names, inputs.annotations, use.mix, hard.selection))

    return HardNegatives(
        hard.selection, use, inputs.cache, context.progress,
        pool=hard.pool, on_unmixed=unmixed_classes,
    )  # fmt: skip
