"""The windows that may be asked about: a grid over recordings, as recipes that can be scored."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from negmine.annotations.recordings import Recordings
from negmine.audio.windows import Span, to_microseconds
from negmine.recipes.dictionaries import Dictionaries
from negmine.recipes.labels import PartialLabels
from negmine.recipes.recipe import Recipes

# What a last window must add that no other holds, as a share of a hop, or else of a clip.
_MIN_NEW = 0.5
# Of two times that are rounded to microseconds.
_ROUNDED_S = 2e-6


class Windows:
    """Windows of recordings, those of one recording after another, by name and time.

    Parameters
    ----------
    recordings : Recordings
    clip_s, hop_s : float
        Length of a window, and the step from one to the next.
    sample_rate : int
        Hz, of the recipes.

    Attributes
    ----------
    names : tuple of str
        Of the recordings, in order.
    recording : int64 array, shape (N,)
        Of each window, its place in ``names``.
    start_s : float64 array, shape (N,)
    recipes : Recipes
        The windows, of which nothing is known.
    silent, short : int
        Windows left out because they hold no sound; recordings shorter than half a clip.
    """

    def __init__(
        self, recordings: Recordings, clip_s: float, hop_s: float, sample_rate: int
    ) -> None:
        self.names = tuple(sorted(recordings.infos))
        self.clip_s = clip_s
        self._sources = [recordings.source(name) for name in self.names]
        self.silent = self.short = 0
        starts, counts = [], []
        for name in self.names:
            info = recordings.infos[name]
            every = window_starts(info.duration_s, clip_s, hop_s)
            heard = [s for s in every if not info.silent(s, s + clip_s)]
            self.short += not every
            self.silent += len(every) - len(heard)
            starts += heard
            counts.append(len(heard))
        self.start_s = np.array(starts, dtype=np.float64)
        self.recording = np.repeat(np.arange(len(self.names)), counts)
        d = Dictionaries(clip_s, sample_rate)
        label = np.full(len(starts), d.labels.number(PartialLabels()))
        numbers = np.array([d.sources.number(one) for one in self._sources], dtype=np.int64)
        source = numbers[self.recording]
        self.recipes = Recipes.plain(d, "window", source, self.start_s, label)

    def __len__(self) -> int:
        return len(self.start_s)

    def span(self, row: int) -> Span:
        """Return a window's seconds in its recording, up to the recording's end."""
        start_s = float(self.start_s[row])
        end_s = min(start_s + self.clip_s, self._sources[self.recording[row]].duration_s)
        return Span(start_s, to_microseconds(end_s))

    def touched(self, spans: Iterable[tuple[str, Span]]) -> np.ndarray:
        """Return which windows share sound with some spans of recordings: bool, shape (N,)."""
        place = {name: number for number, name in enumerate(self.names)}
        by_recording = defaultdict(list)
        for name, span in spans:
            if name in place:
                by_recording[place[name]].append(span)
        out = np.zeros(len(self), dtype=bool)
        for number, found in by_recording.items():
            first, last = np.searchsorted(self.recording, [number, number + 1])
            start_s = self.start_s[first:last]
            for span in found:
                out[first:last] |= overlaps(start_s, self.clip_s, span)
        return out


def overlaps(start_s: np.ndarray, clip_s: float, span: Span) -> np.ndarray:
    """Return which windows share more than rounding with a span: bool, shape (N,)."""
    shared = np.minimum(start_s + clip_s, span.end_s) - np.maximum(start_s, span.start_s)
    return np.asarray(shared > _ROUNDED_S)


def window_starts(duration_s: float, clip_s: float, hop_s: float) -> list[float]:
    """Return the starts of a recording's windows, in order.

    A last window, moved back to end with the recording, takes up a rest of half a hop or more. A
    recording shorter than a clip is one window, if it fills half of it.
    """
    count = math.floor((duration_s - clip_s) / hop_s + 1e-9) + 1 if duration_s >= clip_s else 0
    starts = [to_microseconds(number * hop_s) for number in range(count)]
    rest_s = duration_s - (starts[-1] + clip_s if starts else 0.0)
    if rest_s >= _MIN_NEW * (hop_s if starts else clip_s):
        starts.append(to_microseconds(max(0.0, duration_s - clip_s)))
    return starts
