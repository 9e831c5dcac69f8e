"""Ranking metrics for partly labelled clips.

``truth`` (N, C): 1 where the class is present in the clip, else 0. ``scores`` (N, C): higher is
more present, on any scale; infinities are allowed, NaN is not. ``known`` (N, C) bool: False where
unknown; ``truth`` is not read there, since unknown is not absent.

Ties go against the model: the rank of a cell is the number of cells that score at least as much.
A metric that nothing defines (no label at all, a class without calls) is NaN, never 0 or 1.

`lwlrap_bounds` is for other projects alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]
Float64s = NDArray[np.float64]

# What `evaluate` finds.
NAMES = ("lwlrap", "macro_ap", "neg@1", "neg@3", "neg@5")

# Cells ranked at a time: the half dozen work arrays of a block then stay in the processor's cache.
BLOCK_CELLS = 1 << 17


def validate(
    truth: ArrayLike, scores: ArrayLike, known: ArrayLike | None = None
) -> tuple[Bools, Floats, Bools]:
    """Check the arguments of a metric; return bool, float and bool arrays.

    Raises ValueError for other shapes than (N, C), labels other than 0 and 1, and NaN scores.
    """
    truth, scores = np.asarray(truth), np.asarray(scores)
    known = np.ones(truth.shape, bool) if known is None else np.asarray(known)
    if truth.ndim != 2:
        raise ValueError(f"truth has shape {truth.shape}, not (N, C); pass one clip as x[None, :]")
    for name, array in (("scores", scores), ("known", known)):
        if array.shape != truth.shape:
            transposed = array.shape == truth.shape[::-1]
            guess = "did you transpose?" if transposed else "not the same clips and classes?"
            raise ValueError(f"truth has shape {truth.shape}, {name} {array.shape} ({guess})")
    if not _is_binary(truth):
        swapped = "swapped with scores?" if _is_binary(scores) else "are these scores?"
        raise ValueError(f"truth holds more than 0 and 1 ({swapped} pass unknown cells by `known`)")
    if not _is_binary(known):
        raise ValueError("known holds more than 0 and 1 (are these weights?)")
    if scores.dtype.kind not in "biuf":
        raise ValueError(f"scores has dtype {scores.dtype}, expected numbers")
    scores = scores if scores.dtype.kind == "f" else scores.astype(np.float64)
    missing = np.isnan(scores)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        where = f"{missing.sum()} cells, first clip {row}, class {column}"
        raise ValueError(f"scores is NaN in {where} (did the model diverge?)")
    return truth.astype(bool, copy=False), scores, known.astype(bool, copy=False)


def lwlrap(truth: ArrayLike, scores: ArrayLike) -> float:
    """Compute label-weighted label-ranking average precision, in (0, 1]; NaN without labels.

    The mean, over all labels of all clips, of the precision of a clip's ranking read down to that
    label: (labels scoring at least as much) / (classes scoring at least as much). Each label
    counts the same, so clips without labels drop out: sklearn's
    ``label_ranking_average_precision_score`` over clips with labels, weighted by their number.

    Fonseca et al., "Audio tagging with noisy labels and minimal supervision", DCASE 2019.

    >>> lwlrap([[1, 0, 1]], [[0.9, 0.5, 0.1]])  # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    present, ranked, _ = validate(truth, scores)
    return _lwlrap(present, ranked)


def masked_lwlrap(truth: ArrayLike, scores: ArrayLike, known: ArrayLike) -> float:
    """Compute LWLRAP over the known cells, in (0, 1]; NaN if no known cell is present.

    Unknown cells leave the ranking of their clip. A clip whose known cells are all present then
    scores 1 whatever the model says.
    """
    present, ranked, sure = validate(truth, scores, known)
    # NaN sorts last and equals nothing: an unknown cell is below, and ties with, no known one.
    return _lwlrap(present & sure, np.where(sure, ranked, ranked.dtype.type(np.nan)))


def known_ap(truth: ArrayLike, scores: ArrayLike, known: ArrayLike) -> float:
    """Average precision over all known cells as one ranking; NaN if no known cell is present.

    Scores of different clips and classes are compared, so that clips with one known cell count,
    and a single class has a score.
    """
    present, ranked, sure = validate(truth, scores, known)
    return _average_precision(present[sure], ranked[sure])


