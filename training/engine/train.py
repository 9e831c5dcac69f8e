"""The training loop, read top to bottom."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from negmine.annotations.class_bands import class_bands
from negmine.annotations.rates import check_audible
from negmine.errors import NegmineError
from negmine.progress import Advance
from training.config import TrainConfig
from training.data.box_rows import BoxRows
from training.data.folds import held_out_recordings
from training.data.held_out_negatives import HeldOutNegatives
from training.data.silent_rows import SILENCE, SilentRows
from training.data.steps import StepDataset, step_loader
from training.engine.board import Board
from training.engine.cautions import check_learnable
from training.engine.checkpoint import Checkpoint
from training.engine.distributed import Ranks, local_device
from training.engine.ema import AveragedWeights
from training.engine.history import (
    HistoryFiles,
    is_best,
    learning_rate,
    should_stop,
    shown_score,
    validation_score,
)
from training.engine.inputs import RunContext, RunInputs
from training.engine.interrupt import HeldInterrupt
from training.engine.run_folder import check_same_run, describe_run, is_described
from training.engine.selecting import check_selectable, held_out_rate
from training.engine.start import (
    as_described_then,
    band_edges,
    described,
    make_model,
    start_from,
)
from training.engine.step import make_optimiser, take_step
from training.engine.validate import ClipScorer, Verdicts
from training.models.model import RATE

# What a frozen network's embeddings are standardised by: some thousand rows.
_FIRST_STEPS = 100


def train(
    config: TrainConfig,
    inputs: RunInputs,
    out: Path,
    context: RunContext | None = None,
    *,
    ranks: Ranks | None = None,
    board: Board | None = None,
    title: str = "training",
) -> Checkpoint:
    """Train a detector, or resume a run that was stopped.

    Parameters
    ----------
    out : Path
        The run's folder: ``last.pt`` after every epoch, ``best.pt`` of the best validation score
        (the last epoch's without validation), ``metrics.csv``. If ``last.pt`` is there, the run
        resumes from it and ends as if it had never stopped.
    context : RunContext, optional
        The CPU, without bars, by default.
    ranks : Ranks, optional
        This process among those that share the work; alone by default.
    board : Board, optional
        What notes every step's loss and every epoch's metrics.
    title : str
        Of the bar of steps. It shows the mean loss of the epoch so far, and the validation score
        of the last epoch.

    Returns
    -------
    Checkpoint
        That of ``best.pt``.

    Raises
    ------
    InputError
        If confirmed calls are above half the rate, the folds are impossible, the folder holds a run
        with other settings, or nothing says where a class is absent.
    ModelError
        If ``init`` is not a checkpoint, or of another front end or backbone.
    PoolError
        If ``init`` or a plug-in has other classes.
    NegmineError
        If training diverges: the loss or a validation score is no longer finite.

    Examples
    --------
    >>> from pathlib import Path
    >>> from negmine.annotations import read_rfcx
    >>> from negmine.annotations.recordings import open_annotated
    >>> from training.config import TrainConfig
    >>> from training.engine.inputs import RunContext, RunInputs
    >>> from training.engine.train import train
    >>> annotations = read_rfcx(Path("data/train_tp.csv"), Path("data/train_fp.csv"))
    >>> recordings, annotations = open_annotated(Path("data/train"), annotations)
    >>> config = TrainConfig(
    ...     sample_rate=8000, clip_s=1.0, window_s=0.5, folds=4, epochs=1, steps_per_epoch=3
    ... )
    >>> checkpoint = train(
    ...     config, RunInputs(annotations, recordings, Path("cache")), Path("run")
    ... )
    >>> checkpoint.step, checkpoint.held_out
    (3, ('rec00', 'rec03'))
    >>> sorted(path.name for path in Path("run").glob("*.pt"))
    ['best.pt', 'last.pt']
    """
    annotations, recordings = inputs.annotations, inputs.recordings
    plugins, groups, soft = [*inputs.plugins], inputs.groups, inputs.soft
    check_audible(annotations, recordings.infos, config.sample_rate)
    context, ranks = context or RunContext(), ranks or Ranks()
    device = local_device(context.device)
    classes = annotations.classes
    if not annotations.rejected:
        config = config.replace(fp_per_step=0)  # there is nothing to draw
    held_out = held_out_recordings(
        annotations, recordings.infos, config.folds, config.fold, config.seed, groups
    )
    training, validation = annotations.without(held_out), annotations.only(held_out)
    check_learnable(config, training, added=bool(plugins or soft))
    given = described(annotations, recordings, soft, plugins, groups)
    given[SILENCE] = SilentRows.description
    torch.manual_seed(config.seed)
    edges = band_edges(config, training, inputs.band_table)
    if edges:
        given["bands"] = repr(edges)
    detector = make_model(config, classes, edges, inputs.cache, device)
    if detector.network:
        given["network"] = detector.network["fingerprint"]
    bands = class_bands(training, 0, inputs.band_table)
    if inputs.band_table and not edges:
        given["bands of pitch"] = repr(bands)
    by_rate = config.select_by == "fp-per-hour"
    negatives = None
    if by_rate and inputs.select_negatives:
        negatives = HeldOutNegatives(inputs.select_negatives)
        given["negatives that validate"] = negatives.description
    if inputs.init:
        given["init"] = start_from(inputs.init, detector, config, classes)
    detector.to(device)
    optimiser, scaler = make_optimiser(detector, config, device)

    step, losses, history = 0, [], []
    files = HistoryFiles(out)
    last, best = out / "last.pt", out / "best.pt"
    resumed = Checkpoint.load(last) if last.exists() else None
    if resumed:
        if SILENCE not in resumed.inputs:  # of an earlier version: it ends as it began
            del given[SILENCE]
        then = as_described_then(given, annotations, resumed, out)
        check_same_run(resumed, config, classes, then, out)
        detector.load_state_dict(resumed.trained or resumed.model)
        optimiser.load_state_dict(resumed.optimiser)
        scaler.load_state_dict(resumed.scaler)
        step, losses, history = resumed.step, resumed.losses, resumed.history
        if ranks.first and history:
            # a run that was killed may have left those of an epoch before
            files.write(history, last=True)

    with ranks.first_before_others():
        rows = BoxRows(training, recordings, config, inputs.cache, context.progress, soft)
        plugins += [SilentRows()] if SILENCE in given else []
        for plugin in plugins:
            plugin.prepare(config, classes, held_out)
        if negatives is not None:
            negatives.prepare(
                config, classes, recordings.infos, held_out, inputs.cache, context.progress
            )
    if by_rate and (line := check_selectable(config, validation, negatives)):
        context.caution(line)
    dataset = StepDataset(rows, plugins, config, ranks.rank, ranks.world, bands=bands)
    if not resumed:
        with ranks.first_before_others():
            # without what is added: the same, whatever a run adds to compare it
            detector.prepare(_first_rows(StepDataset(rows, [], config), config, context))
    averaged = AveragedWeights(detector, config.ema)
    if resumed:
        averaged.load(resumed.model)
    steps = step_loader(dataset, step, config.workers)
    held = recordings.only(held_out)
    verdicts = Verdicts(held, validation, config.sample_rate, inputs.cache)
    scored = copy.deepcopy(detector) if config.ema else detector
    model = ranks.wrap(detector)
    if ranks.first and not (step and is_described(out)):
        describe_run(out, config, given, held_out)

    def save(path: Path) -> None:
        if ranks.first:
            Checkpoint(
                config, detector.front_end, classes, averaged.state_dict(),
                optimiser.state_dict(), step, losses, history, tuple(sorted(held_out)), edges,
                given, trained=detector.state_dict() if config.ema else {},
                scaler=scaler.state_dict(), network=dict(detector.network),
            ).save(path)  # fmt: skip

    def validated() -> dict[str, float]:
        if config.ema:
            scored.load_state_dict(averaged.state_dict())
        scorer = ClipScorer(scored, config, device)
        found = verdicts.scores(scorer)
        if not np.isfinite(found.scores).all():
            return {"known_ap": math.inf}
        rate = held_out_rate(found.spans, scorer, config, classes, negatives) if by_rate else {}
        return found.summary() | rate

    advance: Advance | None = None
    shown = 0
    whole = True  # False in a step: what it has changed so far cannot be gone on from
    interrupt = HeldInterrupt()
    interrupt.hold()
    try:
        while step < config.total_steps and not should_stop(history, config.patience):
            model.train()
            epoch = step // config.steps_per_epoch
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, config) * group.get(RATE, 1.0)
            torch.manual_seed(config.seed * 1_000_003 + step)  # dropout: the same after a resume
            drawn = next(steps)
            whole = False
            losses.append(take_step(model, optimiser, scaler, drawn, config, device, ranks))
            averaged.update(step)
            step += 1
            whole = True
            if not math.isfinite(losses[-1]):
                raise NegmineError(
                    f"{out}: the loss became {losses[-1]} in step {step}; lower --lr"
                )
            if step % config.steps_per_epoch == 0:
                entry = {
                    "epoch": epoch + 1.0,
                    "loss": float(np.mean(losses[-config.steps_per_epoch :])),
                }
                if held_out:
                    entry |= ranks.from_first(validated() if ranks.first else None)
                    if math.isinf(validation_score(entry)):
                        raise NegmineError(
                            f"{out}: scores are no longer finite after step {step}; lower --lr"
                        )
                history.append(entry)
                if is_best(history):
                    save(best)
                save(last)
                detector.flush()
                if ranks.first:
                    files.write(history, last=False)
                    if board:
                        board.epoch(entry)
            if ranks.first:
                recent = losses[epoch * config.steps_per_epoch :]
                mean = float(np.mean(recent))
                # the bar begins with the first step: decoding has bars of its own before it
                advance = advance or context.progress(title, config.total_steps, "step")
                advance(step - shown, loss=f"{mean:.4f}", **shown_score(history))
                shown = step
                if board:
                    board.step(step, mean)
            if ranks.total(interrupt.asked, device):
                raise KeyboardInterrupt
        if ranks.first and history:
            files.write(history, last=True)
    except KeyboardInterrupt:
        if whole and step % config.steps_per_epoch:
            save(last)
        if ranks.first and history:
            files.write(history, last=True)
        raise
    finally:
        detector.flush()
        interrupt.release()
    with ranks.first_before_others():
        return Checkpoint.load(best)


def _first_rows(dataset: StepDataset, config: TrainConfig, context: RunContext) -> Iterator[Tensor]:
    """Yield the waveforms of the first steps, as far as they are asked for."""
    steps = min(_FIRST_STEPS, config.steps_per_epoch, config.total_steps)
    advance = context.progress("embedding the first rows", steps, "step")
    for step in range(steps):
        yield dataset[step].batch.waveforms
        advance(1)
