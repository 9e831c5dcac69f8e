"""Names from files that become paths stay where they are put."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.errors import NegmineError, PoolError
from negmine.pool import Pool, open_pool
from negmine.pool.render_files import render_rows
from negmine.storage.file_names import is_file_name, is_inside

ODD = ["", ".", "..", "../x", "/x", "a/b", "a\\b", "a\0", "a\n", ".x", "a b", "x" * 151, None, 3]


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_name(name: object) -> None:
    assert not is_file_name(name)


@given(st.text(st.characters(), max_size=9))
def test_a_name_stays_in_its_folder(name: str) -> None:
    if is_file_name(name):
        assert Path("/folder", name).resolve() == Path("/folder") / name
    if is_inside(name):
        assert Path("/folder", name).resolve().is_relative_to("/folder")


def test_names_that_are_made_are_names() -> None:
    assert all(map(is_file_name, ["0001-ab12cd34", "external", "2-pseudo_labels", "coquí"]))
    assert is_inside("deep/a..b/..c.wav")


def with_kinds(pool: Path, out: Path, kind: str) -> Pool:
    """A copy of a pool whose rows have other kinds."""
    info: dict[str, Any] = json.loads((pool / "pool.json").read_text())
    info.pop("seal", None)
    for part in info["parts"]:
        part["kinds"] = [kind for _ in part["kinds"]]
    out.mkdir()
    (out / "parts").symlink_to(pool / "parts")
    (out / "pool.json").write_text(json.dumps(info))
    return open_pool(out)


@pytest.mark.parametrize("kind", ["../../escaped", "/tmp/escaped", "a/b", "a\0b"])
def test_kinds_of_a_pool_lead_to_no_other_folder(
    shared_pool: Path, tmp_path: Path, kind: str
) -> None:
    pool = with_kinds(shared_pool, tmp_path / "pool", kind)
    with pytest.raises(PoolError, match=r"kind .* cannot name a file: damaged"):
        render_rows(pool, [0], tmp_path / "deep" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["pool"]


@pytest.mark.parametrize("name", ["../0000-aa", "a/b", ".", "", 3])
def test_names_of_parts_lead_to_no_other_folder(
    shared_pool: Path, tmp_path: Path, name: object
) -> None:
    info: dict[str, Any] = json.loads((shared_pool / "pool.json").read_text())
    info.pop("seal", None)
    info["parts"][0]["name"] = name
    (tmp_path / "pool.json").write_text(json.dumps(info))
    with pytest.raises(PoolError, match=r"is not a part's name: damaged|wrong kind: damaged"):
        open_pool(tmp_path)


@pytest.mark.parametrize("root", ["a\0b", "", "x" * 5000, "/dev/null"])
def test_folders_of_a_pool_that_are_none_are_one_line(
    shared_pool: Path, tmp_path: Path, root: str
) -> None:
    info: dict[str, Any] = json.loads((shared_pool / "pool.json").read_text())
    info.pop("seal", None)
    info["roots"] = info["roots_beside"] = dict.fromkeys(info["roots"], root)
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "parts").symlink_to(shared_pool / "parts")
    (tmp_path / "pool" / "pool.json").write_text(json.dumps(info))
    with pytest.raises(NegmineError) as caught:
        render_rows(open_pool(tmp_path / "pool"), [0], tmp_path / "out")
    assert "\n" not in str(caught.value)
