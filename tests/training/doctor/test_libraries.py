"""What the doctor says of libraries, those among them that end the process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from negmine.extras import requirements
from training.doctor import libraries, probe
from training.models.versions import command_that_fits

TORCH = {"threads": 2, "bf16_emulated": False, "gpus": [], "built_for": "13.0"}


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules come before those installed, in programs started from here."""
    path = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [path])]))
    return tmp_path


def write(folder: Path, name: str, source: str) -> None:
    (folder / f"{name}.py").write_text(source, encoding="utf-8")


def test_a_library_that_ends_the_process_is_named_and_the_others_are_seen(beside: Path) -> None:
    write(beside, "tqdm", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    write(beside, "xxhash", "import os; print('{}', flush=True); os._exit(3)")
    write(beside, "soxr", "raise RuntimeError('built for\\n another NumPy')")
    found = libraries.probe_all(["click", "tqdm", "xxhash", "soxr", "tomli-w"])
    assert {name: facts["error"] for name, facts in found.items()} == {
        "click": "",
        "tqdm": "its import ended the process: SIGSEGV",
        "xxhash": "its import ended the process: exit code 3",
        "soxr": "RuntimeError: built for another NumPy",
        "tomli-w": "",
    }


def test_a_library_whose_import_does_not_end_is_named(beside: Path) -> None:
    write(beside, "tqdm", "import time; time.sleep(60)")
    found = libraries.probe_all(["click", "tqdm"], timeout_s=3.0)
    assert found["click"]["error"] == ""
    assert "no answer in 3 s" in found["tqdm"]["error"]


@pytest.mark.parametrize(
    ("extra", "present", "found", "state", "words"),
    [
        ("", "1.9.1", {"error": ""}, "ok", ""),
        ("", "", {}, "problem", "not installed; python -m pip install 'faiss-cpu>=1.8'"),
        ("onnx", "", {}, "note", "not installed (optional); python -m pip install 'negmine[onnx]'"),
        ("", "1.9.1", {"error": "OSError: x"}, "problem", "cannot be used: OSError: x; "),
        ("", "1.7.0", {"error": ""}, "note", "1.7.0 is not >=1.8; untested"),
    ],
)
def test_what_is_said_of_a_library(
    extra: str, present: str, found: dict[str, Any], state: str, words: str
) -> None:
    check = libraries.check_library(Requirement("faiss-cpu>=1.8"), extra, present, found)
    assert check.state == state
    assert words in check.to_line()
    assert "\n" not in check.to_line()


def test_a_pair_that_does_not_load_is_named_with_the_pair_that_fits() -> None:
    need = Requirement("torchvision==0.29.1")
    check = libraries.check_library(need, "", "0.28.0", {"error": "RuntimeError: no nms"})
    assert check.to_line() == (
        f"problem: torchvision: 0.28.0 cannot be used: RuntimeError: no nms; what fits: "
        f"{command_that_fits()}"
    )


def test_torchaudio_without_its_extension_is_noted() -> None:
    need = Requirement("torchaudio==2.11.1")
    check = libraries.check_library(need, "", "2.11.1", {"error": "", "extension": False})
    assert check.state == "note"
    assert "without its compiled extension" in check.found


def test_every_requirement_is_looked_at() -> None:
    wanted = {need.name: extra for need, extra in requirements()}
    assert wanted["faiss-cpu"] == wanted["onnxruntime"] == ""
    assert wanted["torch"] == wanted["timm"] == "train"
    assert wanted["onnxscript"] == "onnx"
    assert wanted["tensorboard"] == "tensorboard"
    assert "pytest" not in wanted


def test_codecs_are_tried_by_a_sound_there_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe.probe("soundfile")
    assert [check.found for check in libraries.check_codecs(found)] == [
        "WAV, FLAC, Ogg Vorbis, Ogg Opus, MP3"
    ]
    monkeypatch.setitem(probe.CODECS, "MP3", ("MP3", "NO_SUCH"))
    (missing, working) = libraries.check_codecs(probe.probe("soundfile"))
    assert (missing.name, missing.state) == ("codec MP3", "problem")
    assert "MP3" not in working.found


@pytest.mark.parametrize(
    ("changes", "driver", "name", "state", "words"),
    [
        ({}, False, "gpu", "ok", "none; the CPU is used"),
        ({}, True, "gpu", "problem", "built for 13.0, sees no GPU"),
        ({"built_for": ""}, True, "gpu", "note", "built without CUDA"),
        ({"gpus": [{"name": "H", "memory": 2**33}]}, True, "gpu 0", "ok", "H, 8 GiB"),
        (
            {"gpus": [{"name": "H", "memory": 2**33, "error": "no kernel image"}]},
            True,
            "gpu 0",
            "problem",
            "no kernel image",
        ),
        ({"bf16_emulated": True}, False, "bf16", "note", "many times slower"),
        ({"bf16_emulated": False}, False, "bf16", "ok", "native"),
    ],
)
def test_what_is_said_of_processor_and_gpu(
    changes: dict[str, Any], driver: bool, name: str, state: str, words: str
) -> None:
    checks = libraries.check_compute({**TORCH, **changes}, driver=driver)
    (check,) = [check for check in checks if check.name == name]
    assert check.state == state
    assert words in check.found


def test_nothing_is_said_of_a_gpu_where_torch_does_not_load() -> None:
    assert list(libraries.check_compute({"error": "OSError"}, driver=False)) == []


def test_a_trainer_that_lacks_one_of_its_libraries_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    present = {"torch": "2.14.1"}
    monkeypatch.setattr(libraries, "probe_all", lambda names: {name: {} for name in names})
    for has, state in ((present, "problem"), ({}, "note")):
        monkeypatch.setattr(libraries, "installed", lambda name, has=has: has.get(name, ""))
        states = {check.name: check.state for check in libraries.check_libraries()}
        assert states["torchaudio"] == state
        assert states["tensorboard"] == "note"


def test_a_microphone_without_its_system_library_is_no_problem() -> None:
    need = Requirement("sounddevice>=0.4.6; extra == 'listen'")
    error = {"error": "OSError: PortAudio library not found"}
    found = libraries.check_library(need, "listen", "0.5.6", error)
    assert found.state == "note"
    assert "libportaudio2" in found.do
