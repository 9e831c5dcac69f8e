"""Choosing windows of one class: one of each recording first, then a second, and so on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from negmine.asking.unlabelled_windows import Windows, overlaps

# Given windows in order and those that are chosen already, returns some of them in another order.
Arrange = Callable[[np.ndarray, list[int]], np.ndarray]


def _as_they_are(ranked: np.ndarray, chosen: list[int]) -> np.ndarray:
    return ranked


class Rounds:
    """The windows chosen for one class, by one strategy after another.

    A recording gives its second window when every recording has given its first, or has none. No
    two windows of a class share sound.

    Parameters
    ----------
    windows : Windows
    may : bool array, shape (N,)
        Windows that may be chosen.
    sites : int array, shape (recordings,), optional
        Number of each recording's site.
    per_site : int, optional
        The most windows of one site.

    Attributes
    ----------
    chosen : list of int
        Rows, in the order in which they were chosen.
    """

    def __init__(
        self,
        windows: Windows,
        may: np.ndarray,
        sites: np.ndarray | None = None,
        per_site: int | None = None,
    ) -> None:
        self._windows = windows
        self._may = may.copy()
        self._given = np.zeros(len(windows.names), dtype=np.int64)
        self._sites = sites
        self._per_site = per_site
        self.chosen: list[int] = []

    def take(self, keys: np.ndarray, count: int, arrange: Arrange = _as_they_are) -> list[int]:
        """Choose more windows, those of the highest keys first; of equal ones the earlier.

        Parameters
        ----------
        keys : float array, shape (N,)
        count : int
            Fewer are chosen where there are no more.
        arrange : callable
            Orders the best windows of the recordings whose turn it is; those it leaves out come
            after.

        Returns
        -------
        list of int
            The rows chosen now, in order.
        """
        recording = self._windows.recording
        first = len(self.chosen)
        order = np.flatnonzero(self._may)
        order = order[np.argsort(-keys[order], kind="stable")]
        while len(order) and len(self.chosen) < first + count:
            given = self._given[recording[order]]
            ready = order[given == given.min()]
            places = np.unique(recording[ready], return_index=True)[1]
            for row in arrange(ready[np.sort(places)], self.chosen).tolist():
                if len(self.chosen) == first + count:
                    break
                if self._may[row]:
                    self._choose(row)
            order = order[self._may[order]]
        return self.chosen[first:]

    def _choose(self, row: int) -> None:
        windows, number = self._windows, self._windows.recording[row]
        self.chosen.append(row)
        self._given[number] += 1
        begin, end = np.searchsorted(windows.recording, [number, number + 1])
        span = windows.span(row)
        self._may[begin:end] &= ~overlaps(windows.start_s[begin:end], windows.clip_s, span)
        self._may[row] = False
        if self._sites is not None and self._per_site is not None:
            site = self._sites[number]
            here = self._sites[windows.recording[self.chosen]] == site
            if np.count_nonzero(here) >= self._per_site:
                self._may[self._sites[windows.recording] == site] = False
