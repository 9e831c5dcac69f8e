"""Claimed probabilities against the shares that were found: a reliability diagram's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Doubt is mostly small: the bins are narrow there.
EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


@dataclass(frozen=True)
class Reliability:
    """Bins of claims, those that hold none left out.

    Attributes
    ----------
    claimed, found : tuple of float
        Means of what was claimed, and shares that were so.
    count : tuple of int
    """

    claimed: tuple[float, ...] = ()
    found: tuple[float, ...] = ()
    count: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {name: list(values) for name, values in vars(self).items()}


def reliability_of(
    claimed: np.ndarray,
    found: np.ndarray,
    weight: np.ndarray | None = None,
    edges: Sequence[float] = EDGES,
) -> Reliability:
    """Compare claimed probabilities with what was found, bin by bin.

    Parameters
    ----------
    claimed : float array, shape (N,)
    found : bool array, shape (N,)
    weight : float array, shape (N,), optional
    edges : sequence of float
        A claim on an edge is in the bin above it.
    """
    weight = np.ones(len(claimed)) if weight is None else weight
    place = np.searchsorted(edges[1:-1], claimed, side="right")
    bins = [np.flatnonzero(place == one) for one in np.unique(place)]
    return Reliability(
        tuple(float(np.average(claimed[rows], weights=weight[rows])) for rows in bins),
        tuple(float(np.average(found[rows], weights=weight[rows])) for rows in bins),
        tuple(len(rows) for rows in bins),
    )
