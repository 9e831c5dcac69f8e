"""Choosing windows of one class, against a slow choice by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.annotations.recordings import Recordings
from negmine.asking.rounds import Rounds
from negmine.asking.unlabelled_windows import Windows, window_starts
from negmine.audio.read import AudioInfo
from negmine.audio.silence import LEVEL_BLOCK_S
from negmine.audio.windows import Span


def info(name: str, duration_s: float, silent: tuple[float, float] = (0, 0)) -> AudioInfo:
    power = np.full(math.ceil(duration_s / LEVEL_BLOCK_S), 0.01, dtype=np.float32)
    first, last = (round(edge / LEVEL_BLOCK_S) for edge in silent)
    power[first:last] = 0.0
    path = Path(f"/field/{name}.wav")
    return AudioInfo(path, 8000, round(duration_s * 8000), 1, f"bytes of {name}", power)


def windows(durations: dict[str, float], clip_s: float = 2.0, hop_s: float = 1.0) -> Windows:
    infos = {name: info(name, duration_s) for name, duration_s in durations.items()}
    return Windows(Recordings(Path("/field"), infos, ()), clip_s, hop_s, 8000)


# ---- the grid


def test_windows_step_by_the_hop_and_end_with_the_recording() -> None:
    assert window_starts(6.0, 2.0, 1.0) == [0, 1, 2, 3, 4]
    assert window_starts(6.0, 2.0, 2.0) == [0, 2, 4]
    # half a hop or more is left: a last window is moved back
    assert window_starts(6.5, 2.0, 1.0) == [0, 1, 2, 3, 4, 4.5]
    assert window_starts(6.4, 2.0, 1.0) == [0, 1, 2, 3, 4]
    assert window_starts(1.0, 2.0, 1.0) == [0]
    assert window_starts(0.9, 2.0, 1.0) == []
    assert window_starts(0.7, 0.1, 0.1) == pytest.approx([i / 10 for i in range(7)])


@given(st.floats(0.1, 100), st.floats(0.5, 5), st.floats(0.1, 5))
def test_windows_are_inside_and_leave_out_less_than_half_a_hop(
    duration_s: float, clip_s: float, hop_s: float
) -> None:
    starts = window_starts(duration_s, clip_s, hop_s)
    assert starts == sorted(set(starts))
    if duration_s < clip_s:
        assert starts in ([], [0.0])
        return
    assert starts[0] == 0.0
    assert starts[-1] + clip_s <= duration_s + 2e-6
    assert duration_s - (starts[-1] + clip_s) < hop_s / 2 + 2e-6


def test_silent_windows_and_short_recordings_are_left_out_and_counted() -> None:
    infos = {"b": info("b", 6.0, silent=(1, 4)), "a": info("a", 0.5), "c": info("c", 1.5)}
    found = Windows(Recordings(Path("/field"), infos, ()), 2.0, 1.0, 8000)
    assert found.names == ("a", "b", "c")
    assert found.recording.tolist() == [1, 1, 1, 2]
    assert found.start_s.tolist() == [0, 3, 4, 0]
    assert (found.silent, found.short) == (2, 1)
    assert found.span(3) == Span(0, 1.5)
    assert list(found.recipes.ids) == [recipe.id for recipe in found.recipes]
    assert len(set(found.recipes.ids)) == 4


def test_a_window_is_touched_by_a_span_of_its_own_recording_alone() -> None:
    found = windows({"a": 6.0, "b": 6.0})
    spans = [("a", Span(2.9, 3.1)), ("b", Span(0, 1)), ("elsewhere", Span(0, 9))]
    assert np.flatnonzero(found.touched(spans)).tolist() == [1, 2, 3, 5]
    # it ends where another begins
    assert not found.touched([("a", Span(6.0, 7.0))]).any()


# ---- rounds


@dataclass
class ByHand:
    """The rule, window by window."""

    found: Windows
    may: list[bool]
    sites: list[int]
    per_site: int

    def choose(self, keys: list[float], count: int) -> list[int]:
        chosen: list[int] = []
        left = {i for i, one in enumerate(self.may) if one}
        while left and len(chosen) < count:
            given = {i: [self.of(c) for c in chosen].count(self.of(i)) for i in left}
            fewest = min(given.values())
            best = min((i for i in left if given[i] == fewest), key=lambda i: (-keys[i], i))
            chosen.append(best)
            full = [self.sites[self.of(c)] for c in chosen].count(self.sites[self.of(best)])
            for i in list(left):
                apart = abs(self.found.start_s[i] - self.found.start_s[best]) >= 2.0 - 1e-9
                same_site = self.sites[self.of(i)] == self.sites[self.of(best)]
                if (self.of(i) == self.of(best) and not apart) or (
                    same_site and full >= self.per_site
                ):
                    left.remove(i)
        return chosen

    def of(self, row: int) -> int:
        return int(self.found.recording[row])


@pytest.mark.parametrize("seed", range(200))
def test_rounds_choose_what_the_rule_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    recordings = int(rng.integers(1, 6))
    found = windows({f"r{i}": float(rng.integers(2, 10)) for i in range(recordings)})
    # few values: many ties
    keys = rng.integers(0, rng.integers(2, 30), len(found)).astype(float)
    may = rng.random(len(found)) < rng.choice([0.3, 0.9, 1.0])
    sites = rng.integers(0, 3, recordings)
    per_site = int(rng.choice([1, 3, 99]))
    wanted, first = int(rng.integers(1, 13)), int(rng.integers(0, 5))
    by_hand = ByHand(found, may.tolist(), sites.tolist(), per_site).choose(keys.tolist(), wanted)
    assert Rounds(found, may, sites, per_site).take(keys, wanted) == by_hand
    # in two parts: the same
    parts = Rounds(found, may, sites, per_site)
    taken = parts.take(keys, min(first, wanted))
    assert taken + parts.take(keys, wanted - min(first, wanted)) == by_hand == parts.chosen


def test_a_recording_gives_its_second_window_last() -> None:
    found = windows({"a": 8.0, "b": 4.0, "c": 2.0})
    keys = np.arange(len(found), 0, -1.0)  # those of a, in order, then b's, then c's
    assert found.recording.tolist() == [0] * 7 + [1] * 3 + [2]
    chosen = Rounds(found, np.ones(len(found), bool)).take(keys, 99)
    assert [(int(found.recording[i]), found.start_s[i]) for i in chosen] == [
        (0, 0), (1, 0), (2, 0), (0, 2), (1, 2), (0, 4), (0, 6),
    ]  # fmt: skip


def test_an_arrangement_may_leave_windows_for_later() -> None:
    found = windows(dict.fromkeys("abcd", 2.0))
    seen: list[list[int]] = []

    def two(ranked: np.ndarray, chosen: list[int]) -> np.ndarray:
        seen.append([*chosen, -1, *ranked.tolist()])
        return ranked[:2][::-1]

    rounds = Rounds(found, np.ones(4, bool))
    assert rounds.take(np.array([4.0, 3.0, 2.0, 1.0]), 3, two) == [1, 0, 3]
    assert seen == [[-1, 0, 1, 2, 3], [1, 0, -1, 2, 3]]


def test_nothing_may_be_chosen_where_nothing_is_left() -> None:
    found = windows({"a": 4.0})
    assert Rounds(found, np.zeros(3, bool)).take(np.ones(3), 5) == []
