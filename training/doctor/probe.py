"""Import libraries and say what each can do: `training.doctor.libraries` starts it as a process.

A line of JSON a library, so that one that ends the process shows which it was.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

from negmine.errors import one_line
from negmine.extras import module_of

# What of a sound library has to work: how a file is named, and libsndfile's words for it.
CODECS = {
    "WAV": ("WAV", "PCM_16"),
    "FLAC": ("FLAC", "PCM_16"),
    "Ogg Vorbis": ("OGG", "VORBIS"),
    "Ogg Opus": ("OGG", "OPUS"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
}


def about_torch(torch: Any) -> dict[str, Any]:
    """Describe threads, bf16 and GPUs."""
    from training.engine.precision import emulated

    cuda = torch.cuda.is_available()
    return {
        "built_for": torch.version.cuda or torch.version.hip or "",
        "threads": torch.get_num_threads(),
        "bf16_emulated": emulated(torch.device("cpu"), "bf16"),
        "gpus": [_gpu(torch.cuda, n) for n in range(torch.cuda.device_count())] if cuda else [],
    }


def _gpu(cuda: Any, n: int) -> dict[str, Any]:
    """Describe a GPU, after a product that its kernels have to compute."""
    found = {"name": cuda.get_device_name(n), "memory": cuda.get_device_properties(n).total_memory}
    try:
        import torch

        torch.ones(8, 8, device=f"cuda:{n}").matmul(
            torch.ones(8, 8, device=f"cuda:{n}")
        ).sum().item()
    except Exception as error:
        found["error"] = reason(error)
    return found


def about_torchaudio(_: Any) -> dict[str, Any]:
    """Return whether the compiled extension loads."""
    from training.models.from_torchaudio import has_extension, import_torchaudio

    return {"extension": has_extension(import_torchaudio())}


def about_soundfile(soundfile: Any) -> dict[str, Any]:
    """Describe libsndfile: its version, and the codecs that a round trip changes."""
    return {
        "libsndfile": soundfile.__libsndfile_version__,
        "codecs": {name: _codec(soundfile, *codec) for name, codec in CODECS.items()},
    }


def _codec(soundfile: Any, kind: str, subtype: str) -> str:
    """Say why a second of sound does not pass a codec; '' where it does."""
    import numpy as np

    rate = 48000
    sound = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    try:
        file = io.BytesIO()
        soundfile.write(file, sound, rate, format=kind, subtype=subtype)
        file.seek(0)
        back, _ = soundfile.read(file)
    except Exception as error:
        return reason(error)
    power = float(np.mean(back**2)) if len(back) else 0.0
    return "" if 0.1 < power < 0.15 else f"a sine of power 0.125 comes back with {power:.3g}"


ABOUT: dict[str, Callable[[Any], dict[str, Any]]] = {
    "torch": about_torch,
    "torchaudio": about_torchaudio,
    "soundfile": about_soundfile,
}


def reason(error: BaseException) -> str:
    """Format an error as one line."""
    return one_line(f"{type(error).__name__}: {error}")


def probe(name: str) -> dict[str, Any]:
    """Import a library and ask what it can do: ``error`` is '' where all of it worked."""
    found: dict[str, Any] = {"name": name, "error": ""}
    try:
        if name == "torchaudio":  # as the trainer imports it
            from training.models.from_torchaudio import import_torchaudio

            module: Any = import_torchaudio()
        else:
            module = importlib.import_module(module_of(name))
        if name in ABOUT:
            found |= ABOUT[name](module)
    except BaseException as error:  # a library may even raise SystemExit
        found["error"] = reason(error)
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for _name in sys.argv[1:]:
        print(json.dumps(probe(_name)), flush=True)
