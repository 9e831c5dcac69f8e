"""Acoustic fingerprints: the same sound, re-encoded, at another gain or rate, or cut differently.

Every frame of a recording gives 32 bits: by which sign the slope of its spectrum from one band to
the next, in decibels, has changed within `LAG` frames. This is the sub-fingerprint of Haitsma and
Kalker ("A highly robust audio fingerprinting system", ISMIR 2002), on decibels. Neither gain, nor a
filter, nor anything steady leaves a trace in it: of hum, tones and stationary noise the bits hold
the random part alone, which no two recordings share. Digital silence gives no bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.fft import rfft
from scipy.ndimage import maximum_filter1d

from negmine.audio.read import stream

# Changes with whatever changes a fingerprint.
VERSION = 1

SAMPLE_RATE = 16_000
FRAME, HOP, LAG = 2048, 512, 2
HOP_S = HOP / SAMPLE_RATE
BITS = 32
LOWEST_HZ, HIGHEST_HZ = 300.0, 7500.0

# Mean power of a band, of full scale, below which it is silent: rounding to 16 bits is no sound.
_SILENT = 1e-10
# A smaller change tells nothing: what flips its sign may be the encoder.
_WEAK_DB = 0.5

# Bits of a key, the first bit of each kind, and the frames on each side among which it is surest.
_KEY_BITS, _KEY_STARTS, _KEY_REACH = 18, (0, 7, 14), 1


@dataclass(frozen=True, eq=False)
class AcousticPrint:
    """The fingerprint of a sound of n frames, one every `HOP_S` seconds.

    Attributes
    ----------
    bits, known : uint32 arrays, shape (n,)
        The bits of each frame, lowest band first, and which of them tell something.
    keys, frames : int32 arrays, shape (k,)
        Keys, and the frames they are taken from.
    """

    bits: np.ndarray
    known: np.ndarray
    keys: np.ndarray
    frames: np.ndarray

    def __len__(self) -> int:
        return len(self.bits)


def acoustic_print(path: Path) -> AcousticPrint:
    """Fingerprint a sound file; memory holds some seconds of it at a time.

    Raises
    ------
    AudioError
        If the file cannot be read.
    """
    return print_of(stream(path, SAMPLE_RATE))


def print_of(blocks: Iterable[np.ndarray]) -> AcousticPrint:
    """Fingerprint sound that comes in blocks.

    Parameters
    ----------
    blocks : iterable of float32 arrays, shape (any,)
        At `SAMPLE_RATE`.
    """
    power = np.concatenate([np.zeros((0, BITS + 1), np.float32), *_powers(blocks)])
    loud = power > _SILENT
    slope = np.diff(10 * np.log10(np.maximum(power, 1e-30)), axis=1)
    change = slope[LAG:] - slope[:-LAG]
    heard = loud[LAG:] & loud[:-LAG]
    heard = heard[:, 1:] & heard[:, :-1]
    up = change > 0
    size = np.abs(change)
    keys, frames = zip(
        *(_keys(up, size, heard, kind) for kind in range(len(_KEY_STARTS))), strict=True
    )
    return AcousticPrint(
        _packed(up),
        _packed(heard & (size > _WEAK_DB)),
        np.concatenate(keys),
        np.concatenate(frames),
    )


def _powers(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the mean power of each band and frame: float32, (some frames, `BITS` + 1)."""
    edges_hz = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BITS + 2)
    edges = np.rint(edges_hz * FRAME / SAMPLE_RATE).astype(int)
    window = np.hanning(FRAME + 1)[:-1].astype(np.float32)
    # noise of variance v then has the power v in each band
    window /= np.sqrt(np.square(window).sum())
    rest = np.zeros(0, dtype=np.float32)
    for block in blocks:
        rest = np.concatenate([rest, block])
        if len(rest) < FRAME:
            continue
        frames = np.lib.stride_tricks.sliding_window_view(rest, FRAME)[::HOP]
        for at in range(0, len(frames), 256):
            spectra = rfft(frames[at : at + 256] * window, axis=1)[:, : edges[-1]]
            power = np.square(spectra.real) + np.square(spectra.imag)
            yield np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges).astype(np.float32)
        rest = rest[len(frames) * HOP :]


def _packed(flags: np.ndarray) -> np.ndarray:
    """Pack bool, shape (n, `BITS`), as uint32, shape (n,)."""
    packed = np.packbits(flags, axis=1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u4").reshape(len(flags))


def _keys(
    up: np.ndarray, size: np.ndarray, heard: np.ndarray, kind: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose keys of one kind and their frames: where the least sure of their bits is surest."""
    bits = slice(_KEY_STARTS[kind], _KEY_STARTS[kind] + _KEY_BITS)
    sure = np.where(heard[:, bits].all(axis=1), size[:, bits].min(axis=1), 0.0)
    best = maximum_filter1d(sure, 2 * _KEY_REACH + 1, mode="constant") if len(sure) else sure
    frames = np.flatnonzero((sure > 0) & (sure == best))
    weights = 1 << np.arange(_KEY_BITS, dtype=np.int32)
    keys = up[frames][:, bits] @ weights + (kind << _KEY_BITS)
    return keys.astype(np.int32), frames.astype(np.int32)


def print_all(
    paths: Mapping[str, Path],
    known: Mapping[str, AcousticPrint] | None = None,
    *,
    on_done: Callable[[], object] = lambda: None,
) -> dict[str, AcousticPrint]:
    """Fingerprint many files in threads: decoding releases the interpreter lock.

    Parameters
    ----------
    paths : mapping of str to Path
        By the fingerprints of the files' bytes.
    known : mapping of str to AcousticPrint, optional
        Those that need not be made again.
    on_done : callable
        Called once a file that is made.

    Returns
    -------
    dict, in the order of ``paths``

    Raises
    ------
    AudioError
        If a file cannot be read.
    """
    standing = known or {}
    missing = {name: path for name, path in paths.items() if name not in standing}
    made = {}
    with ThreadPoolExecutor() as threads:
        for name, one in zip(missing, threads.map(acoustic_print, missing.values()), strict=True):
            made[name] = one
            on_done()
    return {name: made[name] if name in made else standing[name] for name in paths}
