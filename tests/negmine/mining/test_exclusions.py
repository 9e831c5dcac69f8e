"""A table of what is never to be chosen: what it names must be the pool's."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Data, make_pool

from negmine.errors import InputError
from negmine.mining.exclusions import read_exclusions
from negmine.pool import Pool, open_pool


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
