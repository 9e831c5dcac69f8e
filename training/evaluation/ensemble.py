"""Joining the scores of several models.

``members`` (M, N, C): the scores of M models for N clips and C classes. All joins give each member
the same weight, and return float64 of shape (N, C). With s the scores of one member:

===========  ==================================================================================
mean         mean over members of ``s``
rank         mean over members of the rank of ``s[n, c]`` among all clips of class c, over N: in
             (0, 1], ties at the mean of their ranks. Members may then have any scale, even
             another for each class; what is lost is how far apart two clips are.
row-scaled   mean over members of each clip's row scaled to [0, 1]:
             ``(s - min_c s) / (max_c s - min_c s)``, or to its maximum, ``s / max_c s``. A member
             that scores a whole clip low then counts there as much as any other.
pairwise     mean over members of ``mean_c' (s[n, c] - s[n, c'])``: how far a class is above
             the others of its clip.
===========  ==================================================================================

The mean of pairwise differences is the mean less each clip's own level. So it ranks the classes of
a clip, and scores by LWLRAP, exactly as the mean does; it differs where clips are compared, as in
the average precision of a class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

How = Literal["mean", "rank", "row-scaled", "pairwise"]
RowScale = Literal["range", "max"]
Float64s = NDArray[np.float64]
Members = Sequence[ArrayLike] | NDArray[Any]


def validate(members: Members) -> Float64s:
    """Check the members; return them as one float64 array, shape (M, N, C).

    Raises ValueError where there is none, they differ in shape, or a score is not finite.
    """
    arrays = [np.asarray(member, dtype=np.float64) for member in members]
    if not arrays:
        raise ValueError("there are no members to join")
    for index, array in enumerate(arrays):
        if array.ndim != 2 or array.shape != arrays[0].shape:
            raise ValueError(
                f"member {index} has shape {array.shape}, expected (N, C) as member 0 has, "
                f"{arrays[0].shape}"
            )
        if not np.isfinite(array).all():
            row, column = np.argwhere(~np.isfinite(array))[0]
            raise ValueError(f"member {index} is not finite at clip {row}, class {column}")
    return np.stack(arrays)


def mean(members: Members) -> Float64s:
    """Average the members."""
    return np.asarray(validate(members).mean(axis=0))


def rank_mean(members: Members) -> Float64s:
    """Return the mean of each class's ranks over the clips, in (0, 1]; tied clips share one."""
    scores = validate(members)
    return np.asarray(rankdata(scores, axis=1).mean(axis=0) / max(1, scores.shape[1]))


def row_scaled_mean(members: Members, scale: RowScale = "range") -> Float64s:
    """Return the mean of the members after each of their rows was scaled.

    Parameters
    ----------
    members : sequence of (N, C)
    scale : {"range", "max"}
        Lowest score to 0 and highest to 1, or the highest to 1 alone. A row that says nothing (all
        of its scores are equal, or with ``max`` are 0) becomes zeros.

    Raises
    ------
    ValueError
        For an unknown scale, or with ``max`` for a negative score: a row's maximum says nothing of
        its scale then.
    """
    scores = validate(members)
    if scale == "range":
        low = scores.min(axis=2, keepdims=True)
    elif scale == "max":
        if (scores < 0).any():
            index, row, column = np.argwhere(scores < 0)[0]
            raise ValueError(
                f"member {index} is negative at clip {row}, class {column}: rows are scaled to "
                "their maximum only where scores are probabilities (are these logits?)"
            )
        low = np.zeros((*scores.shape[:2], 1))
    else:
        raise ValueError(f"scale is {scale!r}, expected 'range' or 'max'")
    height = scores.max(axis=2, keepdims=True) - low
    # a height below the smallest normal number would overflow in the division
    flat = height < np.finfo(np.float64).tiny
    return np.asarray(np.where(flat, 0, (scores - low) / np.where(flat, 1, height)).mean(axis=0))


def pairwise_mean(members: Members) -> Float64s:
    """Average over members how far a class is above the classes of its clip, on average.

    With ``mean_c' (s_c - s_c') = s_c - mean_c' s_c'`` it needs no matrix of pairs.
    """
    scores = validate(members)
    return np.asarray((scores - scores.mean(axis=2, keepdims=True)).mean(axis=0))


JOINS: Mapping[How, Callable[[Members], Float64s]] = MappingProxyType(
    {"mean": mean, "rank": rank_mean, "row-scaled": row_scaled_mean, "pairwise": pairwise_mean}
)


def join(members: Members, how: How, scale: RowScale = "range") -> Float64s:
    """Join the members in one of the ways above.

    Parameters
    ----------
    members : sequence of (N, C)
    how : {"mean", "rank", "row-scaled", "pairwise"}
    scale : {"range", "max"}
        Of ``row-scaled``.
    """
    if how not in JOINS:
        raise ValueError(f"how is {how!r}, expected one of {', '.join(JOINS)}")
    return row_scaled_mean(members, scale) if how == "row-scaled" else JOINS[how](members)
