"""The training loop, read top to bottom."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from negmine.annotations import Annotations
from negmine.class_bands import class_bands
from negmine.errors import InputError, ModelError, NegmineError
from negmine.pool import check_classes
from negmine.recordings import Recordings
from negmine.tables import writing
from training.checkpoint import Checkpoint
from training.clips import Progress
from training.config import TrainConfig
from training.data import BoxRows, RowSource, StepDataset, step_loader
from training.folds import held_out_recordings
from training.frontend import FrontEndSettings
from training.interrupt import HeldInterrupt
from training.losses import lsoft_bce_loss
from training.model import Detector
from training.rows import Batch
from training.validate import ClipScorer, autocast, known_scores


@dataclass
class RunState:
    """What a progress bar shows.

    Attributes
    ----------
    step, total_steps, epoch : int
    loss : float
        Mean over the current epoch so far.
    score : float
        Validation LWLRAP of the last epoch; NaN before it, or without validation.
    """

    step: int
    total_steps: int
    epoch: int
    loss: float
    score: float


def train(
    config: TrainConfig,
    annotations: Annotations,
    recordings: Recordings,
    out: Path,
    *,
    cache: Path,
    plugins: Sequence[RowSource] = (),
    init: Path | None = None,
    band_table: Path | None = None,
    groups: Mapping[str, str] | None = None,
    device: torch.device | None = None,
    progress: Progress = lambda title, total: lambda: None,
    on_step: Callable[[RunState], object] = lambda state: None,
) -> Checkpoint:
    """Train a detector, or go on with a run that was stopped.

    Parameters
    ----------
    config : TrainConfig
    annotations : Annotations
    recordings : Recordings
        The annotated ones.
    out : Path
        The run's folder: ``last.pt`` after every epoch, ``best.pt`` of the best validation score
        (the last epoch's without validation), ``metrics.csv``. If ``last.pt`` is there, the run
        goes on from it and ends as if it had never stopped.
    cache : Path
        Folder for decoded clips; runs may share it.
    plugins : sequence of RowSource
    init : Path, optional
        Checkpoint whose weights to start from.
    band_table : Path, optional
        CSV of the classes' frequency bands; those of the confirmed boxes by default.
    groups : mapping of str to str, optional
        What each recording must stay together with in folds, a site for example; by default each
        stands alone.
    device : torch.device, optional
    progress : callable
        Given a title and a number of clips to decode before the first step, returns what to call
        after each.
    on_step : callable
        Called after every step.

    Returns
    -------
    Checkpoint
        That of ``best.pt``.

    Raises
    ------
    InputError
        If the folds are impossible, or the folder holds a run with other settings.
    ModelError
        If ``init`` is no checkpoint, or of another front end or backbone.
    PoolError
        If ``init`` or a plug-in has other classes.
    NegmineError
        If training diverges: the loss or a validation score is no longer finite.
    """
    device = device or torch.device("cpu")
    classes = annotations.classes
    if not annotations.rejected:
        config = replace(config, fp_per_step=0)  # there is nothing to draw
    held_out = held_out_recordings(
        annotations, recordings.infos, config.folds, config.fold, config.seed, groups
    )
    training, validation = annotations.without(held_out), annotations.only(held_out)

    inputs = {"annotations": annotations.digest} | {
        f"plug-in {i}": plugin.description for i, plugin in enumerate(plugins)
    }
    if groups:
        text = repr(sorted(groups.items()))
        inputs["groups"] = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    torch.manual_seed(config.seed)
    front_end = FrontEndSettings.for_mels(config.sample_rate, config.n_mels)
    edges = _band_edges(config, training, band_table)
    if edges:
        inputs["bands"] = repr(edges)
    detector = Detector.from_config(
        config, len(classes), front_end, edges, pretrained=config.pretrained
    )
    if init:
        start = Checkpoint.load(init)
        check_classes(start.classes, classes, str(init))
        network = [classes, front_end, config.backbone, config.pooling, config.bands]
        c = start.config
        if [start.classes, start.front_end, c.backbone, c.pooling, c.bands] != network:
            raise ModelError(
                f"{init}: made with another front end, backbone, pooling, kind of bands or order "
                "of classes"
            )
        detector.load_state_dict(start.model)
        inputs["init"] = start.fingerprint
    detector.to(device)
    optimiser = torch.optim.AdamW(
        detector.parameters(), lr=config.lr, weight_decay=config.weight_decay
    )

    step, losses, history = 0, [], []
    last, best = out / "last.pt", out / "best.pt"
    if last.exists():
        resumed = Checkpoint.load(last)
        _check_same_run(resumed, config, classes, inputs, out)
        detector.load_state_dict(resumed.model)
        optimiser.load_state_dict(resumed.optimiser)
        step, losses, history = resumed.step, resumed.losses, resumed.history

    rows = BoxRows(training, recordings, config, cache, progress)
    for plugin in plugins:
        plugin.prepare(config, classes, held_out)
    bands = class_bands(training, 0, band_table)
    dataset = StepDataset(rows, plugins, config, bands=bands)
    steps = step_loader(dataset, step, config.workers)
    held = recordings.only(held_out)

    def save(path: Path) -> None:
        Checkpoint(
            config, front_end, classes, detector.state_dict(), optimiser.state_dict(), step,
            losses, history, tuple(sorted(held_out)), edges, inputs,
        ).save(path)  # fmt: skip

    whole = True  # False in a step: what it has changed so far cannot be gone on from
    interrupt = HeldInterrupt()
    interrupt.hold()
    try:
        while step < config.total_steps and not _should_stop(history, config.patience):
            detector.train()
            epoch = step // config.steps_per_epoch
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, config)
            torch.manual_seed(config.seed * 1_000_003 + step)  # dropout: the same after a resume
            drawn = next(steps)
            whole = False
            loss = step_loss(detector, drawn.batch.to(device), drawn.own, config, device)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            losses.append(loss.item())
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
                    scorer = ClipScorer(detector, config, device)
                    found = known_scores(scorer, held, validation, config.sample_rate)
                    if not np.isfinite(found.scores).all():
                        raise NegmineError(
                            f"{out}: scores are no longer finite after step {step}; lower --lr"
                        )
                    entry |= found.summary()
                history.append(entry)
                if _is_best(history):
                    save(best)
                save(last)
                _write_metrics(out / "metrics.csv", history)
            recent = losses[epoch * config.steps_per_epoch :]
            score = history[-1].get("lwlrap", math.nan) if history else math.nan
            on_step(RunState(step, config.total_steps, epoch + 1, float(np.mean(recent)), score))
            interrupt.raise_if_asked()
    except KeyboardInterrupt:
        if whole and step % config.steps_per_epoch:
            save(last)
        raise
    finally:
        interrupt.release()
    return Checkpoint.load(best)


def step_loss(
    detector: Detector, batch: Batch, own: int, config: TrainConfig, device: torch.device
) -> torch.Tensor:
    """LSoft BCE over the cells of a step, divided by the trainer's own cells.

    Rows that plug-ins add put their loss on top; they do not dilute that of the first ``own`` rows.
    """
    with autocast(device, config.precision):
        logits = detector(batch.waveforms)
    cells = lsoft_bce_loss(
        logits, batch.targets, batch.known, config.lsoft, weight=batch.weight, reduction="none"
    )
    return cells.sum() / (own * cells.shape[1])


def _band_edges(
    config: TrainConfig, training: Annotations, table: Path | None
) -> tuple[tuple[float, float], ...]:
    if config.bands == "off":
        if table:
            raise InputError(f"{table}: a table of bands, but bands are off; choose --bands")
        return ()
    return tuple(class_bands(training, config.band_margin, table, config.sample_rate / 2).values())


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine to zero, over the steps of the whole run."""
    warmup = max(1, round(config.warmup * config.total_steps))
    if step < warmup:
        return config.lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, config.total_steps - warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * progress))


