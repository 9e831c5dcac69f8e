"""Selections: there and back, joined, and tied to their pool."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import Data, make_pool

from negmine.errors import PoolError
from negmine.mining.selection import COLUMNS, Chosen, Selection, open_selection
from negmine.pool import open_pool
from negmine.storage.files import write_table


def chosen(recipe: str, label: str = "0", rank: int = 1) -> Chosen:
    # numbers that float32 holds exactly
    return Chosen(recipe, label, 1.25, rank, "fp", "verified", 0.5, "call", 0.125, 0.25)


def selection(pool: Path, rows: int = 4) -> Selection:
    opened = open_pool(pool)
    found = [chosen(str(name), "01"[i % 2], i) for i, name in enumerate(opened.recipes.ids[:rows])]
    return Selection(tuple(found), pool, opened.digest, "model")


def test_a_selection_comes_back_equal(shared_pool: Path, tmp_path: Path) -> None:
    made = selection(shared_pool)
    made.write(tmp_path / "hard.parquet")
    found = open_selection(tmp_path / "hard.parquet")
    assert found == replace(made, pool=shared_pool.resolve())
    assert found.digest == made.digest
    pool = found.open_pool()
    assert [recipe.id for recipe in found.recipes(pool)] == [row.recipe for row in made.rows]


def test_an_empty_selection_comes_back(shared_pool: Path, tmp_path: Path) -> None:
    selection(shared_pool, rows=0).write(tmp_path / "hard.parquet")
    found = open_selection(tmp_path / "hard.parquet")
    assert found.rows == ()
    assert found.recipes(found.open_pool()) == []


def test_a_row_without_a_call_near_it_comes_back(shared_pool: Path, tmp_path: Path) -> None:
    row = replace(chosen("a"), nearest_call="", distance=math.nan)
    replace(selection(shared_pool), rows=(row,)).write(tmp_path / "hard.parquet")
    (found,) = open_selection(tmp_path / "hard.parquet").rows
    assert found.nearest_call == ""
    assert math.isnan(found.distance)


def test_the_digest_is_of_what_is_chosen() -> None:
    made = Selection((chosen("a"), chosen("b")), Path("pool"), "digest", "model")
    same = replace(made, pool=Path("moved"), model="other", rows=(chosen("a", rank=9), chosen("b")))
    assert same.digest == made.digest
    for other in (
        replace(made, rows=made.rows[::-1]),
        replace(made, rows=made.rows[:1]),
        replace(made, rows=(chosen("a", "1"), chosen("b"))),
        replace(made, pool_digest="other"),
    ):
        assert other.digest != made.digest


def test_joining_adds_what_is_new() -> None:
    old = Selection((chosen("a"), chosen("b")), Path("pool"), "digest", "first")
    rows = (chosen("b", rank=7), chosen("c"), chosen("a", "1"))
    joined = old.join(Selection(rows, Path("moved"), "digest", "second"))
    assert joined.rows == (chosen("a"), *rows)
    assert (joined.pool, joined.model) == (Path("moved"), "second")


def test_a_share_of_the_old_stays_class_by_class() -> None:
    rows = tuple(chosen(str(i), "0" if i < 20 else "1") for i in range(30))
    old = Selection(rows, Path("pool"), "digest", "first")
    new = Selection((chosen("5"), chosen("new")), Path("pool"), "digest", "second")
    joined = old.join(new, 0.5, seed=1)
    assert joined.rows[-2:] == new.rows
    kept = joined.rows[:-2]
    assert [sum(row.label == label for row in kept) for label in "01"] == [10, 5]
    assert [row for row in rows if row in kept] == list(kept)
    assert chosen("5") not in kept
    assert old.join(new, 0.5, seed=1) == joined != old.join(new, 0.5, seed=2)
    assert old.join(new, 0.0).rows == new.rows


def test_selections_from_different_pools_do_not_join() -> None:
    made = Selection((), Path("one"), "digest", "model")
    with pytest.raises(PoolError, match="selections from different pools, one and two"):
        made.join(Selection((), Path("two"), "other", "model"))


def test_a_pool_rebuilt_since_is_noticed(data: Data, tmp_path: Path) -> None:
    made = selection(make_pool(data, tmp_path / "pool"))
    assert made.open_pool().digest == made.pool_digest
    with pytest.raises(PoolError, match=r"pool was rebuilt since .* run 'negmine mine' again"):
        replace(made, pool_digest="then").open_pool()
    with pytest.raises(PoolError, match="gone: no such folder"):
        replace(made, pool=tmp_path / "gone").open_pool()


def test_a_class_that_the_pool_lacks_is_named(shared_pool: Path) -> None:
    made = replace(selection(shared_pool), rows=(chosen("a", "0"), chosen("b", "7")))
    with pytest.raises(PoolError, match="class '7' of this selection is not in its pool: damaged"):
        made.open_pool()


def test_a_recipe_that_the_pool_lacks_is_named(shared_pool: Path) -> None:
    made = replace(selection(shared_pool), rows=(chosen("cafe"),))
    with pytest.raises(PoolError, match="no recipe 'cafe' in this pool"):
        made.recipes(open_pool(shared_pool))


def test_what_is_no_selection_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hard.parquet"
    table = pa.table({name: pa.array([], kind) for name, kind in COLUMNS.items()})
    write_table(path, table)
    with pytest.raises(PoolError, match="not a selection written by 'negmine mine'"):
        open_selection(path)
    write_table(path, table, {"format": "negmine-selection", "version": "0"})
    with pytest.raises(PoolError, match=r"of version 0; this negmine reads version 2; run"):
        open_selection(path)
    write_table(path, table.drop_columns(["score"]))
    with pytest.raises(PoolError, match="no column 'score'"):
        open_selection(path)
    with pytest.raises(PoolError, match="no such file"):
        open_selection(tmp_path / "gone.parquet")
