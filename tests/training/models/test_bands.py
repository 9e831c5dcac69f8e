"""Mel rows of a frequency band, held against the mel filters themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchaudio.functional import melscale_fbanks

from training.models.bands import mel_rows, row_mask
from training.models.frontend import FrontEndSettings

FRONT_END = FrontEndSettings.for_mels(16000, 40)
FINE = melscale_fbanks(8001, 50.0, 8000.0, 40, 16000).numpy()  # 1 Hz a bin


@given(st.floats(60, 7000), st.floats(1.02, 4))
def test_rows_are_those_whose_upper_half_the_band_touches(low: float, ratio: float) -> None:
    high = min(low * ratio, 7900.0)
    ((first, last),) = mel_rows([(low, high)], FRONT_END, least=1)
    inside = FINE[int(np.ceil(low)) : int(high) + 1].max(axis=0)
    assert all(inside[row] <= 0.5 + 0.02 for row in range(40) if not first <= row < last)
    assert all(inside[row] >= 0.5 - 0.02 for row in range(first, last)) or last - first == 1


def test_a_narrow_band_is_widened_and_stays_inside() -> None:
    edges = [(1000.0, 1001.0), (50.0, 60.0), (7900.0, 8000.0), (0.0, 9000.0)]
    rows = mel_rows(edges, FRONT_END, least=16)
    assert [last - first for first, last in rows] == [16, 16, 16, 40]
    assert rows[1][0] == 0
    assert rows[2][1] == rows[3][1] == 40
    ((first, last),) = mel_rows([(1000.0, 1001.0)], FRONT_END, least=1)
    assert rows[0][0] <= first < last <= rows[0][1]


@given(st.integers(0, 39), st.integers(1, 40), st.integers(1, 40))
def test_a_map_row_is_in_the_mask_where_it_shares_mel_bands(
    first: int, count: int, map_rows: int
) -> None:
    last = min(40, first + count)
    mask = row_mask([(first, last)], 40, map_rows)[0]
    shares = [
        min(last, (row + 1) * 40 / map_rows) - max(first, row * 40 / map_rows) > 1e-9
        for row in range(map_rows)
    ]
    assert mask.tolist() == shares


@pytest.mark.parametrize("map_rows", [1, 2, 5])
def test_every_class_has_a_row(map_rows: int) -> None:
    mask = row_mask([(0, 1), (39, 40), (20, 21)], 40, map_rows)
    assert mask.any(axis=1).all()
