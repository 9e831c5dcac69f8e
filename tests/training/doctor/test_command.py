"""`negmine doctor` from the command line, with all well and with torch broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from programs import run_beside

from training.cli.doctor import doctor
from training.doctor.check import Check, State


def test_all_is_well_here(tmp_path: Path) -> None:
    ran = run_beside(tmp_path, "-m", "negmine", "doctor", "--json")
    result = json.loads(ran.stdout)
    states = {check["name"]: check["state"] for check in result["checks"]}
    assert {"python", "disk", "memory", "text", "torch", "torchaudio", "codecs"} <= states.keys()
    broken = [check for check in result["checks"] if check["state"] == "problem"]
    assert broken == []
    assert result["ok"] is True
    assert ran.returncode == 0


def test_a_broken_torch_is_a_problem_and_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so is missing')", "utf-8")
    ran = run_beside(tmp_path, "-m", "negmine", "doctor")
    assert ran.returncode == 1, ran.stderr
    lines = ran.stdout.splitlines()
    (line,) = [line for line in lines if line.startswith("problem: torch:")]
    assert "OSError: libcudart.so is missing" in line
    assert any(line.startswith("problem: torchaudio:") for line in lines)
    assert any(line.startswith("codecs ") and "FLAC" in line for line in lines)


@pytest.mark.parametrize(
    ("state", "options", "code", "words"),
    [
        ("ok", [], 0, "all that negmine needs works"),
        ("note", [], 0, "note: disk: \\xe9; free some"),
        ("problem", [], 1, "problem: disk: \\xe9; free some"),
        ("problem", ["--quiet"], 1, "problem: disk: \\xe9; free some"),
        ("note", ["--quiet"], 0, ""),
        ("ok", ["--quiet"], 0, ""),
    ],
)
def test_what_is_printed_and_how_it_ends(
    state: State, options: list[str], code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [Check("disk", "\xe9", state, "free some")]
    monkeypatch.setattr("training.doctor.machine.check_machine", lambda folder: checks)
    monkeypatch.setattr("training.doctor.libraries.check_libraries", lambda: [])
    result = CliRunner().invoke(doctor, options)
    assert result.exit_code == code
    assert words in result.stdout.splitlines() or not words
    if options:
        assert result.stdout.splitlines() == [words] * bool(words)
