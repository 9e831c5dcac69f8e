"""Any model: the protocol that mining asks of it, and how one is found."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import numpy as np

from negmine.errors import ModelError
from negmine.extras import what_is_missing

ENTRY_POINTS = "negmine.scorers"

# Suffixes that no reader gets, and why.
_REFUSED = {
    "pt2": "'.pt2' programs are not read any more: torch runs native code from such a file; use an "
    "ONNX file, or the checkpoint it was exported from",
}


@runtime_checkable
class Scorer(Protocol):
    """A model that embeds and scores clips.

    Attributes
    ----------
    classes : tuple of str
        In the order of the logits.
    sample_rate : int
        Hz of the waveforms it takes.
    clip_s : float
        Length of the clips it was trained on.
    fingerprint : str
        Of its weights and of whatever else its outputs depend on.
    held_out : frozenset of str
        Recordings kept for validation: nothing may be mined from them.
    """

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def clip_s(self) -> float: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def held_out(self) -> frozenset[str]: ...

    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score a batch of clips.

        Parameters
        ----------
        waveforms : float32 array, shape (B, T)

        Returns
        -------
        embeddings : float32 array, shape (B, D)
        logits : float32 array, shape (B, C)
        """


@runtime_checkable
class Headed(Scorer, Protocol):
    """A scorer that reads a clip of its own length out of what a fixed network gives of it.

    What the network gives is kept apart: another head, as of the next round of mining, scores the
    same clips in moments.

    Attributes
    ----------
    network : Scorer
        Its logits are what the head reads. It may have no classes.
    """

    @property
    def network(self) -> Scorer: ...

    def head(self, outputs: np.ndarray) -> np.ndarray:
        """Compute logits, float32 (B, C), of the network's: float32, (B, D)."""


@runtime_checkable
class Compilable(Scorer, Protocol):
    """A scorer that can be compiled: slower to start, faster from then on."""

    def compile(self) -> None:
        """Compile the network.

        Raises
        ------
        ModelError
            If that does not work here.
        """


def load_scorer(path: Path, device: str = "auto", *, compiled: bool = False) -> Scorer:
    """Open a model with the reader that some installed package registers for its suffix.

    Packages register under the entry-point group ``negmine.scorers``: the name is the suffix
    without its dot, the object a callable ``(path, device) -> Scorer``.

    Parameters
    ----------
    compiled : bool
        Compile the network.

    Raises
    ------
    ModelError
        If the file is missing, its format can run code, nothing reads its suffix, or what reads it
        gives no scorer, or one that cannot be compiled.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such model")
    suffix = path.suffix.lstrip(".")
    if suffix in _REFUSED:
        raise ModelError(f"{path}: {_REFUSED[suffix]}")
    readers = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if suffix not in readers:
        known = ", ".join(f".{name}" for name in sorted(readers.keys() - _REFUSED)) or "none"
        raise ModelError(f"{path}: no reader for '.{suffix}' models; installed readers: {known}")
    point = readers[suffix]
    try:
        reader = cast(Callable[[Path, str], object], point.load())
    except (ImportError, AttributeError) as error:
        reason = what_is_missing(error) or error
        raise ModelError(
            f"{path}: its reader '{point.value}' cannot be loaded: {reason}"
        ) from error
    scorer = reader(path, device)
    if not isinstance(scorer, Scorer):
        raise ModelError(f"{path}: the reader '{point.value}' returned no Scorer")
    if compiled:
        if not isinstance(scorer, Compilable):
            raise ModelError(f"{path}: '.{suffix}' models cannot be compiled; leave out --compile")
        scorer.compile()
    return scorer
