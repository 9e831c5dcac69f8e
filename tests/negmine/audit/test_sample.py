"""The sample: claims counted row by row, allocation, draws that stand for their strata."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from auditing import selection

from negmine.audit.frames import PoolFrame, SelectionFrame
from negmine.audit.sample import allocate, draw_calls, draw_claims, draw_sample
from negmine.audit.settings import DrawSettings
from negmine.errors import InputError, PoolError
from negmine.pool import Pool, open_pool
from negmine.recipes.certificates import Certificate


@pytest.fixture
def pool(shared_pool: Path) -> Pool:
    return open_pool(shared_pool)


def test_certificates_of_rows_are_those_of_their_labels(pool: Pool) -> None:
    names = list(Certificate)
    for label in pool.classes:
        absent = [recipe.labels.absent.get(label) for recipe in pool]
        expected = [-1 if one is None else names.index(one.certificate) for one in absent]
        assert pool.recipes.certificates(label).tolist() == expected
    assert len(set(expected)) > 2
    assert pool.recipes.certificates("no such class").max() == -1


def test_a_draw_of_everything_is_every_claim(pool: Pool) -> None:
    drawn = draw_claims(
        PoolFrame(pool), pool.classes, ("certificate", "kind"), DrawSettings(sample=10_000)
    )
    every = Counter(
        (recipe.id, label, recipe.kind, a.certificate.value, a.confidence)
        for recipe in pool
        for label, a in recipe.labels.absent.items()
    )
    assert every == Counter((c.recipe, c.label, c.kind, c.certificate, c.confidence) for c in drawn)
    sizes = Counter(f"{c.certificate}, {c.kind}" for c in drawn)
    assert {c.stratum: c.stratum_size for c in drawn} == dict(sizes)


def test_a_draw_stands_for_its_strata_and_repeats(pool: Pool) -> None:
    settings = DrawSettings(sample=12, least=2)
    by = ("certificate", "kind")
    drawn = draw_claims(PoolFrame(pool), pool.classes, by, settings)
    assert draw_claims(PoolFrame(pool), pool.classes, by, settings) == drawn
    other = draw_claims(PoolFrame(pool), pool.classes, by, settings.replace(seed=1))
    assert {c.recipe for c in other} != {c.recipe for c in drawn}
    assert Counter(c.stratum for c in drawn) == dict.fromkeys({c.stratum for c in drawn}, 4)
    assert len({(c.recipe, c.label) for c in drawn}) == 12
    only = draw_claims(PoolFrame(pool), ("1",), by, settings)
    assert {c.label for c in only} == {"1"}


def test_a_draw_may_ask_about_some_kinds_and_certificates_alone(pool: Pool) -> None:
    settings = DrawSettings(sample=1000, kinds=("mix", "fp"), certificates=("mixed",))
    drawn = draw_claims(PoolFrame(pool), pool.classes, ("kind",), settings)
    assert Counter((c.recipe, c.label) for c in drawn) == Counter(
        (recipe.id, label)
        for recipe in pool
        for label, absence in recipe.labels.absent.items()
        if recipe.kind == "mix"
    )
    assert {(c.certificate, c.stratum_size) for c in drawn} == {("mixed", len(drawn))}


def test_every_claim_of_a_stratum_is_drawn_as_often(pool: Pool) -> None:
    frame, times = PoolFrame(pool), 100
    counts: Counter[tuple[str, str]] = Counter()
    for seed in range(times):
        settings = DrawSettings(sample=6, least=1, seed=seed)
        counts.update(
            (c.recipe, c.label)
            for c in draw_claims(frame, pool.classes, ("kind",), settings)
            if c.kind == "fp"
        )
    size = sum(len(r.labels.absent) for r in pool if r.kind == "fp")
    expected = 2 * times / size
    assert len(counts) == size
    # five standard deviations of a count
    assert max(abs(n - expected) for n in counts.values()) < 5 * expected**0.5


def test_hardness_is_by_score_within_the_class(pool: Pool) -> None:
    chosen = selection(pool)
    drawn = draw_claims(
        SelectionFrame(chosen), pool.classes, ("hardness",), DrawSettings(sample=1000)
    )
    assert len(drawn) == len(chosen.rows) == 40
    for label in pool.classes:
        ordered = sorted((c for c in drawn if c.label == label), key=lambda c: -c.score)
        assert [c.hardness for c in ordered] == (["top 10%"] * 2 + ["next 40%"] * 8 + ["rest"] * 10)
    assert {c.stratum: c.stratum_size for c in drawn} == {
        "top 10%": 4,
        "next 40%": 16,
        "rest": 20,
    }


@pytest.mark.parametrize(
    ("sizes", "sample", "equal", "least", "expected"),
    [
        ([100, 100, 100], 30, True, 5, [10, 10, 10]),
        ([100, 4, 100], 30, True, 5, [13, 4, 13]),
        ([900, 90, 10], 100, False, 1, [90, 9, 1]),
        ([900, 90, 10], 100, False, 5, [86, 9, 5]),
        ([3, 2], 100, True, 5, [3, 2]),
        ([50, 50], 5, True, 1, [3, 2]),
    ],
)
def test_allocation(
    sizes: list[int], sample: int, equal: bool, least: int, expected: list[int]
) -> None:
    assert allocate(np.array(sizes), sample, equal=equal, least=least).tolist() == expected


def test_allocation_always_adds_up() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        sizes = rng.integers(1, 10 ** rng.integers(1, 7), rng.integers(1, 9))
        sample, least = int(rng.integers(60, 300)), int(rng.integers(1, 7))
        for equal in (True, False):
            out = allocate(sizes, sample, equal=equal, least=least)
            assert out.sum() == min(sample, sizes.sum())
            assert (out <= sizes).all()
            assert (out >= np.minimum(sizes, least)).all()


def test_controls_and_examples_are_calls_of_the_classes_that_are_asked_about(pool: Pool) -> None:
    settings = DrawSettings(sample=20, controls=0.2, examples=3)
    claims = draw_claims(PoolFrame(pool), ("1",), ("kind",), settings)
    controls, examples = draw_calls(pool, claims, settings)
    assert {label: len(ids) for label, ids in examples.items()} == {"1": 3}
    used = [control.recipe for control in controls] + examples["1"]
    assert len(used) == len(set(used)) == 7
    assert all(control.control and control.label == "1" for control in controls)
    for name in used:
        assert pool.calls[pool.calls.row_of(name)].labels.present >= {"1"}
    # there are eight calls of a class; what the listener misses comes before examples
    controls, examples = draw_calls(pool, claims, settings.replace(controls=1.0))
    assert (len(controls), examples) == (8, {"1": []})
    none = settings.replace(controls=0.0, examples=0)
    assert draw_calls(pool, claims, none) == ([], {"1": []})


def test_the_order_says_nothing_of_the_stratum(pool: Pool) -> None:
    frame, places = PoolFrame(pool), defaultdict(list)
    for seed in range(20):
        settings = DrawSettings(sample=30, controls=0.3, seed=seed)
        for place, claim in enumerate(draw_sample(frame, pool, ("kind",), settings)[0]):
            places[claim.stratum].append(place)
    assert len(places) == 4
    # each stratum, and the controls, stand in the middle on average: within four standard errors
    for found in places.values():
        assert abs(np.mean(found) - 19) < 4 * (39 / 12**0.5) / len(found) ** 0.5


def test_what_cannot_be_drawn_is_one_line(pool: Pool) -> None:
    frame = PoolFrame(pool)
    with pytest.raises(InputError, match="--by hardness: no such stratum here; a pool has no scor"):
        draw_claims(frame, pool.classes, ("hardness",), DrawSettings())
    with pytest.raises(InputError, match="--sample 5: 3 strata of at least 5 need 15; raise"):
        draw_claims(frame, pool.classes, ("kind",), DrawSettings(sample=5))
    with pytest.raises(InputError, match=r"--kind mixx: not here \(did you mean mix\?\)"):
        draw_claims(frame, pool.classes, (), DrawSettings(kinds=("mixx",)))
    with pytest.raises(PoolError, match="nothing to audit"):
        draw_claims(frame, pool.classes, (), DrawSettings(certificates=("agreed",)))
    with pytest.raises(PoolError, match="nothing to audit"):
        draw_claims(
            SelectionFrame(replace(selection(pool), rows=())), pool.classes, (), DrawSettings()
        )
