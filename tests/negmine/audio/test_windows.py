"""Seconds, samples and spans."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.audio.windows import Span, centred_window, covered_s, to_microseconds, to_samples

TICK_S = 0.125
ticks = st.tuples(st.integers(0, 40), st.integers(1, 40)).map(
    lambda t: Span(t[0] * TICK_S, (t[0] + t[1]) * TICK_S)
)


def cells(span: Span) -> set[int]:
    return {t for t in range(100) if span.start_s <= t * TICK_S < span.end_s}


@given(st.integers(0, 10**7), st.sampled_from([8000, 22_050, 32_000, 44_100, 48_000]))
def test_samples_as_seconds_and_back_are_the_same_samples(samples: int, rate: int) -> None:
    assert to_samples(samples / rate, rate) == samples


@given(st.floats(-100, 1000), st.integers(1, 200_000))
def test_seconds_become_the_nearest_sample(seconds: float, rate: int) -> None:
    exact = Fraction(seconds) * rate
    assert abs(to_samples(seconds, rate) - exact) <= Fraction(1, 2) + Fraction(1, 10**6)


def test_halves_are_rounded_up_so_that_equal_clips_have_equal_lengths() -> None:
    # Python's own round() takes 0.5, 1.5, 2.5 to 0, 2, 2
    assert [to_samples(n + 0.5, 1) for n in range(4)] == [1, 2, 3, 4]


def test_times_that_differ_by_rounding_are_equal_microseconds() -> None:
    assert to_microseconds(0.1 + 0.2) == 0.3
    assert to_microseconds(1.0000004) == 1.0
    assert to_microseconds(1.000001) != 1.0


@given(ticks, ticks)
def test_an_overlap_is_the_number_of_shared_ticks(one: Span, other: Span) -> None:
    shared = len(cells(one) & cells(other)) * TICK_S
    assert one.overlap_s(other) == other.overlap_s(one) == shared


@given(ticks, st.lists(ticks, max_size=8))
def test_covered_seconds_are_the_ticks_in_any_part(span: Span, parts: list[Span]) -> None:
    union = set().union(*map(cells, parts))
    assert covered_s(span, parts) == len(cells(span) & union) * TICK_S


@given(st.floats(0, 60), st.floats(0.01, 20), st.floats(0.1, 10), st.floats(0.1, 60))
def test_no_window_inside_the_recording_holds_more_of_the_box(
    start_s: float, length_s: float, clip_s: float, recording_s: float
) -> None:
    box = Span(min(start_s, recording_s), min(start_s + length_s, recording_s))
    window = centred_window(box, clip_s, recording_s)
    assert window.duration_s == pytest.approx(clip_s)
    assert window.start_s >= 0
    if recording_s < clip_s:
        assert window.start_s == 0
        return
    assert window.end_s <= recording_s + 2e-6
    room = recording_s - clip_s
    tried = [Span(room * i / 50, room * i / 50 + clip_s) for i in range(51)]
    assert window.overlap_s(box) >= max(t.overlap_s(box) for t in tried) - 1e-5


@pytest.mark.parametrize(
    ("box", "start_s"),
    [
        (Span(5.0, 6.0), 4.5),
        (Span(0.0, 1.0), 0.0),
        (Span(9.0, 10.0), 8.0),
        (Span(2.0, 9.0), 4.5),
    ],
)
def test_a_window_is_centred_and_moved_as_little_as_the_ends_ask(box: Span, start_s: float) -> None:
    assert centred_window(box, 2.0, 10.0) == Span(start_s, start_s + 2.0)


def test_a_recording_shorter_than_the_clip_starts_its_window_at_0() -> None:
    window = centred_window(Span(0.5, 1.0), 2.0, 1.25)
    assert window == Span(0.0, 2.0)
    assert math.copysign(1, window.start_s) == 1
