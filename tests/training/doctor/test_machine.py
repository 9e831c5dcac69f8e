"""What the doctor says of a machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from training.doctor import machine
from training.doctor.machine import GIB


def test_a_version_of_python_that_is_not_tested_is_noted() -> None:
    assert machine.check_python((3, 12), [(3, 11), (3, 12)]).state == "ok"
    check = machine.check_python((3, 15), [(3, 11), (3, 12)])
    assert (check.state, check.do) == ("note", "tested are 3.11, 3.12")


def test_the_metadata_names_the_versions_of_python_that_are_tested() -> None:
    assert set(machine.versions_tested()) <= {(3, 11), (3, 12), (3, 13), (3, 14)}


@pytest.mark.parametrize(
    ("text", "quota"), [("max 100000", None), ("150000 100000", 1.5), ("", None)]
)
def test_a_containers_share_of_processors(text: str, quota: float | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(text, encoding="ascii")
    assert machine.cpu_quota(tmp_path) == quota
    assert machine.cpu_quota(tmp_path / "none") is None


def test_fewer_processors_than_are_seen_are_noted() -> None:
    assert machine.check_processors(4, None).state == "ok"
    assert machine.check_processors(4, 4.0).state == "ok"
    check = machine.check_processors(64, 1.5)
    assert check.state == "note"
    assert "OMP_NUM_THREADS=2" in check.do


def test_a_containers_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(str(3 * GIB), encoding="ascii")
    (tmp_path / "memory.current").write_text(str(2 * GIB), encoding="ascii")
    assert machine.memory_limit(tmp_path) == GIB
    (tmp_path / "memory.max").write_text("max", encoding="ascii")
    assert machine.memory_limit(tmp_path) is None


def test_memory_as_the_system_says(tmp_path: Path) -> None:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 9 kB\nMemAvailable:   2048 kB\n", encoding="ascii")
    assert machine.memory_available(path) == 2048 * 1024
    assert machine.memory_available(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("available", "limit", "state"),
    [
        (16 * GIB, None, "ok"),
        (16 * GIB, GIB, "problem"),
        (GIB, 16 * GIB, "problem"),
        (None, None, "ok"),
    ],
)
def test_little_memory_is_a_problem(available: int | None, limit: int | None, state: str) -> None:
    assert machine.check_memory(available, limit).state == state


def test_a_folder_that_cannot_be_written_to_is_a_problem(tmp_path: Path) -> None:
    assert machine.check_disk(tmp_path).state == "ok"
    assert not list(tmp_path.iterdir())
    check = machine.check_disk(tmp_path / "none")
    assert check.state == "problem"
    assert "No such file or directory" in check.found


def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = GIB // 10

    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage)
    assert machine.check_disk(tmp_path).state == "problem"


def test_little_shared_memory_is_noted() -> None:
    assert machine.check_shared_memory(GIB).state == "ok"
    assert "--workers 0" in machine.check_shared_memory(GIB // 16).do


@pytest.mark.parametrize(
    ("output", "names", "state"),
    [
        ("utf-8", "utf-8", "ok"),
        ("ascii", "utf-8", "problem"),
        ("cp1252", "utf-8", "problem"),
        ("utf-8", "ascii", "problem"),
        ("no-such-encoding", "utf-8", "problem"),
    ],
)
def test_an_encoding_without_the_worlds_names_is_a_problem(
    output: str, names: str, state: str
) -> None:
    assert machine.check_text(output, names).state == state
