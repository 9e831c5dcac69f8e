"""Spectrograms as small pictures: power density on a mel axis, in decibels, as PNG."""

from __future__ import annotations

import io
import math

import numpy as np

# Rows and columns of a picture: enough to see a call by, few enough for hundreds in one page.
BANDS, FRAMES = 88, 256

# Shades of a picture. With more of them the noise between calls costs most of the bytes.
_SHADES = 16

# Length of the analysis window, at least; a power of two in samples.
_WINDOW_S = 0.03

# Below this nothing differs from silence: far under one step of 16 bits.
_FLOOR_DB = -150.0


def hz_to_mel(hz: np.ndarray | float) -> np.ndarray:
    """Convert Hz to mel: 2595 log10(1 + f / 700) (O'Shaughnessy, 1987)."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz, dtype=np.float64) / 700.0))


def mel_to_hz(mel: np.ndarray | float) -> np.ndarray:
    """Convert mel to Hz: the inverse of `hz_to_mel`."""
    return np.asarray(700.0 * (10.0 ** (np.asarray(mel, dtype=np.float64) / 2595.0) - 1.0))


def mel_levels(
    samples: np.ndarray, sample_rate: int, bands: int = BANDS, frames: int = FRAMES
) -> np.ndarray:
    """Compute the mean power density in cells of time and mel frequency.

    The whole clip is looked at, however long: a column is the mean of as many windows as are in it,
    half a window apart. A band is the integral of the windows' power over its own width, so that a
    band narrower than the transform's step takes its share of that step, and no band is empty.

    Parameters
    ----------
    samples : float array, shape (T,)
    sample_rate : int
        Hz.
    bands, frames : int
        The rows go from 0 Hz to half the sample rate, equally wide in mel.

    Returns
    -------
    float32 array, shape (bands, frames)
        10 log10 of full-scale squares per Hz, the lowest band first. White noise of variance v
        is 10 log10(2 v / sample_rate) everywhere.
    """
    size = 2 ** math.ceil(math.log2(_WINDOW_S * sample_rate))
    each = max(1, math.ceil(2 * len(samples) / (frames * size)))
    count = frames * each
    centres = (np.arange(count) + 0.5) * len(samples) / count
    padded = np.pad(np.asarray(samples, dtype=np.float32), size)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    weights = _mel_weights(size, sample_rate, bands)
    scale = 2.0 / (sample_rate * float(np.sum(np.square(window, dtype=np.float64))))
    out = np.empty((bands, frames))
    for column in range(frames):
        starts = np.floor(centres[column * each : (column + 1) * each] + size / 2).astype(int)
        cut = padded[starts[:, None] + np.arange(size)] * window
        power = np.square(np.abs(np.fft.rfft(cut, axis=1))).mean(axis=0)
        out[:, column] = weights @ power * scale
    return np.asarray(10 * np.log10(np.maximum(out, 10 ** (_FLOOR_DB / 10))), dtype=np.float32)


def _mel_weights(size: int, sample_rate: int, bands: int) -> np.ndarray:
    """Return the share of a band's width that each frequency bin covers: rows sum to 1."""
    nyquist = sample_rate / 2
    edges = mel_to_hz(np.linspace(0.0, float(hz_to_mel(nyquist)), bands + 1))
    steps = np.clip((np.arange(size // 2 + 2) - 0.5) * sample_rate / size, 0.0, nyquist)
    low, high = edges[:-1, None], edges[1:, None]
    shared = np.minimum(high, steps[None, 1:]) - np.maximum(low, steps[None, :-1])
    return np.asarray(np.maximum(shared, 0.0) / (high - low))


def level_range(*levels: np.ndarray) -> tuple[float, float]:
    """Choose a range in dB that shows several spectrograms alike.

    From the quieter one's background (its 10th percentile) to the loudest cell of all: at least
    40 dB, so that plain noise looks plain, and at most 70.
    """
    high = max(float(one.max()) for one in levels)
    low = min(float(np.percentile(one, 10)) for one in levels)
    return min(max(low, high - 70.0), high - 40.0), high


def draw_levels(levels: np.ndarray, low_db: float, high_db: float) -> bytes:
    """Draw a spectrogram as PNG: a pixel a cell, time to the right, frequency upwards.

    Parameters
    ----------
    levels : float array, shape (bands, frames)
    low_db, high_db : float
        What is black and what is brightest.
    """
    from matplotlib import colormaps
    from PIL import Image

    shade = np.clip((levels - low_db) / (high_db - low_db), 0.0, 1.0) * (_SHADES - 1)
    image = Image.fromarray(np.rint(shade[::-1]).astype(np.uint8))
    palette = colormaps["magma"](np.linspace(0.0, 1.0, _SHADES), bytes=True)[:, :3]
    image.putpalette(palette.tobytes())
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()


def frequency_ticks(sample_rate: int) -> list[tuple[str, float]]:
    """Label the mel axis: texts, and their places from 0 at the bottom to 1 at the top."""
    top = float(hz_to_mel(sample_rate / 2))
    ticks, last = [], 0.0
    for hz in (250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000):
        at = float(hz_to_mel(hz)) / top
        if at < 0.96 and at - last > 0.1:
            ticks.append((f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz", at))
            last = at
    return ticks


def time_ticks(duration_s: float) -> list[tuple[str, float]]:
    """Label the time axis: four or five texts or so, and their places from 0 to 1."""
    rough = duration_s / 4
    step = 10.0 ** math.floor(math.log10(rough))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if factor * step >= rough * 0.999)
    count = math.floor(duration_s / step + 1e-9)
    return [(f"{i * step:g} s", i * step / duration_s) for i in range(count + 1)]
