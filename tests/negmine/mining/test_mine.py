"""Mining, held against a selection made row by row in plain Python."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Data, make_pool, source_of
from ml_dtypes import bfloat16
from placeholder import PlaceholderScorer
from pools import write_pool

from negmine.annotations import read_rfcx
from negmine.building import PoolSettings, build_pool
from negmine.errors import PoolError
from negmine.mining.mine import Mined, MineSettings, mine
from negmine.mining.selection import Selection
from negmine.mining.strata import Strata
from negmine.models.scorer import Scorer
from negmine.pool import Pool, open_pool
from negmine.recipes.recipe import Recipe
from negmine.scores import embed

HELD_OUT = frozenset({"rec00", "rec05", "external/other1.wav"})


@pytest.fixture(scope="module")
def pool(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """16 rejected detections, 9 external windows and 80 mixes."""
    return open_pool(make_pool(shared_data, tmp_path_factory.mktemp("mine") / "pool", mix=80))


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores that tests share; what is held out does not change them."""
    return tmp_path_factory.mktemp("scores")


@pytest.fixture
def mined(pool: Pool, scores: Path) -> Mined:
    settings = MineSettings(per_class=6, min_distance=0.0)
    return mine(PlaceholderScorer(held_out=HELD_OUT), pool, scores, settings)


def bf16(values: np.ndarray) -> np.ndarray:
    return values.astype(bfloat16).astype(np.float32)


