"""Linear heads on embeddings: a window is scored by one that was fitted without its recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from negmine.embedded.embedded_windows import EmbeddedWindows, KnownWindows
from negmine.embedded.settings import EmbeddedSettings

_PIECE = 20_000
# Embeddings have a thousand columns and more, and there are tens of calls.
_INVERSE_PENALTY = 0.01
_MOST_STEPS = 2000


@dataclass(frozen=True)
class Scored:
    """Scores of one class.

    Attributes
    ----------
    logits : float32 array, shape (N,)
        NaN for windows that no head scored: where a part's rest has no call.
    separation : float
        ROC-AUC of calls against rejected windows, held out; NaN where one of the two is missing.
    """

    logits: np.ndarray
    separation: float


def score_class(
    windows: EmbeddedWindows,
    known: KnownWindows,
    settings: EmbeddedSettings,
    rng: np.random.Generator,
    advance: Callable[[int], object] = lambda count: None,
) -> Scored:
    """Score all windows for one class.

    Recordings are dealt into parts. Windows of a part are scored by a logistic regression on
    standardised embeddings, fitted on the labelled windows of the other parts and on unlabelled
    ones, which count as negatives of low weight. Calls weigh as much as all negatives.

    Parameters
    ----------
    rng : Generator
        Deals parts, and draws the unlabelled.
    advance : callable
        Called with 1 after each part.
    """
    logits = np.full(len(windows), np.nan, dtype=np.float32)
    part = _parts(windows.recording, known.present, settings.folds, rng)
    # of its own for each part, so that what is drawn for one is the same whatever another holds
    for number, own in enumerate(rng.spawn(settings.folds)):
        mine, others = part == number, part != number
        if mine.any():
            head = _fitted(windows, known, others, settings, own)
            if head is not None:
                rows = np.flatnonzero(mine)
                for start in range(0, len(rows), _PIECE):
                    piece = rows[start : start + _PIECE]
                    logits[piece] = head(windows.embeddings[piece].astype(np.float32))
        advance(1)
    judged = (known.present | known.absent) & ~np.isnan(logits)
    truth = known.present[judged]
    both = truth.any() and not truth.all()
    separation = float(roc_auc_score(truth, logits[judged])) if both else float("nan")
    return Scored(logits, separation)


def _parts(
    recording: np.ndarray, present: np.ndarray, folds: int, rng: np.random.Generator
) -> np.ndarray:
    """Deal recordings into parts, those with calls first, so that each has some: int64 (N,)."""
    numbers = np.unique(recording)
    called = np.isin(numbers, recording[present])
    order = rng.permutation(len(numbers))
    order = order[np.argsort(~called[order], kind="stable")]
    part = np.empty(len(numbers), dtype=np.int64)
    part[order] = np.arange(len(numbers)) % folds
    return part[np.searchsorted(numbers, recording)]


def _fitted(
    windows: EmbeddedWindows,
    known: KnownWindows,
    allowed: np.ndarray,
    settings: EmbeddedSettings,
    rng: np.random.Generator,
) -> Callable[[np.ndarray], np.ndarray] | None:
    """Fit a head; None where the windows allowed hold no call, or nothing else."""
    calls, rejected, rest = (
        np.flatnonzero(one & allowed) for one in (known.present, known.absent, known.unlabelled)
    )
    weak = np.sort(rng.permutation(rest)[: settings.unlabelled])
    negatives = len(rejected) + settings.unlabelled_weight * len(weak)
    if not len(calls) or not negatives:
        return None
    rows = np.concatenate([calls, rejected, weak])
    truth = np.arange(len(rows)) < len(calls)
    weights = np.ones(len(rows))
    weights[: len(calls)] = negatives / len(calls)
    weights[len(calls) + len(rejected) :] = settings.unlabelled_weight
    head = make_pipeline(
        StandardScaler(), LogisticRegression(C=_INVERSE_PENALTY, max_iter=_MOST_STEPS)
    )
    embeddings = windows.embeddings[rows].astype(np.float32)
    head.fit(embeddings, truth, logisticregression__sample_weight=weights)
    return lambda some: np.asarray(head.decision_function(some), dtype=np.float32)