def lwlrap_bounds(truth: ArrayLike, scores: ArrayLike, known: ArrayLike) -> tuple[float, float]:
    """Compute bounds (low, high) on the LWLRAP of every filling-in of the unknown cells.

    No filling-in is outside. Both bounds are reached (exact to rounding) where no unknown cell
    ties with a present or another unknown cell of its clip; such ties can only widen them. NaN
    where no cell is present or unknown; fillings without any label have no LWLRAP and do not count.

    Why: ranks depend on the scores alone, so the precisions of a set S of labels sum over pairs:
    for i in S, #{j in S: s_j >= s_i} / rank_i. Take a fixed number of unknown cells as present and
    move one up: the count it loses, the cells it overtakes gain, at better ranks. So a clip's best
    filling is its m highest unknown cells, and its worst its m lowest.

    The m of the clips are tied together by the number of labels they are divided by. With the last
    ratio as the price of a label, each clip picks its own best m; their ratio is the next price,
    until nothing improves (Dinkelbach, Management Science 13(7), 1967).

    Tied unknown cells would break the argument on moving. So the low sum counts a tied pair with
    an unknown cell once, not twice; and in the high sum an unknown cell that ties with a present
    one helps it even where it is filled in as absent.
    """
    present, ranked, sure = validate(truth, scores, known)
    present = present & sure
    if not (present | ~sure).any():
        return math.nan, math.nan
    low = _extreme_lwlrap(present, ~sure, ranked, highest=False)
    return low, _extreme_lwlrap(present, ~sure, ranked, highest=True)


def neg_at_k(truth: ArrayLike, scores: ArrayLike, k: int, known: ArrayLike | None = None) -> float:
    """Share of clips in which an absent class is in the top k, above a present one.

    Only known cells are ranked, and only clips with a present class counted (NaN if there is
    none). Of a present and an absent class that tie, the absent one ranks above. Lower is better.

    >>> neg_at_k([[1, 0, 1]], [[0.9, 0.5, 0.1]], k=1), neg_at_k([[1, 0, 1]], [[0.9, 0.5, 0.1]], k=2)
    (0.0, 1.0)
    """
    if k < 1:
        raise ValueError(f"k is {k}, expected 1 or more")
    present, ranked, sure = validate(truth, scores, known)
    present, absent = present & sure, ~present & sure
    counted = present.any(axis=1)
    # If any absent class is a fault, the best-scoring one is: it ranks highest.
    best_absent = ranked.max(axis=1, where=absent, initial=-np.inf, keepdims=True)
    place = 1 + (present & (ranked > best_absent)).sum(axis=1)
    above_present = (present & (ranked <= best_absent)).any(axis=1)
    fault = (place <= k) & above_present & absent.any(axis=1)
    return float(fault[counted].mean()) if counted.any() else math.nan


def average_precision(
    truth: ArrayLike, scores: ArrayLike, known: ArrayLike | None = None
) -> Float64s:
    """Average precision of each class over its known clips, shape (C,); NaN where none has it.

    sum over the distinct scores t, from high to low, of (recall_t - recall_before) * precision_t,
    not interpolated: sklearn's ``average_precision_score``.
    """
    present, ranked, sure = validate(truth, scores, known)
    columns = zip(present.T, ranked.T, sure.T, strict=True)
    return np.array([_average_precision(p[s], r[s]) for p, r, s in columns], dtype=np.float64)


def macro_average_precision(
    truth: ArrayLike, scores: ArrayLike, known: ArrayLike | None = None
) -> float:
    """Average ``average_precision`` over the classes that have one; NaN if none has."""
    values = average_precision(truth, scores, known)
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan


def evaluate(
    truth: ArrayLike, scores: ArrayLike, known: ArrayLike | None = None
) -> dict[str, float]:
    """Compute lwlrap, macro_ap, neg@1, neg@3, neg@5 by name; leave out cells not ``known``.

    A metric that is the same whatever the scores is left out (see `scores_matter`): of one class,
    only macro_ap stays.
    """
    present, ranked, sure = validate(truth, scores, known)
    values = {}
    if within := scores_matter(present, sure, "clip"):
        values["lwlrap"] = masked_lwlrap(present, ranked, sure)
    if scores_matter(present, sure, "class"):
        values["macro_ap"] = macro_average_precision(present, ranked, sure)
    if within:
        values |= {f"neg@{k}": neg_at_k(present, ranked, k, sure) for k in (1, 3, 5)}
    return values


def scores_matter(
    truth: ArrayLike, known: ArrayLike, within: Literal["clip", "class", "all"]
) -> bool:
    """Return whether scores can change a metric that ranks known cells (a clip, a class, all).

    They can where a present and an absent cell are in one ranking. If no clip has both, as with
    a single class, LWLRAP is 1 and neg@k 0 for any model.
    """
    sure = np.asarray(known, dtype=bool)
    present = np.asarray(truth, dtype=bool) & sure
    axis = {"clip": 1, "class": 0, "all": None}[within]
    return bool((present.any(axis=axis) & (sure & ~present).any(axis=axis)).any())