def _score(entry: dict[str, float]) -> float:
    # without validation, or without a known call in it, the latest epoch is the best
    score = entry.get("lwlrap", math.nan)
    return entry["epoch"] if math.isnan(score) else score


def _is_best(history: list[dict[str, float]]) -> bool:
    return _score(history[-1]) >= max(_score(entry) for entry in history)


def _should_stop(history: list[dict[str, float]], patience: int) -> bool:
    if not patience or not history:
        return False
    scores = [_score(entry) for entry in history]
    return len(scores) - 1 - int(np.argmax(scores)) >= patience


def _check_same_run(
    resumed: Checkpoint,
    config: TrainConfig,
    classes: Sequence[str],
    inputs: dict[str, str],
    out: Path,
) -> None:
    then, now = resumed.config.to_dict() | resumed.inputs, config.to_dict() | inputs
    then["classes"], now["classes"] = list(resumed.classes), list(classes)
    keys = (now | then).keys() - {"workers"}  # they change no result
    changed = [key for key in now | then if key in keys and then.get(key) != now.get(key)]
    if changed:
        key = changed[0]
        raise InputError(
            f"{out}: holds a run with another {key} ({then.get(key, 'none')}, now "
            f"{now.get(key, 'none')}); choose another --out, or remove that folder"
        )


def _write_metrics(path: Path, history: list[dict[str, float]]) -> None:
    with writing(path) as temporary:
        pd.DataFrame(history).astype({"epoch": int}).to_csv(temporary, index=False)
