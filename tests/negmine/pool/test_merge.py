"""Pools joined and split: nothing twice, nothing lost unsaid, no group on two sides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import Data, make_data, make_pool

from negmine import append_recipes
from negmine.cli.main import main
from negmine.errors import PoolError
from negmine.pool import open_pool
from negmine.pool.merge import merge_pools
from negmine.pool.split import split_pool
from negmine.recipes.certificates import Certificate
from negmine.recipes.labels import PartialLabels

HALVES = {"one": 0.5, "other": 0.5}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["pool", *(str(a) for a in arguments)])


def content(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def other_pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of another data set, with changed and generated sound."""
    folder = tmp_path_factory.mktemp("other")
    data = make_data(folder / "data", recordings=5, seed=7)
    made: dict[str, Any] = {"noise": {"count": 3}, "erase": {"count": 6}, "mix": 20}
    return make_pool(data, folder / "pool", **made)


# ---- merging


def test_a_joint_pool_holds_the_rows_of_all_in_order(
    shared_pool: Path, other_pool: Path, tmp_path: Path
) -> None:
    one, other = open_pool(shared_pool), open_pool(other_pool)
    merged = merge_pools([shared_pool, other_pool], tmp_path / "both")
    both = open_pool(tmp_path / "both")
    assert list(both) == [*one, *other]
    assert list(both.calls) == [*one.calls, *other.calls]
    assert (merged.rows, merged.twice, merged.changed) == (len(one) + len(other), 0, True)
    assert {recipe.kind for recipe in both} >= {"fp", "external", "mix", "noise", "erase"}
    for row in (0, len(one) - 1, len(one), len(both) - 1):
        both[row].render()


def test_what_stands_in_several_enters_once(
    shared_pool: Path, other_pool: Path, tmp_path: Path
) -> None:
    pools = [shared_pool, other_pool, shared_pool]
    merged = merge_pools(pools, tmp_path / "all")
    both = open_pool(tmp_path / "all")
    assert list(both) == [*open_pool(shared_pool), *open_pool(other_pool)]
    assert len(both.calls) == len(open_pool(shared_pool).calls) + len(open_pool(other_pool).calls)
    assert merged.twice == len(open_pool(shared_pool))


def test_merging_again_changes_nothing_and_another_pool_needs_force(
    shared_pool: Path, other_pool: Path, tmp_path: Path
) -> None:
    out = tmp_path / "both"
    merge_pools([shared_pool, other_pool], out)
    before = content(out)
    assert merge_pools([shared_pool, other_pool], out).changed is False
    with pytest.raises(PoolError, match="another pool is there already"):
        merge_pools([other_pool, shared_pool], out)
    assert content(out) == before
    assert merge_pools([other_pool, shared_pool], out, replace=True).changed


def test_pools_that_do_not_fit_are_refused(shared_pool: Path, data: Data, tmp_path: Path) -> None:
    longer = make_pool(data, tmp_path / "longer", clip_s=1.5)
    with pytest.raises(PoolError, match=r"longer: clips of 1\.5 s at 8000 Hz do not fit .* 1 s"):
        merge_pools([shared_pool, longer], tmp_path / "out")
    for table in (data.tp, data.fp):
        lines = [line.replace(",1,1,", ",7,1,", 1) for line in table.read_text().splitlines()]
        table.write_text("\n".join(lines))
    others = make_pool(data, tmp_path / "others")
    with pytest.raises(PoolError, match=r"others does not fit .*: class '7' is unknown there"):
        merge_pools([shared_pool, others], tmp_path / "out")
    (tmp_path / "home").mkdir()
    with pytest.raises(PoolError, match="home: exists and is not a pool"):
        merge_pools([shared_pool], tmp_path / "home", replace=True)
    assert not (tmp_path / "out").exists()


# ---- splitting


def test_no_group_is_on_two_sides_and_nothing_is_lost_unsaid(
    other_pool: Path, tmp_path: Path
) -> None:
    pool = open_pool(other_pool)
    done = split_pool(other_pool, HALVES, tmp_path / "folds", seed=3)
    parts = {name: open_pool(tmp_path / "folds" / name) for name in HALVES}
    groups = [
        frozenset().union(*(r.groups for table in (p, p.calls) for r in table))
        for p in parts.values()
    ]
    assert groups[0]
    assert groups[1]
    assert not groups[0] & groups[1]
    ids = {recipe.id for part in parts.values() for recipe in part}
    assert len(ids) + done.straddling == len(pool)
    for recipe in pool:
        # left out are those, and only those, that draw on both
        both = bool(recipe.groups & groups[0]) and bool(recipe.groups & groups[1])
        assert (recipe.id in ids) is not both
    assert sum(len(part.calls) for part in parts.values()) == len(pool.calls)
    assert done.straddling > 0
    assert all(done.parts[name]["recipes"] == len(parts[name]) for name in HALVES)
    # rows are as they were
    before = {recipe.id: recipe for recipe in pool}
    assert all(before[r.id] == r for part in parts.values() for r in part)


