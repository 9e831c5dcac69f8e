"""Recipes: sound described, not stored.

A recipe is frozen, hashable and serialisable, and renders to the same samples in any process and
any order: it has no state and draws no random number; whatever was drawn stands in its fields.
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from negmine.audio.windows import to_microseconds
from negmine.recipes.labels import PartialLabels
from negmine.storage.names import clean_name

if TYPE_CHECKING:
    import numpy as np

    from negmine.recipes.reader import Reader

# What a layer does, and its number in ids and files: never renumber, only add.
OPS = {"add": 0, "insert": 1, "erase": 2, "band": 3}

# The kinds of recipe that negmine makes; `tp` are the confirmed calls kept for comparison.
KINDS = ("fp", "external", "mix", "erase", "transplant", "noise", "near", "agreed", "tp")

# The root of sound that is generated, not read.
SYNTHETIC = Path("synthetic")

# What ids hash: a clip's microseconds, then each layer, little-endian (see `layer_record`).
ID_BYTES = 12
_CLIP = struct.Struct("<q")
_LAYER = struct.Struct("<16sB7q")
_NONE = -(2**63)


@dataclass(frozen=True, slots=True)
class Source:
    """One sound file that recipes cut from, or a generator of sound (`synthetic_source`).

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
        What must not stand on both sides of a split: the recording, or its site. Empty for
        generated sound.
    """

    root: Path
    name: str
    fingerprint: str
    duration_s: float
    group: str

    @property
    def path(self) -> Path:
        return self.root / self.name

    @property
    def recording(self) -> str:
        """What tables call the recording: the file's name without its suffix."""
        return clean_name(self.name.rpartition("/")[2].rpartition(".")[0])

    def is_of(self, names: frozenset[str]) -> bool:
        """Whether it is one of these recordings, or in one of these groups."""
        return not self.is_synthetic and (self.group in names or self.recording in names)

    @property
    def is_synthetic(self) -> bool:
        # as text: comparing paths takes longer than making a layer
        return str(self.root) == str(SYNTHETIC)

    @property
    def key(self) -> bytes:
        """16 bytes that stand for the source in ids: equal where the files' bytes are."""
        return hashlib.blake2b(self.fingerprint.encode(), digest_size=16).digest()


def synthetic_source(generator: str) -> Source:
    """The source of sound that a generator of `negmine.audio.dsp.noise` makes, such as ``pink``."""
    text = f"negmine.audio.dsp.noise {generator}"
    fingerprint = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return Source(SYNTHETIC, generator, fingerprint, math.inf, "")


@dataclass(frozen=True, slots=True)
class Layer:
    """One step of a recipe.

    Times are kept to the microsecond, ratios to a millionth of a decibel.

    Attributes
    ----------
    source : Source or None
        None for ``erase`` alone.
    start_s : float
        Where its span starts in the file; 0 for generated sound.
    snr_db : float or None
        Of ``add`` alone: 20*log10(rms(first component) / rms(this one, scaled)): higher means
        quieter. None for the first, which keeps its level.
    op : {"add", "insert", "erase", "band"}
        ``add`` starts a component: a span of the source. The others change the component so far:
        ``insert`` puts the source's span in place of its samples from ``offset_s``, crossfaded;
        ``erase`` removes the band from ``low_hz`` to ``high_hz``; ``band`` replaces that band by
        the same band of this source's span.
    offset_s : float
        Of ``add`` and ``insert``: where the span is placed in the clip.
    length_s : float or None
        Of ``add`` and ``insert``: length of the span. None for ``add``: to the end of the clip.
    low_hz, high_hz : float or None
        Of ``erase`` and ``band``.
    seed : int or None
        Of generated sound.

    Raises
    ------
    ValueError
        If a field is missing, does not belong to the op, or is out of range.
    """

    source: Source | None
    start_s: float = 0.0
    snr_db: float | None = None
    op: str = "add"
    offset_s: float = 0.0
    length_s: float | None = None
    low_hz: float | None = None
    high_hz: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("start_s", "snr_db", "offset_s", "length_s", "low_hz", "high_hz"):
            value = getattr(self, name)
            if value is None:
                continue
            if not math.isfinite(value):
                raise ValueError(f"a layer's {name} is {value}")
            # as floats: 2 and 2.0, 0.0 and -0.0 are equal and must not be two ids
            object.__setattr__(self, name, to_microseconds(float(value)) + 0.0)
        self._check()

    def _check(self) -> None:
        if self.op not in OPS:
            raise ValueError(f"unknown op '{self.op}'; the ops are {', '.join(OPS)}")
        if (self.source is None) != (self.op == "erase"):
            raise ValueError("every layer has a source, but for 'erase', which has none")
        if self.snr_db is not None and self.op != "add":
            raise ValueError(f"'{self.op}' takes no snr_db: it belongs to the component's 'add'")
        if self.start_s < 0 or self.offset_s < 0:
            raise ValueError(f"start_s {self.start_s:g} or offset_s {self.offset_s:g} is negative")
        placed = self.op in ("add", "insert")
        if not placed and (self.offset_s or self.length_s is not None):
            raise ValueError(f"'{self.op}' acts on the whole clip: no offset_s, no length_s")
        if self.length_s is not None and self.length_s <= 0:
            raise ValueError(f"length_s {self.length_s:g} is not above 0")
        if self.op == "insert" and self.length_s is None:
            raise ValueError("'insert' needs a length_s")
        banded = self.low_hz is not None and self.high_hz is not None
        if banded == placed or (self.low_hz is None) != (self.high_hz is None):
            raise ValueError("'erase' and 'band' need low_hz and high_hz, the other ops none")
        if banded and not 0 <= (self.low_hz or 0.0) < (self.high_hz or 0.0):
            raise ValueError(f"no band lies from {self.low_hz:g} to {self.high_hz:g} Hz")
        generated = self.source is not None and self.source.is_synthetic
        if generated != (self.seed is not None):
            raise ValueError("generated sound has a seed, and nothing else has one")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise ValueError(f"seed {self.seed} is outside [0, 2**63)")
        if generated and self.start_s:
            raise ValueError("generated sound starts at 0")


