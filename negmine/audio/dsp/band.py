"""A frequency band of a clip, removed or replaced.

The filter is linear-phase FIR, applied with its delay taken off, so that nothing outside the band
moves in time. Its kernel is as long for short clips as for long ones: what comes out at a sample
depends on the 18 ms round it alone. Clips are therefore filtered in short blocks that overlap by a
kernel (overlap-save: Oppenheim and Schafer, Discrete-Time Signal Processing, 8.7.3), which stay in
the processor's cache.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft
from scipy.signal import firwin, kaiserord

# Outside the band the filter comes back to within 0.1 dB over this width. Inside it is at its full
# depth from edge to edge.
TRANSITION_HZ = 100.0

# Depth of one pass in dB, by Kaiser's design formula. More would need a longer kernel.
_DEPTH_DB = 60.0

# A block is at least this many kernels long: an overlap of a sixth costs little.
_BLOCK_KERNELS = 6

# The level of a band is that of its quiet frames: a call, loud and short, does not count.
_FRAME_S = 0.032
_QUIET = 0.2

# Donors are turned up or down by no more than this: a band that was empty in the donor would
# become its coding noise, turned up.
MAX_GAIN_DB = 20.0

# Frames below this power (-100 dBFS) are digital silence, no background.
_SILENT_POWER = 1e-10


def erase_band(samples: np.ndarray, sample_rate: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Remove a frequency band, zero-phase.

    At least 40 dB down from ``low_hz`` to ``high_hz``, the clip's ends included; within 0.1 dB of
    what it was from `TRANSITION_HZ` outside. Where an edge is nearer than that to 0 or to the
    Nyquist frequency, all up to there is removed.

    Parameters
    ----------
    samples : float array, shape (T,)
    sample_rate : int
        Hz.
    low_hz, high_hz : float
        A band above the Nyquist frequency takes nothing away.

    Returns
    -------
    float32 array, shape (T,)

    Raises
    ------
    ValueError
        If not ``0 <= low_hz < high_hz``.

    Notes
    -----
    Kaiser's window design (Oppenheim and Schafer, Discrete-Time Signal Processing, 7.5.3).
    """
    if not 0 <= low_hz < high_hz:
        raise ValueError(f"no band from {low_hz:g} to {high_hz:g} Hz")
    clip = np.asarray(samples, dtype=np.float32)
    if low_hz >= sample_rate / 2 or not len(clip):
        return clip.copy()
    band = (sample_rate, float(low_hz), float(high_hz))
    out = _filtered(clip, *band)
    # A pass sees silence beyond the clip's ends, so that a tone that runs into one keeps some of
    # its band there, half of it at the very end. A second pass, there alone, takes as large a
    # share of what is left. It needs to know half a kernel more than it changes.
    reach = _taps(sample_rate) - 1
    known = reach + reach // 2
    if len(clip) < 2 * reach:
        return _filtered(out, *band)
    head, tail = _filtered(out[:known], *band), _filtered(out[-known:], *band)
    out[:reach], out[-reach:] = head[:reach], tail[-reach:]
    return out


def transplant_band(
    samples: np.ndarray, donor: np.ndarray, sample_rate: int, low_hz: float, high_hz: float
) -> np.ndarray:
    """Replace a frequency band by the same band of another clip, at the level of the background.

    The donor's band is scaled so that its quiet frames are as loud as the quiet frames of the band
    that it replaces. The whole band's level would not do: where it held a loud call, the donor's
    background would come out as loud as the call.

    Parameters
    ----------
    samples, donor : float arrays, shape (T,)
    sample_rate : int
        Hz.
    low_hz, high_hz : float
        See `erase_band`.

    Returns
    -------
    float32 array, shape (T,)
        A clip given its own band comes back as it was.

    Raises
    ------
    ValueError
        If the shapes differ, or not ``0 <= low_hz < high_hz``.
    """
    if samples.shape != donor.shape:
        raise ValueError(f"cannot transplant {donor.shape} samples into {samples.shape}")
    context, other = (erase_band(clip, sample_rate, low_hz, high_hz) for clip in (samples, donor))
    replaced = np.subtract(samples, context, dtype=np.float32)
    taken = np.subtract(donor, other, out=other)
    most = 10 ** (MAX_GAIN_DB / 20)
    level, wanted = (quiet_level(part, sample_rate) for part in (taken, replaced))
    gain = min(max(wanted / level, 1 / most), most) if level > 0 else 1.0
    taken *= np.float32(gain)
    context += taken
    return context


