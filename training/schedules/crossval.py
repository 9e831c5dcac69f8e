"""Every fold with several seeds, and each recording scored by the models that held it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.errors import DamageError, InputError
from negmine.notices import warn
from negmine.storage.csv_tables import write_csv
from negmine.storage.digests import file_digest
from negmine.storage.files import write_json
from negmine.storage.text_files import read_json
from training.config import TrainConfig
from training.engine.checkpoint import Checkpoint
from training.engine.distributed import joined_ranks
from training.engine.history import scores_table
from training.engine.inputs import RunContext, RunInputs
from training.engine.run import run_training
from training.engine.run_folder import only_run
from training.engine.validate import (
    ClipScorer,
    KnownScores,
    SpanScore,
    known_cells,
    read_recordings,
    span_scores,
)
from training.evaluation.members import KNOWN, OOF, OOF_VERDICTS
from training.evaluation.score_tables import ScoreTable, read_scores
from training.schedules.schedule import Schedule
from training.schedules.stages import LABELLING, Labelling, run_stages


@dataclass(frozen=True)
class OutOfFold:
    """Scores of all recordings, each by the model that held it out.

    Attributes
    ----------
    clips : float32 array, shape (R, C)
        Logits of whole recordings.
    known : KnownScores
        Each verdict's score, from its own span.
    """

    recordings: tuple[str, ...]
    classes: tuple[str, ...]
    clips: np.ndarray
    known: KnownScores

    def write(self, folder: Path) -> None:
        """Write the scores as probabilities.

        ``oof.csv`` is of whole recordings; in ``oof.verdicts.csv`` the known cells are of their
        verdicts' spans.
        """
        judged = np.where(self.known.known, self.known.scores, self.clips)
        for name, logits in ((OOF, self.clips), (OOF_VERDICTS, judged)):
            scores = expit(logits.astype(np.float64))
            ScoreTable(self.recordings, self.classes, scores).write(folder / name)


def out_of_fold(
    checkpoints: Sequence[Checkpoint],
    annotations: Annotations,
    recordings: Recordings,
    context: RunContext,
    title: str = "out of fold",
) -> OutOfFold:
    """Score every recording in one pass, by the model that held it out.

    Parameters
    ----------
    checkpoints : sequence of Checkpoint
        One a fold.
    context : RunContext
        Its device scores; a bar of this title counts recordings.

    Raises
    ------
    InputError
        If a recording is held out by no model, or by several. Those with all confirmed calls of a
        class always train, and have no scores.
    """
    by = dict.fromkeys(recordings.infos, 0)
    for checkpoint in checkpoints:
        for name in checkpoint.held_out:
            by[name] = by.get(name, 0) + 1
    for name in always_training(checkpoints, annotations, recordings):
        del by[name]
    odd = [name for name, count in by.items() if count != 1]
    if odd:
        raise InputError(
            f"recording '{odd[0]}' is held out by {by[odd[0]]} of {len(checkpoints)} models, not "
            "one; are these the folds of one run?"
        )
    names, columns = tuple(by), {name: i for i, name in enumerate(annotations.classes)}
    row = {name: i for i, name in enumerate(names)}
    shape = len(names), len(columns)
    clips, spans = np.zeros(shape, np.float32), list[SpanScore]()
    device, advance = context.device, context.progress(title, len(names))
    for checkpoint in checkpoints:
        config = checkpoint.config
        scorer = ClipScorer(checkpoint.detector(device), config, device)
        held = recordings.only(checkpoint.held_out)
        for name, samples in read_recordings(held, config.sample_rate):
            features, i = scorer.features(samples), row[name]
            clips[i] = scorer.clip_logits(features)
            boxes = annotations.by_recording.get(name, ())
            spans += span_scores(scorer, features, boxes, columns, i)
            advance()
    known = KnownScores(*known_cells(spans, shape), tuple(spans))
    return OutOfFold(names, annotations.classes, clips, known)


def always_training(
    checkpoints: Sequence[Checkpoint], annotations: Annotations, recordings: Recordings
) -> frozenset[str]:
    """Return the recordings that no fold held out, if they have all confirmed calls of a class."""
    held = frozenset(name for one in checkpoints for name in one.held_out)
    folds = {one.config.fold for one in checkpoints}
    elsewhere = {box.label for box in annotations.confirmed if box.recording in held}
    if folds != set(range(checkpoints[0].config.folds)) or elsewhere >= set(annotations.classes):
        return frozenset()
    return frozenset(recordings.infos) - held


def run_seeds(
    config: TrainConfig,
    inputs: RunInputs,
    out: Path,
    context: RunContext,
    seeds: int,
    schedule: Schedule | None = None,
    labelling: Labelling = LABELLING,
) -> list[dict[str, Any]]:
    """Train every fold with every seed; resumes where it was stopped.

    Each seed has folds of its own, ``seed0/fold0/``, ..., and its out-of-fold scores. Beside them
    stand ``known.csv``, what is known of each recording; ``oof.csv`` and ``oof.verdicts.csv``, the
    mean over the seeds; and ``members.csv``, what is returned.

    Parameters
    ----------
    config : TrainConfig
        Its seed is the first.
    schedule : Schedule, optional
        If given, each seed trains all of its stages, and the last stage's models score.
    labelling : Labelling
        Of its stages.

    Returns
    -------
    list of dict
        A row a model, by ``seed`` and ``fold``, with the metrics of its best epoch; for each seed a
        row of fold "all", out-of-fold scores compared as one ranking of all known labels; and with
        several seeds a row of their mean.

    Raises
    ------
    InputError
        As training does.
    """
    annotations, recordings = inputs.annotations, inputs.recordings

    def train_folds(of_seed: TrainConfig, folder: Path) -> list[Path]:
        if schedule:
            results = run_stages(schedule, of_seed, inputs, folder, context, labelling)
            return [result.checkpoint for result in results[-of_seed.folds :]]
        return _train_folds(of_seed, inputs, folder, context)

    rows: list[dict[str, Any]] = []
    folders = []
    known: KnownScores | None = None
    context = context.of_first()
    with only_run(out), joined_ranks(context.device) as ranks:
        for seed in range(config.seed, config.seed + seeds):
            folder = out / f"seed{seed}"
            checkpoints = []
            for path in train_folds(config.replace(seed=seed), folder):
                checkpoint = Checkpoint.load(path)
                checkpoints.append(checkpoint)
                best = {k: v for k, v in checkpoint.history[-1].items() if k != "epoch"}
                row = {"seed": str(seed), "fold": str(checkpoint.config.fold)}
                rows.append(row | best | {"checkpoint": str(path)})
            models = [checkpoint.fingerprint for checkpoint in checkpoints]
            with ranks.first_before_others():
                title = f"seed {seed}: out of fold"
                score = partial(out_of_fold, checkpoints, annotations, recordings, context, title)
                scored_by(folder, models, score)
            folders.append(folder)
            never = always_training(checkpoints, annotations, recordings)
            scored = recordings.only(recordings.infos.keys() - never)
            known = known or _known(annotations, tuple(scored.infos))
            rows.append({"seed": str(seed), "fold": "all"} | _summary(folder, known))
        assert known is not None
        if ranks.first:
            _write_means(out, folders, annotations, scored, known)
        with ranks.first_before_others():
            if seeds > 1:
                rows.append({"seed": "mean", "fold": "all"} | _summary(out, known))
        if ranks.first:
            write_csv(out / "members.csv", pd.DataFrame(rows))
    return rows


def _write_means(
    out: Path,
    folders: Sequence[Path],
    annotations: Annotations,
    recordings: Recordings,
    known: KnownScores,
) -> None:
    """Write what is known of each recording, and the mean of the seeds' scores."""
    labels = np.where(known.known, known.truth, np.nan)
    ScoreTable(tuple(recordings.infos), annotations.classes, labels).write(out / KNOWN)
    for name in (OOF, OOF_VERDICTS):
        tables = [read_scores(folder / name) for folder in folders]
        mean = np.mean([table.scores for table in tables], axis=0)
        ScoreTable(tables[0].recordings, tables[0].classes, mean).write(out / name)


