"""A table of what is never to be chosen: what it names must be the pool's."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Data, make_pool

from negmine.annotations.verdict_rows import Verdict
from negmine.audio.windows import Span
from negmine.errors import InputError
from negmine.mining.exclusions import heard_present, heard_rows, read_exclusions
from negmine.mining.strata import Heard
from negmine.pool import Pool, open_pool
from negmine.recipes.recipe import Recipe


@pytest.fixture(scope="module")
def pool(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    return open_pool(make_pool(shared_data, tmp_path_factory.mktemp("exclusions") / "pool", mix=0))


def test_recipes_and_classes_of_the_pool(pool: Pool, tmp_path: Path) -> None:
    first, second = pool.recipes.ids[0], pool.recipes.ids[1]
    path = tmp_path / "ex.csv"
    path.write_text(f"class,recipe,note\n0,{first},x\n 1 ,{second},\n0,{first},x\n")
    assert read_exclusions(path, pool) == {(first, "0"), (second, "1")}
    path.write_text("recipe,class\n")
    assert read_exclusions(path, pool) == frozenset()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("{0},0\n{0},100000\n", r"row 3: unknown class '100000'; known are 0, 1"),
        ("{0},0\nffff,0\n", r"row 3: .*no recipe 'ffff' in this pool"),
        ("{0},0,a note\n", r"row 2: 3 cells.* no column is named for 'a note'"),
    ],
)
def test_what_is_not_the_pools_is_an_error(
    pool: Pool, tmp_path: Path, rows: str, message: str
) -> None:
    (tmp_path / "ex.csv").write_text("recipe,class\n" + rows.format(pool.recipes.ids[0]))
    with pytest.raises(InputError, match=message):
        read_exclusions(tmp_path / "ex.csv", pool)


def verdict(recording: str, label: str, start_s: float, end_s: float, word: str) -> Verdict:
    return Verdict(recording, label, Span(start_s, end_s), word, "", "table")


def test_what_shares_sound_with_a_call_that_was_heard(shared_data: Data, tmp_path: Path) -> None:
    pool = open_pool(make_pool(shared_data, tmp_path / "pool", mix=60))
    heard = [
        verdict("rec02", "1", 0.9, 1.2, "present"),
        verdict("rec02", "1", 0.9, 1.2, "absent"),  # somebody else: it may be there
        verdict("rec03", "1", 0.0, 4.0, "absent"),
        verdict("rec04", "0", 0.0, 4.0, "unsure"),
        verdict("elsewhere", "0", 0.0, 4.0, "present"),
    ]
    found = heard_present(heard, pool)
    by_hand = set()
    for recipe in pool.recipes:
        for layer in recipe.layers:
            assert layer.source is not None
            first, last = layer.start_s, layer.start_s + (layer.length_s or 1.0 - layer.offset_s)
            if layer.source.name == "rec02.flac" and first < 1.2 and last > 0.9:
                by_hand |= {(recipe.id, name) for name in recipe.labels.absent if name == "1"}
    assert found == by_hand
    kinds = {pool.recipes[pool.recipes.row_of(recipe)].kind for recipe, _ in found}
    assert kinds == {"fp", "mix"}
    assert heard_present(heard[2:], pool) == frozenset()


def test_rows_inside_a_window_without_the_class_and_round_one_with_it_are_known(
    shared_data: Data, tmp_path: Path
) -> None:
    pool = open_pool(make_pool(shared_data, tmp_path / "pool", mix=60))
    plain = [r for r in pool.recipes if r.kind == "fp" and len(r.layers) == 1]
    first, second, third = ((r, min(r.labels.absent)) for r in plain[:3])
    name = {r.id: r.layers[0].source.recording for r, _ in (first, second, third)}  # type: ignore[union-attr]
    starts = {r.id: r.layers[0].start_s for r, _ in (first, second, third)}

    def said(of: tuple[Recipe, str], low: float, high: float, word: str) -> Verdict:
        at = starts[of[0].id]
        return verdict(name[of[0].id], of[1], max(0.0, at + low), at + high, word)

    heard = [
        said(first, 0.25, 0.75, "present"),
        said(second, 0.0, 1.0, "absent"),
        # less than the clip is free, and somebody is unsure of another
        said(third, 0.25, 1.0, "absent"),
        said(third, 0.0, 1.0, "unsure"),
    ]
    found = heard_rows(heard, pool)
    assert Heard(first[0].id, first[1], present=True) in found
    assert Heard(second[0].id, second[1], present=False) in found
    assert third[0].id not in {one.recipe for one in found}
    mixes = {r.id for r in pool.recipes if len(r.layers) > 1}
    assert not mixes & {one.recipe for one in found}
    # of two who disagree, neither counts
    heard.append(said(first, 0.25, 0.75, "absent"))
    assert first[0].id not in {one.recipe for one in heard_rows(heard, pool)}
