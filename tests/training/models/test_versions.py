"""Libraries that do not load, and the versions that fit each other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from programs import run_beside

from negmine.errors import ModelError
from training.models.backbones import Backbone
from training.models.detector import Detector
from training.models.frontend import FrontEndSettings
from training.models.versions import PAIR, command_that_fits, installed, pair_installed

SETTINGS = FrontEndSettings.for_mels(16_000, 64)


@pytest.mark.parametrize(
    ("broken", "source", "said"),
    [
        ("torch", "raise OSError('libcudart.so.13:\\n no such file')", "libcudart.so.13"),
        ("soundfile", "raise ImportError('libsndfile is missing')", "libsndfile is missing"),
    ],
)
def test_a_library_that_does_not_load_is_one_line(
    broken: str, source: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / f"{broken}.py").write_text(source, encoding="utf-8")
    call = ["-m", "negmine", "predict", str(tmp_path), "--model", "a.pt", "--out", "b.csv"]
    ran = run_beside(tmp_path, *call)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert said in line
    assert "negmine doctor" in line


def test_timm_that_does_not_load_leaves_the_small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match="needs timm, which cannot be imported") as caught:
        Backbone("resnet10t", pretrained=False)
    assert command_that_fits() in str(caught.value)
    assert Detector(2, SETTINGS, "small")(torch.zeros(1, 16_000)).shape == (1, 2)


def test_a_small_network_imports_no_timm(tmp_path: Path) -> None:
    ran = run_beside(
        tmp_path, "-c", "import sys, training.engine.train; print('timm' in sys.modules)"
    )
    assert ran.stdout == "False\n", ran.stderr


def test_the_command_that_fits_names_exact_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.models.versions.version", lambda name: "2.14.0")
    assert command_that_fits().startswith("python -m pip install torch==")
    monkeypatch.setattr("training.models.versions.version", lambda name: "2.13.0+cpu")
    assert command_that_fits().startswith("uv pip install --torch-backend cpu torch==")


@pytest.mark.parametrize("build", ["", "+cpu"])
def test_the_command_that_fits_names_each_version_once_and_replaces_what_is_there(
    monkeypatch: pytest.MonkeyPatch, build: str
) -> None:
    pins = {"torch": "2.14.1", "torchvision": "0.29.1"}
    needs = [
        f"{name}=={pins[name]}; extra == '{extra}'" for extra in ("dev", "train") for name in PAIR
    ]
    monkeypatch.setattr("training.models.versions.requires", lambda name: needs)
    monkeypatch.setattr("training.models.versions.version", lambda name: pins[name] + build)
    again = "--reinstall" if build else "--force-reinstall"
    named = " ".join(f"{name}=={pins[name]}" for name in PAIR)
    assert command_that_fits().endswith(f" {again} {named}")
    monkeypatch.setattr("training.models.versions.version", lambda name: "2.0" + build)
    assert "reinstall" not in command_that_fits()


def test_a_library_that_is_missing_has_no_version() -> None:
    assert installed("no-such-library") == ""
    assert torch.__version__.startswith(installed("torch"))
    assert [part.split()[0] for part in pair_installed().split(", ")] == list(PAIR)
