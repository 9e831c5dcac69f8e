"""Which epoch is the best, by false positives an hour on held-out negatives at a held-out recall.

So builders of wake words choose: what counts is how often the network is wrong where it is known to
be, once it finds enough of the calls. A negative is one window: a rejected detection, widened to
a window, or a row of a pool.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from negmine.annotations import Annotations
from negmine.arrays import FloatCells, FloatRows
from negmine.audio.windows import Span
from negmine.errors import InputError
from training import metrics
from training.config import TrainConfig
from training.data.held_out_negatives import HeldOutNegatives
from training.engine.history import RATE
from training.engine.validate import ClipScorer, SpanScore

# Below this many negatives, a rate is few steps of a stair.
FEW = 100


@dataclass(frozen=True)
class HeldOutScores:
    """Scores of held-out calls and certified negatives.

    Attributes
    ----------
    calls : list of float arrays, one a class
    scores : float array, shape (W, C)
        Of negatives.
    absent : bool array, shape (W, C)
        Which classes each is certified free of.
    hours : float array, shape (W,)
    """

    calls: list[FloatRows]
    scores: FloatCells
    absent: NDArray[np.bool_]
    hours: FloatRows

    def false_positives_per_hour(self, recall: float) -> float:
        """Return the false positives an hour of certified absence, over all classes at once.

        sum_c #{negatives of c >= t_c} / sum_c hours of negatives of c, over the classes with calls
        and negatives; t_c is the highest threshold that at least ``recall`` of the calls of c
        reach. A class with a second of negatives weighs a second, so that one row decides nothing.
        NaN where no class has both.
        """
        found = metrics.false_positives_per_hour(self.scores, self.absent, self.calls, 1.0, recall)
        hours = self.hours @ self.absent
        both = ~np.isnan(found.per_class) & (hours > 0)
        return float(found.per_class[both].sum() / hours[both].sum()) if both.any() else np.nan


def held_out_rate(
    spans: Sequence[SpanScore],
    scorer: ClipScorer,
    config: TrainConfig,
    classes: Sequence[str],
    negatives: HeldOutNegatives | None = None,
) -> dict[str, float]:
    """Return an epoch's false positives an hour, by its name; infinity if a score is not finite.

    Parameters
    ----------
    spans : sequence of SpanScore
        Of the held-out verdicts.
    scorer : ClipScorer
    config : TrainConfig
    classes : sequence of str
    negatives : HeldOutNegatives, optional
        Scored here.
    """
    found = held_out_scores(spans, len(classes), config.window_s, scorer, negatives)
    recall = config.select_recall
    finite = np.isfinite(found.scores).all()
    rate = found.false_positives_per_hour(recall) if finite else math.inf
    return {f"{RATE}{recall:g}": rate}


def held_out_scores(
    spans: Sequence[SpanScore],
    classes: int,
    window_s: float,
    scorer: ClipScorer,
    negatives: HeldOutNegatives | None = None,
) -> HeldOutScores:
    """Gather the scores of verdicts, and score the rows of a pool beside them.

    A rejected detection that a confirmed call of its class touches is no negative. A shorter span
    than a window, of ``window_s``, was widened to it.
    """
    rejected = _rejected(spans)
    calls = [
        np.array([one.score for one in spans if one.present and one.column == column])
        for column in range(classes)
    ]
    more = len(negatives) if negatives is not None else 0
    shape = len(rejected) + more, classes
    scores, absent = np.zeros(shape), np.zeros(shape, dtype=bool)
    hours = np.zeros(len(scores))
    for row, one in enumerate(rejected):
        scores[row, one.column], absent[row, one.column] = one.score, True
        hours[row] = max(window_s, one.span.duration_s) / 3600
    if negatives is not None:
        first = len(rejected)
        for row, samples in enumerate(negatives.clips(), first):
            scores[row] = scorer.clip_logits(scorer.features(samples))
        absent[first:] = negatives.absent
        hours[first:] = negatives.clip_s / 3600
    return HeldOutScores(calls, scores, absent, hours)


def _rejected(spans: Sequence[SpanScore]) -> list[SpanScore]:
    calls: defaultdict[tuple[int, int], list[Span]] = defaultdict(list)
    for one in spans:
        if one.present:
            calls[one.row, one.column].append(one.span)
    return [
        one
        for one in spans
        if not one.present
        and not any(one.span.overlap_s(call) for call in calls[one.row, one.column])
    ]


def check_selectable(
    config: TrainConfig, validation: Annotations, negatives: HeldOutNegatives | None
) -> str | None:
    """Check that false positives can choose an epoch; say where they can only just.

    Parameters
    ----------
    config : TrainConfig
    validation : Annotations
        Of the held-out recordings.
    negatives : HeldOutNegatives, optional

    Returns
    -------
    str or None
        A line of warning.

    Raises
    ------
    InputError
        If nothing is held out, or no class has held-out calls and negatives.
    """
    if config.folds == 1:
        raise InputError(
            "--select-by fp-per-hour: --folds 1 holds no recording out; choose two folds or more"
        )
    rows = {name: row for row, name in enumerate(validation.by_recording)}
    columns = {name: column for column, name in enumerate(validation.classes)}
    spans = [
        SpanScore(rows[box.recording], columns[box.label], box.present, box.span, 0.0)
        for box in validation.boxes
    ]
    called = np.zeros(len(validation.classes), dtype=bool)
    called[[one.column for one in spans if one.present]] = True
    counts = np.bincount([one.column for one in _rejected(spans)], minlength=len(called))
    if negatives is not None:
        counts = counts + negatives.absent.sum(axis=0)
    fold = f"fold {config.fold} of {config.folds}"
    if not (called & (counts > 0)).any():
        raise InputError(
            f"--select-by fp-per-hour: {fold} holds no class with both confirmed calls and "
            "certified negatives; give rejected detections (--fp), or a pool (--select-negatives)"
        )
    total = int(counts[called].sum())
    if total >= FEW:
        return None
    return (
        f"--select-by fp-per-hour: {fold} has {total} certified negatives of the classes that call "
        f"there: the rate has few steps, and chance may choose; give a pool (--select-negatives)"
    )
