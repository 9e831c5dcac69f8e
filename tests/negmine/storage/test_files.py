"""Files are written whole or not at all, whatever goes wrong."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from negmine.errors import OutputError
from negmine.storage.files import (
    check_writable,
    open_in_place,
    write_json,
    writing,
    writing_folder,
)
from negmine.storage.text_files import read_json

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_in_file(path: Path, text: str, then: BaseException | None = None) -> None:
    with writing(path) as temporary:
        temporary.write_text(text)
        if then:
            raise then


def write_in_folder(path: Path, text: str, then: BaseException | None = None) -> None:
    with writing_folder(path, replace=True) as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "file").write_text(text)
        if then:
            raise then


Writer = Callable[[Path, str, BaseException | None], None]
both = pytest.mark.parametrize("write", [write_in_file, write_in_folder])


def content(path: Path) -> dict[str, str]:
    """Everything below a folder, temporary files too."""
    return {p.relative_to(path).as_posix(): p.read_text() for p in path.rglob("*") if p.is_file()}


@both
def test_what_is_written_stands_under_its_name_alone(tmp_path: Path, write: Writer) -> None:
    write(tmp_path / "a" / "b" / "out", "first", None)
    name = "out" if write is write_in_file else "out/deep/file"
    assert content(tmp_path / "a" / "b") == {name: "first"}
    write(tmp_path / "a" / "b" / "out", "second", None)
    assert content(tmp_path / "a" / "b") == {name: "second"}
    assert len(list((tmp_path / "a" / "b").iterdir())) == 1


@both
@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_a_block_that_ends_badly_leaves_what_was_there(
    tmp_path: Path, write: Writer, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        write(tmp_path / "out", "new", error)
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "out", "old", None)
    before = content(tmp_path)
    with pytest.raises(type(error)):
        write(tmp_path / "out", "new", error)
    assert content(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@both
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path, write: Writer) -> None:
    with pytest.raises(OutputError, match="out: cannot be written: No space left on device"):
        write(tmp_path / "out", "new", FULL)
    assert list(tmp_path.iterdir()) == []


@both
def test_a_place_below_a_file_is_one_error(tmp_path: Path, write: Writer) -> None:
    (tmp_path / "file").write_text("text")
    for path in (tmp_path / "file" / "out", tmp_path / "file" / "deep" / "out"):
        with pytest.raises(OutputError, match="out: cannot be written: "):
            write(path, "new", None)
    assert content(tmp_path) == {"file": "text"}


@both
@pytest.mark.parametrize("broken", ["rename", "replace"])
def test_a_rename_that_fails_leaves_what_was_there(
    tmp_path: Path, write: Writer, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "out", "old", None)
    before = content(tmp_path)
    plain: Callable[[Path, Path], Path] = getattr(Path, broken)

    def fail(self: Path, target: Path) -> Path:
        if Path(target).name == "out" and ".tmp" in self.name:
            raise FULL
        return plain(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OutputError, match="out: cannot be written: No space left"):
            write(tmp_path / "out", "new", None)
    assert content(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_stands_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    write_in_folder(tmp_path / "out", "old")
    with (
        pytest.raises(OutputError, match="out: cannot be written"),
        writing_folder(tmp_path / "out") as temporary,
    ):
        (temporary / "file").touch()
    assert content(tmp_path) == {"out/deep/file": "old"}


def test_a_written_folder_can_be_read_by_others(tmp_path: Path) -> None:
    write_in_folder(tmp_path / "out", "text")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755


def test_json_is_written_for_people(tmp_path: Path) -> None:
    value = {"classes": ["coquí"], "n": 1}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text).keys() == {"classes", "n", "seal"}
    assert read_json(tmp_path / "a.json") == value
    assert "coquí" in text
    assert text.endswith("}\n")


def make_link(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


def make_device(path: Path) -> None:
    # a null device of one's own takes rights that tests do not have
    path.symlink_to("/dev/null")


NOT_FILES: dict[str, Callable[[Path], object]] = {
    "a link": make_link,
    "a link to a device": make_device,
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("make", NOT_FILES.values(), ids=NOT_FILES)
def test_what_is_no_regular_file_is_not_replaced(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    path = tmp_path / "out.csv"
    (tmp_path / "elsewhere").write_text("kept")
    make(path)
    before = path.lstat().st_ino
    writes: list[Callable[[], object]] = [
        lambda: write_in_file(path, "new"),
        lambda: check_writable(path),
    ]
    for write in writes:
        with pytest.raises(OutputError, match=r"out\.csv: is a \w+, not a regular file; choose"):
            write()
    with pytest.raises(OutputError, match="not a regular file"):
        open_in_place(path, "ab")
    assert path.lstat().st_ino == before
    assert (tmp_path / "elsewhere").read_text() == "kept"


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(OutputError, match="/dev/null: is a device, not a regular file"):
        write_in_file(Path("/dev/null"), "new")
    with pytest.raises(OutputError, match="/dev/null: is a device, not a folder"):
        write_in_folder(Path("/dev/null"), "new")


def test_a_link_that_appears_while_a_file_is_written_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def race() -> None:
        with writing(path) as temporary:
            temporary.write_text("new")
            path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OutputError, match="is a link"):
        race()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_behind_a_link_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    write_in_folder(tmp_path / "disk" / "real", "old")
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "real")
    write_in_folder(tmp_path / "out", "new")
    assert (tmp_path / "out").is_symlink()
    assert content(tmp_path / "disk") == {"real/deep/file": "new"}
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="lost: is a link, not a folder"):
        write_in_folder(tmp_path / "lost", "new")


@both
def test_temporary_names_cannot_be_foreseen_and_follow_no_link(
    tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = iter(["aaaaaaaa", "bbbbbbbb"])
    monkeypatch.setattr("secrets.token_hex", lambda count: next(tokens))
    # someone has guessed the first
    (tmp_path / ".out.aaaaaaaa.tmp").symlink_to(tmp_path / "victim")
    (tmp_path / "victim").write_text("kept")
    write(tmp_path / "out", "new", None)
    assert (tmp_path / "victim").read_text() == "kept"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".out.aaaaaaaa.tmp", "out", "victim"]


def test_names_of_two_writers_differ_and_can_be_recognised(tmp_path: Path) -> None:
    with writing(tmp_path / "a.csv") as one, writing(tmp_path / "a.csv") as other:
        assert one != other
        for path in (one, other):
            assert re.fullmatch(r"\.a\.csv\.[0-9a-f]{8}\.tmp", path.name)
            assert path.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
