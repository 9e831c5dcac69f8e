"""Activations: where a smoothed score reaches a threshold, and no sooner again.

As wake words are counted: posteriors are smoothed over the last windows (Chen, Parada and Heigold
2014, "Small-footprint keyword spotting using deep neural networks", ICASSP), and after an
activation of a class a refractory time passes in which it has no other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.evaluation.settings import ActivationSettings


@dataclass(frozen=True)
class Activation:
    """One activation.

    Attributes
    ----------
    label : int
        Number of the class.
    start_s, end_s : float
        Of the window whose smoothed score reached the threshold.
    score : float
        The smoothed one.
    """

    label: int
    start_s: float
    end_s: float
    score: float


class Activations:
    """Finds the activations of one recording, whose windows are handed over in order.

    Parameters
    ----------
    thresholds : float64 array, shape (C,)
        NaN: the class has no activation.
    settings : ActivationSettings
    hop_s : float
        Step of the windows.
    """

    def __init__(self, thresholds: np.ndarray, settings: ActivationSettings, hop_s: float) -> None:
        self._thresholds = thresholds
        self._refractory_s = settings.refractory_s
        self.smoothed = max(1, round(settings.smooth_s / hop_s))
        self._last = np.zeros((0, len(thresholds)))  # scores of the last windows
        self._free_s = np.full(len(thresholds), -np.inf)  # from when on a class may activate again

    def take(self, scores: np.ndarray, start_s: np.ndarray, end_s: np.ndarray) -> list[Activation]:
        """Return the activations in the next windows.

        Parameters
        ----------
        scores : float array, shape (n, C)
            Probabilities; 0 where a window holds no sound.
        start_s, end_s : float arrays, shape (n,)
        """
        if not len(scores):
            return []
        smooth = self._smooth(scores)
        reached = np.nonzero(smooth >= self._thresholds)
        found = []
        for row, label in zip(*(places.tolist() for places in reached), strict=True):
            start = float(start_s[row])
            # times are whole frames: a hair keeps rounding from making one of them late
            if start >= self._free_s[label] - 1e-9:
                self._free_s[label] = start + self._refractory_s
                found.append(Activation(label, start, float(end_s[row]), float(smooth[row, label])))
        return found

    def _smooth(self, scores: np.ndarray) -> np.ndarray:
        """Return means over the last windows, fewer at the beginning: shape (n, C)."""
        if self.smoothed == 1:
            return scores
        every = np.concatenate([self._last, scores])
        before = len(self._last)
        sums = np.cumsum(np.concatenate([np.zeros((1, every.shape[1])), every]), axis=0)
        ends = before + 1 + np.arange(len(scores))
        begins = np.maximum(0, ends - self.smoothed)
        self._last = every[max(0, len(every) - self.smoothed + 1) :]
        return np.asarray((sums[ends] - sums[begins]) / (ends - begins)[:, None])
