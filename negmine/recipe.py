"""Recipes: sound described, not stored.

A recipe is frozen, hashable and serialisable, and renders to the same samples in any process and
any order: it has no state and draws no random number; whatever was drawn stands in its fields.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from negmine.labels import PartialLabels
from negmine.windows import to_microseconds

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Source:
    """One sound file that recipes cut from.

    Attributes
    ----------
    root : Path
        The folder the user named.
    name : str
        The file's path inside it, with forward slashes.
    fingerprint : str
        Of the file's bytes; rendering checks it.
    duration_s : float
    group : str
        What must not stand on both sides of a split: the recording.
    """

    root: Path
    name: str
    fingerprint: str
    duration_s: float
    group: str

    @property
    def path(self) -> Path:
        return self.root / self.name


@dataclass(frozen=True, slots=True)
class Layer:
    """One span of a source in a recipe.

    Attributes
    ----------
    source : Source
    start_s : float
        Where the span starts in the file.
    snr_db : float or None
        20*log10(rms(first layer) / rms(this layer, scaled)): higher means quieter. None for the
        first layer, which keeps its level.
    """

    source: Source
    start_s: float
    snr_db: float | None = None


@dataclass(frozen=True)
class Recipe:
    """A clip: its layers, its length, and what is known of it.

    Attributes
    ----------
    kind : str
        The source of negatives it came from: ``fp``, ``external``, ``mix``; ``tp`` for a confirmed
        call kept for comparison.
    layers : tuple of Layer
    duration_s : float
    sample_rate : int
        Hz, unless rendering asks for another.
    labels : PartialLabels
    """

    kind: str
    layers: tuple[Layer, ...]
    duration_s: float
    sample_rate: int
    labels: PartialLabels

    def __post_init__(self) -> None:
        if not self.layers or self.layers[0].snr_db is not None:
            raise ValueError("a recipe needs layers, and the first has no snr_db")
        if any(layer.snr_db is None for layer in self.layers[1:]):
            raise ValueError("every layer after the first needs an snr_db")

    @cached_property
    def id(self) -> str:
        """Hash of what is heard: sources by fingerprint, spans, levels; not the labels."""
        # as floats: 2 and 2.0 are equal and must not be two ids
        layers = [
            (
                la.source.fingerprint,
                float(la.start_s),
                None if la.snr_db is None else float(la.snr_db),
            )
            for la in self.layers
        ]
        text = json.dumps([float(self.duration_s), layers])
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    @property
    def groups(self) -> frozenset[str]:
        """Groups of all layers: a recipe is held out if any of them is."""
        return frozenset(layer.source.group for layer in self.layers)

    def mix(self, other: Recipe, snr_db: float) -> Recipe:
        """This recipe with another added at a signal-to-noise ratio; labels by the algebra.

        The layers of both are joined, so that a mix of mixes is flat. ``snr_db`` is the ratio of
        this recipe's first layer over the other's first.

        Raises
        ------
        ValueError
            If the two differ in length or sample rate.
        """
        mine, theirs = (self.duration_s, self.sample_rate), (other.duration_s, other.sample_rate)
        if mine != theirs:
            raise ValueError(f"cannot mix clips of {mine} and {theirs} (seconds, Hz)")
        added = tuple(
            Layer(la.source, la.start_s, to_microseconds(snr_db + (la.snr_db or 0.0)))
            for la in other.layers
        )
        labels = self.labels.mix(other.labels)
        return Recipe("mix", self.layers + added, self.duration_s, self.sample_rate, labels)

    def render(self, sample_rate: int | None = None) -> np.ndarray:
        """The clip's samples: see `negmine.render.render`."""
        from negmine.render import render

        return render(self, sample_rate)
