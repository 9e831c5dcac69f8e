"""``--window auto``: the upper end of the hardness window, chosen by short retrainings.

The hardest rows teach most and hide most missed calls; where the one outweighs the other depends on
the data and on the model. So the model is trained on for some steps with what each window would
choose, without half of its recordings, and asked about those: at the threshold that finds
`RECALL` of a class's calls there, which share of its certified negatives is a false positive?

All retrainings begin with the same weights and see the same rows in the same order but for the
chosen negatives, so that they differ in these alone. Where the model names recordings that it held
out, and they hold enough calls, those are held out; else a random half, which the model has seen:
all windows have that advantage alike. So that calls are not simply remembered, and because the ones
that a detector misses are quiet, each is also asked about with negatives mixed in, up to 10 dB
louder than itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negmine.audio.windows import to_samples
from negmine.mining.known import KnownClass
from negmine.mining.rules.alarm import RECALL, alarm_rate
from negmine.mining.selection import Selection
from negmine.models.scorer import Retrainable, Scorer
from negmine.pool import Pool
from negmine.recipes.cache import CachedReader
from negmine.recipes.render import SilentError, mix_at_snr, render_batches

# Upper ends that are tried, as quantiles of hardness; 1 is no window. The widest first.
ENDS = (1.0, 0.98, 0.9, 0.7)
# A class is tried with at least this many calls in the held-out recordings.
_MIN_CALLS = 3
# With many classes, those with most calls there represent all.
_CLASSES = 32
# Clips that each retrained model is asked about: calls, and negatives of all classes together.
_CALLS = 500
_NEGATIVES = 2_000
# Times that each call is used with a negative mixed in, and the ratio of its RMS to that one's.
_MIXED = 3
_SNR_DB = (-10.0, 5.0)


@dataclass(frozen=True)
class WindowChoice:
    """What was tried, and which window it speaks for.

    Attributes
    ----------
    high : float
        Upper end, a quantile of hardness.
    rates : dict of float to float
        By upper end: false positives at `RECALL` as a share of the held-out negatives, mean over
        classes.
    classes : int
        Classes that had enough held-out calls. With none, nothing was tried and ``high`` is 1.
    held_out : bool
        Whether recordings that the model did not train on were held out.
    """

    high: float
    rates: dict[float, float]
    classes: int
    held_out: bool

    def to_text(self) -> str:
        if not self.classes:
            return "hardness window: no class has enough calls in held-out recordings; none is used"
        where = "held-out recordings" if self.held_out else "a held-out half of the recordings"
        rates = ", ".join(f"{high:g}: {rate:.1%}" for high, rate in self.rates.items())
        return (
            f"hardness window: up to the quantile {self.high:g}, by false positives on {where} "
            f"with {self.classes} classes, after short retrainings ({rates})"
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "high": self.high,
            "classes": self.classes,
            "held_out": self.held_out,
            "rates": [{"high": high, "false_alarms": rate} for high, rate in self.rates.items()],
        }


def choose_window(
    model: Retrainable,
    pool: Pool,
    known: Sequence[KnownClass],
    choose: Callable[[float, np.ndarray], Selection],
    rng: np.random.Generator,
    *,
    steps: int,
    seed: int,
    batch_size: int,
    reader: CachedReader | None = None,
    on_step: Callable[[int], object] = lambda steps: None,
) -> WindowChoice:
    """Try every end of `ENDS`.

    The widest window is chosen whose false positives are within one standard error, over classes,
    of the best one's (the rule of Breiman et al., *Classification and Regression Trees*, 1984): a
    narrower one must be worth it.

    Parameters
    ----------
    model : Retrainable
    pool : Pool
    known : sequence of KnownClass
    choose : callable
        Given an upper end and which rows of the pool may be chosen (bool array, shape (N,)), what
        mining would choose.
    rng : numpy Generator
        Of what is held out and scored.
    steps, seed : int
        Of each retraining.
    batch_size : int
        Clips scored at a time.
    reader : CachedReader, optional
        Where the sound that is scored is read from; from its files by default.
    on_step : callable
        Called with a number of steps as they are done: ``len(ENDS) * steps`` in all.
    """
    aside, held_out = _set_aside(pool, known, model.held_out, rng)
    asked = _Asked(pool, known, aside, rng)
    if not asked.classes:
        on_step(len(ENDS) * steps)
        return WindowChoice(1.0, {}, 0, False)
    unheard = aside | model.held_out
    free = ~pool.recipes.draws_on(unheard)
    rates = np.empty((len(ENDS), len(asked.classes)))
    with tempfile.TemporaryDirectory(prefix="negmine-window-") as folder:
        clips = asked.render(Path(folder) / "asked", model, batch_size, reader)
        for number, high in enumerate(ENDS):
            path = Path(folder) / f"{high:g}.parquet"
            choose(high, free).write(path)
            retrained = model.retrained(
                path, unheard, steps, seed, Path(folder), lambda: on_step(1)
            )
            rates[number] = asked.false_alarms(_logits(retrained, clips, batch_size))
    mean = rates.mean(axis=1)
    extra = rates - rates[mean.argmin()]
    error = extra.std(axis=1, ddof=1) / np.sqrt(extra.shape[1]) if extra.shape[1] > 1 else 0 * mean
    chosen = int(np.flatnonzero(extra.mean(axis=1) <= error)[0])
    by_end = dict(zip(ENDS, mean.tolist(), strict=True))
    return WindowChoice(ENDS[chosen], by_end, len(asked.classes), held_out)


class _Asked:
    """Clips of the held-out recordings that each retrained model is asked about."""

    def __init__(
        self,
        pool: Pool,
        known: Sequence[KnownClass],
        aside: frozenset[str],
        rng: np.random.Generator,
    ) -> None:
        tried = _triable(pool, known, aside)[:_CLASSES]
        calls = pool.distinct_calls
        calls = calls[pool.calls.draws_on(aside)[calls]]
        self._calls = np.sort(rng.permutation(calls)[:_CALLS])
        certified = pool.recipes.draws_on(aside)
        each = _NEGATIVES // max(len(tried), 1)
        drawn = [
            rng.permutation(np.flatnonzero(certified & (pool.confidence(one.name) > 0)))[:each]
            for one in tried
        ]
        self._rows = np.unique(np.concatenate([np.zeros(0, np.int64), *drawn]))
        # each call, then with each of some negatives
        self._mixed = [
            (call, int(row), float(snr_db))
            for row, snr_db, call in zip(
                rng.integers(max(len(self._rows), 1), size=_MIXED * len(self._calls)),
                rng.uniform(*_SNR_DB, size=_MIXED * len(self._calls)),
                list(range(len(self._calls))) * _MIXED,
                strict=True,
            )
        ]
        self._pool = pool
        self.classes: list[KnownClass] = []
        self._present: list[np.ndarray] = []
        self._absent: list[np.ndarray] = []
        first = len(self._calls) + len(self._rows)
        for one in tried:
            present = pool.calls.present(one.name)[self._calls]
            absent = pool.recipes.confidence(one.name, self._rows) > 0
            if present.any() and absent.any():
                self.classes.append(one)
                heard = [
                    first + i
                    for i, (call, row, _) in enumerate(self._mixed)
                    if present[call] and absent[row]
                ]
                self._present.append(np.append(np.flatnonzero(present), heard).astype(int))
                self._absent.append(len(self._calls) + np.flatnonzero(absent))

    def render(
        self, path: Path, model: Scorer, batch_size: int, reader: CachedReader | None
    ) -> np.ndarray:
        """Render all clips once into a file: calls, negatives, both; float32, shape (N, T)."""
        length = to_samples(self._pool.clip_s, model.sample_rate)
        shape = len(self._calls) + len(self._rows) + len(self._mixed), length
        clips = np.memmap(path, dtype=np.float32, mode="w+", shape=shape)
        done = 0
        for table, rows in (
            (self._pool.calls, self._calls),
            (self._pool.recipes, self._rows),
        ):
            for batch in render_batches(
                table.at(rows), model.sample_rate, batch_size, reader=reader
            ):
                clips[done : done + len(batch)] = batch
                done += len(batch)
        for place, (call, row, snr_db) in enumerate(self._mixed, start=done):
            try:
                clips[place] = mix_at_snr(clips[call], clips[len(self._calls) + row], snr_db)
            except SilentError:
                clips[place] = clips[call]
        return clips

    def false_alarms(self, logits: np.ndarray) -> list[float]:
        """Return each class's share of its negatives above the threshold of `RECALL`."""
        return [
            alarm_rate(logits[present, one.column], logits[absent, one.column], RECALL)
            for one, present, absent in zip(self.classes, self._present, self._absent, strict=True)
        ]


