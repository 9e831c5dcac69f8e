"""The files of a cache of decoded sound, as `negmine.recipes.cache` describes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negmine.errors import PoolError
from negmine.storage.text_files import read_json

FORMAT = "negmine-cache"
VERSION = 1

DATA, INDEX, JOURNAL = "samples.i16", "cache.json", "journal.jsonl"


@dataclass(frozen=True)
class Entry:
    """A decoded sound: samples [offset, offset + length) of the data, times ``scale``."""

    fingerprint: str
    offset: int
    length: int
    scale: float
    checksum: str

    def holds(self, samples: np.ndarray) -> bool:
        """Return whether samples of the data are as they were decoded: int16, shape (length,)."""
        return hashlib.blake2b(samples.data, digest_size=8).hexdigest() == self.checksum


def read_index(folder: Path) -> dict[str, Any]:
    """Read the index of a finished cache.

    Raises
    ------
    PoolError
        If there is none, or it is damaged or of another kind or version.
    """
    path = folder / INDEX
    if not path.exists():
        raise PoolError(f"{folder}: no finished cache; run 'negmine cache' first")
    index = read_json(path, "run 'negmine cache' again")
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise PoolError(f"{path}: not written by 'negmine cache'")
    if index.get("version") != VERSION:
        raise PoolError(f"{path}: version {index.get('version')}, not {VERSION}; make it again")
    return index