@cache
def scored(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    embedded, logits = PlaceholderScorer().score(recipe.render()[None])
    unit = bf16(embedded[0] / np.linalg.norm(embedded[0])).astype(np.float64)
    return unit / np.linalg.norm(unit), logits[0]


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return 1 - float(one @ other)


def slow_choice(
    scorer: Scorer, pool: Pool, per_class: int, min_distance: float
) -> dict[str, list[tuple[str, float]]]:
    """For each class: ids and scores, the hardest first, without near-duplicates."""
    rows = {recipe.id: (recipe, *scored(recipe)) for recipe in pool}
    chosen: dict[str, list[tuple[str, float]]] = {}
    for column, name in enumerate(scorer.classes):
        offered = [
            key
            for key, (recipe, _, _) in rows.items()
            if name in recipe.labels.absent and not recipe.groups & scorer.held_out
        ]
        offered.sort(key=lambda key: -rows[key][2][column])
        kept: list[str] = []
        for key in offered:
            new = all(distance(rows[key][1], rows[k][1]) >= min_distance for k in kept)
            if new and len(kept) < per_class:
                kept.append(key)
        chosen[name] = [(key, float(rows[key][2][column])) for key in kept]
    return chosen


def by_class(selection: Selection) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for row in selection.rows:
        found.setdefault(row.label, []).append((row.recipe, row.score))
    return found


def rejected(of_class: dict[str, Any]) -> dict[str, int]:
    """How many each rule of a class's report rejected."""
    return {rule["rule"]: rule["rejected"] for rule in of_class["rules"]}


def wide_gap(pool: Pool, quantile: float) -> float:
    """A distance that no two recipes have, so that rounding decides nothing."""
    vectors = [scored(recipe)[0] for recipe in pool]
    every = np.sort([distance(a, b) for a, b in combinations(vectors, 2)])
    around = every[int(len(every) * (quantile - 0.05)) : int(len(every) * (quantile + 0.05))]
    at = int(np.argmax(np.diff(around)))
    return float(around[at] + around[at + 1]) / 2


def rewritten(pool: Pool, path: Path, recipes: list[Recipe], calls: list[Recipe]) -> Pool:
    """A pool of the same sources with these rows."""
    write_pool(
        path,
        classes=pool.classes,
        clip_s=pool.clip_s,
        sample_rate=pool.sample_rate,
        roots={str(i): root for i, root in enumerate({s.root for s in pool.sources})},
        recipes=recipes,
        calls=calls,
        settings={},
    )
    return open_pool(path)


@pytest.mark.parametrize("held_out", [frozenset(), HELD_OUT])
@pytest.mark.parametrize(("per_class", "quantile"), [(5, 0.1), (20, 0.3), (500, 0.3), (500, 0.6)])
def test_the_choice_is_that_of_plain_sorting(
    pool: Pool, scores: Path, held_out: frozenset[str], per_class: int, quantile: float
) -> None:
    scorer = PlaceholderScorer(held_out=held_out)
    settings = MineSettings(per_class=per_class, min_distance=wide_gap(pool, quantile))
    found = by_class(mine(scorer, pool, scores, settings).selection)
    expected = slow_choice(scorer, pool, per_class, settings.min_distance)
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert [key for key, _ in found[name]] == [key for key, _ in rows]
        assert [x for _, x in found[name]] == pytest.approx([x for _, x in rows], rel=1e-5)


def test_each_row_says_what_the_pool_says_of_it(pool: Pool, mined: Mined) -> None:
    recipes = {recipe.id: recipe for recipe in pool}
    calls = {call.id: call for call in pool.calls}
    scorer = PlaceholderScorer()
    ranks: Counter[str] = Counter()
    for row in mined.selection.rows:
        recipe = recipes[row.recipe]
        absence = recipe.labels.absent[row.label]
        assert (row.kind, row.certificate) == (recipe.kind, absence.certificate.value)
        assert row.confidence == np.float32(absence.confidence)
        ranks[row.label] += 1
        assert row.rank == ranks[row.label]
        here = scored(recipe)[0]
        near = {
            key: distance(here, scored(call)[0])
            for key, call in calls.items()
            if row.label in call.labels.present
        }
        assert row.distance == pytest.approx(min(near.values()), abs=1e-5)
        assert near[row.nearest_call] == pytest.approx(min(near.values()), abs=1e-5)
    assert ranks == {"0": 6, "1": 6}
    assert (mined.selection.pool, mined.selection.pool_digest) == (pool.path, pool.digest)
    assert mined.selection.model == scorer.fingerprint


def test_rows_that_are_not_certified_are_never_chosen(pool: Pool, scores: Path) -> None:
    mined = mine(PlaceholderScorer(), pool, scores, MineSettings(per_class=1000, min_distance=0))
    certified = {(r.id, name) for r in pool for name in r.labels.absent}
    uncertified = {(r.id, name) for r in pool for name in pool.classes} - certified
    chosen = {(row.recipe, row.label) for row in mined.selection.rows}
    assert chosen == certified
    assert uncertified


def test_nothing_of_a_held_out_recording_is_chosen(pool: Pool, scores: Path) -> None:
    settings = MineSettings(per_class=1000, min_distance=0)
    mined = mine(PlaceholderScorer(held_out=HELD_OUT), pool, scores, settings)
    recipes = {recipe.id: recipe for recipe in pool}
    leaking = {key for key, recipe in recipes.items() if recipe.groups & HELD_OUT}
    as_partner = [k for k in leaking if source_of(recipes[k].layers[0]).group not in HELD_OUT]
    assert as_partner  # some lie in the second layer alone
    assert mined.report.held_out == len(leaking)
    for selection in (mined.selection, mined.control):
        chosen = {row.recipe for row in selection.rows}
        assert not chosen & leaking
    assert {row.recipe for row in mined.selection.rows} == {
        key for key, recipe in recipes.items() if key not in leaking and recipe.labels.absent
    }


@pytest.mark.parametrize("shortlist", [1, 8])
def test_near_duplicates_give_way_to_the_higher_scoring(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shortlist: int
) -> None:
    # with 1, half of the first shortlist falls out, and a longer one is needed
    monkeypatch.setattr("negmine.mining.pick._SHORTLIST", shortlist)
    # the same sounds under other ids: cut a third of a sample later
    twins = []
    for recipe in pool:
        layers = tuple(replace(la, start_s=la.start_s + 4e-5) for la in recipe.layers)
        twins.append(replace(recipe, layers=layers))
    doubled = rewritten(pool, tmp_path / "pool", [*pool, *twins], list(pool.calls))
    assert len(doubled) == 2 * len(pool)
    settings = MineSettings(per_class=10, min_distance=1e-6)
    mined = mine(PlaceholderScorer(), doubled, tmp_path / "scores", settings)
    sound = {twin.id: recipe.id for twin, recipe in zip(twins, pool, strict=True)}
    for rows in by_class(mined.selection).values():
        sounds = [sound.get(key, key) for key, _ in rows]
        assert len(set(sounds)) == len(sounds) == 10
    assert all(rejected(c)["duplicates"] >= 9 for c in mined.report.classes.values())


@pytest.mark.parametrize("per_class", [3, 9])
def test_a_choice_from_the_head_of_a_shortlist_is_that_from_all_of_it(
    pool: Pool, scores: Path, monkeypatch: pytest.MonkeyPatch, per_class: int
) -> None:
    settings = MineSettings(per_class=per_class, min_distance=wide_gap(pool, 0.3), max_doubt=0.02)
    found = []
    for head in (1, 2, 1000):
        monkeypatch.setattr("negmine.mining.choose._HEAD", head)
        found.append(mine(PlaceholderScorer(), pool, scores, settings))
    for one in found[:2]:
        assert by_class(one.selection) == by_class(found[2].selection)
        assert by_class(one.review) == by_class(found[2].review)
        assert one.report.classes == found[2].report.classes
    assert any(rejected(c)["duplicates"] for c in found[2].report.classes.values())


def test_the_control_has_the_cells_kinds_and_weights_of_what_was_mined(
    pool: Pool, scores: Path
) -> None:
    scorer = PlaceholderScorer(held_out=HELD_OUT)
    mined = mine(scorer, pool, scores, MineSettings(per_class=12, min_distance=0.0))
    known = {recipe.id: len(recipe.labels.absent) for recipe in pool}

    def counts(selection: Selection) -> Counter[tuple[str, str]]:
        return Counter((row.label, row.kind) for row in selection.rows)

    def dose(selection: Selection) -> list[float]:
        rows = selection.rows
        return [sum(known[row.recipe] for row in rows), sum(row.confidence for row in rows)]

    assert counts(mined.control) == counts(mined.selection)
    assert len(counts(mined.control)) > 2
    # among a hundred rows few are alike
    assert dose(mined.control) == pytest.approx(dose(mined.selection), rel=0.15)
    cells = [(row.recipe, row.label) for row in mined.control.rows]
    assert len(set(cells)) == len(cells)
    certified = {(r.id, name) for r in pool for name in r.labels.absent}
    assert set(cells) <= certified
    assert set(cells) != {(row.recipe, row.label) for row in mined.selection.rows}
    again = mine(scorer, pool, scores, MineSettings(per_class=12, min_distance=0.0, seed=0)).control
    other = mine(scorer, pool, scores, MineSettings(per_class=12, min_distance=0.0, seed=1)).control
    assert again == mined.control
    assert {row.recipe for row in other.rows} != {row.recipe for row in again.rows}


@pytest.mark.parametrize(("per_class", "min_distance"), [(4, 0.0), (6, 0.01), (1000, 0.002)])
def test_the_numbers_of_the_report_add_up(
    pool: Pool, scores: Path, per_class: int, min_distance: float
) -> None:
    settings = MineSettings(per_class=per_class, min_distance=min_distance)
    mined = mine(PlaceholderScorer(held_out=HELD_OUT), pool, scores, settings)
    report = mined.report
    assert report.rows == len(pool)
    assert list(report.classes) == ["0", "1"]
    for name, counts in report.classes.items():
        rows = [row for row in mined.selection.rows if row.label == name]
        free = [r for r in pool if name in r.labels.absent and not r.groups & HELD_OUT]
        assert counts["certified"] == len(free)
        assert counts["certified"] == sum(rejected(counts).values()) + counts["chosen"]
        left = counts["certified"]
        for rule in counts["rules"]:
            left -= rule["rejected"]
            assert (rule["kept"], rule["rejected"] >= 0) == (left, True)
        assert counts["chosen"] == len(rows)
        assert (counts["highest"], counts["lowest"]) == (rows[0].score, rows[-1].score)
        calls = [scored(call)[1][int(name)] for call in pool.calls if name in call.labels.present]
        assert counts["calls"] == pytest.approx(np.median(calls), rel=1e-5)
    text = report.to_text()
    assert f"{len(pool)} rows, {report.scored} scored now, {report.held_out} held out" in text
    assert "below: ranked below the last one chosen" in text
    assert report.to_dict()["classes"] == report.classes


def test_a_second_run_reads_the_scores(pool: Pool, tmp_path: Path) -> None:
    scorer = PlaceholderScorer()
    first = mine(scorer, pool, tmp_path)
    calls = scorer.calls
    assert calls > 0
    second = mine(scorer, pool, tmp_path)
    assert scorer.calls == calls
    assert second.report.scored == 0
    assert second.selection == first.selection
    assert second.control == first.control


@pytest.mark.parametrize("shard_rows", [4, 64])
def test_the_size_of_shards_does_not_change_the_choice(
    pool: Pool,
    scores: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shard_rows: int,
) -> None:
    plain = mine(PlaceholderScorer(), pool, scores, MineSettings(per_class=15))
    monkeypatch.setattr(embed, "SHARD_ROWS", shard_rows)
    other = mine(PlaceholderScorer(), pool, tmp_path / "other", MineSettings(per_class=15))
    assert [(r.recipe, r.label, r.rank) for r in other.selection.rows] == [
        (r.recipe, r.label, r.rank) for r in plain.selection.rows
    ]


def test_the_order_of_rows_does_not_change_the_choice(
    pool: Pool, scores: Path, tmp_path: Path
) -> None:
    turned = rewritten(pool, tmp_path / "pool", list(pool)[::-1], list(pool.calls)[::-1])
    settings = MineSettings(per_class=15, min_distance=wide_gap(pool, 0.2))
    plain = mine(PlaceholderScorer(), pool, scores, settings).selection
    other = mine(PlaceholderScorer(), turned, tmp_path / "other", settings).selection
    assert by_class(other) == by_class(plain)


def test_a_model_may_have_the_classes_in_another_order(
    pool: Pool, scores: Path, tmp_path: Path
) -> None:
    settings = MineSettings(per_class=7)
    plain = mine(PlaceholderScorer(), pool, scores, settings).selection
    turned = mine(PlaceholderScorer(("1", "0")), pool, tmp_path / "turned", settings).selection
    assert by_class(turned) == by_class(plain)


def test_a_class_without_negatives_is_reported_and_not_chosen(data: Data, tmp_path: Path) -> None:
    table = pd.read_csv(data.fp)
    table[table.species_id == 0].to_csv(data.fp, index=False)
    report = build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        tmp_path / "pool",
        settings=PoolSettings(clip_s=1.0, sample_rate=8000),
    )
    mined = mine(PlaceholderScorer(), report.pool, tmp_path / "scores")
    assert {row.label for row in mined.selection.rows} == {"0"}
    assert {row.label for row in mined.control.rows} == {"0"}
    counts = mined.report.classes["1"]
    assert (counts["certified"], counts["chosen"], rejected(counts)["below"]) == (0, 0, 0)
    assert math.isnan(counts["highest"])
    assert "nan" in mined.report.to_text()


