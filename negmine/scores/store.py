"""Scores on disk, by recipe and model: computed once, read ever after.

A store is a folder of shards. A shard holds some recipes' ids, embeddings and logits in one
safetensors file, written whole or not at all, with a checksum in its name. Nothing depends on which
rows share a shard or on their order, so a pool that grew has only its new rows scored, and a run
that was killed loses the shard it was at.

Embeddings are bfloat16: they take half the room and half the memory traffic of float32. Arithmetic
on them is in float32.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from ml_dtypes import bfloat16
from safetensors.numpy import save

from negmine.errors import OutputError, PoolError
from negmine.notices import warn
from negmine.recipes.columns import ID_BYTES
from negmine.storage.digests import digest
from negmine.storage.files import writing

_SUFFIX = ".safetensors"
_ARRAYS = {"ids": np.uint8, "embeddings": bfloat16, "logits": np.float32}


@dataclass(frozen=True)
class Shard:
    """Scores of some recipes.

    Attributes
    ----------
    start : int
        Position of its first row in the store.
    ids : uint8 array, shape (n, 12)
    embeddings : bfloat16 array, shape (n, D)
        L2-normalised to within the rounding; memory-mapped.
    logits : float32 array, shape (n, C)
        Memory-mapped.
    """

    path: Path
    start: int
    ids: np.ndarray
    embeddings: np.ndarray
    logits: np.ndarray

    @property
    def end(self) -> int:
        return self.start + len(self.ids)


class ScoreStore:
    """The scores of one model.

    Parameters
    ----------
    folder : Path
        Holds a folder for each model that scored.
    fingerprint : str
        Of the model: its weights, its front end, and whatever else its outputs depend on.

    Attributes
    ----------
    folder : Path
        Of this model's shards.
    damaged : tuple of str
        Names of shards whose checksum did not hold; they are gone, and their rows are missing.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder / fingerprint
        self._shards: list[Shard] = []
        self._starts = np.zeros(1, dtype=np.int64)
        self.damaged: tuple[str, ...] = ()
        self.refresh()

    def __len__(self) -> int:
        return self._shards[-1].end if self._shards else 0

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._shards)

    def refresh(self) -> None:
        """Open the shards that other runs wrote since."""
        known = {shard.path for shard in self._shards}
        if self.folder.is_dir():
            for path in sorted(self.folder.glob(f"[!.]*{_SUFFIX}")):
                if path not in known:
                    self._open(path)

    def _open(self, path: Path) -> None:
        content = _mapped(path)
        if _name(content.data) != path.name:
            # scores can always be made again; bytes that rotted must not be read as scores
            self.damaged = (*self.damaged, path.name)
            warn(f"{path}: damaged, and removed; its rows are scored again where they are needed")
            try:
                path.unlink()
            except OSError as error:
                raise OutputError(f"{path}: damaged, and cannot be removed: {error}") from error
            return
        self._shards.append(Shard(path, len(self), *_arrays(content)))
        self._starts = np.append(self._starts, len(self))
        self.__dict__.pop("_keys", None)

    def append(self, ids: np.ndarray, embeddings: np.ndarray, logits: np.ndarray) -> None:
        """Write a shard.

        Parameters
        ----------
        ids : uint8 array, shape (n, 12)
            Not in the store yet.
        embeddings : float32 array, shape (n, D)
            L2-normalised here.
        logits : float32 array, shape (n, C)
        """
        content = save(
            {
                "ids": np.ascontiguousarray(ids),
                "embeddings": _unit(embeddings.astype(np.float32)).astype(bfloat16),
                "logits": np.ascontiguousarray(logits, dtype=np.float32),
            }
        )
        path = self.folder / _name(content)
        with writing(path) as temporary:
            temporary.write_bytes(content)
        self._open(path)

    @cached_property
    def _keys(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ids of all rows; their first eight bytes as numbers, sorted; and the order of that."""
        ids = np.concatenate([s.ids for s in self._shards] or [np.zeros((0, ID_BYTES), np.uint8)])
        keys = _leading(ids)
        order = np.argsort(keys, kind="stable")
        return ids, keys[order], order

    def positions(self, ids: np.ndarray) -> np.ndarray:
        """Find the places of recipes in the store.

        Parameters
        ----------
        ids : uint8 array, shape (N, 12)

        Returns
        -------
        int64 array, shape (N,)
            -1 where a recipe was not scored.
        """
        known, keys, order = self._keys
        if not len(known):
            return np.full(len(ids), -1, dtype=np.int64)
        wanted = _leading(ids)
        # in order: a search walks through the keys once, instead of all over them for each id
        turn = np.argsort(wanted)
        position = np.empty(len(ids), dtype=np.int64)
        position[turn] = np.searchsorted(keys, wanted[turn])
        position = order[np.minimum(position, len(keys) - 1)]
        # ids are hashes: two that share eight bytes and differ are not met with
        whole = f"V{ID_BYTES}"
        same = known.view(whole)[position] == np.ascontiguousarray(ids).view(whole)
        return np.where(same[:, 0], position, -1)

    def logits(self, positions: np.ndarray) -> np.ndarray:
        """Read logits at positions, in their order: float32, shape (N, C)."""
        return self._gather(positions, "logits", np.float32)

    def embeddings(self, positions: np.ndarray) -> np.ndarray:
        """Read embeddings at positions, in their order: float32, shape (N, D), L2-normalised."""
        # again: bfloat16 leaves lengths off by as much as near sounds differ
        return _unit(self._gather(positions, "embeddings", bfloat16).astype(np.float32))

    def _gather(self, positions: np.ndarray, name: str, dtype: type) -> np.ndarray:
        order = np.argsort(positions, kind="stable")
        ordered = positions[order]
        bounds = np.searchsorted(ordered, self._starts)
        counts = np.diff(bounds)
        inside = ordered - np.repeat(self._starts[:-1], counts)
        width = getattr(self._shards[0], name).shape[1] if self._shards else 0
        out = np.empty((len(positions), width), dtype=dtype)
        for number in np.flatnonzero(counts).tolist():
            here = slice(bounds[number], bounds[number + 1])
            out[order[here]] = getattr(self._shards[number], name)[inside[here]]
        return out


def _unit(rows: np.ndarray) -> np.ndarray:
    """Divide rows by their lengths, in place: float32, shape (n, D)."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    rows /= np.maximum(lengths, 1e-12)[:, None]
    return rows


def _mapped(path: Path) -> np.ndarray:
    """Map the bytes of a file into memory: uint8, shape (bytes,)."""
    try:
        # as a plain array: slices of a memmap take longer to make
        return np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)
    except OSError as error:
        raise PoolError(f"{path}: not readable: {error.strerror}") from error
    except ValueError:  # an empty file cannot be mapped
        return np.zeros(0, dtype=np.uint8)


def _arrays(content: np.ndarray) -> list[np.ndarray]:
    """Read ids, embeddings and logits out of the bytes of a shard; nothing is copied.

    Not by safetensors itself, which maps the file again: pages that the checksum has read would
    have to be found in memory again.
    """
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    header = json.loads(content[8:start].tobytes())
    found = []
    for name, dtype in _ARRAYS.items():
        first, end = header[name]["data_offsets"]
        part = content[start + first : start + end].view(dtype)
        found.append(part.reshape(header[name]["shape"]))
    return found


def _leading(ids: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(ids[:, :8]).view(">u8").ravel().astype(np.uint64)


def _name(content: bytes | memoryview) -> str:
    return digest(content) + _SUFFIX
