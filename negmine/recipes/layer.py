"""The steps of a recipe: spans of sources placed, inserted, erased and exchanged by band."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from negmine.audio.windows import to_microseconds
from negmine.recipes.source import Source

# What a layer does, and its number in ids and files: never renumber, only add.
OPS = {"add": 0, "insert": 1, "erase": 2, "band": 3}

_LAYER = struct.Struct("<16sB7q")
_NONE = -(2**63)


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
            raise ValueError(f"no band from {self.low_hz:g} to {self.high_hz:g} Hz")
        generated = self.source is not None and self.source.is_synthetic
        if generated != (self.seed is not None):
            raise ValueError("generated sound has a seed, and nothing else has one")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise ValueError(f"seed {self.seed} is outside [0, 2**63)")
        if generated and self.start_s:
            raise ValueError("generated sound starts at 0")


def whole_microseconds(value: float | None) -> int:
    """Convert a time, ratio or frequency to millionths, as ids and only ids hold it."""
    return _NONE if value is None else round(value * 1e6)


def layer_record(layer: Layer) -> bytes:
    """Return what a layer adds to its recipe's id."""
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
