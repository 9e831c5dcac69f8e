"""Clips of a pool as a page holds them: sound to listen to, a picture, and where it comes from."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass

import numpy as np

from negmine.audio.silence import LEAST_RMS, rms
from negmine.audio.spectrogram import draw_levels, level_range, mel_levels
from negmine.audio.windows import to_samples
from negmine.audio.write import encode_mp3
from negmine.recipes.ancestry import ancestry
from negmine.recipes.recipe import Recipe

# What the loudest part of every clip is brought to, for listening: comfortable beside speech.
LOUDNESS_DB = -20.0
_LOUDEST_S = 0.4
_PEAK = 0.99


@dataclass(frozen=True)
class PlayedClip:
    """A clip, rendered.

    Attributes
    ----------
    sound : bytes
        MP3, at one loudness.
    gain_db : float
        What the sound was turned up by for listening.
    levels : float32 array, shape (bands, frames)
        Of its samples as they are, not as they were turned up: see `negmine.audio.spectrogram`.
    present : tuple of str
        Classes it is known to hold.
    """

    id: str
    kind: str
    sound: bytes
    gain_db: float
    levels: np.ndarray
    ancestry: tuple[str, ...]
    present: tuple[str, ...]

    @property
    def sound_uri(self) -> str:
        return data_uri("audio/mpeg", self.sound)


@dataclass(frozen=True)
class Picture:
    """A clip's spectrogram as a data URI, and the range of its shades in dB."""

    uri: str
    low_db: float
    high_db: float


def hear(recipe: Recipe) -> PlayedClip:
    """Render a recipe for people.

    Raises
    ------
    AudioError
        If its sound is missing or was changed.
    """
    samples = recipe.render()
    gain_db = listening_gain_db(samples, recipe.sample_rate)
    louder = samples * np.float32(10 ** (gain_db / 20))
    return PlayedClip(
        id=recipe.id,
        kind=recipe.kind,
        sound=encode_mp3(louder, recipe.sample_rate),
        gain_db=gain_db,
        levels=mel_levels(samples, recipe.sample_rate),
        ancestry=tuple(ancestry(recipe)),
        present=tuple(sorted(recipe.labels.present)),
    )


def listening_gain_db(samples: np.ndarray, sample_rate: int) -> float:
    """Return the gain that brings a clip's loudest 0.4 s to -20 dB RMS, its peak below 0 dB.

    The loudest part, not the whole: a short call in silence is then as loud as a long one.

    Returns
    -------
    float
        dB; 0 for a silent clip.
    """
    length = min(len(samples), max(1, to_samples(_LOUDEST_S, sample_rate)))
    step = max(1, length // 2)
    loudest = max(
        (rms(samples[at : at + length]) for at in range(0, len(samples) - length + 1, step)),
        default=0.0,
    )
    peak = float(np.abs(samples).max(initial=0.0))
    if loudest < LEAST_RMS:
        return 0.0
    return min(LOUDNESS_DB - 20 * math.log10(loudest), 20 * math.log10(_PEAK / peak))


def pictures(clips: list[PlayedClip]) -> list[Picture]:
    """Draw spectrograms of some clips, all shades meaning the same level in each."""
    low_db, high_db = level_range(*(clip.levels for clip in clips))
    return [
        Picture(data_uri("image/png", draw_levels(clip.levels, low_db, high_db)), low_db, high_db)
        for clip in clips
    ]


def svg_uri(drawn: str | None) -> str:
    """Return the address of an SVG that is in the page itself; empty of none."""
    return data_uri("image/svg+xml", drawn.encode()) if drawn else ""


def data_uri(kind: str, content: bytes) -> str:
    """Encode bytes of a media type as a URI that holds them."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
