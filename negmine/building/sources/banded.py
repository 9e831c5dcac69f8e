"""What erasing and transplanting share: bands, and crops to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from negmine.annotations import Annotations
from negmine.annotations.class_bands import Band, class_bands
from negmine.arrays import BoolRows
from negmine.audio.dsp.band import TRANSITION_HZ
from negmine.building.sources.context import BuildContext
from negmine.building.sources.external import window_starts
from negmine.errors import InputError
from negmine.recipes.columns import offsets
from negmine.recipes.labels import PartialLabels
from negmine.recipes.recipe import Recipes, join_recipes


@dataclass(frozen=True)
class Bands:
    """The bands that may be erased.

    Attributes
    ----------
    edges : dict of str to (float, float)
        By class, in Hz; of all classes.
    names : tuple of str
        The classes whose band leaves enough of the spectrum.
    """

    edges: dict[str, Band]
    names: tuple[str, ...]

    @cached_property
    def low_hz(self) -> np.ndarray:
        return np.array([self.edges[name][0] for name in self.names])

    @cached_property
    def high_hz(self) -> np.ndarray:
        return np.array([self.edges[name][1] for name in self.names])

    def touched(self, name: str, others: Sequence[str]) -> list[str]:
        """Return the other classes whose bands the filter for one class's band reaches."""
        low, high = self.edges[name]
        return [
            other
            for other in others
            if other != name
            and other in self.edges
            and self.edges[other][0] < high + TRANSITION_HZ
            and self.edges[other][1] > low - TRANSITION_HZ
        ]


def usable_bands(context: BuildContext) -> Bands:
    """Return the bands of all classes; leave out, and count, those that are too wide.

    Raises
    ------
    InputError
        If every band is too wide.
    AnnotationError
        See `negmine.annotations.class_bands.class_bands`.
    """
    s = context.settings.bands
    nyquist = context.sample_rate / 2
    table = Path(s.table) if s.table else None
    annotations = context.annotations
    if table is None:
        # a class whose calls are all held out has no band to erase
        called = {box.label for box in annotations.confirmed}
        names = tuple(name for name in annotations.classes if name in called)
        annotations = Annotations(annotations.boxes, names)
    edges = class_bands(annotations, s.margin, table, nyquist)
    names = tuple(n for n, (low, high) in edges.items() if high - low <= s.widest * nyquist)
    if not names:
        name, (low, high) = min(edges.items(), key=lambda item: item[1][1] - item[1][0])
        raise InputError(
            f"no band can be erased: the narrowest, that of class '{name}', reaches from {low:g} "
            f"to {high:g} Hz of {nyquist:g} Hz, and --band-widest is {s.widest:g}; name narrower "
            "bands with --band-table, or lower --band-margin"
        )
    context.left_out["classes without a confirmed call that gives their band"] = len(
        context.classes
    ) - len(edges)
    context.left_out["classes whose band is too wide to be erased"] = len(edges) - len(names)
    return Bands(edges, names)


@dataclass(frozen=True)
class Crops:
    """Clips of one component and one label set each, to change.

    Attributes
    ----------
    recipes : Recipes
    calling : dict of str to int array
        By class, the rows of confirmed calls in which it is present.
    """

    recipes: Recipes
    calling: dict[str, np.ndarray]

    @classmethod
    def of(cls, context: BuildContext) -> Crops:
        """Collect confirmed calls, windows of unlabelled sound, and what is certified so far."""
        none = Recipes.empty(context.dictionaries)
        calls = join_recipes([none, *context.calls])
        rest = join_recipes([_unlabelled(context), context.certified])
        rows: dict[str, list[int]] = {}
        for row, number in enumerate(calls.of_first("label").tolist()):
            for name in context.dictionaries.labels[number].present:
                rows.setdefault(name, []).append(row)
        calling = {name: np.array(found) for name, found in rows.items()}
        return cls(join_recipes([calls, rest[_unchanged(rest)]]), calling)

    def draw(
        self,
        context: BuildContext,
        bands: Bands,
        count: int,
        own: float,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw rows, and for each the class whose band to remove: int arrays, shape (n,).

        Classes are drawn evenly. A share ``own`` are clips in which the class itself calls; the
        others are any in which it is not known to be absent, where nothing would be gained.
        """
        column = rng.integers(0, len(bands.names), count)
        rows = np.full(count, -1)
        if not len(self.recipes):
            return rows[:0], column[:0]
        # all classes at once: there may be 10,000
        calling = [self.calling.get(name, rows[:0]) for name in bands.names]
        counts = np.array([len(found) for found in calling])
        mine = np.flatnonzero((rng.random(count) < own) & (counts[column] > 0))
        at = (rng.random(len(mine)) * counts[column[mine]]).astype(np.int64)
        rows[mine] = np.concatenate(calling)[offsets(counts)[column[mine]] + at]
        for _ in range(_TRIES):
            open_rows = np.flatnonzero(rows < 0)
            drawn = rng.integers(0, len(self.recipes), len(open_rows))
            known = self._absent(context, bands, drawn, column[open_rows])
            rows[open_rows] = np.where(known, -1, drawn)
        return rows[rows >= 0], column[rows >= 0]

    def _absent(
        self, context: BuildContext, bands: Bands, rows: np.ndarray, column: np.ndarray
    ) -> np.ndarray:
        pairs, inverse = np.unique(
            np.stack([self.recipes.of_first("label")[rows], column]), axis=1, return_inverse=True
        )
        labels = context.dictionaries.labels
        known = [bands.names[c] in labels[n].absent for n, c in pairs.T.tolist()]
        return np.array(known, dtype=bool)[inverse.reshape(-1)]


# How often a clip holds a call of a class that is not known to call in it: less often than this,
# even in soundscapes dense with calls. Where there is no call, nothing can be left of one.
_HIDDEN = 0.1


def sure_gone(before: PartialLabels, name: str, confidence: float) -> float:
    """Return how sure it is that a class is gone with its band.

    Parameters
    ----------
    before : PartialLabels
        Of the clip with all its bands.
    name : str
    confidence : float
        That nothing is left to know a call by, where there was one.
    """
    return confidence if name in before.present else 1 - (1 - confidence) * _HIDDEN


# Draws per row before it is given up.
_TRIES = 20


def _unchanged(recipes: Recipes) -> BoolRows:
    """Return rows of one recorded component with all its bands: bool, shape (n,)."""
    d = recipes.dictionaries
    banded = d.clips.any_change(~np.isnan(d.clips.changes.values["low_hz"]))
    usable = ~banded & ~d.synthetic[d.clips.columns["source"]]
    first = recipes.uses.values["clip"][recipes.uses.starts[:-1]]
    return np.asarray((recipes.uses.counts == 1) & usable[first])


def _unlabelled(context: BuildContext) -> Recipes:
    """Return windows of unlabelled sound, of which nothing is known."""
    d = context.dictionaries
    windows = [Recipes.empty(d)]
    if context.unlabelled is not None:
        number = d.labels.number(PartialLabels())
        for name, info in context.unlabelled.infos.items():
            starts = window_starts(info.duration_s, context.settings.clip_s)
            few = int(not len(starts))
            context.left_out.of(name, "unlabelled recordings shorter than half a clip", few)
            source = d.sources.number(context.unlabelled.source(name))
            n = len(starts)
            windows.append(
                Recipes.plain(d, "crops", np.full(n, source), starts, np.full(n, number))
            )
    found = join_recipes(windows)
    return found[context.audible(found)]
