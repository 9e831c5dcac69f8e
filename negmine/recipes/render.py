"""From recipe to samples."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Protocol

import numpy as np

from negmine.arrays import FloatBatch, FloatSamples
from negmine.audio.silence import LEAST_RMS, rms
from negmine.audio.windows import to_samples
from negmine.errors import AudioError
from negmine.recipes.layer import Layer
from negmine.recipes.reader import DIRECT, Reader

# Raised whenever a recipe sounds otherwise than before: what was made of the old sound, scores and
# clips in caches, is then made again. 2: ratios are of the sound without its offset.
RENDERING = 2

# A mix whose peak passes this is scaled down as a whole: the ratio of its parts stays.
PEAK = 0.99

# A span put into a clip, or on silence, fades in and out over this much of itself: no click, and
# nothing is heard beyond the span.
FADE_S = 0.01

# Rendering is numpy's work for the most part: more threads than this wait for each other.
_MOST_THREADS = 8


class Clip(Protocol):
    """What rendering asks of a recipe: its layers, component by component, and its length."""

    @property
    def id(self) -> str: ...
    @property
    def components(self) -> list[tuple[Layer, ...]]: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def sample_rate(self) -> int: ...


class SilentError(AudioError):
    """A part of a mix is silent: a ratio to it is undefined."""


def mix_at_snr(signal: FloatSamples, noise: FloatSamples, snr_db: float) -> FloatSamples:
    """Add noise to a signal at an exact RMS signal-to-noise ratio.

    Parameters
    ----------
    signal, noise : float32 array, shape (T,)
    snr_db : float
        20*log10(rms(signal) / rms(scaled noise)), both about their means: an offset is no sound.
        Higher means quieter noise.

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
    return signal + noise * np.float32(_gain(rms(signal), rms(noise), snr_db))


def _gain(reference_rms: float, level: float, snr_db: float) -> float:
    if min(reference_rms, level) < LEAST_RMS:
        raise SilentError(f"one part is silent, so snr_db={snr_db:g} is undefined")
    return reference_rms / (level * 10 ** (snr_db / 20))


@dataclass(frozen=True)
class Rendered:
    """A rendered recipe.

    Attributes
    ----------
    samples : float32 array, shape (T,), within [-1, 1]
    gain_db : float
        What the whole was scaled by so that its peak stays within full scale: 0 where it already
        did, else negative.
    """

    samples: FloatSamples
    gain_db: float


def render(
    recipe: Clip, sample_rate: int | None = None, reader: Reader | None = None
) -> FloatSamples:
    """Render a recipe to samples.

    Parameters
    ----------
    recipe : Clip
        Such as a `negmine.recipes.recipe.Recipe`.
    sample_rate : int, optional
        Hz; the recipe's own by default.
    reader : Reader, optional
        Where sound is read from; from the sources' files by default.

    Returns
    -------
    float32 array, shape (to_samples(duration_s, sample_rate),), within [-1, 1]

    Raises
    ------
    AudioError
        If a source is missing, unreadable, was changed since the recipe was made, or is silent
        where a ratio needs it not to be.
    """
    return render_with_gain(recipe, sample_rate, reader).samples


def render_with_gain(
    recipe: Clip, sample_rate: int | None = None, reader: Reader | None = None
) -> Rendered:
    """Render a recipe, and say how far its whole was scaled down: see `render`."""
    rate = sample_rate or recipe.sample_rate
    first, *others = recipe.components
    total = _component(first, recipe.duration_s, rate, reader or DIRECT)
    reference_rms = _level(first, total, rate) if others else 0.0
    for layers in others:
        part = _component(layers, recipe.duration_s, rate, reader or DIRECT, mixed=True)
        try:
            gain = _gain(reference_rms, _level(layers, part, rate), layers[0].snr_db or 0.0)
        except SilentError as error:
            spans = " and ".join(
                f"'{la.source.name}' at {la.start_s:g} s"
                for la in (first[0], layers[0])
                if la.source is not None
            )
            raise SilentError(
                f"recipe {recipe.id}: {error} ({spans}, {recipe.duration_s:g} s each)"
            ) from error
        part *= np.float32(gain)
        total += part
    peak = float(max(total.max(initial=0.0), -total.min(initial=0.0)))
    if peak <= PEAK:
        return Rendered(total, 0.0)
    total *= np.float32(PEAK / peak)
    return Rendered(total, 20 * math.log10(PEAK / peak))


def _level(layers: tuple[Layer, ...], samples: FloatSamples, rate: int) -> float:
    """Compute a component's RMS over its span: the silence round it does not count."""
    placed = layers[0]
    if placed.length_s is None and not placed.offset_s:
        return rms(samples)
    first = to_samples(placed.offset_s, rate)
    length = None if placed.length_s is None else to_samples(placed.length_s, rate)
    return rms(samples[first:] if length is None else samples[first : first + length])


