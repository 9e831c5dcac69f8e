"""The steps of a recipe: spans of sources placed, inserted, erased and exchanged by band."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from negmine.audio.windows import to_microseconds
from negmine.recipes.source import Source

# What a layer does, and its number in ids and files: never renumber, only add. From ``erase`` on,
# an op acts on the whole clip.
OPS = {"add": 0, "insert": 1, "erase": 2, "band": 3}
ADD, INSERT, ERASE, BAND = OPS.values()
OP_NAMES = tuple(OPS)


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
        if self.op not in OPS:
            raise ValueError(f"unknown op '{self.op}'; the ops are {', '.join(OPS)}")
        if self.snr_db is not None and self.op != "add":
            raise ValueError(f"'{self.op}' takes no snr_db: it belongs to the component's 'add'")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise ValueError(f"seed {self.seed} is outside [0, 2**63)")
        source, length_s = self.source, self.length_s
        fields = LayerFields(
            OPS[self.op],
            source is not None,
            source is not None and source.is_synthetic,
            self.start_s,
            self.offset_s,
            # columns have 0 for none
            0.0 if length_s is None else length_s or -1.0,
            math.nan if self.low_hz is None else self.low_hz,
            math.nan if self.high_hz is None else self.high_hz,
            self.seed is not None,
        )
        for broken, message in RULES:
            if broken(fields):
                values = {name: getattr(self, name) for name in self.__slots__}
                raise ValueError(message.format(**values))

    def check_within(self, clip_s: float) -> None:
        """Check that the layer is inside its clip.

        Raises
        ------
        ValueError
            If it reaches beyond it.
        """
        if beyond_clip(self.offset_s, self.length_s or 0.0, clip_s):
            raise ValueError(
                f"a layer placed from {self.offset_s:g} to "
                f"{self.offset_s + (self.length_s or 0.0):g} s reaches beyond the clip of "
                f"{clip_s:g} s"
            )


class LayerFields(NamedTuple):
    """What the rules look at: of one layer as Python's values, or of many as columns.

    Times may be in any unit. A length of 0 is none, as are edges of NaN.
    """

    op: Any
    has_source: Any
    is_synthetic: Any
    start: Any
    offset: Any
    length: Any
    low_hz: Any
    high_hz: Any
    has_seed: Any


def _bands(f: LayerFields) -> Any:
    """Return layers with an edge too few or too many; NaN differs from itself."""
    whole = f.op >= ERASE
    return ((f.low_hz == f.low_hz) != whole) | ((f.high_hz == f.high_hz) != whole)


# What no layer may be, and what to say of one that is, by its own fields. By operators that mean
# the same for one value and for columns.
RULES: tuple[tuple[Callable[[LayerFields], Any], str], ...] = (
    (
        lambda f: f.has_source == (f.op == ERASE),
        "every layer has a source, but for 'erase', which has none",
    ),
    (
        lambda f: (f.start < 0) | (f.offset < 0),
        "start_s {start_s:g} or offset_s {offset_s:g} is negative",
    ),
    (
        lambda f: (f.op >= ERASE) & ((f.offset != 0) | (f.length != 0)),
        "'{op}' acts on the whole clip: no offset_s, no length_s",
    ),
    (lambda f: f.length < 0, "length_s {length_s:g} is not above 0"),
    (lambda f: (f.op == INSERT) & (f.length == 0), "'insert' needs a length_s"),
    (_bands, "'erase' and 'band' need low_hz and high_hz, the other ops none"),
    (
        lambda f: (f.low_hz < 0) | (f.low_hz >= f.high_hz),
        "no band from {low_hz:g} to {high_hz:g} Hz",
    ),
    (
        lambda f: f.is_synthetic != f.has_seed,
        "generated sound has a seed, and nothing else has one",
    ),
    (lambda f: f.is_synthetic & (f.start != 0), "generated sound starts at 0"),
)


def beyond_clip(offset_s: Any, length_s: Any, clip_s: float) -> Any:
    """Return whether a span reaches beyond its clip: of one layer, or of columns; 0 is no length.

    A microsecond of rounding is allowed.
    """
    return (offset_s >= clip_s) | (offset_s + length_s > clip_s + 1e-6)
