"""The window that is chosen by itself, with models that what they are trained with spoils."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Data, make_pool
from placeholder import PlaceholderScorer

from negmine.errors import ModelError
from negmine.mining.mine import Mined, MineSettings, mine, retraining_steps
from negmine.mining.selection import Selection, open_selection
from negmine.mining.window_auto import ENDS
from negmine.models.scorer import Retrainable
from negmine.pool import Pool, open_pool

STEPS = 7
SETTINGS = MineSettings(
    per_class=6, min_distance=0.0, max_doubt=1.0, auto_window=True, window_steps=STEPS, seed=5
)


class Blurred(PlaceholderScorer):
    """Scores with so much noise."""

    def __init__(self, blur: float, **settings: Any) -> None:
        super().__init__(**settings)
        self._blur = blur

    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        embeddings, logits = super().score(waveforms)
        noise = np.random.default_rng(len(waveforms)).normal(size=logits.shape)
        return embeddings, (logits + self._blur * noise).astype(np.float32)


@dataclass
class Retraining:
    """What a model was asked to train with."""

    selection: Selection
    without: frozenset[str]
    steps: int
    seed: int


class Learner(PlaceholderScorer):
    """A model that training with a selection blurs."""

    def __init__(self, blur: Callable[[Selection], float], **settings: Any) -> None:
        super().__init__(**settings)
        self._of, self._settings = blur, settings
        self.asked: list[Retraining] = []

    def retrained(
        self,
        selection: Path,
        without: frozenset[str],
        steps: int,
        seed: int,
        folder: Path,
        on_step: Callable[[], object],
    ) -> PlaceholderScorer:
        assert folder.is_dir()
        self.asked.append(Retraining(open_selection(selection), without, steps, seed))
        for _ in range(steps):
            on_step()
        return Blurred(self._of(self.asked[-1].selection), **self._settings)


@pytest.fixture(scope="module")
def pool(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    return open_pool(make_pool(shared_data, tmp_path_factory.mktemp("window") / "pool", mix=150))


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scores")


def hardest(selection: Selection) -> float:
    return max(row.score for row in selection.rows)


def chosen_at(pool: Pool, scores: Path, model: Learner, **changes: Any) -> Mined:
    return mine(model, pool, scores, replace(SETTINGS, **changes))


def test_rows_that_do_no_harm_want_no_window(pool: Pool, scores: Path) -> None:
    model = Learner(lambda selection: 0.0)
    mined = chosen_at(pool, scores, model)
    assert mined.report.window is not None
    assert mined.report.window.high == 1.0
    assert mined.report.strategy == "top"
    assert (
        mined.selection == mine(model, pool, scores, replace(SETTINGS, auto_window=False)).selection
    )


def test_the_widest_window_without_harm_is_chosen_and_used(pool: Pool, scores: Path) -> None:
    seen = Learner(lambda selection: 0.0)
    chosen_at(pool, scores, seen)
    ends = [hardest(retraining.selection) for retraining in seen.asked]
    assert ends == sorted(ends, reverse=True)
    assert len(set(ends)) == len(ENDS)
    # whatever scores above what the third window holds spoils the model
    mined = chosen_at(pool, scores, Learner(lambda s: 50.0 if hardest(s) > ends[2] else 0.0))
    found = mined.report.window
    assert found is not None
    assert found.high == ENDS[2]
    assert found.rates[1.0] > found.rates[ENDS[2]] + 0.1
    assert mined.report.strategy == f"top + window:low=0.0,high={ENDS[2]}"
    assert hardest(mined.selection) < hardest(
        chosen_at(pool, scores, seen, auto_window=False).selection
    )


def test_retrainings_differ_in_what_was_chosen_alone(pool: Pool, scores: Path) -> None:
    model = Learner(lambda selection: 0.0)
    steps: list[int] = []
    mine(model, pool, scores, SETTINGS, on_step=steps.append)
    assert sum(steps) == retraining_steps(SETTINGS) == STEPS * len(ENDS)
    assert [(r.steps, r.seed) for r in model.asked] == [(STEPS, 5)] * len(ENDS)
    assert len({r.without for r in model.asked}) == 1
    for retraining in model.asked:
        rows = [pool[pool.recipes.row_of(row.recipe)] for row in retraining.selection.rows]
        assert rows
        assert not any(recipe.draws_on(retraining.without) for recipe in rows)


def test_half_of_the_annotated_recordings_is_set_aside(pool: Pool, scores: Path) -> None:
    model = Learner(lambda selection: 0.0)
    mined = chosen_at(pool, scores, model)
    assert len(model.asked[0].without) == 4
    assert model.asked[0].without < {f"rec{i:02d}" for i in range(8)}
    assert mined.report.window is not None
    assert not mined.report.window.held_out
    again, other = Learner(lambda s: 0.0), Learner(lambda s: 0.0)
    chosen_at(pool, scores, again)
    chosen_at(pool, scores, other, seed=6)
    assert again.asked[0].without == model.asked[0].without != other.asked[0].without


def test_recordings_that_the_model_held_out_are_set_aside_where_they_suffice(
    pool: Pool, scores: Path
) -> None:
    enough = frozenset({"rec01", "rec04", "rec06"})
    model = Learner(lambda selection: 0.0, held_out=enough)
    mined = chosen_at(pool, scores, model)
    assert model.asked[0].without == enough
    assert mined.report.window is not None
    assert (mined.report.window.held_out, mined.report.window.classes) == (True, 2)
    # two recordings hold two calls a class; what the model held out trains in no case
    few = Learner(lambda selection: 0.0, held_out=frozenset({"rec01", "rec04"}))
    mined = chosen_at(pool, scores, few)
    assert mined.report.window is not None
    assert not mined.report.window.held_out
    assert few.asked[0].without > few.held_out
    for retraining in few.asked:
        rows = [pool[pool.recipes.row_of(row.recipe)] for row in retraining.selection.rows]
        assert not any(recipe.draws_on(few.held_out) for recipe in rows)


def test_too_few_calls_decide_nothing(
    pool: Pool, scores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("negmine.mining.window_auto._MIN_CALLS", 5)
    model, steps = Learner(lambda selection: 0.0), []
    mined = mine(model, pool, scores, SETTINGS, on_step=steps.append)
    found = mined.report.window
    assert found is not None
    assert (found.high, found.classes, found.rates, model.asked) == (1.0, 0, {}, [])
    assert "no class has enough calls" in mined.report.to_text()
    assert sum(steps) == retraining_steps(SETTINGS)


def test_every_end_is_told(pool: Pool, scores: Path) -> None:
    mined = chosen_at(pool, scores, Learner(lambda selection: 1.0))
    found = mined.report.window
    assert found is not None
    assert tuple(found.rates) == ENDS
    told = mined.report.to_dict()["window"]
    assert [row["high"] for row in told["rates"]] == list(ENDS)
    assert told["high"] == found.high
    assert f"up to the quantile {found.high:g}" in mined.report.to_text()


def test_a_model_that_cannot_be_retrained_is_told(pool: Pool, scores: Path) -> None:
    assert isinstance(Learner(lambda selection: 0.0), Retrainable)
    with pytest.raises(ModelError, match="--window auto trains the model on"):
        mine(PlaceholderScorer(), pool, scores, SETTINGS)
