"""The guard: what may hold the class after all is no parent and no find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import SAMPLE_RATE, TONE_HZ, make_data, make_pool, tone
from placeholder import PlaceholderScorer

from negmine.pool import Pool, open_pool
from negmine.recipes.recipe import Recipe
from negmine.scores.embed import Scores, score_pool
from negmine.synthesis.found import Synthesised
from negmine.synthesis.guard import Guard, fit_guard
from negmine.synthesis.roots import hardest_roots
from negmine.synthesis.settings import SynthesisSettings
from negmine.synthesis.synthesise import synthesise

HIDDEN = "hidden.wav"
SETTINGS = SynthesisSettings(budget=200, per_class=5, min_distance=1e-5, seed=3)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pool, Scores, Scores]:
    """A pool in which an external file, declared free of class 0, holds its call all along."""
    root = tmp_path_factory.mktemp("planted")
    # 24 calls and 24 rejections: enough to fit doubt on
    data = make_data(root / "data", recordings=12)
    call = tone(TONE_HZ["0"], 3.0)
    noise = np.random.default_rng(0).normal(0, 0.01, len(call))
    sf.write(data.external / HIDDEN, 2 * call + noise, SAMPLE_RATE, subtype="FLOAT")
    # the tone is that of the recordings: a copy of them would be left out
    pool = open_pool(make_pool(data, root / "pool", mix=0, near_duplicates=False))
    return pool, *score_pool(PlaceholderScorer(), pool, root / "scores")


def holds_the_call(recipe: Recipe) -> bool:
    return any(source.name == HIDDEN for source in recipe.sources)


def searched(
    planted: tuple[Pool, Scores, Scores], max_doubt: float
) -> tuple[Synthesised, dict[str, Recipe]]:
    """A search from the pool's scores, and every recipe that it scored."""
    pool, scores, calls = planted
    seen: dict[str, Recipe] = {}
    done = synthesise(
        PlaceholderScorer(),
        pool,
        SETTINGS.replace(max_doubt=max_doubt),
        known=(scores, calls),
        on_scored=lambda recipes, embeddings, logits: seen.update((r.id, r) for r in recipes),
    )
    return done, seen


def test_the_highest_scoring_row_is_the_hidden_call(planted: tuple[Pool, Scores, Scores]) -> None:
    pool, scores, _ = planted
    certified = np.flatnonzero(pool.confidence("0") > 0)
    highest = certified[scores.logits(certified)[:, 0].argmax()]
    assert holds_the_call(pool.recipes[highest])


def test_without_the_guard_the_call_is_found_again_and_again(
    planted: tuple[Pool, Scores, Scores],
) -> None:
    done, seen = searched(planted, 1.0)
    assert not done.refused
    found = [find for find in done.finds if find.label == "0"]
    assert sum(holds_the_call(seen[find.recipe]) for find in found) > len(found) / 2


def test_with_it_neither_the_call_nor_what_is_made_of_it(
    planted: tuple[Pool, Scores, Scores],
) -> None:
    done, seen = searched(planted, 0.05)
    assert done.doubt_auc == pytest.approx(1.0)
    made = {product.recipe.id for product in done.lineage}
    found = {find.recipe for find in done.finds if find.label == "0"}
    assert found & made
    assert not any(holds_the_call(seen[key]) for key in found)
    # the file may serve the other class: what is made of it then is no negative of this one
    others = {key for key, recipe in seen.items() if holds_the_call(recipe)}
    assert others
    assert {key for key in others if "0" in seen[key].labels.absent} <= {
        key for key, label in done.refused if label == "0"
    }


def test_refusals_are_reported_with_the_classes_they_are_for(
    planted: tuple[Pool, Scores, Scores],
) -> None:
    pool, _, _ = planted
    done, _ = searched(planted, 0.05)
    rows = {str(key): row for row, key in enumerate(pool.recipes.ids)}
    own = [(rows[key], label) for key, label in done.refused if key in rows]
    assert own
    assert all(label == "0" and holds_the_call(pool.recipes[row]) for row, label in own)


@pytest.fixture
def hardest(planted: tuple[Pool, Scores, Scores]) -> tuple[np.ndarray, np.ndarray]:
    """Score and embedding of the clip with the hidden call."""
    pool, scores, _ = planted
    certified = np.flatnonzero(pool.confidence("0") > 0)
    row = certified[[scores.logits(certified)[:, 0].argmax()]]
    return scores.logits(row)[:, 0], scores.embeddings(row)


def fitted(planted: tuple[Pool, Scores, Scores], max_doubt: float) -> Guard:
    pool, scores, calls = planted
    rng = np.random.default_rng(0)
    return fit_guard(PlaceholderScorer(), pool, max_doubt, scores, calls, rng)


