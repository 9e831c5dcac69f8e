"""Two models in the same test recordings, compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training import metrics


class Resampled(Protocol):
    """A model's metrics, and their values in resamples that are the same for every model."""

    @property
    def metrics(self) -> Mapping[str, float]: ...

    @property
    def resampled(self) -> Mapping[str, np.ndarray]: ...


@dataclass(frozen=True)
class Difference:
    """How a model's metric differs from another's, in the same recordings.

    Attributes
    ----------
    value : float
        Of the second less of the first.
    interval : (float, float)
        95 %, by the bootstrap over recordings that both have scored; NaN without resamples.
    share : float
        The second over the first, less 1; NaN where the first is 0.
    share_interval : (float, float)
    """

    value: float
    interval: tuple[float, float]
    share: float
    share_interval: tuple[float, float]


def differences(first: Resampled, second: Resampled) -> dict[str, Difference]:
    """Compare two models in pairs, by each metric that both have.

    Resamples that leave a metric of the first at 0 have no share, and its interval leaves them out.
    """
    found = {}
    for name in (name for name in first.metrics if name in second.metrics):
        before, after = first.metrics[name], second.metrics[name]
        ends = shares = (np.nan, np.nan)
        if name in first.resampled:
            old, new = first.resampled[name], second.resampled[name]
            ends = metrics.interval(new - old)
            shares = metrics.interval(_share(old, new))
        share = float(_share(np.array(before), np.array(after)))
        found[name] = Difference(after - before, ends, share, shares)
    return found


def _share(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    return np.where(old > 0, new / np.where(old > 0, old, 1), np.nan) - 1
