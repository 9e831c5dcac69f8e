"""The window that is chosen by itself: planted pools whose best end is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from negmine.select.alarm import RECALL
from negmine.window_auto import ENDS, WindowChoice, choose_window

CLASSES, ROWS, WIDTH = 4, 4000, 16


class Planted:
    """Classes over a made-up embedding space, in 12 recordings.

    A class's calls lie along an axis of its own. A tenth of the pool, its false alarms, lies along
    that axis, too, and along another: who has seen none takes them for calls. Where ``hidden``, a
    twentieth of the pool scores above all these, and is calls. The rest is noise, rejected by
    somebody.
    """

    def __init__(self, hidden: bool, recordings: int = 12, calls: int = 48) -> None:
        rng = np.random.default_rng(3)
        self.embeddings = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
        self.logits = rng.normal(-4, 1, (ROWS, CLASSES)).astype(np.float32)
        kinds = np.full(ROWS, "fp", dtype=object)
        self.known: list[Any] = []
        groups = rng.integers(0, recordings, (CLASSES, calls))
        for c in range(CLASSES):
            alarms = slice(c * 600, c * 600 + 400)
            self.embeddings[alarms, [2 * c]] += 4.0
            self.embeddings[alarms, [2 * c + 1]] += 4.0
            self.logits[alarms, c] = rng.normal(2, 0.1, 400)
            kinds[alarms] = "mix"
            if hidden:
                top = slice(c * 600 + 400, c * 600 + 600)
                self.embeddings[top, 2 * c] += 4.0
                self.logits[top, c] = rng.normal(4, 0.1, 200)
                kinds[top] = "mix"
            own = rng.normal(size=(calls, WIDTH)).astype(np.float32)
            own[:, 2 * c] += 4.0
            own /= np.linalg.norm(own, axis=1, keepdims=True)
            self.known.append(
                SimpleNamespace(name=str(c), column=c, calls=np.arange(calls), embeddings=own)
            )
        self.embeddings /= np.linalg.norm(self.embeddings, axis=1, keepdims=True)
        of_rows = [frozenset({f"r{g}"}) for g in rng.integers(0, recordings, ROWS)]
        of_calls = [frozenset({f"r{g}"}) for g in groups.ravel()]
        self.pool: Any = SimpleNamespace(
            recipes=_Rows(of_rows, kinds),
            calls=_Rows(of_calls, np.repeat(np.arange(CLASSES), calls).astype(str)),
        )
        self.scores: Any = SimpleNamespace(
            logits=lambda at: self.logits[at], embeddings=lambda at: self.embeddings[at]
        )
        self.eligible: Any = SimpleNamespace(of_class=lambda column: np.ones(ROWS, dtype=bool))

    def choose(self, held_out: frozenset[str] = frozenset(), seed: int = 0) -> WindowChoice:
        rng = np.random.default_rng(seed)
        return choose_window(self.pool, self.known, self.scores, self.eligible, held_out, 100, rng)


class _Rows:
    """Groups of rows, and their kinds or classes."""

    def __init__(self, groups: list[frozenset[str]], kinds: np.ndarray) -> None:
        self._groups, self.kinds = groups, kinds

    def present(self, name: str) -> np.ndarray:
        return self.kinds == name

    def groups(self, rows: np.ndarray) -> list[set[str]]:
        return [set(self._groups[row]) for row in rows]


def test_clean_hard_rows_want_no_window() -> None:
    found = Planted(hidden=False).choose()
    assert found.high == 1.0
    # without its false alarms a class is worse off
    assert found.rates[0.8] > 1.3 * found.rates[1.0]


def test_missed_calls_at_the_top_want_one() -> None:
    found = Planted(hidden=True).choose()
    # missed calls lie above the quantile 0.95, false alarms down to 0.85
    assert found.high == 0.95
    assert found.rates[1.0] > found.rates[0.95] + 0.02


def test_the_same_seed_gives_the_same_choice() -> None:
    assert Planted(hidden=True).choose(seed=1) == Planted(hidden=True).choose(seed=1)


def test_recordings_that_the_model_held_out_are_tested_on() -> None:
    found = Planted(hidden=True).choose(held_out=frozenset({"r1", "r2", "r3"}))
    assert found.held_out
    assert not Planted(hidden=True).choose(held_out=frozenset({"elsewhere"})).held_out


@pytest.mark.parametrize("planted", [{"recordings": 1}, {"calls": 3}])
def test_too_few_calls_decide_nothing(planted: dict[str, int]) -> None:
    found = Planted(hidden=True, **planted).choose()
    assert (found.high, found.classes, found.rates) == (1.0, 0, {})
    assert "no class has enough calls" in found.to_text()


def test_every_end_is_told() -> None:
    found = Planted(hidden=False).choose()
    assert tuple(found.rates) == ENDS
    told = found.to_dict()
    assert [row["high"] for row in told["rates"]] == list(ENDS)
    assert told["high"] == found.high
    assert 0 < RECALL < 1
    assert f"up to the quantile {found.high:g}" in found.to_text()
