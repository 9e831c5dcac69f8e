"""Levels of many spans at once are those of one span after another."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.audio.levels import Levels
from negmine.audio.read import AudioInfo

RNG = np.random.default_rng(0)
INFOS = [
    AudioInfo(Path(f"/x/{n}.wav"), 8000, 800 * n, 1, f"f{n}", RNG.random(n).astype(np.float32))
    for n in (1, 7, 30)
]


def slow_rms(power: np.ndarray, start_s: float, end_s: float) -> float:
    """The blocks inside the span, one by one, or those that it touches."""
    first, last = start_s / 0.1, end_s / 0.1
    inside = [p for i, p in enumerate(power) if first - 1e-6 <= i and i + 1 <= last + 1e-6]
    touched = [p for i, p in enumerate(power) if first < i + 1 and i < last]
    found = [float(p) for p in inside or touched]
    return math.sqrt(sum(found) / len(found)) if found else 0.0


@given(st.integers(0, 2), st.floats(0, 4), st.floats(0.01, 4))
def test_a_span_has_the_level_that_the_file_says(number: int, start: float, length: float) -> None:
    levels = Levels(INFOS)
    found = levels.rms(np.array([number]), np.array([start]), np.array([length]))
    expected = slow_rms(INFOS[number].power, start, start + length)
    assert found[0] == pytest.approx(expected, abs=1e-6)
    assert INFOS[number].rms(start, start + length) == pytest.approx(expected, abs=1e-6)


def test_files_are_known_by_their_path_and_others_have_no_level() -> None:
    levels = Levels(INFOS)
    assert levels.file_of(Path("/x/7.wav")) == 1
    assert levels.file_of(Path("synthetic/rain")) == -1
    assert np.isnan(levels.rms(np.array([-1]), np.zeros(1), np.ones(1)))[0]
    assert levels.rms(np.zeros(0, dtype=int), np.zeros(0), np.zeros(0)).shape == (0,)
