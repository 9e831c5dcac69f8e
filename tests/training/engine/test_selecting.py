"""The epoch that is kept by false positives an hour: against slow counts, and in whole runs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SAMPLE_RATE, Data, Opened, make_pool, tiny_config, tone_detector

from negmine.annotations import Annotation, Annotations
from negmine.audio.windows import Span
from negmine.errors import InputError, PoolError
from negmine.pool import Pool, open_pool
from training.config import TrainConfig
from training.data import held_out_negatives
from training.data.held_out_negatives import HeldOutNegatives
from training.engine.history import is_best, should_stop, shown_score, validation_score
from training.engine.selecting import (
    HeldOutScores,
    check_selectable,
    held_out_rate,
    held_out_scores,
)
from training.engine.validate import ClipScorer, SpanScore

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSES = ("0", "1")
BY_RATE = {"select_by": "fp-per-hour"}


def tone_scorer() -> ClipScorer:
    return ClipScorer(tone_detector(), tiny_config(), torch.device("cpu"))


def verdict(
    column: int, present: bool, start_s: float, score: float = 0.0, row: int = 0, s: float = 0.5
) -> SpanScore:
    return SpanScore(row, column, present, Span(start_s, start_s + s), score)


def annotation(present: bool, label: str = "0", start_s: float = 0.0) -> Annotation:
    return Annotation("r", label, "", present, Span(start_s, start_s + 1), 0, 0, "t.csv row 2")


# --- The rate ---


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("recall", [0.3, 0.7, 1.0])
def test_the_rate_is_its_definition(seed: int, recall: float) -> None:
    rng = np.random.default_rng(seed)
    calls = [rng.normal(size=n).round(1) for n in rng.integers(0, 6, 4)]
    scores = rng.normal(size=(12, 4)).round(1)
    absent = rng.random((12, 4)) < rng.choice([0.0, 0.3, 0.9], 4)
    hours = rng.uniform(0.001, 0.01, 12)
    count, heard = 0, 0.0
    for column, mine in enumerate(calls):
        free = [row for row in range(12) if absent[row, column]]
        if not len(mine) or not free:
            continue
        fitting = [t for t in mine if (mine >= t).sum() >= recall * len(mine) - 1e-9]
        count += sum(scores[row, column] >= max(fitting) for row in free)
        heard += sum(hours[row] for row in free)
    expected = count / heard if heard else math.nan
    found = HeldOutScores(calls, scores, absent, hours).false_positives_per_hour(recall)
    assert found == pytest.approx(expected, nan_ok=True)


def test_what_is_a_call_and_what_a_negative() -> None:
    spans = [
        verdict(0, True, 1.0, 2.0),
        verdict(0, False, 1.4, 9.0),  # touches the call: no negative
        verdict(0, False, 1.5, 1.0),  # begins where it ends
        verdict(1, False, 1.0, 3.0, s=1.5),  # of another class
        verdict(0, False, 1.0, 4.0, row=1),  # of another recording
    ]
    found = held_out_scores(spans, 2, 1.0, tone_scorer())
    assert [calls.tolist() for calls in found.calls] == [[2.0], []]
    assert found.scores[found.absent].tolist() == [1.0, 3.0, 4.0]
    # a span shorter than a window of 1 s was widened to it
    assert found.hours * 3600 == pytest.approx([1.0, 1.5, 1.0])
    # one of two negatives of class 0 reaches its call; class 1 has none
    assert found.false_positives_per_hour(0.7) == pytest.approx(3600 / 2)


def test_a_score_that_is_not_finite_is_infinity() -> None:
    spans = [verdict(0, True, 0, 1.0), verdict(0, False, 2, math.inf)]
    found = held_out_rate(spans, tone_scorer(), TrainConfig(select_recall=0.9), CLASSES)
    assert found == {"fp/h@0.9": math.inf}


# --- What history makes of it ---


def test_the_lowest_rate_is_the_best_and_ties_go_by_ranking() -> None:
    history = [
        {"epoch": 1.0, "loss": 1.0, "known_ap": 0.9, "fp/h@0.7": 300.0},
        {"epoch": 2.0, "loss": 1.0, "known_ap": 0.5, "fp/h@0.7": 100.0},
    ]
    assert is_best(history[:1])
    assert is_best(history)
    worse = {"epoch": 3.0, "loss": 1.0, "known_ap": 0.4, "fp/h@0.7": 100.0}
    assert not is_best([*history, worse])
    assert is_best([*history, worse | {"known_ap": 0.5}])
    assert is_best([*history, worse | {"known_ap": 0.6}])
    assert not should_stop([*history, worse], 2)
    assert should_stop([*history, worse, worse], 2)
    assert validation_score(history[0]) == -300
    assert shown_score(history) == {"fp/h@0.7": "100"}
    assert shown_score([{"epoch": 1.0, "known_ap": 0.25}]) == {"known_ap": "0.250"}


# --- What can be selected by ---


def test_selection_needs_calls_and_negatives() -> None:
    config = tiny_config(**BY_RATE)
    both = Annotations((annotation(True), annotation(False, start_s=5)), CLASSES)
    assert "has 1 certified negatives" in (check_selectable(config, both, None) or "")
    with pytest.raises(InputError, match="--folds 1 holds no recording out"):
        check_selectable(tiny_config(folds=1, **BY_RATE), both, None)
    for boxes in ((annotation(True),), (annotation(False),), (annotation(True), annotation(False))):
        with pytest.raises(InputError, match="no class with both confirmed calls and certified"):
            check_selectable(config, Annotations(boxes, CLASSES), None)
    many = [annotation(False, start_s=5 + i) for i in range(100)]
    enough = Annotations((annotation(True), *many), CLASSES)
    assert check_selectable(config, enough, None) is None


# --- Rows of a pool ---


@pytest.fixture(scope="module")
def pool(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    out = tmp_path_factory.mktemp("select") / "pool"
    return open_pool(make_pool(shared_data, out, scene={"count": 10}))


def prepared(pool: Pool, opened: Opened, cache: Path, held_out: frozenset[str]) -> HeldOutNegatives:
    rows = HeldOutNegatives(Path(pool.path))
    rows.prepare(tiny_config(**BY_RATE), CLASSES, opened.recordings.infos, held_out, cache)
    return rows


def test_rows_are_of_held_out_recordings_alone(
    pool: Pool, shared_opened: Opened, tmp_path: Path
) -> None:
    names = list(shared_opened.recordings.infos)
    held_out = frozenset(names[:3])
    rows = prepared(pool, shared_opened, tmp_path, held_out)
    expected = [
        recipe
        for recipe in pool
        if recipe.draws_on(held_out)
        and not recipe.draws_on(frozenset(names[3:]))
        and recipe.kind != "scene"
    ]
    assert 0 < len(rows) == len(expected) < len(list(pool))
    assert rows.absent.tolist() == [[c in one.labels.absent for c in CLASSES] for one in expected]
    for samples, recipe in zip(rows.clips(), expected, strict=True):
        np.testing.assert_allclose(samples, recipe.render(SAMPLE_RATE), atol=1e-4)
    # each is scored, whole, for the classes it is free of
    spans = [verdict(0, True, 0, -50.0), verdict(1, True, 0, -50.0)]
    found = held_out_scores(spans, 2, 0.5, scorer := tone_scorer(), rows)
    want = [scorer.clip_logits(scorer.features(samples)) for samples in rows.clips()]
    np.testing.assert_array_equal(found.scores, want)
    # all reach the calls: so many an hour as there are clips of one second in it
    assert found.false_positives_per_hour(0.7) == pytest.approx(3600)


def test_more_than_an_hour_is_sampled_and_said(
    pool: Pool, shared_opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    held_out = frozenset(shared_opened.recordings.infos)
    everything = prepared(pool, shared_opened, tmp_path, held_out)
    monkeypatch.setattr(held_out_negatives, "MOST_HOURS", 5 / 3600)
    rows, again = (prepared(pool, shared_opened, tmp_path, held_out) for _ in range(2))
    assert len(rows) == 5 < len(everything)
    assert (rows.absent == again.absent).all()
    assert f"a sample of 5 of its {len(everything)} held-out rows validates" in caplog.text


def test_a_pool_without_such_rows_is_an_error(
    pool: Pool, shared_opened: Opened, tmp_path: Path
) -> None:
    with pytest.raises(PoolError, match="no negative is of the 1 held-out recordings alone"):
        prepared(pool, shared_opened, tmp_path, frozenset({"elsewhere"}))
