"""What changes of pitch, tempo and place do to labels, against sound that is really moved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.audio.windows import Span
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.clip_labels import label_clip
from negmine.recipes.labels import PartialLabels, State
from training.augmentation import AUGMENT_PRESETS, AUGMENT_PROBABILITIES, AugmentSettings
from training.data.augment_labels import (
    KEPT_SEMITONES,
    KEPT_STRETCH,
    Change,
    draw_change,
    relabel,
)
from training.data.rows import Call, Row, RowKind

BANDS = {"frog": (900.0, 1100.0), "owl": (300.0, 600.0)}
DURATION_S = 2.0
RAIN = {"rain": Absence(Certificate.VERIFIED, 0.9)}


def frog(
    start_s: float = 0.5, end_s: float = 1.0, low_hz: float = 950, high_hz: float = 1050
) -> Row:
    labels = PartialLabels(frozenset({"frog"}), RAIN)
    call = Call("frog", Span(start_s, end_s), low_hz, high_hz)
    return Row(np.zeros(8, np.float32), labels, RowKind.TP, calls=(call,))


def after(row: Row, roll: bool = True, **change: float) -> Row:
    return relabel(row, Change(**change), DURATION_S, BANDS, roll)


def test_volume_and_noise_change_no_label() -> None:
    row = replace(frog(), soft=np.array([0.1, 0.2, 0.3]))
    got = after(row, gain_db=-6.0, noise_snr_db=3.0, pink_snr_db=1.0)
    assert (got.labels, got.lost) == (row.labels, frozenset())
    assert got.soft is row.soft


@pytest.mark.parametrize(
    ("semitones", "kept"),
    # the box of 950 to 1050 Hz in a band up to 1100: half of it is out from a ratio of 1.1 on
    [
        (0.0, True),
        (1.0, True),
        (1.6, True),
        (1.7, False),
        (12.0, False),
        (-1.7, True),
        (-2.0, False),
    ],
)
def test_call_shifted_out_of_its_band_is_unknown_and_carries_no_loss(
    semitones: float, kept: bool
) -> None:
    got = after(frog(), semitones=semitones)
    assert got.labels.state("frog") is (State.PRESENT if kept else State.UNKNOWN)
    assert got.lost == (frozenset() if kept else {"frog"})


@given(
    semitones=st.floats(-6, 6),
    width=st.floats(1, 400),
    place=st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_share_in_band_is_that_of_its_sound(
    semitones: float, width: float, place: float, seed: int
) -> None:
    low = 900 + place * 200 - width / 2
    inside = np.random.default_rng(seed).uniform(low, low + width, 4000) * 2 ** (semitones / 12)
    share = float(np.mean((inside >= 900) & (inside <= 1100)))
    if abs(share - 0.5) > 0.05:
        got = after(frog(low_hz=low, high_hz=low + width), semitones=semitones)
        assert (got.labels.state("frog") is State.PRESENT) == (share > 0.5)


@given(
    start=st.floats(-0.5, 1.9),
    length=st.floats(0.05, 3.0),
    rate=st.floats(0.7, 1.5),
    shift=st.floats(-1.9, 1.9),
    roll=st.booleans(),
)
def test_share_in_row_is_that_of_marked_samples(
    start: float, length: float, rate: float, shift: float, roll: bool
) -> None:
    n = 2000  # samples of 1 ms
    mark = np.zeros(n, bool)
    mark[max(0, round(start * 1000)) : max(0, round((start + length) * 1000))] = True
    at = np.arange(n) * rate
    stretched = np.where(at < n, mark[np.minimum(at, n - 1).astype(int)], False)
    moved = np.roll(stretched, round(shift * 1000))
    if not roll:
        moved[: max(0, round(shift * 1000))] = False
        moved[n + min(0, round(shift * 1000)) :] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[0], moved.astype(int), [0]])))
    longest = max((edges[1::2] - edges[::2]).tolist(), default=0) / 1000
    needed = 0.5 * min(length / rate, DURATION_S)
    if abs(longest - needed) > 0.01:
        got = after(frog(start, start + length), roll, rate=rate, shift_s=shift)
        assert (got.labels.state("frog") is State.PRESENT) == (longest > needed)


@given(start=st.floats(-1, 2), length=st.floats(0.05, 4))
def test_no_change_asks_what_a_crop_asks(start: float, length: float) -> None:
    class Box:
        label, present, span = "frog", True, Span(start, start + length)
        confidence = 1.0

    want = label_clip([Box()], Span(0, DURATION_S))
    got = after(frog(start, start + length), gain_db=1.0)
    assert (got.labels.state("frog") is State.PRESENT) == ("frog" in want.present)


def test_one_call_left_is_enough() -> None:
    row = frog(1.4, 1.9)
    early = Call("frog", Span(0.1, 0.4), 950, 1050)
    assert after(row, roll=False, shift_s=1.0).lost == {"frog"}
    assert (
        after(replace(row, calls=(*row.calls, early)), roll=False, shift_s=1.0).lost == frozenset()
    )


@given(
    semitones=st.floats(-4, 4),
    octaves=st.floats(-0.5, 0.5),
    shift=st.floats(-1.5, 1.5),
    roll=st.booleans(),
)
def test_certificates_survive_small_changes_and_no_others(
    semitones: float, octaves: float, shift: float, roll: bool
) -> None:
    soft = np.array([0.2, 0.7], np.float32)
    got = after(
        replace(frog(), soft=soft), roll, semitones=semitones, rate=2**octaves, shift_s=shift
    )
    small = abs(semitones) <= KEPT_SEMITONES and abs(octaves) <= np.log2(KEPT_STRETCH)
    assert got.labels.absent == (RAIN if small else {})
    assert got.soft is not None
    assert np.array_equal(got.soft, soft) if small else np.isnan(got.soft).all()
    # nothing becomes known that was not, and what is no longer present is not absent
    assert got.labels.present <= {"frog"}
    assert got.lost == {"frog"} - got.labels.present
    assert not got.calls


@pytest.mark.parametrize(
    ("change", "roll", "kept"),
    [
        ({"shift_s": 0.3}, True, True),
        ({"shift_s": 0.3}, False, False),
        ({"rate": 1.05}, False, True),
        ({"rate": 0.95}, True, False),
        ({"semitones": 0.5}, True, True),
        ({"semitones": 1.5}, True, False),
    ],
)
def test_class_present_nobody_knows_where_is_kept_by_what_cuts_nothing(
    change: dict[str, float], roll: bool, kept: bool
) -> None:
    got = after(replace(frog(), calls=()), roll, **change)
    assert got.labels.present == ({"frog"} if kept else frozenset())
    assert got.lost == (frozenset() if kept else {"frog"})


def test_class_already_lost_stays_lost() -> None:
    assert after(replace(frog(), lost=frozenset({"owl"})), semitones=9.0).lost == {"owl", "frog"}


@pytest.mark.parametrize("name", [n for n in AUGMENT_PROBABILITIES if n != "mixup"])
def test_each_change_is_made_as_often_as_asked_and_alone(name: str) -> None:
    share: dict[str, Any] = {name: 0.3}
    settings = AugmentSettings(**share)
    drawn = [draw_change(settings, np.random.default_rng([7, i])) for i in range(2000)]
    field = {"pitch": "semitones", "stretch": "rate", "shift": "shift_s", "gain": "gain_db"}.get(
        name, f"{name}_snr_db"
    )
    none = Change()
    made = [getattr(c, field) for c in drawn if c != none]
    # 5 standard deviations of 2000 draws
    assert abs(len(made) - 600) < 103
    assert all(replace(c, **{field: getattr(none, field)}) == none for c in drawn)
    values = settings.to_dict()
    low, high = {
        "pitch": (-1.0, 1.0),
        "stretch": (1 / 1.1, 1.1),
        "shift": (-0.5, 0.5),
        "gain": (-6.0, 6.0),
    }.get(name) or values[f"{name}_snr_db"]
    assert low <= min(made) < low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) < max(made) <= high


def test_draws_of_one_change_do_not_move_those_of_another() -> None:
    full, light = (AUGMENT_PRESETS[name] for name in ("full", "light"))
    for i in range(200):
        a, b = (draw_change(s, np.random.default_rng(i)) for s in (full, light))
        assert a.shift_s == b.shift_s
        assert a.gain_db == b.gain_db
        if b.noise_snr_db is not None:
            assert a.noise_snr_db == b.noise_snr_db