def _train_folds(
    config: TrainConfig,
    inputs: RunInputs,
    folder: Path,
    context: RunContext,
) -> list[Path]:
    """Train each fold; return their best checkpoints."""
    paths = []
    for fold in range(config.folds):
        run, title = folder / f"fold{fold}", f"seed {config.seed}, fold {fold}"
        run_training(config.replace(fold=fold), inputs, run, context, title)
        paths.append(run / "best.pt")
    return paths


def scored_by(folder: Path, models: list[str], score: Callable[[], OutOfFold]) -> None:
    """Have models score what they held out, unless their scores are there already.

    Written last, ``oof.json`` says so, and holds the digests of the tables.

    Parameters
    ----------
    models : list of str
        Fingerprints.
    score : callable
        Scores the recordings.
    """
    path = folder / "oof.json"
    try:
        found = read_json(path, "recordings are scored again")
        if found["models"] == models:
            files = found["files"].items()
            damaged = [name for name, written in files if file_digest(folder / name) != written]
            if not damaged:
                return
            warn(f"{folder / damaged[0]}: damaged or changed; recordings are scored again")
    except DamageError as error:
        warn(str(error))
    except OSError as error:
        warn(f"{error.filename}: {error.strerror}; recordings are scored again")
    except (InputError, KeyError, TypeError, AttributeError):
        pass  # none, or of an earlier version
    score().write(folder)
    written = {name: file_digest(folder / name) for name in (OOF, OOF_VERDICTS)}
    write_json(path, {"models": models, "files": written})


def _known(annotations: Annotations, names: Sequence[str]) -> KnownScores:
    """Return what is known of each recording: a confirmed call outweighs rejections."""
    columns = {name: i for i, name in enumerate(annotations.classes)}
    shape = len(names), len(columns)
    truth, known = np.zeros(shape, bool), np.zeros(shape, bool)
    for row, name in enumerate(names):
        for box in annotations.by_recording.get(name, ()):
            truth[row, columns[box.label]] |= box.present
            known[row, columns[box.label]] = True
    return KnownScores(truth, known, np.zeros(shape, np.float32))


def _summary(folder: Path, known: KnownScores) -> dict[str, float]:
    scores = read_scores(folder / OOF_VERDICTS).scores
    return KnownScores(known.truth, known.known, scores).summary()


def members_table(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return headers and cells of the table of members."""
    return scores_table(("seed", "fold"), [((row["seed"], row["fold"]), row) for row in rows])