def whole_microseconds(value: float | None) -> int:
    """A time, ratio or frequency in millionths, as ids and only ids hold it."""
    return _NONE if value is None else round(value * 1e6)


def layer_record(layer: Layer) -> bytes:
    """What a layer adds to its recipe's id."""
    return _LAYER.pack(
        layer.source.key if layer.source else bytes(16),
        OPS[layer.op],
        whole_microseconds(layer.start_s),
        whole_microseconds(layer.snr_db),
        whole_microseconds(layer.offset_s),
        whole_microseconds(layer.length_s),
        whole_microseconds(layer.low_hz),
        whole_microseconds(layer.high_hz),
        _NONE if layer.seed is None else layer.seed,
    )


@dataclass(frozen=True)
class Recipe:
    """A clip: its layers, its length, and what is known of it.

    Attributes
    ----------
    kind : str
        The source of negatives it came from, one of `KINDS`.
    layers : tuple of Layer
        Each ``add`` starts a component, which the layers after it change; the components are
        summed.
    duration_s : float
    sample_rate : int
        Hz, unless rendering asks for another.
    labels : PartialLabels

    Raises
    ------
    ValueError
        If the layers make no sound: no ``add`` first, a ratio on the first component or none on
        another, a span that reaches beyond the clip.
    """

    kind: str
    layers: tuple[Layer, ...]
    duration_s: float
    sample_rate: int
    labels: PartialLabels

    def __post_init__(self) -> None:
        if not self.layers or self.layers[0].snr_db is not None:
            raise ValueError("a recipe needs layers, and the first has no snr_db")
        if self.layers[0].op != "add":
            raise ValueError(f"a recipe starts with 'add', not with '{self.layers[0].op}'")
        if any(la.snr_db is None for la in self.layers[1:] if la.op == "add"):
            raise ValueError("every 'add' after the first needs an snr_db")
        for la in self.layers:
            end_s = la.offset_s + (la.length_s or 0.0)
            if end_s > self.duration_s + 1e-6 or la.offset_s >= self.duration_s:
                raise ValueError(
                    f"a layer placed from {la.offset_s:g} to {end_s:g} s reaches beyond the clip "
                    f"of {self.duration_s:g} s"
                )

    @cached_property
    def id(self) -> str:
        """Hash of what is heard: sources by their bytes, spans, levels, bands; not the labels."""
        text = _CLIP.pack(whole_microseconds(self.duration_s))
        text += b"".join(map(layer_record, self.layers))
        return hashlib.blake2b(text, digest_size=ID_BYTES).hexdigest()

    @property
    def components(self) -> list[tuple[Layer, ...]]:
        """The layers, component by component: each an ``add`` and what changes it."""
        parts: list[list[Layer]] = []
        for layer in self.layers:
            if layer.op == "add":
                parts.append([])
            parts[-1].append(layer)
        return [tuple(part) for part in parts]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources of all layers that have one."""
        return tuple(la.source for la in self.layers if la.source is not None)

    @property
    def groups(self) -> frozenset[str]:
        """Groups of all layers."""
        return frozenset(source.group for source in self.sources if source.group)

    def draws_on(self, names: frozenset[str]) -> bool:
        """Whether any layer is from one of these recordings or groups: it is then held out."""
        return any(source.is_of(names) for source in self.sources)

    def mix(self, other: Recipe, snr_db: float) -> Recipe:
        """This recipe with another added at a signal-to-noise ratio; labels by the algebra.

        The layers of both are joined, so that a mix of mixes is flat; what changes a component
        stays with it. ``snr_db`` is the ratio of this recipe's first component over the other's
        first.

        Raises
        ------
        ValueError
            If the two differ in length or sample rate.
        """
        mine, theirs = (self.duration_s, self.sample_rate), (other.duration_s, other.sample_rate)
        if mine != theirs:
            raise ValueError(f"cannot mix clips of {mine} and {theirs} (seconds, Hz)")
        added = tuple(
            replace(la, snr_db=snr_db + (la.snr_db or 0.0)) if la.op == "add" else la
            for la in other.layers
        )
        labels = self.labels.mix(other.labels)
        return Recipe("mix", self.layers + added, self.duration_s, self.sample_rate, labels)

    def render(self, sample_rate: int | None = None, reader: Reader | None = None) -> np.ndarray:
        """The clip's samples: see `negmine.recipes.render.render`."""
        from negmine.recipes.render import render

        return render(self, sample_rate, reader)