def quiet_level(samples: np.ndarray, sample_rate: int) -> float:
    """Return RMS of the frame that a fifth of the frames are quieter than; digital silence apart.

    0 where all is silence.
    """
    frame = min(max(1, round(_FRAME_S * sample_rate)), max(1, len(samples)))
    whole = len(samples) // frame * frame
    frames = np.asarray(samples[:whole]).reshape(-1, frame)
    power = np.einsum("ij,ij->i", frames, frames) / frame
    power = np.sort(power[power > _SILENT_POWER])
    if not len(power):
        return 0.0
    # between the two nearest, as np.quantile() has it, which takes longer than all of the above
    share, at = math.modf(_QUIET * (len(power) - 1))
    low, high = power[int(at)], power[min(int(at) + 1, len(power) - 1)]
    return math.sqrt(low + share * (high - low))


@cache
def _taps(sample_rate: int) -> int:
    """Return length of the kernel, odd."""
    taps, _ = kaiserord(_DEPTH_DB, min(1.0, TRANSITION_HZ / (sample_rate / 2)))
    return int(taps) | 1


def _filtered(clip: np.ndarray, sample_rate: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Filter a clip in one pass, a new array: float32, shape (T,), as given; T above 0."""
    half = _taps(sample_rate) // 2
    size = 1 << (2 * half * _BLOCK_KERNELS).bit_length()
    size = min(size, fft.next_fast_len(len(clip) + 2 * half, real=True))
    # of a block, half a kernel at each end has seen what is beyond it
    step = size - 2 * half
    blocks = -(-len(clip) // step)
    padded = np.zeros((blocks - 1) * step + size, dtype=np.float32)
    padded[half : half + len(clip)] = clip
    spectra = fft.rfft(sliding_window_view(padded, size)[::step])
    spectra *= _response(size, sample_rate, low_hz, high_hz)
    kept = fft.irfft(spectra, size, overwrite_x=True)[:, half : half + step]
    return np.asarray(kept.reshape(-1)[: len(clip)])


@lru_cache(maxsize=128)
def _response(size: int, sample_rate: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Return the factors of a spectrum of ``size`` samples: float32, (size // 2 + 1,)."""
    nyquist = sample_rate / 2
    taps = _taps(sample_rate)
    _, beta = kaiserord(_DEPTH_DB, min(1.0, TRANSITION_HZ / nyquist))
    # firwin's cut-off is in the middle of the transition
    low, high = low_hz - TRANSITION_HZ / 2, high_hz + TRANSITION_HZ / 2
    from_zero, to_nyquist = low_hz < TRANSITION_HZ, high_hz > nyquist - TRANSITION_HZ
    if from_zero and to_nyquist:
        return np.zeros(size // 2 + 1, dtype=np.float32)
    cutoff = [high] if from_zero else [low] if to_nyquist else [low, high]
    kind = "highpass" if from_zero else "lowpass" if to_nyquist else "bandstop"
    kernel = firwin(taps, cutoff, window=("kaiser", beta), fs=sample_rate, pass_zero=kind)
    padded = np.zeros(size)
    padded[:taps] = kernel
    # the delay of half a kernel taken off, the spectrum of a symmetric kernel is real
    return np.asarray(fft.rfft(np.roll(padded, -(taps // 2))).real, dtype=np.float32)
