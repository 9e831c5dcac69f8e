"""What the models say of the clips that a person judged already: thresholds, and doubt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.asking.members import MemberScores
from negmine.building.sources.annotated import annotated_clips
from negmine.errors import InputError
from negmine.mining.doubt import DoubtModel
from negmine.mining.known import KnownCalls, same_sound
from negmine.mining.likelihood import MIN_CLIPS, Evidence
from negmine.mining.nearest import call_similarity
from negmine.models.scorer import Scorer
from negmine.progress import Advance
from negmine.recipes.dictionaries import Dictionaries
from negmine.recipes.recipe import Recipes

# With fewer calls held out than this, a class's threshold is that of all of its calls.
LEAST_HELD_OUT = 5


@dataclass(frozen=True)
class Threshold:
    """The score of one class above which a share of its confirmed calls is.

    Attributes
    ----------
    score : float
        Logit, the mean of the models'.
    calls : int
        That it is of.
    held_out : bool
        Whether these are calls that some model did not train on, scored by such models alone.
    """

    score: float
    calls: int
    held_out: bool


class JudgedClips:
    """Clips round confirmed calls, or round rejected detections, and their scores.

    Parameters
    ----------
    annotations, recordings
        Recordings are the annotated ones.
    models : sequence of Scorer
        Of one clip length and the same classes.
    present : bool
        Calls; else rejected detections.
    folder : Path
        Where scores are kept.
    batch_size : int
    progress : callable
        Given the number of clips to score, begins a bar.
    """

    def __init__(
        self,
        annotations: Annotations,
        recordings: Recordings,
        models: Sequence[Scorer],
        folder: Path,
        *,
        present: bool,
        batch_size: int,
        progress: Callable[[int], Advance],
    ) -> None:
        self._models = models
        self.present = present
        clip_s, rate = models[0].clip_s, models[0].sample_rate
        self.clips = Recipes.of(
            annotated_clips(
                annotations, recordings, present=present, clip_s=clip_s, sample_rate=rate
            ),
            Dictionaries(clip_s, rate),
        )
        advance = progress(len(self.clips) * len(models))
        self.scores = MemberScores(
            models, self.clips, folder, batch_size=batch_size, on_rows=advance
        )

    def rows(self, label: str) -> np.ndarray:
        """Return which clips hold the class for certain, or do not: int64, shape (P,)."""
        return np.array(self._by_label.get(label, ()), dtype=np.int64)

    @cached_property
    def _by_label(self) -> Mapping[str, Sequence[int]]:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for row, clip in enumerate(self.clips):
            for label in clip.labels.present if self.present else clip.labels.absent:
                found[label].append(row)
        return found

    @cached_property
    def held_out(self) -> np.ndarray:
        """Return which clips each model did not train on: bool, shape (M, clips)."""
        held = [[clip.draws_on(model.held_out) for clip in self.clips] for model in self._models]
        return np.array(held, dtype=bool).reshape(len(self._models), len(self.clips))

    def known(self, label: str, column: int) -> KnownCalls:
        """Gather the clips of one class as mining knows them."""
        rows = self.rows(label)
        logits = self.scores.logits(rows)[:, :, column].mean(axis=0, dtype=np.float32)
        ids = np.array(list(self.clips.ids[rows]), dtype=str)
        return KnownCalls(label, column, rows, ids, logits, self.scores.embeddings(rows))


def at_recall(scores: np.ndarray, recall: float) -> float:
    """Return the highest score that at least a share of some scores reaches.

    Parameters
    ----------
    scores : float array, shape (P,), not empty
    recall : float
        0 < recall <= 1.
    """
    needed = int(np.ceil(recall * len(scores) - 1e-9))
    return float(np.sort(scores)[len(scores) - max(needed, 1)])


def thresholds(calls: JudgedClips, classes: Sequence[str], recall: float) -> list[Threshold]:
    """Find each class's operating threshold, on calls that were held out where there are enough.

    Raises
    ------
    InputError
        If a class has no confirmed call that gives a clip.
    """
    found = []
    for column, label in enumerate(classes):
        rows = calls.rows(label)
        if not len(rows):
            raise InputError(
                f"class '{label}': no confirmed call gives a clip, so there is no threshold; "
                "choose --strategy top or random"
            )
        logits = calls.scores.logits(rows)[:, :, column].astype(np.float64)
        free = calls.held_out[:, rows]
        held = free.any(axis=0)
        enough = bool(np.count_nonzero(held) >= LEAST_HELD_OUT)
        if enough:
            logits, free = logits[:, held], free[:, held]
            scores = np.where(free, logits, 0.0).sum(axis=0) / free.sum(axis=0)
        else:
            scores = logits.mean(axis=0)
        found.append(Threshold(at_recall(scores, recall), len(scores), enough))
    return found


def fit_doubt(
    calls: JudgedClips, rejections: JudgedClips, classes: Sequence[str]
) -> tuple[DoubtModel, list[KnownCalls]]:
    """Fit doubt on confirmed calls and rejections; return each class's calls, too.

    On those that all models held out, where there are enough of either.

    Raises
    ------
    InputError
        If there are too few of either.
    """
    known = [calls.known(label, column) for column, label in enumerate(classes)]
    rejected = [rejections.known(one.name, one.column) for one in known]
    of_calls = [one.features(one.logits, _nearest_other(calls, one)) for one in known]
    of_rejected = [
        one.features(other.logits, call_similarity(other.embeddings, one.embeddings))
        for one, other in zip(known, rejected, strict=True)
    ]
    evidence, held_out = [], []
    for judged, features, clips in ((calls, of_calls, known), (rejections, of_rejected, rejected)):
        rows = np.concatenate([one.rows for one in clips])
        groups = [min(judged.clips[row].groups, default="") for row in rows.tolist()]
        evidence.append(Evidence(np.concatenate(features), groups))
        held_out.append(np.flatnonzero(judged.held_out[:, rows].all(axis=0)))
    held = min(map(len, held_out)) >= MIN_CLIPS
    if held:
        evidence = [one.only(rows) for one, rows in zip(evidence, held_out, strict=True)]
    doubt = DoubtModel(*evidence, held_out=held)
    if not doubt.fitted:
        confirmed, others = (len(one.groups) for one in evidence)
        raise InputError(
            f"--strategy doubt: {confirmed} confirmed calls and {others} rejections; it needs "
            f"{MIN_CLIPS} of either; choose another strategy"
        )
    return doubt, known


def _nearest_other(calls: JudgedClips, one: KnownCalls) -> np.ndarray:
    """Return each call's similarity to the nearest that is another sound: float32, shape (P,)."""
    similarity = one.embeddings @ one.embeddings.T
    similarity[same_sound(calls.clips[one.rows], np.arange(len(one.rows)))] = -1.0
    return np.asarray(similarity.max(axis=1, initial=-1.0))
