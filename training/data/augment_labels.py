"""What a change of pitch, tempo, place or volume does to a row's labels.

==========================  ================================  ====================================
change                      present                           absent, and pseudo labels
==========================  ================================  ====================================
volume, noise               kept                              kept
pitch                       kept while half of the call's     kept up to `KEPT_SEMITONES`, beyond
                            box is in its class's band        it nothing vouches for them
tempo                       kept while half of the call is    kept up to `KEPT_STRETCH`
                            in the row, in one piece
shift in time               likewise                          kept: a part of a sound without the
                                                              class has none, nor has silence
==========================  ================================  ====================================

A call that is no longer one makes its class *unknown*, not absent; and as the row still holds its
sound, the cell carries no loss at all, whatever the row's kind assumes of unknown cells. An absence
that is no longer certified is unknown like any other: a large shift may move another sound to where
the class calls.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from negmine.audio.windows import Span
from negmine.recipes.clip_labels import MIN_CALL_SHARE
from negmine.recipes.labels import PartialLabels
from training.augmentation import AugmentSettings
from training.data.rows import Call, Row

# Up to here a change is no larger than what one animal's calls differ by, and what was certified
# of the sound holds of the changed sound.
KEPT_SEMITONES = 1.0
KEPT_STRETCH = 1.1

# Lowest and highest frequency of each class's calls, in Hz.
Bands = Mapping[str, tuple[float, float]]

# Of a ratio that was computed in floating point.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Change:
    """What is made of a row, in this order.

    Attributes
    ----------
    rate : float
        Tempo: above 1 the sound is faster and shorter, and silence fills the row.
    shift_s : float
        Positive: later.
    noise_snr_db, pink_snr_db : float, optional
        None adds none.
    """

    semitones: float = 0.0
    rate: float = 1.0
    shift_s: float = 0.0
    noise_snr_db: float | None = None
    pink_snr_db: float | None = None
    gain_db: float = 0.0


def draw_change(settings: AugmentSettings, rng: np.random.Generator) -> Change:
    """Draw a row's change.

    Each setting has draws of its own: making one change likelier leaves the others as they were.
    """
    # all are drawn, made or not, so that the draws of each stay where they are
    chances, shares = iter(rng.random(6)), iter(rng.random(6))

    def drawn(probability: float, low: float, high: float) -> float | None:
        made, share = next(chances) < probability, float(next(shares))
        return low + share * (high - low) if made else None

    s = settings
    octaves = math.log2(1 + s.stretch_share)
    return Change(
        semitones=drawn(s.pitch, -s.pitch_semitones, s.pitch_semitones) or 0.0,
        rate=2 ** (drawn(s.stretch, -octaves, octaves) or 0.0),
        shift_s=drawn(s.shift, -s.shift_s, s.shift_s) or 0.0,
        noise_snr_db=drawn(s.noise, *s.noise_snr_db),
        pink_snr_db=drawn(s.pink, *s.pink_snr_db),
        gain_db=drawn(s.gain, -s.gain_db, s.gain_db) or 0.0,
    )


def relabel(
    row: Row,
    change: Change,
    duration_s: float,
    bands: Mapping[str, tuple[float, float]],
    roll: bool,
) -> Row:
    """Change a row's labels; its sound stays as it is.

    Parameters
    ----------
    duration_s : float
        Of the row.
    bands : mapping of str to (float, float)
    roll : bool
        What a shift moves out at one end enters at the other.
    """
    small = (
        abs(change.semitones) <= KEPT_SEMITONES + _ROUNDING
        and max(change.rate, 1 / change.rate) <= KEPT_STRETCH + _ROUNDING
    )
    kept = {
        call.label
        for call in row.calls
        if _in_band(call, change.semitones, bands) and _in_time(call.span, change, duration_s, roll)
    }
    # where no box says where a call is, only a change that cuts nothing off surely keeps it
    whole = small and change.rate >= 1 and (roll or change.shift_s == 0)
    located = {call.label for call in row.calls}
    present = {
        name for name in row.labels.present if name in kept or (name not in located and whole)
    }
    labels = row.labels
    if not small or present != labels.present:
        labels = PartialLabels(frozenset(present), labels.absent if small else {})
    lost = row.lost | (row.labels.present - present)
    soft = row.soft
    if soft is not None and not small:
        soft = np.full_like(soft, np.nan)
    return replace(row, labels=labels, lost=lost, soft=soft, calls=())


def _in_band(call: Call, semitones: float, bands: Bands) -> bool:
    """Return whether enough of a call's box, shifted, is in its class's band."""
    ratio = 2 ** (semitones / 12)
    low, high = call.low_hz * ratio, call.high_hz * ratio
    lowest, highest = bands.get(call.label, (call.low_hz, call.high_hz))
    inside = min(high, highest) - max(low, lowest)
    return inside >= (MIN_CALL_SHARE - _ROUNDING) * (high - low)


def _in_time(span: Span, change: Change, duration_s: float, roll: bool) -> bool:
    """Return whether the row still holds enough of a call in one piece.

    Enough is what `negmine.recipes.clip_labels.label_clip` asks of a crop: a share of the call, or
    of the row.
    """
    start, end = (min(max(0.0, s), duration_s) / change.rate for s in (span.start_s, span.end_s))
    # a slower sound no longer fits: its end is cut off
    start, end = min(start, duration_s), min(end, duration_s)
    start, end = start + change.shift_s, end + change.shift_s
    if roll:
        turn = math.floor(start / duration_s) * duration_s
        start, end = start - turn, end - turn
        longest = max(min(end, duration_s) - start, end - duration_s)
    else:
        longest = min(end, duration_s) - max(start, 0.0)
    needed = MIN_CALL_SHARE * min(span.duration_s / change.rate, duration_s)
    return longest >= needed - _ROUNDING