def _is_binary(array: NDArray[Any]) -> bool:
    return array.dtype == bool or bool(((array == 0) | (array == 1)).all())


def _average_precision(truth: Bools, scores: Floats) -> float:
    """Average the precision at the true cells of one long ranking, of shape (M,).

    Cells at one threshold share one precision, so this is the sum over thresholds of recall steps
    times precision. Two plain sorts are faster and smaller than one argsort.
    """
    hits, misses = np.sort(scores[truth]), np.sort(scores[~truth])
    if hits.size == 0:
        return math.nan
    hits_above = hits.size - np.searchsorted(hits, hits)
    misses_above = misses.size - np.searchsorted(misses, hits)
    return float(np.mean(hits_above / (hits_above + misses_above)))


def _blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    rows = max(1, BLOCK_CELLS // max(1, shape[1]))
    return (slice(first, first + rows) for first in range(0, shape[0], rows))


def _rank(scores: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order of each row from high to low, and for each place the last place tied with it."""
    order = np.argsort(-scores, axis=1)
    ranked = np.take_along_axis(scores, order, axis=1)
    last = np.broadcast_to(np.arange(scores.shape[1]), scores.shape).copy()
    last[:, :-1][ranked[:, :-1] == ranked[:, 1:]] = scores.shape[1]
    return order, np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]


def _lwlrap(truth: Bools, scores: Floats) -> float:
    total, labels = 0.0, int(truth.sum())
    if labels == 0:
        return math.nan
    for rows in _blocks(truth.shape):
        order, last = _rank(scores[rows])
        hit = np.take_along_axis(truth[rows], order, axis=1)
        hits = np.take_along_axis(np.cumsum(hit, axis=1), last, axis=1)
        total += float((hits[hit] / (last[hit] + 1)).sum())
    return total / labels


def _extreme_lwlrap(present: Bools, unknown: Bools, scores: Floats, highest: bool) -> float:
    """Compute one bound of LWLRAP; ``lwlrap_bounds`` gives the argument."""
    # What a row's sum of precisions gains, and how many unknown cells are taken as present, up to
    # each place in the order in which they are best taken.
    gain = np.empty(present.shape, dtype=np.float64)
    taken = np.empty(present.shape, dtype=np.int32)
    fixed, labels = 0.0, int(present.sum())
    for rows in _blocks(present.shape):
        order, last = _rank(scores[rows])
        hit = np.take_along_axis(present[rows], order, axis=1)
        free = np.take_along_axis(unknown[rows], order, axis=1)
        weight = 1.0 / (last + 1)
        hits, frees = np.cumsum(hit, axis=1), np.cumsum(free, axis=1)
        hits_tied = np.take_along_axis(hits, last, axis=1)
        frees_tied = np.take_along_axis(frees, last, axis=1)
        fixed += float((hits_tied * weight)[hit].sum())
        if highest:
            # Every tied pair of a present and an unknown cell, met at whichever comes first.
            pairs = np.where(hit, frees_tied - frees, free * (hits_tied - hits))
            fixed += float((pairs * weight).sum())
            # Tied unknown cells gain by each other: none or all is best, so they share evenly.
            later = np.take_along_axis(_sum_after(hit * weight), last, axis=1)
            step = (hits_tied + frees_tied) * weight + later
        else:
            step = (hits + 1) * weight + _sum_after((hit | free) * weight)
        along = slice(None) if highest else slice(None, None, -1)
        np.cumsum((step * free)[:, along], axis=1, out=gain[rows])
        np.cumsum(free[:, along], axis=1, out=taken[rows])

    sign, ratio = (1.0, 0.0) if highest else (-1.0, 1.0)
    while True:
        total, count = fixed, labels
        for rows in _blocks(present.shape):
            profit = sign * (gain[rows] - ratio * taken[rows])
            best = (np.arange(len(profit)), profit.argmax(axis=1))
            worth = profit[best] > 0
            total += float(gain[rows][best][worth].sum())
            count += int(taken[rows][best][worth].sum())
        if count == 0 or sign * (total / count - ratio) <= 0:
            return ratio
        ratio = total / count


def _sum_after(values: Float64s) -> Float64s:
    """Sum, for each place of each row, what is to its right."""
    return np.cumsum(values[:, ::-1], axis=1)[:, ::-1] - values
