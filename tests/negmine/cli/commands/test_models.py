"""The commands ``models add`` and ``models list``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from onnx_models import make_model

from negmine.cli.main import main
from negmine.models.birdnet import LICENCE
from negmine.models.description import ModelDescription

ABOUT = ModelDescription(("x", "y"), 16000, 0.25, "levels", "scores").to_json()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["models", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_file_is_added_and_listed(tmp_path: Path) -> None:
    make_model(tmp_path / "levels.v1.onnx", metadata=ABOUT)
    place = ["--folder", str(tmp_path / "models")]
    assert "no network was added" in run("list", *place)
    added = json.loads(run("add", str(tmp_path / "levels.v1.onnx"), *place, "--json"))
    assert added["name"] == "levels"
    (found,) = json.loads(run("list", *place, "--json"))["models"]
    assert found == {**added, "there": True}
    (tmp_path / "levels.v1.onnx").unlink()
    assert "(missing)" in run("list", *place)


def test_birdnet_is_made_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tflite", reason="negmine[birdnet] is not installed")
    monkeypatch.setenv("NEGMINE_CACHE", str(tmp_path))
    result = CliRunner().invoke(main, ["models", "add", "birdnet", "--json"])
    assert result.exit_code == 0, result.output
    assert LICENCE in result.stderr
    added = json.loads(result.stdout)
    assert Path(added["path"]) == tmp_path / "models" / "birdnet.onnx"
    (found,) = json.loads(run("list", "--json"))["models"]
    assert found["digest"] == added["digest"]


def test_no_such_network_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["models", "add", str(tmp_path / "no.onnx")])
    assert result.exit_code == 2
    assert "no such model" in result.stderr
