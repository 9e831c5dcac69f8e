"""``--window auto``: the upper end of the hardness window, chosen on recordings set aside.

The hardest rows teach most and hide most missed calls; where the one outweighs the other depends on
the data. Retraining the network for every window would tell, and takes hours. Retraining its last
layer takes seconds: for each window, a logistic regression a class over the embeddings, between
confirmed calls and negatives, where the negatives are the rejected detections and what the window
would choose. Each is tried on recordings it was not fitted on: at the threshold of a held-out call,
which share of the certified negatives of those recordings is a false alarm?

Embeddings come from a network that has seen most of these recordings. Where the model names
recordings that it held out, and they hold enough calls, those alone are tested on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from negmine.known import KnownClass
from negmine.pool import Pool
from negmine.scores.joint import JointScores
from negmine.scores.scan import Eligible
from negmine.select.alarm import RECALL

# Upper ends that are tried, as quantiles of hardness; 1 is no window. The widest first.
ENDS = (1.0, 0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.8, 0.5)
_FOLDS = 3
# With many classes, those with most calls stand for all.
_CLASSES = 32
# Rows of a class that are looked at: candidates for the window, and negatives to test on.
_ROWS = 20_000
_TESTED = 2_000
# A class is tried with at least so many calls in recordings set aside, from two recordings or more.
_MIN_CALLS = 4


@dataclass(frozen=True)
class WindowChoice:
    """What was tried, and which window it speaks for.

    Attributes
    ----------
    high : float
        Upper end, a quantile of hardness.
    rates : dict of float to float
        By upper end: false alarms at `RECALL` as a share of held-out negatives, mean over classes.
    classes : int
        Classes that had enough calls. With none, ``high`` is 1.
    held_out : bool
        Whether recordings that the model did not train on were tested on.
    """

    high: float
    rates: dict[float, float]
    classes: int
    held_out: bool

    def to_text(self) -> str:
        if not self.classes:
            return "window: no class has enough calls in recordings set aside; none is used"
        where = "held-out recordings" if self.held_out else "recordings set aside in turn"
        rates = ", ".join(f"{high:g}: {rate:.1%}" for high, rate in self.rates.items())
        return (
            f"window: up to the quantile {self.high:g}, by false alarms on {where} "
            f"with {self.classes} classes ({rates})"
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "high": self.high,
            "classes": self.classes,
            "held_out": self.held_out,
            "rates": [{"high": high, "false_alarms": rate} for high, rate in self.rates.items()],
        }


def choose_window(
    pool: Pool,
    known: Sequence[KnownClass],
    scores: JointScores,
    eligible: Eligible,
    held_out: frozenset[str],
    per_class: int,
    rng: np.random.Generator,
) -> WindowChoice:
    """Try every end of `ENDS`.

    The widest window is chosen whose false alarms are within one standard error, over classes, of
    the best one's (the rule of Breiman et al., *Classification and Regression Trees*, 1984): a
    narrower one must be worth it.

    Parameters
    ----------
    pool : Pool
    known : sequence of KnownClass
    scores : JointScores
        Of the pool's rows.
    eligible : Eligible
    held_out : frozenset of str
        Groups that the models did not train on.
    per_class : int
        Negatives a class.
    rng : numpy Generator
    """
    most = sorted(known, key=lambda one: (-len(one.calls), one.column))[:_CLASSES]
    tried, inside = [], False
    for one in most:
        trial = _Trial(pool, one, scores, eligible, held_out, rng)
        if trial.folds:
            rates_of_class = [trial.false_alarms(high, per_class) for high in ENDS]
            if np.isfinite(rates_of_class).all():
                tried.append(rates_of_class)
                inside = inside or trial.held_out
    if not tried:
        return WindowChoice(1.0, {}, 0, False)
    rates = np.array(tried)
    mean = rates.mean(axis=0)
    best = int(mean.argmin())
    extra = rates - rates[:, [best]]
    error = extra.std(axis=0, ddof=1) / np.sqrt(len(rates)) if len(rates) > 1 else 0.0 * mean
    chosen = int(np.flatnonzero(extra.mean(axis=0) <= error)[0])
    return WindowChoice(
        ENDS[chosen], dict(zip(ENDS, mean.tolist(), strict=True)), len(rates), inside
    )


class _Trial:
    """One class: its calls and rows, embedded once, and recordings in folds."""

    def __init__(
        self,
        pool: Pool,
        known: KnownClass,
        scores: JointScores,
        eligible: Eligible,
        held_out: frozenset[str],
        rng: np.random.Generator,
    ) -> None:
        calls = pool.calls.groups(np.flatnonzero(pool.calls.present(known.name)))
        self.folds, self.held_out = _folds(calls, held_out, rng)
        if not self.folds:
            return
        rows = np.flatnonzero(eligible.of_class(known.column))
        if len(rows) > _ROWS:
            rows = np.sort(rng.choice(rows, _ROWS, replace=False))
        self._logits = scores.logits(rows)[:, known.column]
        self._embeddings = scores.embeddings(rows)
        self._rejected = pool.recipes.kinds[rows] == "fp"
        groups = pool.recipes.groups(rows)
        self._calls = known.embeddings
        # a row or call belongs to a fold where any of its recordings does
        self._call_in = [np.array([bool(g & fold) for g in calls]) for fold in self.folds]
        self._row_in = [np.array([bool(g & fold) for g in groups]) for fold in self.folds]
        self._order = rng.permutation(len(rows))

    def false_alarms(self, high: float, per_class: int) -> float:
        """The share of held-out negatives that are false alarms at `RECALL`."""
        found = []
        for call_in, row_in in zip(self._call_in, self._row_in, strict=True):
            tested = self._order[row_in[self._order]][:_TESTED]
            fitted = np.flatnonzero(~row_in)
            if call_in.all() or not len(tested) or not len(fitted):
                continue
            hardness = np.quantile(self._logits, high)
            window = fitted[self._logits[fitted] <= hardness] if high < 1 else fitted
            mined = window[np.argsort(-self._logits[window], kind="stable")[:per_class]]
            drawn = self._order[(~row_in & self._rejected)[self._order]][:per_class]
            negatives = np.union1d(mined, drawn)
            head = _fit(self._calls[~call_in], self._embeddings[negatives])
            at = head.decision_function(self._calls[call_in])
            false = np.sort(head.decision_function(self._embeddings[tested]))
            found.append(1.0 - np.searchsorted(false, at, side="left") / len(false))
        if not found:
            return float("nan")
        every = np.sort(np.concatenate(found))
        return float(every[int(np.ceil(RECALL * len(every))) - 1])


def _folds(
    calls: Sequence[set[str]], held_out: frozenset[str], rng: np.random.Generator
) -> tuple[list[frozenset[str]], bool]:
    """Recordings to set aside in turn; none where there are too few calls."""
    inside = sum(bool(groups & held_out) for groups in calls)
    if inside >= _MIN_CALLS and inside < len(calls):
        return [held_out], True
    names = sorted(set[str]().union(*calls))
    if len(calls) < _MIN_CALLS or len(names) < 2:
        return [], False
    folds = np.array_split(rng.permutation(names), min(_FOLDS, len(names)))
    return [frozenset(map(str, fold)) for fold in folds], False


def _fit(calls: np.ndarray, negatives: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    head = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    labels = np.repeat([1, 0], [len(calls), len(negatives)])
    return head.fit(np.concatenate([calls, negatives]), labels)
