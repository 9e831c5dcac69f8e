"""``intrusion``: what a negative costs in LWLRAP when it enters clips like the confirmed ones.

A score is no common measure across classes: a logit of 2 may be above every call of one class
and below every call of another. The cost is one, and it is what a ranking metric pays.

In a clip that holds call ``d``, the precision at ``d`` is ``h / r``: of the ``r`` classes ranked
at or above it, ``h`` are present. A negative that brings class ``c`` in with score ``s`` takes the
maximum of ``s`` and the clip's own score of ``c``. If that lifts ``c`` from below ``d`` to above
it, the precision falls to ``h / (r + 1)``. LWLRAP weights labels equally, so the cost is the mean
fall over all (clip, call) pairs.
"""

from __future__ import annotations

import numpy as np


class IntrusionCost:
    """Expected loss of LWLRAP as a function of class and score.

    Parameters
    ----------
    logits : float array, shape (P, C)
        Of the clips of confirmed calls.
    present : bool array, shape (P, C)
        Which classes are confirmed in each.

    Raises
    ------
    ValueError
        If the shapes differ.
    """

    def __init__(self, logits: np.ndarray, present: np.ndarray) -> None:
        if logits.shape != present.shape or logits.ndim != 2:
            raise ValueError(f"logits {logits.shape} and present {present.shape}: expected (P, C)")
        self._logits = np.asarray(logits, dtype=np.float64)
        self._present = present
        # ties against the model: what scores as high as a call ranks above it
        clips, labels = np.nonzero(present)
        at = self._logits[clips, labels][:, None]
        above = self._logits[clips] >= at
        rank = above.sum(axis=1)
        hits = (above & present[clips]).sum(axis=1)
        self._clips, self._labels, self._at = clips, labels, at[:, 0]
        self._fall = hits / rank - hits / (rank + 1)

    def __call__(self, column: int, scores: np.ndarray) -> np.ndarray:
        """Compute the cost of negatives that score so for a class.

        Parameters
        ----------
        column : int
            The class.
        scores : float array, shape (N,)

        Returns
        -------
        float64 array, shape (N,)
            In [0, 1], never falling as the score rises; 0 without a confirmed call.
        """
        if not len(self._clips):
            return np.zeros(len(scores))
        # the class is present there itself, or ranks above the call already: nothing to lose
        own = self._logits[self._clips, column]
        open_ = ~self._present[self._clips, column] & (own < self._at)
        order = np.argsort(self._at[open_])
        thresholds = self._at[open_][order]
        total = np.concatenate([[0.0], np.cumsum(self._fall[open_][order])])
        passed = np.searchsorted(thresholds, np.asarray(scores, dtype=np.float64), side="right")
        return np.asarray(total[passed] / len(self._clips))