def _logits(model: Scorer, clips: np.ndarray, batch_size: int) -> np.ndarray:
    parts = [
        model.score(np.array(clips[first : first + batch_size]))[1]
        for first in range(0, len(clips), batch_size)
    ]
    return np.concatenate(parts)


def _triable(pool: Pool, known: Sequence[KnownClass], aside: frozenset[str]) -> list[KnownClass]:
    """Return the classes with enough calls in the held-out recordings, most calls first."""
    inside = pool.calls.draws_on(aside)
    counts = [int(inside[one.rows].sum()) for one in known]
    order = sorted(range(len(known)), key=lambda i: (-counts[i], known[i].column))
    return [known[i] for i in order if counts[i] >= _MIN_CALLS]


def _set_aside(
    pool: Pool,
    known: Sequence[KnownClass],
    held_out: frozenset[str],
    rng: np.random.Generator,
) -> tuple[frozenset[str], bool]:
    """Choose recordings for no retraining: those held out if they are enough, else a half."""
    # a group may be a site, and held_out names recordings
    others = np.flatnonzero(~pool.calls.draws_on(held_out))
    names = sorted(set[str]().union(*pool.calls.groups(others)))
    half = frozenset(map(str, rng.permutation(names)[: len(names) // 2]))
    inside, outside = (len(_triable(pool, known, aside)) for aside in (held_out, half))
    if inside and 2 * inside >= outside:
        return held_out, True
    return half, False
