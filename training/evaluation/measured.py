"""All metrics of a model's scores: once, and of resamples of the recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from negmine.errors import shorten
from negmine.storage.csv_tables import EVERY
from training import metrics


@dataclass(frozen=True)
class Measured:
    """A model's scores, from which every metric is found.

    Attributes
    ----------
    present : bool array, shape (R, C)
        Which class calls in which recording.
    logits : float array, shape (R, C)
        Of the recordings.
    curves : metrics.Curves, optional
        Of their windows, where the calls are known.
    recalls, rates : sequence of float
        See `training.evaluation.evaluate.evaluate_all`.
    """

    present: np.ndarray
    logits: np.ndarray
    curves: metrics.Curves | None
    recalls: Sequence[float]
    rates: Sequence[float]

    def once(self) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Return the metrics over all classes, and the columns of the classes' table."""
        of_all = metrics.evaluate(self.present, self.logits)
        of_each: dict[str, np.ndarray] = {
            "clips": self.present.sum(axis=0),
            "ap": metrics.average_precision(self.present, self.logits),
        }
        if self.curves:
            of_each |= {"calls": self.curves.calls, "free_h": self.curves.free_hours}
        for name, values in self._of_windows(None):
            if not name.startswith("threshold"):
                of_all[name] = float(self._over_classes(name, values)[0])
            if not name.endswith(":bed"):
                of_each[name] = values[0]
        return of_all, of_each

    def resampled(self, weights: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return each metric's values, (B,), and the ends of the classes' intervals, (C,)."""
        rows = np.arange(len(self.present))
        drawn = [np.repeat(rows, counts) for counts in weights]
        ranked = [metrics.evaluate(self.present[which], self.logits[which]) for which in drawn]
        names = metrics.evaluate(self.present, self.logits)
        # what a resample's labels leave the same for any model is not defined there
        found = {name: np.array([one.get(name, np.nan) for one in ranked]) for name in names}
        ends: dict[str, np.ndarray] = {}
        for name, values in self._of_windows(weights):
            if name.startswith("threshold"):
                continue
            found[name] = self._over_classes(name, values)
            if not name.endswith(":bed"):
                each = np.array([metrics.interval(column) for column in values.T])
                ends |= {f"{name}:low": each[:, 0], f"{name}:high": each[:, 1]}
        return found, ends

    def curve(self, classes: Sequence[str], hours: float) -> pd.DataFrame:
        """Return false positives an hour at each per cent of recall, class by class.

        Returns
        -------
        DataFrame
            ``class``, ``recall``, ``fp_per_hour``, ``threshold`` (a probability) and ``hours``, of
            the recordings. The class ``*`` is the sum over classes, as ``fp/h@0.7`` is, and
            has no threshold. Classes without calls are left out.
        """
        assert self.curves is not None
        found = []
        with_calls = np.flatnonzero(self.curves.calls)
        for percent in range(1, 101):
            at = self.curves.at_recall(percent / 100)
            total = float(self._over_classes("fp/h", at.per_hour)[0])
            if len(with_calls):
                found.append((EVERY, percent / 100, total, np.nan, hours))
            found += [
                (classes[n], percent / 100, at.per_hour[0, n], expit(at.threshold[0, n]), hours)
                for n in with_calls.tolist()
            ]
        columns = ["class", "recall", "fp_per_hour", "threshold", "hours"]
        return pd.DataFrame(found, columns=columns)

    def _of_windows(self, weights: np.ndarray | None) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each metric of windows by its name, of every class: (B, C)."""
        if not self.curves:
            return
        for recall in self.recalls:
            at = self.curves.at_recall(recall, weights)
            yield f"fp/h@{recall:g}", at.per_hour
            yield f"fp/h@{recall:g}:bed", at.bed
            yield f"precision@{recall:g}", at.precision
            yield f"threshold@{recall:g}", expit(at.threshold)
        for rate in self.rates:
            of_rate = self.curves.at_rate(rate, weights)
            yield f"recall@{rate:g}fp/h", of_rate.recall
            yield f"threshold@{rate:g}fp/h", expit(of_rate.threshold)

    def _over_classes(self, name: str, values: np.ndarray) -> np.ndarray:
        """Return the sum over classes of rates, the mean of all else: (B,).

        A resample may lack the calls of a class. Its sum is the mean over those that it has, times
        the number of classes that call at all: it would be lower for no other reason.
        """
        defined = ~np.isnan(values)
        count = defined.sum(axis=1)
        mean = np.where(count, np.where(defined, values, 0.0).sum(axis=1), np.nan)
        mean /= np.maximum(count, 1)
        assert self.curves is not None
        return mean * (self.curves.calls > 0).sum() if name.startswith("fp/h") else mean


def too_short(hours: float, classes: pd.DataFrame, rates: Sequence[float]) -> Iterator[str]:
    """Say at which rates the test is too short for a recall that means something."""
    for rate in rates:
        name, needed = f"recall@{rate:g}fp/h", 1 / rate
        if hours < needed:
            yield (
                f"{name} allows no false positive in a test of {hours:.2g} h: it is the recall "
                "above the highest-scoring window without a call, which says little; it takes "
                f"{needed:.3g} h at the least"
            )
            continue
        short = classes[(classes["calls"] > 0) & (classes["free_h"] < needed)]
        if len(short):
            yield (
                f"{len(short)} classes ({shorten(list(short['class']), 3)}) have less than "
                f"{needed:.3g} h of windows without a call: their {name} tells little"
            )
