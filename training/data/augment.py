"""Changes of a row's sound, by audiomentations: the only module that imports it.

audiomentations draws from the generators that all of a process share. Each change therefore runs
with both seeded for its row, and leaves them as they were: the same row has the same sound in any
process and any order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import audiomentations
import numpy as np
from audiomentations.core.transforms_interface import BaseWaveformTransform

from training.augmentation import AugmentSettings
from training.data.augment_labels import Bands, Change, draw_change, relabel
from training.data.rows import Row

# Pink noise loses this per octave: 10 * log10(2).
_PINK_DB_PER_OCTAVE = -3.01


class Augmenter:
    """Changes rows at random, their labels with their sound.

    Parameters
    ----------
    sample_rate : int
        Hz.
    bands : mapping of str to (float, float)
        Lowest and highest frequency of each class's calls, in Hz.
    """

    def __init__(
        self,
        settings: AugmentSettings,
        sample_rate: int,
        bands: Bands,
    ) -> None:
        self._settings = settings
        self._sample_rate = sample_rate
        self._bands = dict(bands)

    def __call__(self, row: Row, rng: np.random.Generator) -> Row:
        """Change a row, by draws of the generator alone."""
        change = draw_change(self._settings, rng)
        seed = int(rng.integers(2**32))
        if change == Change():
            return row
        roll, duration_s = self._settings.shift_roll, len(row.waveform) / self._sample_rate
        changed = relabel(row, change, duration_s, self._bands, roll)
        return change_sound(changed, change, self._sample_rate, seed, roll)


def change_sound(row: Row, change: Change, sample_rate: int, seed: int, roll: bool = True) -> Row:
    """Change a row's sound; its labels stay as they are.

    Parameters
    ----------
    sample_rate : int
        Hz.
    seed : int
        Of the noise, in [0, 2**32).
    roll : bool
        What a shift moves out at one end enters at the other; else silence does.

    Returns
    -------
    Row
        Its waveform is a new float32 array of the same length, not limited to [-1, 1].
    """
    # the level that noise is added at is that of the sound: an offset is taken off, and put back
    noisy = change.noise_snr_db is not None or change.pink_snr_db is not None
    offset = row.waveform.mean(dtype=np.float64).astype(np.float32) if noisy else np.float32(0)
    sound = row.waveform - offset
    with seeded(seed):
        for transform in _transforms(change, roll):
            sound = transform(sound, sample_rate)
    sound = sound + offset
    return replace(row, waveform=np.ascontiguousarray(sound, dtype=np.float32))


def _transforms(change: Change, roll: bool) -> Iterator[BaseWaveformTransform]:
    if change.semitones:
        yield audiomentations.PitchShift(change.semitones, change.semitones, p=1.0)
    if change.rate != 1:
        yield audiomentations.TimeStretch(change.rate, change.rate, p=1.0)
    if change.shift_s:
        yield audiomentations.Shift(change.shift_s, change.shift_s, "seconds", rollover=roll, p=1.0)
    if change.noise_snr_db is not None:
        yield audiomentations.AddGaussianSNR(change.noise_snr_db, change.noise_snr_db, p=1.0)
    if change.pink_snr_db is not None:
        yield audiomentations.AddColorNoise(
            change.pink_snr_db, change.pink_snr_db, _PINK_DB_PER_OCTAVE, _PINK_DB_PER_OCTAVE, p=1.0
        )
    if change.gain_db:
        yield audiomentations.Gain(change.gain_db, change.gain_db, p=1.0)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Yield seed the generators of `random` and `numpy.random`, and leave them as they were after.

    Parameters
    ----------
    seed : int
        In [0, 2**32).
    """
    before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpy_before)  # noqa: NPY002