def test_a_model_of_other_classes_is_refused(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"does not fit the model: class '2' is unknown there"):
        mine(PlaceholderScorer(("0", "1", "2")), pool, tmp_path)
    with pytest.raises(
        PoolError, match=r"does not fit the model: has a class '1' that is not among"
    ):
        mine(PlaceholderScorer(("0",)), pool, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_a_head_of_doubted_rows_longer_than_any_shortlist_is_passed_over(
    pool: Pool, scores: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    model = PlaceholderScorer()
    logits = {c: np.sort(_certified_logits(pool, c))[::-1] for c in pool.classes}
    heads = {c: logits[c][: round(share * len(logits[c]))] for c in pool.classes}

    class Doubting:
        auc, fitted, held_out = 1.0, True, True

        def to_dict(self) -> dict[str, Any]:
            return {}

        def probability(self, features: np.ndarray, *_: np.ndarray) -> np.ndarray:
            return np.where(features[:, 0] > 0, 0.9, 0.1)

    def features(self: Any, scores: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        return np.asarray((scores >= heads[self.name][-1])[:, None], dtype=float)

    monkeypatch.setattr("negmine.mining.mine.fit_doubt", lambda *_: (Doubting(), Strata(pool)))
    monkeypatch.setattr("negmine.mining.known.KnownCalls.features", features)
    monkeypatch.setattr("negmine.mining.pick._SHORTLIST", 2)
    monkeypatch.setattr("negmine.mining.pick._LONGEST", 6)
    mined = mine(model, pool, scores, MineSettings(per_class=3, min_distance=0.0))
    chosen, review = by_class(mined.selection), by_class(mined.review)
    for name, head in heads.items():
        after = logits[name][len(head) :]
        assert [score for _, score in chosen[name]] == pytest.approx(after[:3].tolist(), rel=1e-5)
        assert [score for _, score in review[name]] == pytest.approx(head[:3].tolist(), rel=1e-5)
        assert rejected(mined.report.classes[name])["doubt"] == len(head)


def _certified_logits(pool: Pool, name: str) -> list[float]:
    column = pool.classes.index(name)
    return [float(scored(r)[1][column]) for r in pool if name in r.labels.absent]
