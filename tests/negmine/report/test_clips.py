"""Clips as a page holds them: one loudness, one scale of shades."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import tone
from PIL import Image

from negmine.pool import open_pool
from negmine.report.clips import hear, listening_gain_db, pictures

RATE = 8000


@pytest.mark.parametrize("level", [1e-4, 0.01, 0.3])
def test_a_steady_sound_is_brought_to_one_level(level: float) -> None:
    samples = level * tone(1000.0, 2.0) / 0.2
    gain = 10 ** (listening_gain_db(samples, RATE) / 20)
    # a sine's RMS is its amplitude over the root of two
    assert 20 * np.log10(level * gain / np.sqrt(2)) == pytest.approx(-20, abs=0.01)


def test_a_call_in_silence_is_as_loud_as_a_steady_sound() -> None:
    short = np.zeros(5 * RATE, dtype=np.float32)
    short[12_345 : 12_345 + RATE] = tone(1000.0, 1.0)
    steady = tone(1000.0, 5.0)
    gains = [listening_gain_db(samples, RATE) for samples in (short, steady)]
    assert gains[0] == pytest.approx(gains[1], abs=0.01)


def test_a_click_is_turned_up_to_full_scale_and_no_further() -> None:
    click = np.zeros(RATE, dtype=np.float32)
    click[4000] = 0.1
    assert 0.1 * 10 ** (listening_gain_db(click, RATE) / 20) == pytest.approx(0.99)


def test_silence_stays_silent() -> None:
    for samples in (np.zeros(RATE, np.float32), np.zeros(10, np.float32)):
        assert listening_gain_db(samples, RATE) == 0.0


def test_what_is_heard_is_the_clip(shared_pool: Path) -> None:
    pool = open_pool(shared_pool)
    recipe = pool.calls[0]
    heard = hear(recipe)
    assert (heard.id, heard.kind, frozenset(heard.present)) == (
        recipe.id,
        "tp",
        recipe.labels.present,
    )
    samples, rate = sf.read(io.BytesIO(heard.sound))
    rendered = recipe.render() * 10 ** (heard.gain_db / 20)
    assert rate == recipe.sample_rate
    assert np.corrcoef(samples, rendered)[0, 1] > 0.9
    assert len(heard.ancestry) == len(recipe.layers)


def test_a_shade_means_one_level_in_both_pictures(shared_pool: Path) -> None:
    pool = open_pool(shared_pool)
    loud = replace(hear(pool.calls[0]), levels=np.array([[-90.0, -50.0], [-30.0, -60.0]]))
    quiet = replace(loud, levels=np.array([[-50.0, -80.0], [-60.0, -60.0]]))
    first, second = pictures([loud, quiet])
    assert (first.low_db, first.high_db) == (second.low_db, second.high_db)
    assert first.high_db == -30.0
    assert [one.uri for one in pictures([quiet, loud])] == [second.uri, first.uri]
    images = [
        np.asarray(
            Image.open(io.BytesIO(base64.b64decode(one.uri.split(",")[1]))).convert("RGB")
        ).astype(int)
        for one in (first, second)
    ]
    # low frequencies at the bottom; -50 dB stands at [0, 1] of one and at [0, 0] of the other
    assert (images[0][1, 1] == images[1][1, 0]).all()
    assert (images[0][0, 1] == images[1][0, 1]).all()
    assert (images[0][1, 0] != images[1][1, 0]).any()
