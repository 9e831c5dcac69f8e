"""What negmine does where its trainer's libraries are not installed: all but training."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from conftest import make_data
from onnx_models import make_model
from programs import run_beside

SIDECAR = """
classes = ["0", "1"]
sample_rate = 8000
clip_s = 1.0
embeddings = "levels"
logits = "scores"
"""

# Python runs it first in every process, workers included: no import and no look at the metadata
# finds what the extra 'train' brings.
NOT_INSTALLED = """
import importlib.metadata as metadata
import sys

HIDDEN = {"torch", "torchaudio", "torchvision", "timm", "audiomentations", "onnxscript",
          "tensorboard"}


class Hider:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def distribution(name, _find=metadata.distribution):
    if name in HIDDEN:
        raise metadata.PackageNotFoundError(name)
    return _find(name)


sys.meta_path.insert(0, Hider())
metadata.distribution = distribution
"""

# The work from recordings to a page, and back from a sound to the pool.
WORK = """
import sys
from click.testing import CliRunner
from negmine.cli.main import main

DATA = ["data/train", "--tp", "data/train_tp.csv", "--fp", "data/train_fp.csv"]
POOL = ["--clip-s", "1", "--sample-rate", "8000", "--external", "data/external", "--mix", "6"]
MODEL = ["--model", "model.onnx", "--device", "cpu"]
for call in (
    ["build-pool", *DATA, *POOL, "--out", "pool"],
    ["inspect", "pool", "--png", "pool.png"],
    ["cache", "pool"],
    ["mine", *MODEL, "--pool", "pool", "--out", "hard.parquet", "--per-class", "3", "--control"],
    ["report", "hard.parquet"],
    ["search", "data/external/other0.wav", *MODEL, "--pool", "pool", "--out", "found.csv"],
    ["render", "pool", "--sample", "3", "--out", "listen"],
    ["audit", "draw", "hard.parquet", "--out", "audit", "--sample", "5"],
    ["synthesise", "pool", *MODEL, "--budget", "32"],
):
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 0, (call, result.output, result.exception)
open("model.pt", "wb").close()
result = CliRunner().invoke(main, ["mine", "--model", "model.pt", "--pool", "pool", "-o", "no"])
assert result.exit_code == 2, result.output
assert "pip install 'negmine[train]'" in result.output.splitlines()[-1], result.output
assert not [name for name in sys.modules if name.partition(".")[0] == "torch"]
"""

HELP = """
import click
import json
from click.testing import CliRunner
from negmine.cli.main import main

helped = []
for name in main.list_commands(click.Context(main)):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0 and "Usage:" in result.output, (name, result.output)
    helped.append(name)
print(json.dumps(helped))
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder that hides the trainer's libraries from Python, if it is put on its path."""
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NOT_INSTALLED, encoding="utf-8")
    return folder


def negmine(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_beside(bare, "-m", "negmine", *arguments)


def test_a_pool_is_built_mined_shown_and_searched_with_an_onnx_model(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_data(tmp_path / "data")
    make_model(tmp_path / "model.onnx")
    (tmp_path / "model.onnx.toml").write_text(SIDECAR, encoding="utf-8")
    ran = run_beside(bare, "-c", WORK)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in ("hard.parquet", "hard.report.html", "found.csv", "listen/clips.csv", "audit"):
        assert (tmp_path / name).exists(), name


def test_every_command_is_listed_and_helps(bare: Path) -> None:
    ran = run_beside(bare, "-c", HELP)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {"mine", "train", "loop", "demo", "predict", "doctor"} <= set(json.loads(ran.stdout))


@pytest.mark.parametrize(
    "call",
    [
        "train DATA --tp DATA/../train_tp.csv --out run",
        "loop DATA --tp DATA/../train_tp.csv --pool pool --out run",
        "demo --out demo",
        "predict DATA --model model.pt --out out.csv",
        "evaluate DATA --model model.pt --truth truth.csv",
        "export-model model.pt model.onnx",
    ],
)
def test_what_takes_the_trainer_names_its_extra_in_one_line(
    call: str, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_data(tmp_path / "data", recordings=2)
    ran = negmine(bare, *call.replace("DATA", str(data.recordings)).split())
    (line,) = ran.stderr.splitlines()
    assert "torch, which is not installed: python -m pip install 'negmine[train]'" in line
    assert ran.returncode == 1
    assert {path.name for path in tmp_path.iterdir()} == {"bare", "data"}


def test_the_doctor_says_so_and_finds_nothing_broken(bare: Path) -> None:
    ran = negmine(bare, "doctor")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    said = "not installed (optional); python -m pip install 'negmine[train]'"
    assert f"note: torch: {said}" in lines
    assert lines[-1] == "all that negmine needs works"
