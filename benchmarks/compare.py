"""What benchmarks share that train arms with several seeds: WORK/seed0/ARM/test.json is of each."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pandas as pd

from negmine.annotations import Annotations, read_rfcx
from negmine.annotations.recordings import Recordings, open_annotated

if TYPE_CHECKING:
    from training.config import TrainConfig


@cache
def annotated(data: Path) -> tuple[Recordings, Annotations]:
    """Open the training recordings of DATA once a process: each is decoded to be checked."""
    tables = read_rfcx(data / "train_tp.csv", data / "train_fp.csv")
    return open_annotated(data / "train", tables)


def evaluate_weights(
    weights: Path, config: TrainConfig, data: Path, most: int, stored: Path
) -> None:
    """Test a checkpoint on the first recordings by name of the test part of DATA."""
    import torch

    from negmine.storage.files import write_json
    from training.engine.checkpoint import Checkpoint
    from training.evaluation.evaluate import evaluate
    from training.evaluation.inference import RecordingScorer
    from training.evaluation.truth import Truth, open_truth_recordings

    device = torch.device("cpu")
    checkpoint = Checkpoint.load(weights)
    tables = data / "test_truth.csv", data / "test_events.csv"
    truth = Truth(*tables, checkpoint.classes).first(most)
    recordings = open_truth_recordings(data / "test", truth)
    scorer = RecordingScorer(checkpoint.detector(device), config, device)
    write_json(stored, evaluate(scorer, recordings, truth).metrics)


def backbone_settings(backbone: str) -> dict[str, Any]:
    """Return what `negmine train` sets for a backbone: of a frozen network, rate and length."""
    from training.backbone_kinds import kind_of
    from training.cli.frozen import DEFAULTS
    from training.models.network import open_network

    if kind_of(backbone) != "frozen":
        return {}
    network = open_network(backbone, "cpu")
    length_s = network.length / network.sample_rate
    sound = {"sample_rate": network.sample_rate, "clip_s": length_s, "window_s": length_s}
    return sound | DEFAULTS


def side_by_side(run: Callable[..., None], tasks: Iterable[tuple[Any, ...]], jobs: int) -> None:
    """Call a function with each task, in ``jobs`` processes."""
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as processes:
        waiting = {processes.submit(run, *task): task for task in tasks}
        try:
            for done in as_completed(waiting):
                done.result()
                click.echo(f"{waiting[done]} done", err=True)
        except BaseException:
            # or it would be reported only after all the others, hours later
            processes.shutdown(wait=False, cancel_futures=True)
            raise


def read_scores(
    out: Path, arm: str, seeds: int, metrics: Sequence[str], name: str = "test.json"
) -> pd.DataFrame:
    """Read what an arm's tests found: a row a seed, a column a metric."""
    found = [out / f"seed{seed}" / arm / name for seed in range(seeds)]
    return pd.DataFrame(json.loads(path.read_text()) for path in found)[list(metrics)].astype(float)


def mean_sd(values: np.ndarray, sign: str = "") -> str:
    """Format mean and standard deviation over seeds, as a table's cell."""
    digits = 0 if np.abs(values).max() > 20 else 3
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return f"{values.mean():{sign}.{digits}f} ({spread:.{digits}f})"
