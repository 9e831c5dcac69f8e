"""torchaudio whose compiled extension does not load, and libraries that do not load at all."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from programs import run_beside

from negmine.errors import ModelError
from training.models.backbones import Backbone
from training.models.detector import Detector
from training.models.frontend import FrontEndSettings, LogMel
from training.models.versions import TRIO, command_that_fits, installed, trio_installed

SETTINGS = FrontEndSettings.for_mels(16_000, 64)

PROGRAM = """
import sys
import torch

try:
    import torchaudio
except OSError as error:
    print(error)

from training.models.frontend import FrontEndSettings, LogMel
from training.models.from_torchaudio import has_extension, import_torchaudio

settings = FrontEndSettings.for_mels(16_000, 64)
torch.save(LogMel(settings).state_dict(), sys.argv[1])
print(has_extension(import_torchaudio()))
"""


def torchaudio_with_broken_libraries(folder: Path) -> None:
    """Make a torchaudio of the installed one's files, and of compiled libraries that are none."""
    spec = find_spec("torchaudio")
    assert spec is not None
    assert spec.origin is not None
    copy = folder / "torchaudio"
    (copy / "lib").mkdir(parents=True)
    for path in Path(spec.origin).parent.iterdir():
        if path.name != "lib":
            (copy / path.name).symlink_to(path)
    for name in ("_torchaudio", "libtorchaudio"):
        (copy / "lib" / f"{name}.so").write_bytes(b"\x7fELF for another torch")


def test_the_mel_filters_need_no_compiled_extension(tmp_path: Path) -> None:
    torchaudio_with_broken_libraries(tmp_path)
    ran = run_beside(tmp_path, "-c", PROGRAM, str(tmp_path / "mel.pt"))
    assert ran.returncode == 0, ran.stderr
    plain, extension = ran.stdout.splitlines()
    assert "Could not load this library" in plain
    assert extension == "False"
    found = torch.load(tmp_path / "mel.pt", weights_only=True)
    expected = LogMel(SETTINGS).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert found["mel.mel_scale.fb"].shape == (SETTINGS.frame // 2 + 1, 64)


@pytest.mark.parametrize(
    ("broken", "source", "said"),
    [
        ("torchaudio", "raise OSError('libcudart.so.13:\\n no such file')", "libcudart.so.13"),
        ("torch", "raise OSError('libcudart.so.13:\\n no such file')", "libcudart.so.13"),
        ("soundfile", "raise ImportError('libsndfile is missing')", "libsndfile is missing"),
    ],
)
def test_a_library_that_does_not_load_is_one_line(
    broken: str, source: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / f"{broken}.py").write_text(source, encoding="utf-8")
    call = ["predict", str(tmp_path), "--model", "a.pt", "--out", "b.csv"]
    if broken == "soundfile":  # torch, which the other command has first, takes seconds
        call = ["build-pool", str(tmp_path), "--tp", "a.csv", "--out", "pool"]
    ran = run_beside(tmp_path, "-m", "negmine", *call)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert said in line
    assert "negmine doctor" in line
    if broken == "torchaudio":
        assert trio_installed() in line
        assert command_that_fits() in line


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
    pins = {"torch": "2.14.1", "torchaudio": "2.11.1", "torchvision": "0.29.1"}
    needs = [
        f"{name}=={pins[name]}; extra == '{extra}'" for extra in ("dev", "train") for name in TRIO
    ]
    monkeypatch.setattr("training.models.versions.requires", lambda name: needs)
    monkeypatch.setattr("training.models.versions.version", lambda name: pins[name] + build)
    again = "--reinstall" if build else "--force-reinstall"
    named = " ".join(f"{name}=={pins[name]}" for name in TRIO)
    assert command_that_fits().endswith(f" {again} {named}")
    monkeypatch.setattr("training.models.versions.version", lambda name: "2.0" + build)
    assert "reinstall" not in command_that_fits()


def test_a_library_that_is_missing_has_no_version() -> None:
    assert installed("no-such-library") == ""
    assert torch.__version__.startswith(installed("torch"))
    assert [part.split()[0] for part in trio_installed().split(", ")] == list(TRIO)
