"""TOML and JSON that would take all time or memory end in one line."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from negmine.errors import InputError
from negmine.storage.text_files import parse_json, parse_toml, read_json, read_toml


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_toml, "x = " + "[" * 5000),
        (parse_toml, "x = " + "[" * 60 + "]" * 60),
        (parse_toml, "x = " + "{a = " * 5000),
        (parse_toml, ".".join(["a"] * 400_000) + " = 1"),
        (parse_toml, "[" + " . ".join(["'a'"] * 100_000) + "]"),
        (parse_toml, "a" * 900_000),
        (parse_toml, "x = " + "9" * 5000),
        (parse_toml, "x = " + "9" * 500),
        (parse_toml, "x = 0x" + "f" * 5000),
        (parse_toml, "x ="),
        (parse_json, "[" * 100_000),
        (parse_json, '{"a":' * 60 + "1" + "}" * 60),
        (parse_json, "9" * 5000),
        (parse_json, "{"),
    ],
)
def test_a_bomb_is_one_error(parse: Callable[[str, str], Any], text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(InputError, match=r"here: not readable as (TOML|JSON)") as found:
        parse(text, "here")
    assert len(str(found.value)) < 300
    assert time.perf_counter() - started < 5


def test_what_negmine_writes_is_read() -> None:
    names = [f"[{'[' * 90}" for _ in range(100)]
    assert parse_json('{"a": ["' + '", "'.join(names) + '"]}', "")["a"] == names
    assert parse_toml("seed = 4294967295\n[a.b]\nc = [0, 1.5]", "")["a"]["b"]["c"] == [0, 1.5]


@pytest.mark.parametrize("read", [read_toml, read_json])
def test_only_regular_files_are_read(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path / "pipe", "is a pipe or a device"),
        (Path("/dev/zero"), "is a pipe or a device"),
        (tmp_path, "is a folder"),
        (tmp_path / "none", "no such file"),
    ):
        with pytest.raises(InputError, match=message):
            read(path)


def test_a_file_larger_than_any_setting_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "s.toml").open("wb") as file:
        file.truncate(2 << 20)
    with pytest.raises(InputError, match=r"s\.toml: 2 MB; at most 1 MB are read"):
        read_toml(tmp_path / "s.toml")
