"""The search: its budget, its finds against a slow count, its labels against slow algebra."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import Data, make_data, make_pool
from placeholder import PlaceholderScorer

from negmine.annotations import read_rfcx
from negmine.cli.main import main
from negmine.errors import ModelError, PoolError
from negmine.pool import Pool, open_pool
from negmine.recipes.recipe import Recipe
from negmine.scores.embed import score_recipes
from negmine.synthesis.archive import BEAM, Archive, Beams, ScoredRecipe
from negmine.synthesis.found import Synthesised
from negmine.synthesis.into_pool import ANCESTRY, read_ancestry, rules_for, synthesise_into
from negmine.synthesis.moves import MoveRules
from negmine.synthesis.settings import SynthesisSettings
from negmine.synthesis.synthesise import synthesise

HELD_OUT = frozenset({"rec00", "rec05", "external/other1.wav"})


@pytest.fixture(scope="module")
def pool(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """16 rejected detections, 9 external windows, 30 mixes."""
    return open_pool(make_pool(shared_data, tmp_path_factory.mktemp("synth") / "pool", mix=30))


@pytest.fixture(scope="module")
def rules(shared_data: Data, pool: Pool) -> MoveRules:
    return rules_for(pool, read_rfcx(shared_data.tp, shared_data.fp))


def settings(budget: int = 130, **changes: object) -> SynthesisSettings:
    given: dict[str, object] = {"budget": budget, "per_class": 5, "min_distance": 1e-5}
    return SynthesisSettings(**(given | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def searched(pool: Pool, rules: MoveRules) -> Synthesised:
    return synthesise(PlaceholderScorer(held_out=HELD_OUT), pool, settings(260), rules)


def slow_absent(recipe: Recipe, pool: Pool) -> dict[str, float] | None:
    """Classes that each part of a mix of plain pool rows is certified free of, and how surely."""
    parts = []
    for component in recipe.components:
        if len(component) > 1:
            return None
        layer = component[0]
        for row in pool:
            one = row.layers[0]
            if len(row.layers) == 1 and (one.source, one.start_s) == (layer.source, layer.start_s):
                parts.append(row.labels.absent)
                break
        else:
            return None
    names = set.intersection(*(set(part) for part in parts))
    return {name: float(np.prod([part[name].confidence for part in parts])) for name in names}


def test_the_budget_is_spent_exactly(pool: Pool) -> None:
    for budget in (1, 64, 70):
        scored = 0

        def count(recipes: object, embeddings: np.ndarray, logits: np.ndarray) -> None:
            nonlocal scored
            scored += len(logits)

        done = synthesise(PlaceholderScorer(), pool, settings(budget), on_scored=count)
        assert done.forwards == scored == budget
        assert sum(arm.forwards for arm in done.arms) == budget


def test_labels_of_mixes_follow_the_algebra(searched: Synthesised, pool: Pool) -> None:
    checked = 0
    for product in searched.lineage:
        slow = slow_absent(product.recipe, pool)
        if slow is None or product.recipe.kind != "mix":
            continue
        found = {name: a.confidence for name, a in product.recipe.labels.absent.items()}
        assert found == pytest.approx(slow)
        checked += 1
    assert checked > 5


def test_every_product_is_certified_free_of_what_it_was_made_for(searched: Synthesised) -> None:
    assert searched.kept
    assert {product.recipe.id for product in searched.kept} <= {
        product.recipe.id for product in searched.lineage
    }
    for product in searched.lineage:
        assert product.label in product.recipe.labels.absent


def test_nothing_draws_on_held_out_recordings(searched: Synthesised, pool: Pool) -> None:
    assert any(recipe.groups & HELD_OUT for recipe in pool)
    for product in searched.lineage:
        assert not product.recipe.groups & HELD_OUT
    ids = {recipe.id for recipe in pool if recipe.groups & HELD_OUT}
    assert not ids & {find.recipe for find in searched.finds}


def test_all_moves_are_made(searched: Synthesised) -> None:
    moves = {arm.move for arm in searched.arms}
    assert moves == {"explore", "mix", "level", "late", "shift", "transplant"}


def test_scores_are_those_of_the_clip(searched: Synthesised) -> None:
    scorer = PlaceholderScorer()
    for product in searched.kept[:5]:
        logits = scorer.score(product.recipe.render()[None])[1][0]
        column = scorer.classes.index(product.label)
        assert product.score == pytest.approx(float(logits[column]), abs=1e-5)


def test_a_search_finds_what_scores_above_the_whole_pool(searched: Synthesised, pool: Pool) -> None:
    scorer = PlaceholderScorer()
    for column, name in enumerate(scorer.classes):
        best = max(
            float(scorer.score(recipe.render()[None])[1][0, column])
            for recipe in pool
            if name in recipe.labels.absent and not recipe.groups & HELD_OUT
        )
        assert max(find.score for find in searched.finds if find.label == name) > best


def test_lineage_ends_in_the_pool(searched: Synthesised, pool: Pool) -> None:
    known = {*pool.recipes.ids, *pool.calls.ids}
    for product in searched.lineage:
        assert product.parents
        assert set(product.parents) <= known
        known.add(product.recipe.id)


def test_nothing_that_stands_in_the_pool_is_scored_as_a_product(
    searched: Synthesised, pool: Pool
) -> None:
    made = [product.recipe.id for product in searched.lineage]
    assert len(set(made)) == len(made)
    assert not set(made) & set(pool.recipes.ids)


def test_the_same_seed_finds_the_same_whatever_the_batch(pool: Pool) -> None:
    one, other = (
        synthesise(PlaceholderScorer(), pool, settings(130, batch_size=size)) for size in (64, 7)
    )
    assert one.finds == other.finds
    assert [p.recipe.id for p in one.kept] == [p.recipe.id for p in other.kept]
    another = synthesise(PlaceholderScorer(), pool, settings(130, seed=1))
    assert another.finds != one.finds


def test_from_known_scores_nothing_is_explored(pool: Pool, tmp_path: Path) -> None:
    scorer = PlaceholderScorer()
    scores = score_recipes(scorer, pool.recipes, tmp_path)
    done = synthesise(scorer, pool, settings(80), known=(scores, None))
    assert "explore" not in {arm.move for arm in done.arms}
    # a find beats the fifth of the pool's own
    for column, name in enumerate(scorer.classes):
        rows = np.flatnonzero(pool.confidence(name) > 0)
        fifth = np.sort(scores.logits(rows)[:, column])[-5]
        # near copies among the five may lower the bar
        assert min((f.score for f in done.finds if f.label == name), default=9.9) > fifth - 1.0


def test_a_threshold_is_a_floor(pool: Pool) -> None:
    floor = {"0": 4.0, "1": 1e9}
    done = synthesise(PlaceholderScorer(), pool, settings(130, per_class=10**6), floors=floor)
    assert {find.label for find in done.finds} == {"0"}
    assert min(find.score for find in done.finds) > 4.0


def test_classes_can_be_named(pool: Pool) -> None:
    done = synthesise(PlaceholderScorer(), pool, settings(80, classes=("1",)))
    assert {find.label for find in done.finds} == {"1"}
    assert {product.label for product in done.lineage} <= {"1"}
    with pytest.raises(PoolError, match="no class 'O'"):
        synthesise(PlaceholderScorer(), pool, settings(80, classes=("O",)))


def test_a_model_of_other_classes_is_refused(pool: Pool) -> None:
    with pytest.raises(PoolError, match="does not fit the model"):
        synthesise(PlaceholderScorer(("0", "x")), pool, settings(10))


def test_nan_is_an_error(pool: Pool) -> None:
    class Broken(PlaceholderScorer):
        def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            embeddings, logits = super().score(waveforms)
            return embeddings, logits * np.nan

    with pytest.raises(ModelError, match="NaN"):
        synthesise(Broken(), pool, settings(10))


def test_an_archive_keeps_the_hardest_and_counts_no_copy_twice() -> None:
    archive = Archive(2, -np.inf, 0.01)
    east, north = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert archive.offer("a", 1.0, east)
    assert not archive.offer("b", 0.5, east), "a worse copy"
    assert not archive.offer("c", 2.0, east), "a better copy stays, and is no find"
    assert [entry.recipe for entry in archive.entries] == ["c"]
    assert archive.threshold == -np.inf
    assert archive.offer("d", 1.5, north)
    assert archive.threshold == 1.5
    assert not archive.offer("e", 1.5, -north)
    assert archive.offer("f", 1.6, -north)
    assert [entry.recipe for entry in archive.entries] == ["c", "f"]


def test_a_beam_is_not_taken_over_by_one_recording(pool: Pool) -> None:
    rows = [recipe for recipe in pool if recipe.kind == "external"]
    beams = Beams()
    one = rows[0]
    variants = [
        ScoredRecipe(
            Recipe("external", (one.layers[0],), 1.0 + i / 100, 8000, one.labels), np.array([9.0])
        )
        for i in range(1, BEAM)
    ]
    others = [
        ScoredRecipe(recipe, np.array([1.0])) for recipe in rows if recipe.groups != one.groups
    ]
    beams.offer(0, [*variants, *others])
    beam = beams.kept[0, "external"]
    assert sum(clip.recipe.groups == one.groups for clip in beam) == 4
    assert len(beam) > 4


@pytest.fixture
def own_pool(pool: Pool, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pool.path, tmp_path / "pool"))


def test_products_are_appended_with_their_ancestry(own_pool: Path, rules: MoveRules) -> None:
    before = open_pool(own_pool)
    done = synthesise_into(PlaceholderScorer(), before, settings(130), rules)
    after = open_pool(own_pool)
    assert done.added == len(after) - len(before) == len(done.search.kept) > 0
    kept = {product.recipe.id: product.recipe for product in done.search.kept}
    for recipe in after.recipes[len(before) :]:
        assert recipe.layers == kept[recipe.id].layers
        assert recipe.labels == kept[recipe.id].labels
    rows = read_ancestry(own_pool)
    assert {row["recipe"] for row in rows} == {p.recipe.id for p in done.search.lineage}
    # again with another seed: what stands stays, what is new is added
    again = synthesise_into(PlaceholderScorer(), after, settings(130, seed=1), rules)
    more = read_ancestry(own_pool)
    assert more[: len(rows)] == rows
    assert len(more) > len(rows)
    assert len(open_pool(own_pool)) == len(after) + again.added
    assert {row["model"] for row in more} == {PlaceholderScorer().fingerprint}


def test_what_was_found_before_ctrl_c_is_appended(own_pool: Path) -> None:
    class Stopped(PlaceholderScorer):
        def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            if self.calls == 6:
                raise KeyboardInterrupt
            return super().score(waveforms)

    before = len(open_pool(own_pool))
    done = synthesise_into(Stopped(), open_pool(own_pool), settings(800))
    assert done.search.stopped
    # three generations of two batches; a proposal that renders to silence costs none
    assert 2 * 64 < done.search.forwards <= 3 * 64
    assert done.added > 0
    assert len(open_pool(own_pool)) == before + done.added


class Counting(PlaceholderScorer):
    """Counts clips, not batches."""

    forwards = 0

    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.forwards += len(waveforms)
        return super().score(waveforms)


@pytest.mark.parametrize("stop", [False, True])
def test_what_the_search_scored_is_not_scored_again(
    own_pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: bool
) -> None:
    class Scorer(Counting):
        def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            if stop and self.forwards > len(before) + 150:
                raise KeyboardInterrupt
            return super().score(waveforms)

    # several shards, and a last one that is not full
    monkeypatch.setattr("negmine.scores.embed.SHARD_ROWS", 100)
    before, folder = open_pool(own_pool), tmp_path / "scores"
    scorer = Scorer()
    known = score_recipes(scorer, before.recipes, folder)
    done = synthesise_into(scorer, before, settings(310), known=(known, None))
    assert done.search.stopped == stop
    assert done.added > 0
    if not stop:
        assert scorer.forwards == len(before) + 310
    after, mining = open_pool(own_pool), Counting()
    scores = score_recipes(mining, after.recipes, folder)
    assert (mining.forwards, scores.scored) == (0, 0)
    # what was kept is what scoring them gives
    fresh = score_recipes(PlaceholderScorer(), after.recipes, tmp_path / "fresh")
    rows = np.arange(len(after))
    np.testing.assert_array_equal(scores.logits(rows), fresh.logits(rows))
    np.testing.assert_allclose(scores.embeddings(rows), fresh.embeddings(rows), atol=1 / 256)


def test_rules_come_from_the_pools_own_settings(shared_data: Data, tmp_path: Path) -> None:
    made = make_pool(
        shared_data,
        tmp_path / "pool",
        bands={"margin": 0.5, "widest": 0.15},
        fp={"beyond_per_s": 0.9, "pad": "beyond"},
        transplant={"confidence": 0.5},
    )
    opened = open_pool(made)
    rules = rules_for(opened, read_rfcx(shared_data.tp, shared_data.fp))
    assert (rules.beyond_per_s, rules.transplant_confidence) == (0.9, 0.5)
    # 400 Hz widened by half on both sides is 800 of 4,000 Hz: wider than 0.15
    assert rules.bands is None
    assert rules_for(opened, None) == MoveRules()


def test_the_command(shared_checkpoint: Path, own_pool: Path, shared_data: Data) -> None:
    arguments = ["synthesise", str(own_pool), "--model", str(shared_checkpoint), "--budget", "70"]
    arguments += ["--tp", str(shared_data.tp), "--fp", str(shared_data.fp), "--per-class", "4"]
    before = len(open_pool(own_pool))
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["forwards"] == 70
    assert told["doubt_auc"] is None
    assert len(open_pool(own_pool)) == before + told["added"]
    assert (own_pool / ANCESTRY).exists() == (told["added"] > 0)
    shown = CliRunner().invoke(main, [*arguments, "--seed", "1", "--quiet"])
    assert (shown.exit_code, shown.stdout) == (0, "")
    shown = CliRunner().invoke(main, [*arguments, "--seed", "2"])
    assert "nothing refused: without scores" in shown.stdout


def test_the_command_takes_tables_of_any_format(
    shared_checkpoint: Path, shared_data: Data, tmp_path: Path
) -> None:
    added = []
    for name, tables in (
        ("rfcx", ["--tp", str(shared_data.tp), "--fp", str(shared_data.fp)]),
        ("any", [f"--annotations={table}" for table in (shared_data.tp, shared_data.fp)]),
    ):
        pool = make_pool(shared_data, tmp_path / name)
        arguments = ["synthesise", str(pool), "--model", str(shared_checkpoint), "--budget", "40"]
        result = CliRunner().invoke(main, [*arguments, *tables, "--json"])
        assert result.exit_code == 0, result.output
        added.append(sorted(open_pool(pool).recipes.ids))
    assert added[0] == added[1]


def test_the_command_fits_doubt_where_it_has_scores(
    shared_checkpoint: Path, tmp_path: Path
) -> None:
    data = make_data(tmp_path / "data", recordings=12)
    made = make_pool(data, tmp_path / "pool")
    arguments = ["synthesise", str(made), "--model", str(shared_checkpoint), "--budget", "70"]
    arguments += ["--scores", str(tmp_path / "scores"), "--max-doubt", "0.01"]
    told = json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)
    assert 0 <= told["doubt_auc"] <= 1
    assert told["refused"] > 0
    history = (made / "pool.json").read_text()
    assert f'"refused": {told["refused"]}' in history
    shown = CliRunner().invoke(main, [*arguments, "--seed", "1"]).stdout
    assert re.search(r"\n\d+ refused as parents and finds, by doubt .* AUC [01]\.\d{3}\n", shown)


def test_the_command_warns_of_fp_without_tp(own_pool: Path, shared_data: Data) -> None:
    result = CliRunner().invoke(
        main, ["synthesise", str(own_pool), "--model", "x.pt", "--fp", str(shared_data.fp)]
    )
    assert result.exit_code == 2
    assert "warning: --fp has no effect without --tp or --annotations\n" in result.stderr
