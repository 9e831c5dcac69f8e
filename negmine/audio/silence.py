"""What counts as silence, and how loud sound is: levels are of the sound, without its offset (DC).

A gap of zeros, a failed card, a dead microphone, or two channels that cancel are no sound: nothing
can be concluded from them, neither that a class calls nor that it does not.
"""

from __future__ import annotations

import math

import numpy as np

from negmine.audio.windows import to_samples

# A span whose level is below this holds no sound: one step of 16 bits (-90 dBFS). The rounding of a
# 16-bit file alone has -101 dBFS, its dither -96; the noise of microphones and preamplifiers is
# above. Sound of 24 bits or of floating point that is quieter still should be amplified first.
SILENCE_RMS = 2.0**-15

# The logit of what holds no sound: lower than that of any sound, and finite.
SILENT_LOGIT = -100.0

# Below this (-120 dBFS) a ratio to a level would amplify the rounding of float32 alone. Far lower
# than `SILENCE_RMS`: a clip whose loudest band was erased is quiet, and still has a level.
LEAST_RMS = 1e-6

# Samples that mostly show already that there is sound.
_BEGINNING = 8192

# Levels are kept for blocks of this length, so that silence can be found without decoding again.
LEVEL_BLOCK_S = 0.1

# Squares to sum in float32; their sums are summed in float64.
_SUM = 1024

# Where the mean of the channels has less than this share of their power (-30 dB), they cancel: one
# is the other inverted. Of unlike sound the mean of two channels keeps half, of like sound all.
_CANCELS = 1e-3


def rms(samples: np.ndarray) -> float:
    """Compute the RMS about the mean, to a millionth of it: float array, shape (T,)."""
    if not len(samples):
        return 0.0
    sound = samples - samples.mean(dtype=np.float64).astype(samples.dtype)
    # sums short enough for float32
    whole = len(sound) // _SUM * _SUM
    sums = sound[:whole].reshape(-1, _SUM), sound[whole:].reshape(1, -1)
    power = sum(np.einsum("ij,ij->i", part, part).sum(dtype=np.float64) for part in sums)
    return math.sqrt(power / len(sound))


def is_silent(samples: np.ndarray) -> bool:
    """Return whether samples, shape (T,), hold no sound."""
    # what a part is louder than, the whole is
    part = samples[:_BEGINNING]
    if len(part) and rms(part) ** 2 * len(part) > 2 * SILENCE_RMS**2 * len(samples):
        return False
    return rms(samples) < SILENCE_RMS


def level_block(rate: int) -> int:
    """Return the samples of a block of `LEVEL_BLOCK_S`."""
    return max(1, to_samples(LEVEL_BLOCK_S, rate))


def mix_down(samples: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Compute the mean of the channels, and its level block by block.

    Blocks in which the channels cancel are zeros: what is left of them is rounding, or what a codec
    made of it.

    Parameters
    ----------
    samples : float32 array, shape (n, channels)
    block : int
        Samples of a block; the last may be shorter.

    Returns
    -------
    mono : float32 array, shape (n,)
    power : float64 array, shape (ceil(n / block),)
        Mean square about the mean.
    cancelled : int
        Blocks in which the channels cancel.
    """
    mono = samples.mean(axis=1, dtype=np.float32)
    power = _power(mono, block)
    if samples.shape[1] == 1:
        return mono, power, 0
    of_channels = np.mean([_power(samples[:, i], block) for i in range(samples.shape[1])], axis=0)
    cancels = (of_channels >= SILENCE_RMS**2) & (power < _CANCELS * of_channels)
    if cancels.any():
        mono[np.repeat(cancels, block)[: len(mono)]] = 0
        power[cancels] = 0
    return mono, power, int(cancels.sum())


def _power(samples: np.ndarray, block: int) -> np.ndarray:
    whole = len(samples) // block
    found = samples[: whole * block].reshape(whole, block).var(axis=1, dtype=np.float64)
    rest = samples[whole * block :]
    return np.append(found, rest.var(dtype=np.float64)) if len(rest) else found
