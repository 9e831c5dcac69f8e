"""The demo's background sound: blends of the noises that negmine makes, over a recorder's hiss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from negmine.audio.dsp.generators import RMS, generate

# Names of `negmine.audio.dsp.generators`: where the classes call, and elsewhere.
FIELD = ("wind", "rain", "brown", "pink")
ELSEWHERE = ("hum", "tones", "white")


def background(
    rng: np.random.Generator, length: int, sample_rate: int, beds: Sequence[str]
) -> NDArray[np.float32]:
    """Blend two of the beds, of at least two: float32, shape (length,), -38 to -28 dB RMS."""
    blend = 0.03 * rng.standard_normal(length)
    for name in rng.choice(beds, size=2, replace=False):
        level = 10 ** (rng.uniform(-12, 0) / 20) / RMS
        blend += level * generate(str(name), int(rng.integers(2**32)), length, sample_rate)
    level = 10 ** (rng.uniform(-38, -28) / 20) / np.sqrt(np.mean(np.square(blend)))
    return np.asarray(level * blend, dtype=np.float32)