def _component(
    layers: tuple[Layer, ...], duration_s: float, rate: int, reader: Reader, mixed: bool = False
) -> FloatSamples:
    """Render an ``add`` and its changes: float32, shape (to_samples(duration_s, rate),)."""
    placed, *changes = layers
    samples = _placed(placed, duration_s, rate, reader, mixed)
    for layer in changes:
        if layer.op == "insert":
            samples = _inserted(samples, layer, rate, reader)
            continue
        from negmine.audio.dsp import band

        low_hz, high_hz = layer.low_hz or 0.0, layer.high_hz or 0.0
        if layer.op == "erase":
            samples = band.erase_band(samples, rate, low_hz, high_hz)
        else:
            donor = _read(layer, duration_s, rate, reader)
            samples = band.transplant_band(samples, donor, rate, low_hz, high_hz)
    return samples


def _placed(
    layer: Layer, duration_s: float, rate: int, reader: Reader, mixed: bool
) -> FloatSamples:
    """Place the span of an ``add`` in the clip, on silence."""
    if layer.length_s is None and not layer.offset_s:
        return _read(layer, duration_s, rate, reader)
    length_s = duration_s - layer.offset_s if layer.length_s is None else layer.length_s
    silence = np.zeros(to_samples(duration_s, rate), dtype=np.float32)
    piece = _read(layer, length_s, rate, reader)
    if mixed:
        # an offset that began within the mix, at the part's gain, would be heard as a click
        piece = piece - piece.mean(dtype=np.float64).astype(np.float32)
    return _over(silence, piece, layer.offset_s, rate)


def _inserted(samples: FloatSamples, layer: Layer, rate: int, reader: Reader) -> FloatSamples:
    piece = _read(layer, layer.length_s or 0.0, rate, reader)
    return _over(samples, piece, layer.offset_s, rate)


def _over(under: FloatSamples, piece: FloatSamples, offset_s: float, rate: int) -> FloatSamples:
    """Put a piece over ``under``, in place: crossfaded inside its own span.

    Equal power (cos^2 + sin^2 = 1) keeps the level of two sounds that know nothing of each other.
    The clip's own ends need no fade.
    """
    first = to_samples(offset_s, rate)
    piece = piece[: len(under) - first]
    last = first + len(piece)
    fade = min(to_samples(FADE_S, rate), len(piece) // 2)
    rising, sinking = _fades(fade)
    # what is beneath the fades, before it is covered
    head, tail = under[first : first + fade] * sinking, under[last - fade : last] * sinking[::-1]
    under[first:last] = piece
    if first > 0:
        under[first : first + fade] = piece[:fade] * rising + head
    if last < len(under):
        under[last - fade : last] = piece[len(piece) - fade :] * rising[::-1] + tail
    return under


@lru_cache(maxsize=64)
def _fades(length: int) -> tuple[FloatSamples, FloatSamples]:
    """Make the gains of what comes and of what goes: float32, shape (length,)."""
    rising = np.sin(np.pi / 2 * (np.arange(length, dtype=np.float32) + 0.5) / max(length, 1))
    return rising, np.sqrt(np.maximum(0.0, 1.0 - rising * rising), dtype=np.float32)


def _read(layer: Layer, duration_s: float, rate: int, reader: Reader) -> FloatSamples:
    source = layer.source
    if source is None:
        raise ValueError(f"'{layer.op}' reads no sound")
    if source.is_synthetic:
        from negmine.audio.dsp.generators import generate

        return generate(source.name, layer.seed or 0, to_samples(duration_s, rate), rate)
    return reader.read(source, layer.start_s, duration_s, rate)


def render_batches(
    recipes: Iterable[Clip],
    sample_rate: int,
    batch_size: int,
    threads: int | None = None,
    reader: Reader | None = None,
) -> Iterator[FloatBatch]:
    """Render in threads, a few batches ahead: float32 arrays of shape (up to batch_size, T).

    Order and content do not depend on the number of threads, by default one a processor, from two
    to eight.
    """
    remaining = iter(recipes)
    with ThreadPoolExecutor(threads or min(max(os.cpu_count() or 2, 2), _MOST_THREADS)) as pool:
        ahead: list[list[Future[FloatSamples]]] = []
        while True:
            while len(ahead) < 3 and (batch := list(islice(remaining, batch_size))):
                ahead.append([pool.submit(render, recipe, sample_rate, reader) for recipe in batch])
            if not ahead:
                return
            yield np.stack([clip.result() for clip in ahead.pop(0)])
