"""Sounds that are the same for a while, found by their acoustic fingerprints.

Two sounds are compared at one offset by their *disagreement*: the share of bits that differ, band
by band, and of those the median over the bands. Bits of different sounds are as good as tossed, so
it is 1/2 with a standard deviation that falls with the root of the time heard (`SPREAD`). The
stereotyped song of a species fills its own bands, and not half of them for seconds: the median
stays where it was. That is why it is the median.

Offsets worth comparing are found by keys: where 18 neighbouring bits are surer than a frame before
and after, they are one. Two equal keys are a hit if the bits about them agree, too; what it costs
grows with the number of keys, not with that of pairs of files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from negmine.building.dedup.acoustic import BITS, HOP_S, AcousticPrint

# A key is compared with this many of those equal to it, in order: a chain that links them all.
_PARTNERS = 16
# Bits about two equal keys: the frames that are read, far enough apart to be new to one another;
# how many of them must tell something; and the share that may differ, at different sounds one time
# in 30,000.
_ABOUT = tuple(shift for shift in range(-36, 37, 6) if shift)
_ABOUT_BITS, _ABOUT_MOST = 96, 0.38
_OFFSETS = 4

# Two sounds agree over a window of this length, or over all that the shorter of them has.
WINDOW, _STEP = 96, 16
# Frames heard in a band, for the band to count, and bands for the window to.
_HEARD, _BANDS = 32, 16
# Standard deviation of the median disagreement of different sounds, over one second heard.
SPREAD = 0.03
# So far below 1/2 is no chance: 1e-15 a comparison, if it is normal.
_DEVIATIONS = 8.0
# And more than this, however long, is no copy.
MOST = 0.33


@dataclass(frozen=True)
class SharedSound:
    """Two sounds that are the same for a while.

    Attributes
    ----------
    first, second : int
        Their numbers, the lower first.
    first_s, second_s : float
        Where the shared sound first starts in each.
    shared_s : float
        How long the windows last, in all, in which they are the same.
    disagreement : float
        In [0, `MOST`], of its best window: see the module.
    """

    first: int
    second: int
    first_s: float
    second_s: float
    shared_s: float
    disagreement: float


def find_matches(
    prints: Sequence[AcousticPrint],
    *,
    progress: Callable[[int], Callable[[], object]] = lambda total: lambda: None,
) -> list[SharedSound]:
    """Find every two sounds that are the same for a while, in order of their numbers.

    Sounds at another speed or pitch, beyond some 2 %, are not found.

    Parameters
    ----------
    progress : callable
        Given the number of pairs to compare, returns what to call after each.
    """
    found = []
    candidates = candidate_offsets(prints)
    on_done = progress(len(candidates))
    for (first, second), offsets in candidates.items():
        tries = (compare(prints[first], prints[second], offset) for offset in offsets)
        best = max((one for one in tries if one), default=None, key=lambda one: one.frames)
        if best:
            found.append(
                SharedSound(
                    first,
                    second,
                    best.first_frame * HOP_S,
                    (best.first_frame + best.offset) * HOP_S,
                    best.frames * HOP_S,
                    best.disagreement,
                )
            )
        on_done()
    return found


def candidate_offsets(prints: Sequence[AcousticPrint]) -> dict[tuple[int, int], list[int]]:
    """Find, for pairs of sounds, the offsets in frames at which keys hit, most hits first.

    Frame t of the first sound is frame t + offset of the second.
    """
    counts = [len(one.keys) for one in prints]
    if not sum(counts):
        return {}
    keys = np.concatenate([one.keys for one in prints])
    frames = np.concatenate([one.frames for one in prints]).astype(np.int64)
    files = np.repeat(np.arange(len(prints)), counts)
    order = np.lexsort((frames, files, keys))
    keys, frames, files = keys[order], frames[order], files[order]
    # all frames, one sound after the other, with room between them for frames about a key
    room = max(_ABOUT)
    starts = np.cumsum([room, *(len(one) + room for one in prints)])
    bits, known = (np.zeros(starts[-1], dtype=np.uint32) for _ in range(2))
    for start, one in zip(starts, prints, strict=False):
        bits[start : start + len(one)] = one.bits
        known[start : start + len(one)] = one.known
    places = starts[files] + frames
    span = 2 * max(map(len, prints)) + 1
    hits = [np.zeros(0, dtype=np.int64)]
    for lag in range(1, _PARTNERS + 1):
        equal = np.flatnonzero((keys[lag:] == keys[:-lag]) & (files[lag:] != files[:-lag]))
        for at in range(0, len(equal), 1 << 20):
            here = equal[at : at + (1 << 20)]
            there = here + lag
            hit = _agree_about(bits, known, places[here], places[there])
            here, there = here[hit], there[hit]
            shift = frames[there] - frames[here] + span // 2
            hits.append((files[here] * len(prints) + files[there]) * span + shift)
    codes, counted = np.unique(np.concatenate(hits), return_counts=True)
    pairs, shifts = np.divmod(codes, span)
    found: dict[tuple[int, int], list[int]] = {}
    for at in np.lexsort((shifts, -counted, pairs)).tolist():
        offsets = found.setdefault(divmod(int(pairs[at]), len(prints)), [])
        offset = int(shifts[at]) - span // 2
        # `compare` tries the frames beside, too
        if len(offsets) < _OFFSETS and all(abs(offset - other) > 1 for other in offsets):
            offsets.append(offset)
    return found


_ONES = np.array([bin(word).count("1") for word in range(1 << 16)], dtype=np.uint8)


def _agree_about(
    bits: np.ndarray, known: np.ndarray, here: np.ndarray, there: np.ndarray
) -> np.ndarray:
    """Return whether the bits about pairs of frames agree: bool, shape (n,)."""
    counted, wrong = (np.zeros(len(here), dtype=np.int64) for _ in range(2))
    for shift in _ABOUT:
        one, other = here + shift, there + shift
        both = known[one] & known[other]
        for total, words in ((counted, both), (wrong, (bits[one] ^ bits[other]) & both)):
            total += _ONES[words & 0xFFFF]
            total += _ONES[words >> 16]
    return np.asarray((counted >= _ABOUT_BITS) & (wrong <= _ABOUT_MOST * counted))


@dataclass(frozen=True)
class Agreement:
    """Two sounds at one offset: the first frame and number of those in windows that agree."""

    first_frame: int
    frames: int
    offset: int
    disagreement: float


def compare(first: AcousticPrint, second: AcousticPrint, offset: int) -> Agreement | None:
    """Find where two sounds are the same, at an offset or a frame beside it; None if nowhere.

    Parameters
    ----------
    offset : int
        Frame t of the first is compared with frame t + offset of the second.
    """
    for shift in (offset, offset - 1, offset + 1):
        starts, length, disagreement, heard = disagreements(first, second, shift)
        seconds = np.maximum(heard, 1) * HOP_S
        limit = np.minimum(MOST, 0.5 - _DEVIATIONS * SPREAD / np.sqrt(seconds))
        agree = np.flatnonzero(disagreement <= limit)
        if len(agree):
            frames = np.unique(starts[agree][:, None] + np.arange(length))
            least = float(disagreement[agree].min())
            return Agreement(int(frames[0]), len(frames), shift, least)
    return None


def disagreements(
    first: AcousticPrint, second: AcousticPrint, offset: int
) -> tuple[np.ndarray, int, np.ndarray, np.ndarray]:
    """Measure the disagreement of two sounds in windows of their overlap at an offset.

    Returns
    -------
    starts : int array, shape (w,)
        The windows' first frames in the first sound.
    length : int
        Theirs, in frames: `WINDOW`, or the whole overlap where that is shorter.
    disagreement : float array, shape (w,)
        1 where too little is heard in both to tell.
    heard : float array, shape (w,)
        Frames that tell something, the mean over the bands that count.
    """
    begin = max(0, -offset)
    n = min(len(first) - begin, len(second) - offset - begin)
    if n < _HEARD:
        return np.zeros(0, dtype=int), 0, np.zeros(0), np.zeros(0)
    here, there = slice(begin, begin + n), slice(begin + offset, begin + offset + n)
    known = first.known[here] & second.known[there]
    differ = (first.bits[here] ^ second.bits[there]) & known
    counts, wrong = _window_sums(known), _window_sums(differ)
    counted = counts >= _HEARD
    bands = counted.sum(axis=1)
    shares = np.sort(np.where(counted, wrong / np.maximum(counts, 1), np.inf), axis=1)
    # of the two in the middle the upper one: in doubt the sounds differ
    median = shares[np.arange(len(shares)), np.minimum(bands // 2, BITS - 1)]
    heard = (counts * counted).sum(axis=1) / np.maximum(bands, 1)
    starts = begin + _STEP * np.arange(len(counts))
    return starts, min(WINDOW, n), np.where(bands >= _BANDS, median, 1.0), heard


def _unpacked(words: np.ndarray) -> np.ndarray:
    """Return the bits of 32-bit words, as uint8: shape (n, 32)."""
    return np.unpackbits(words.view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")


def _window_sums(words: np.ndarray) -> np.ndarray:
    """Count how often each bit is set in each window: int, shape (windows, `BITS`)."""
    bits = _unpacked(words)
    if len(words) < WINDOW:
        return np.asarray(bits.sum(axis=0, dtype=np.int32, keepdims=True))
    whole = len(words) // _STEP
    steps = bits[: whole * _STEP].reshape(whole, _STEP, BITS).sum(axis=1, dtype=np.int32)
    views = np.lib.stride_tricks.sliding_window_view(steps, WINDOW // _STEP, axis=0)
    return np.asarray(views.sum(axis=-1))
