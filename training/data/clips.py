"""Clips decoded once into a memory-mapped file, so that a training step is a copy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from negmine.errors import InputError
from negmine.notices import warn
from negmine.progress import Progress, no_progress
from negmine.storage.digests import file_digest
from negmine.storage.files import write_json, writing
from negmine.storage.text_files import read_json

_INT16_MAX = 32767


class ClipStore:
    """Clips of any lengths as int16 in one file, with a scale each.

    Use `open`, which decodes only what is not there already.
    """

    def __init__(
        self, samples: np.ndarray, offsets: Sequence[int], scales: Sequence[float]
    ) -> None:
        self._samples = samples
        self._offsets = offsets
        self._scales = scales

    def __len__(self) -> int:
        return len(self._scales)

    def __getstate__(self) -> dict[str, Any]:
        # another process maps the file itself: a pickled map would be a copy of all samples
        state = dict(vars(self))
        if isinstance(self._samples, np.memmap):
            state["_samples"] = self._samples.filename
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        samples = state["_samples"]
        vars(self).update(state)
        if not isinstance(samples, np.ndarray):
            self._samples = np.memmap(samples, dtype="<i2", mode="r")

    def read(self, index: int, start: int, length: int) -> np.ndarray:
        """Read part of a clip, padded with zeros past its end: float32 array, shape (length,)."""
        first, last = self._offsets[index], self._offsets[index + 1]
        part = self._samples[min(first + start, last) : min(first + start + length, last)]
        out = np.zeros(length, dtype=np.float32)
        out[: len(part)] = part
        return out * np.float32(self._scales[index])

    @classmethod
    def open(
        cls,
        folder: Path,
        keys: Sequence[object],
        lengths: Sequence[int],
        make: Callable[[int], np.ndarray],
        progress: Progress = no_progress,
        title: str = "decoding clips",
    ) -> ClipStore:
        """Open the store of these clips, decoding them first if it is not there.

        Parameters
        ----------
        folder : Path
            Where stores are; each has a name made of its keys.
        keys : sequence of JSON-able objects
            One a clip, saying what is in it: the same keys, the same clips.
        lengths : sequence of int
            Samples of each clip.
        make : callable
            Gives clip ``i``: float32 array, shape (lengths[i],). Called in threads.
        progress : Progress
            Begins a bar of this title if any clips are to be decoded.
        """
        text = json.dumps([list(keys), list(lengths)])
        name = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
        data, index = folder / f"{name}.i16", folder / f"{name}.json"
        offsets = [0, *np.cumsum(lengths, dtype=np.int64).tolist()]
        size = data.stat().st_size if data.exists() else -1
        scales = _read_scales(index, data) if size == offsets[-1] * 2 else None
        if scales is None:
            if index.exists():
                warn(f"{data}: cut, damaged or of an earlier version; decoded again")
            scales, written = [], xxhash.xxh3_128()
            advance = progress(title, len(lengths), "clip")
            with (
                writing(data) as temporary,
                temporary.open("wb") as file,
                ThreadPoolExecutor() as threads,
            ):
                for start in range(0, len(lengths), 64):
                    block = range(start, min(start + 64, len(lengths)))
                    for clip in threads.map(make, block):
                        # full scale is the clip's own peak where that passes 1: nothing clips
                        scale = max(1.0, float(np.abs(clip).max(initial=0.0))) / _INT16_MAX
                        content = np.rint(clip / scale).astype("<i2").tobytes()
                        file.write(content)
                        written.update(content)
                        scales.append(scale)
                        advance()
            write_json(index, {"scales": scales, "digest": written.hexdigest()})
        samples = (
            np.memmap(data, dtype="<i2", mode="r") if offsets[-1] else np.zeros(0, dtype="<i2")
        )
        return cls(samples, offsets, scales)


def _read_scales(index: Path, data: Path) -> list[float] | None:
    """Read the scales of a store's clips; None where it is not what was written."""
    try:
        found = read_json(index, "")
        return found["scales"] if found["digest"] == file_digest(data) else None
    except (OSError, InputError, KeyError, TypeError):
        return None
