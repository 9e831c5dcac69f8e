"""A pretrained network that stays as it is: clips of its own length in, embeddings out.

Each clip passes the network once. What it gave is kept by the clip's samples, wherever they come
from: a crop that is drawn again, by another run, fold or seed, is read back. So nothing that makes
rows has to know of it, and sound that was changed or mixed is sound like any other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import xxhash

from negmine.audio.windows import to_samples
from negmine.errors import ModelError
from negmine.models.added import BIRDNET, Added, add, find, models_folder, open_named
from negmine.models.scorer import Scorer, load_scorer
from negmine.recipes.columns import ID_BYTES
from negmine.scores.store import ScoreStore
from training.models.silence import without_silence

# Clips that pass the network together, and those kept in memory before they are written.
_BATCH = 16
_SHARD = 2048

# Embeddings that are remembered without a store: those of some minutes, for other heads to read.
_RECENT = 256

# Of the blocks in which silence is looked for: that of a detector's spectrogram.
_BLOCK_S = 0.016

# Raised whenever a clip is prepared otherwise.
_VERSION = 1


class Network:
    """A Scorer as the first part of a model.

    Parameters
    ----------
    scorer : Scorer
        Of which the embeddings are used; its logits and classes are not.
    name : str
        What it is called on the command line.
    folder : Path, optional
        Where embeddings are kept; by default none are.

    Attributes
    ----------
    sample_rate : int
        Hz.
    length : int
        Samples of the clips it takes.
    width : int
        Numbers of an embedding.
    fingerprint : str
        Of the Scorer.
    kept_as : str
        Names what it gives of clips.
    """

    def __init__(self, scorer: Scorer, name: str, folder: Path | None = None) -> None:
        self.scorer, self.name = scorer, name
        self.sample_rate, self.fingerprint = scorer.sample_rate, scorer.fingerprint
        self.length = to_samples(scorer.clip_s, scorer.sample_rate)
        self.kept_as = f"{self.fingerprint}.n{_VERSION}"
        self._store = ScoreStore(folder, self.kept_as) if folder else None
        self._new: dict[bytes, np.ndarray] = {}
        faint = np.random.default_rng(0).normal(0, 0.01, (1, self.length)).astype(np.float32)
        self.width = self._embedded(faint).shape[1]

    def __deepcopy__(self, memo: object) -> Network:
        # models that are copied share it: it never changes
        return self

    def embed(self, clips: np.ndarray) -> np.ndarray:
        """Embed clips: float32, (n, length) to (n, width); in `SILENCE`, mirrored sound counts."""
        keys = [xxhash.xxh3_128_digest(clip.data)[:ID_BYTES] for clip in clips]
        if self._store is None:
            return self._remembered(clips, keys)
        ids = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, ID_BYTES)
        places = self._store.positions(ids)
        found = np.empty((len(clips), self.width), dtype=np.float32)
        known = places >= 0
        if known.any():
            found[known] = self._store.logits(places[known])
        missing = {
            keys[i]: i for i in np.flatnonzero(~known)[::-1].tolist() if keys[i] not in self._new
        }
        if missing:
            rows = sorted(missing.values())
            made = self._embedded(clips[rows])
            self._new |= {keys[row]: one for row, one in zip(rows, made, strict=True)}
        for i in np.flatnonzero(~known).tolist():
            found[i] = self._new[keys[i]]
        if len(self._new) >= _SHARD:
            self.flush()
        return found

    def _remembered(self, clips: np.ndarray, keys: list[bytes]) -> np.ndarray:
        missing = {keys[i]: i for i in range(len(keys))[::-1] if keys[i] not in self._new}
        if missing:
            rows = sorted(missing.values())
            made = self._embedded(clips[rows])
            self._new |= {keys[row]: one for row, one in zip(rows, made, strict=True)}
        found = [self._new[key] for key in keys]
        for key in list(self._new)[: max(0, len(self._new) - _RECENT)]:
            del self._new[key]
        return np.stack(found) if found else self._embedded(clips)

    def flush(self) -> None:
        """Write the embeddings that are new."""
        if self._store is not None and self._new:
            ids = np.frombuffer(b"".join(self._new), dtype=np.uint8).reshape(-1, ID_BYTES)
            rows = np.stack(list(self._new.values()))
            # the store rounds embeddings to bfloat16; in the place of logits they stay as they are
            self._store.append(ids, rows, rows)
            self._new = {}

    def _embedded(self, clips: np.ndarray) -> np.ndarray:
        """Let clips pass the network."""
        block = max(1, round(_BLOCK_S * self.sample_rate))
        found = []
        for first in range(0, len(clips), _BATCH):
            part = torch.from_numpy(np.ascontiguousarray(clips[first : first + _BATCH]))
            sound, _ = without_silence(part, block)
            found.append(self.scorer.score(sound.numpy())[0])
        embeddings = np.concatenate(found) if found else np.zeros((0, self.width), np.float32)
        if not np.isfinite(embeddings).all():
            raise ModelError(f"network '{self.name}' gives NaN or infinite embeddings")
        return embeddings


class NetworkScorer:
    """A network as a Scorer whose logits are its embeddings as they are, for heads to read.

    So a store of scores holds what heads need of a clip, by its recipe: see
    `negmine.models.scorer.Headed`.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.classes: tuple[str, ...] = ()
        self.held_out: frozenset[str] = frozenset()
        self.sample_rate = network.sample_rate
        self.clip_s = network.length / network.sample_rate
        self.fingerprint = network.kept_as

    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Embed clips of the network's length."""
        embeddings = self._network.embed(waveforms)
        return embeddings, embeddings


def open_network(name: str, device: str, folder: Path | None = None) -> Network:
    """Open a network to train a head on: ``birdnet``, or a file that a Scorer opens.

    The place of a file is noted, so that checkpoints of its heads find it again.

    Raises
    ------
    ModelError
        If BirdNET was not added, there is no such file, or nothing opens it.
    """
    path = open_named(name, models_folder())
    network = Network(load_scorer(path, device), name, folder)
    if find(network.fingerprint, models_folder()) is None:
        stem = "".join(c if c.isalnum() else "-" for c in path.name.partition(".")[0])[:40]
        noted = Added(f"{stem or 'network'}-{network.fingerprint[:8]}", path, network.fingerprint)
        add(noted, models_folder())
    return network


def find_network(name: str, fingerprint: str, device: str) -> Network:
    """Open the network that a head was trained on.

    Raises
    ------
    ModelError
        If it is not among the networks that were added.
    """
    path = find(fingerprint, models_folder())
    where = BIRDNET if name == BIRDNET else "FILE"
    advice = f"add it with 'negmine models add {where}'"
    if path is None:
        raise ModelError(
            f"its head was trained on network '{name}' of digest {fingerprint}, which is not among "
            f"the added ones: {advice}"
        )
    scorer = load_scorer(path, device)
    if scorer.fingerprint != fingerprint:
        raise ModelError(
            f"its head was trained on network '{name}' of digest {fingerprint}, and {path} is now "
            f"another, of digest {scorer.fingerprint}: {advice}"
        )
    return Network(scorer, name)