def test_generated_sound_alone_goes_to_the_first_part(other_pool: Path, tmp_path: Path) -> None:
    split_pool(other_pool, HALVES, tmp_path / "folds")
    counts = [
        sum(not recipe.groups for recipe in open_pool(tmp_path / "folds" / name)) for name in HALVES
    ]
    assert counts[0] >= 3
    assert counts[1] == 0


def test_shares_are_met_as_far_as_groups_allow(shared_pool: Path, tmp_path: Path) -> None:
    done = split_pool(shared_pool, {"train": 3, "test": 1}, tmp_path / "folds")
    calls = [part["calls"] for part in done.parts.values()]
    assert sum(calls) == 16
    # 8 recordings of two calls each, 3 external files: a quarter of them
    assert 2 <= calls[1] <= 6


def test_the_seed_alone_decides_the_parts(shared_pool: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        split_pool(shared_pool, HALVES, tmp_path / name, seed=seed)
    assert content(tmp_path / "a") == content(tmp_path / "b") != content(tmp_path / "c")


def test_a_split_that_cannot_be_is_refused(shared_pool: Path, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="part 'p11' would be empty; the pool has 11 groups"):
        split_pool(shared_pool, {f"p{i}": 1.0 for i in range(12)}, tmp_path / "folds")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folds").mkdir()
    with pytest.raises(PoolError, match="folds: exists; choose a new folder"):
        split_pool(shared_pool, HALVES, tmp_path / "folds")


# ---- recipes that other tools made


def test_recipes_of_another_tool_are_added_with_what_made_them(
    shared_pool: Path, other_pool: Path, tmp_path: Path
) -> None:
    merge_pools([shared_pool], tmp_path / "pool")
    pool, other = open_pool(tmp_path / "pool"), open_pool(other_pool)
    before = content(tmp_path / "pool" / "parts")
    new = [pool[0].mix(other[0], 2.0), pool[0], pool[1].mix(pool[20], -1.0).mix(other[2], 0.5)]
    made = {"made by": "search", "from": pool.digest}
    assert append_recipes(tmp_path / "pool", new, made) == 2
    grown = open_pool(tmp_path / "pool")
    assert list(grown) == [*pool, new[0], new[2]]
    assert grown[-1].render().tobytes() == new[2].render().tobytes()
    after = content(tmp_path / "pool" / "parts")
    assert {name: after[name] for name in before} == before
    info = json.loads((tmp_path / "pool" / "pool.json").read_text())
    assert info["parts"][1]["settings"] == made
    assert append_recipes(tmp_path / "pool", new, made) == 0


def test_recipes_that_do_not_fit_the_pool_are_refused(shared_pool: Path, tmp_path: Path) -> None:
    merge_pools([shared_pool], tmp_path / "pool")
    before, recipe = content(tmp_path / "pool"), open_pool(shared_pool)[0]
    with pytest.raises(PoolError, match=r"is of 2 s at 8000 Hz, not of 1 s at 8000 Hz"):
        append_recipes(tmp_path / "pool", [replace(recipe, duration_s=2.0)], {})
    labels = PartialLabels.certified(["01"], Certificate.EXTERNAL)
    moved = replace(recipe.layers[0], start_s=0.125)
    with pytest.raises(PoolError, match=r"labels of an unknown class '01'"):
        append_recipes(tmp_path / "pool", [replace(recipe, layers=(moved,), labels=labels)], {})
    assert content(tmp_path / "pool") == before


# ---- the command line


def test_merging_and_splitting_by_command(
    shared_pool: Path, other_pool: Path, tmp_path: Path
) -> None:
    both, folds = tmp_path / "both", tmp_path / "folds"
    merged = run("merge", shared_pool, other_pool, "--out", both)
    assert merged.exit_code == 0, merged.output
    total = len(open_pool(both))
    assert f"both: {total} recipes and 26 calls, written; left out 0" in merged.stdout
    found = json.loads(run("merge", shared_pool, other_pool, "--out", both, "--json").stdout)
    assert found == {"rows": total, "calls": 26, "twice": 0, "changed": False}
    done = run("split", both, "--into", "train=0.8", "--into", "test=0.2", "--out", folds)
    assert done.exit_code == 0, done.output
    assert "recipes that draw on groups of several parts" in done.stdout
    again = tmp_path / "again"
    parts = ["--into", "train=0.8", "--into", "test=0.2"]
    listed = json.loads(run("split", both, *parts, "--out", again, "--json").stdout)
    rows = sum(part["recipes"] for part in listed["parts"].values())
    assert rows + listed["straddling"] == total
    assert run("split", both, *parts, "--out", tmp_path / "quiet", "--quiet").stdout == ""


@pytest.mark.parametrize(
    ("into", "message"),
    [
        (["train"], "'train' is not NAME=SHARE"),
        (["train=0"], "'train=0' is not NAME=SHARE"),
        (["../a=1", "b=1"], "'../a' is not a name"),
        (["a=1", "a=1"], "'a' is not a name, or appears twice"),
        (["a=1"], "name two parts or more"),
    ],
)
def test_wrong_shares_are_misuse(
    shared_pool: Path, tmp_path: Path, into: list[str], message: str
) -> None:
    options = [option for text in into for option in ("--into", text)]
    result = run("split", shared_pool, *options, "--out", tmp_path / "folds")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