def test_a_product_is_believed_no_more_than_its_certificates_allow(
    planted: tuple[Pool, Scores, Scores], hardest: tuple[np.ndarray, np.ndarray]
) -> None:
    """The odds of doubt are the certificate's times what the sound says: those of a mix, lower."""

    def refused(confidence: float) -> bool:
        return bool(guard.refuses(0, ["a"], np.array([confidence]), *hardest)[0])

    sure, limit = 0.9999, 0.1
    guard = fitted(planted, limit)
    assert not refused(sure)
    while not refused(sure):
        # mixed with one more part of the same confidence
        sure *= 0.99
    assert 0.9 < sure < 0.9999
    assert not fitted(planted, 0.9).refuses(0, ["a"], np.array([sure]), *hardest)[0]


def test_what_is_refused_passes_it_on(
    planted: tuple[Pool, Scores, Scores], hardest: tuple[np.ndarray, np.ndarray]
) -> None:
    guard = fitted(planted, 0.1)

    def refused(column: int, recipe: str, confidence: float, *parents: str) -> bool:
        given = np.array([confidence])
        return bool(guard.refuses(column, [recipe], given, *hardest, [parents])[0])

    assert refused(0, "a", 0.9)
    assert not refused(0, "b", 0.9999)
    # however sure its own certificate, for this class, and from one to the next
    for child, parents in (("c", ("b", "a")), ("d", ("c",))):
        assert refused(0, child, 0.9999, *parents)
        assert not refused(1, child, 0.9999, *parents)
    assert not refused(0, "e", 0.9999, "b")
    assert guard.refused == {("a", 0), ("c", 0), ("d", 0)}


def test_without_enough_to_fit_doubt_on_the_certificate_stands_alone(
    planted: tuple[Pool, Scores, Scores],
    hardest: tuple[np.ndarray, np.ndarray],
    tmp_path: Path,
) -> None:
    pool, scores, calls = planted
    rng = np.random.default_rng(0)
    few = open_pool(make_pool(make_data(tmp_path / "data", recordings=9), tmp_path / "pool"))
    of_few = score_pool(PlaceholderScorer(), few, tmp_path / "scores")
    for guard in (
        fit_guard(PlaceholderScorer(), pool, 0.1, None, calls, rng),
        fit_guard(PlaceholderScorer(), pool, 0.1, scores, None, rng),
        fit_guard(PlaceholderScorer(), few, 0.1, *of_few, rng),
    ):
        assert guard.auc is None
        assert not guard.refuses(0, ["a"], np.array([0.5]), *hardest).any()


def test_a_limit_of_one_refuses_nothing(planted: tuple[Pool, Scores, Scores]) -> None:
    pool, scores, _ = planted
    guard = fitted(planted, 1.0)
    rows = np.flatnonzero(pool.confidence("0") > 0)
    assert not guard.refuses(
        0,
        pool.recipes.ids[rows],
        pool.recipes.confidence("0", rows),
        scores.logits(rows)[:, 0],
        scores.embeddings(rows),
    ).any()


def test_roots_are_the_hardest_of_each_kind_that_pass(
    planted: tuple[Pool, Scores, Scores], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, scores, _ = planted
    certified = np.flatnonzero(pool.confidence("1") > 0)
    kinds = pool.recipes.kinds
    logits = scores.logits(certified)[:, 1]

    class Strict(Guard):
        """Refuses all but the lowest-scoring."""

        def refuses(self, column, recipes, confidence, logits, embeddings, parents=None):  # type: ignore[no-untyped-def]
            return logits > limit

    def slow(count: int) -> set[int]:
        hardest = set()
        for kind in np.unique(kinds[certified]):
            of_kind = kinds[certified] == kind
            order = certified[of_kind][np.argsort(-logits[of_kind], kind="stable")]
            hardest |= set(order[:count].tolist())
        return hardest

    # one is wanted, four are looked at
    roots = hardest_roots(pool, "1", 1, certified, scores, Guard(1.0), 1)
    assert set(roots.tolist()) == slow(4)
    limit = float(np.sort(logits)[5])
    passing = set(certified[logits <= limit].tolist())
    assert not passing & slow(4)
    roots = hardest_roots(pool, "1", 1, certified, scores, Strict(0.1), 1)
    assert set(roots.tolist()) == passing
    # not without end
    monkeypatch.setattr("negmine.synthesis.roots._LONGEST", 4)
    assert not len(hardest_roots(pool, "1", 1, certified, scores, Strict(0.1), 1))
