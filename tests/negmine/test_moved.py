"""What was moved is found: a pool beside its selection, recordings beside their pool."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import Data, make_pool, small_settings

from negmine.annotations import read_rfcx
from negmine.building import build_pool
from negmine.cli.main import main
from negmine.errors import AudioError, PoolError
from negmine.mining.selection import Chosen, Selection, open_selection
from negmine.pool import open_pool
from negmine.pool.relocate import relocate_pool


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def select(pool: Path, out: Path) -> Path:
    """A selection of the first row of each class."""
    opened = open_pool(pool)
    rows = [
        Chosen(recipe.id, label, 1.0, 1, recipe.kind, "verified", 1.0, "", 0.5, 0.0)
        for label in opened.classes
        for recipe in list(opened)[:12]
        if label in recipe.labels.absent
    ]
    Selection(tuple(rows), pool, opened.digest, "model").write(out)
    return out


@pytest.fixture
def moved(data: Data, tmp_path: Path) -> Path:
    """A folder with data, a pool and a selection, moved after they were made."""
    old = tmp_path / "old"
    old.mkdir()
    data = Data(Path(shutil.move(data.root, old / "data")))
    (old / "deep").mkdir()
    select(make_pool(data, old / "pool"), old / "deep" / "hard.parquet")
    return old.rename(tmp_path / "new")


def test_a_selection_finds_the_pool_and_it_the_recordings(
    moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # named from elsewhere
    for path in (moved / "deep" / "hard.parquet", Path("new", "deep", "hard.parquet")):
        pool = open_selection(path).open_pool()
        assert pool.path == moved / "pool"
        assert pool[0].render().shape == (8000,)


def test_commands_take_it(moved: Path, tmp_path: Path) -> None:
    hard = moved / "deep" / "hard.parquet"
    result = call("report", hard, "-o", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    result = call("audit", "draw", hard, "-o", tmp_path / "audit", "--sample", 4, "--least", 1)
    assert result.exit_code == 0, result.output


def test_a_pool_moved_alone_is_named(moved: Path, tmp_path: Path) -> None:
    hard, away = moved / "deep" / "hard.parquet", tmp_path / "away"
    shutil.move(moved / "pool", away)
    roots = _as_they_were(away, moved)
    for command in (("report", hard), ("audit", "draw", hard, "--sample", 4, "--least", 1)):
        out = ("-o", tmp_path / f"{command[0]}.html")
        result = call(*command, *out)
        assert result.exit_code == 2
        assert "if it was moved, name its new place with --pool" in result.stderr
        relocate_pool(away, roots)
        roots = {}
        result = call(*command, *out, "--pool", away)
        assert result.exit_code == 0, result.output


def _as_they_were(pool: Path, moved: Path) -> dict[Path, Path]:
    """The folders of a pool, and where they are now."""
    roots = json.loads((pool / "pool.json").read_text())["roots"].values()
    old = moved.with_name("old")
    return {Path(root): moved / Path(root).relative_to(old) for root in roots}


def test_a_pool_of_another_digest_beside_the_selection_is_not_taken(
    data: Data, tmp_path: Path
) -> None:
    ours, other = tmp_path / "a", tmp_path / "b"
    pool = make_pool(data, ours / "pool")
    select(pool, ours / "hard.parquet")
    other.mkdir()
    shutil.copy(ours / "hard.parquet", other)
    make_pool(data, other / "pool", mix=3)
    assert open_selection(other / "hard.parquet").open_pool().path == pool
    shutil.rmtree(ours)
    with pytest.raises(PoolError, match="pool was rebuilt since"):
        open_selection(other / "hard.parquet").open_pool()


def test_more_is_added_to_a_pool_that_was_moved(moved: Path) -> None:
    data = Data(moved / "data")
    before = open_pool(moved / "pool")
    made = build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        moved / "pool",
        external=[str(data.external)],
        settings=small_settings(mix=3, seed=5),
        existing="append",
    ).pool
    assert len(made) == len(before) + 3
    roots = json.loads((moved / "pool" / "pool.json").read_text())["roots"]
    assert all(Path(root).is_relative_to(moved) for root in roots.values())


def test_recordings_moved_alone_are_named(data: Data, tmp_path: Path) -> None:
    pool = make_pool(data, tmp_path / "pool", mix=0)
    digest = open_pool(pool).digest
    new = Path(shutil.move(data.recordings, tmp_path / "elsewhere"))
    with pytest.raises(AudioError, match="if the folder was moved, run 'negmine pool relocate'"):
        open_pool(pool).calls[0].render()
    result = call("pool", "relocate", pool, "--root", f"{data.recordings}={new}")
    assert result.exit_code == 0, result.output
    opened = open_pool(pool)
    assert opened.digest == digest
    assert opened.calls[0].render().shape == (8000,)


def test_a_folder_without_the_files_is_refused(data: Data, tmp_path: Path) -> None:
    pool = make_pool(data, tmp_path / "pool", mix=0)
    before = (pool / "pool.json").read_bytes()
    for root, said in (
        (f"{data.recordings}={tmp_path}", "8 of 8 files of .* are not there: rec00.flac"),
        (f"{tmp_path}={data.recordings}", "no folder .* in this pool; it has "),
    ):
        result = call("pool", "relocate", pool, "--root", root)
        assert result.exit_code == 2
        assert re.search(said, result.stderr)
    assert (pool / "pool.json").read_bytes() == before
    assert call("pool", "relocate", pool, "--root", "nothing").exit_code == 2
