"""From recipe to samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np

from negmine.audio import VerifiedFiles, read_span
from negmine.errors import AudioError
from negmine.recipe import Layer, Recipe

# A mix whose peak passes this is scaled down as a whole: the ratio of its parts stays.
PEAK = 0.99

# Below this RMS (-120 dBFS) a layer is silent, and a ratio to it undefined.
_SILENT_RMS = 1e-6

_verified = VerifiedFiles()


def rms(samples: np.ndarray) -> float:
    """Root of the mean square, in float64."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def mix_at_snr(signal: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise to a signal at an exact RMS signal-to-noise ratio.

    Parameters
    ----------
    signal, noise : float32 array, shape (T,)
    snr_db : float
        20*log10(rms(signal) / rms(scaled noise)). Higher means quieter noise.

    Returns
    -------
    float32 array, shape (T,). Not clipped, not normalised.

    Raises
    ------
    AudioError
        If the shapes differ or either input is silent: the ratio is then undefined.
    """
    if signal.shape != noise.shape:
        raise AudioError(f"cannot mix {signal.shape} with {noise.shape} samples")
    return signal + noise * np.float32(_gain(rms(signal), noise, snr_db))


def _gain(reference_rms: float, noise: np.ndarray, snr_db: float) -> float:
    level = rms(noise)
    if min(reference_rms, level) < _SILENT_RMS:
        raise AudioError(f"one part is silent, so snr_db={snr_db:g} is undefined")
    return reference_rms / (level * 10 ** (snr_db / 20))


def render(recipe: Recipe, sample_rate: int | None = None) -> np.ndarray:
    """Render a recipe to samples.

    Parameters
    ----------
    recipe : Recipe
    sample_rate : int, optional
        Hz; the recipe's own by default.

    Returns
    -------
    float32 array, shape (to_samples(duration_s, sample_rate),), within [-1, 1]

    Raises
    ------
    AudioError
        If a source is missing, unreadable, was changed since the recipe was made, or is silent
        where a ratio needs it not to be.
    """
    rate = sample_rate or recipe.sample_rate
    first, *others = recipe.layers
    base = _read(first, recipe.duration_s, rate)
    total = base
    for layer in others:
        part = _read(layer, recipe.duration_s, rate)
        try:
            gain = _gain(rms(base), part, layer.snr_db or 0.0)
        except AudioError as error:
            spans = " and ".join(f"'{la.source.name}' at {la.start_s:g} s" for la in (first, layer))
            raise AudioError(
                f"recipe {recipe.id}: {error} ({spans}, {recipe.duration_s:g} s each)"
            ) from error
        total = total + part * np.float32(gain)
    peak = float(np.abs(total).max(initial=0.0))
    return total * np.float32(PEAK / peak) if peak > PEAK else total


def render_batches(
    recipes: Iterable[Recipe], sample_rate: int, batch_size: int, threads: int = 2
) -> Iterator[np.ndarray]:
    """Render in threads, a few batches ahead: float32 arrays of shape (up to batch_size, T).

    Order and content do not depend on the number of threads.
    """
    remaining = iter(recipes)
    with ThreadPoolExecutor(threads) as pool:
        ahead: list[list[Future[np.ndarray]]] = []
        while True:
            while len(ahead) < 3 and (batch := list(islice(remaining, batch_size))):
                ahead.append([pool.submit(render, recipe, sample_rate) for recipe in batch])
            if not ahead:
                return
            yield np.stack([clip.result() for clip in ahead.pop(0)])


def _read(layer: Layer, duration_s: float, sample_rate: int) -> np.ndarray:
    _verified.check(layer.source.path, layer.source.fingerprint)
    return read_span(layer.source.path, layer.start_s, duration_s, sample_rate)
