"""Recipes: sound described, not stored.

A recipe is frozen, hashable and serialisable, and renders to the same samples in any process and
any order: it has no state and draws no random number; whatever was drawn is in its fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer, beyond_clip
from negmine.recipes.source import Source

if TYPE_CHECKING:
    from negmine.arrays import FloatSamples
    from negmine.recipes.reader import Reader

# The kinds of recipe that negmine makes; `tp` are the confirmed calls kept for comparison.
KINDS = ("fp", "external", "mix", "erase", "transplant", "noise", "near", "agreed", "scene", "tp")


@dataclass(frozen=True)
class Recipe:
    """A clip: its layers, its length, and what is known of it.

    Attributes
    ----------
    kind : str
        The source of negatives it came from, one of `KINDS`.
    layers : tuple of Layer
        Each ``add`` starts a component, which the layers after it change; the components are
        summed.
    duration_s : float
    sample_rate : int
        Hz, unless rendering asks for another.
    labels : PartialLabels

    Raises
    ------
    ValueError
        If the layers make no sound: no ``add`` first, a ratio on the first component or none on
        another, a span that reaches beyond the clip.
    """

    kind: str
    layers: tuple[Layer, ...]
    duration_s: float
    sample_rate: int
    labels: PartialLabels

    def __post_init__(self) -> None:
        if not self.layers or self.layers[0].snr_db is not None:
            raise ValueError("a recipe needs layers, and the first has no snr_db")
        if self.layers[0].op != "add":
            raise ValueError(f"a recipe starts with 'add', not with '{self.layers[0].op}'")
        if any(la.snr_db is None for la in self.layers[1:] if la.op == "add"):
            raise ValueError("every 'add' after the first needs an snr_db")
        for la in self.layers:
            if beyond_clip(la.offset_s, la.length_s or 0.0, self.duration_s):
                end_s = la.offset_s + (la.length_s or 0.0)
                raise ValueError(
                    f"a layer placed from {la.offset_s:g} to {end_s:g} s reaches beyond the clip "
                    f"of {self.duration_s:g} s"
                )

    @cached_property
    def id(self) -> str:
        """Hash of what is heard: sources by their bytes, spans, levels, bands; not the labels."""
        from negmine.recipes.table import Recipes

        return Recipes.of([self]).ids[0]

    @property
    def components(self) -> list[tuple[Layer, ...]]:
        """The layers, component by component: each an ``add`` and what changes it."""
        parts: list[list[Layer]] = []
        for layer in self.layers:
            if layer.op == "add":
                parts.append([])
            parts[-1].append(layer)
        return [tuple(part) for part in parts]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources of all layers that have one."""
        return tuple(la.source for la in self.layers if la.source is not None)

    @property
    def groups(self) -> frozenset[str]:
        """Groups of all layers."""
        return frozenset(source.group for source in self.sources if source.group)

    def draws_on(self, names: frozenset[str]) -> bool:
        """Return whether any layer is from one of these recordings or groups, thus held out."""
        return any(source.is_of(names) for source in self.sources)

    def mix(self, other: Recipe, snr_db: float) -> Recipe:
        """Mix in another recipe at a signal-to-noise ratio; labels follow the algebra.

        The layers of both are joined, so that a mix of mixes is flat; what changes a component
        stays with it. ``snr_db`` is the ratio of this recipe's first component over the other's
        first.

        Raises
        ------
        ValueError
            If the two differ in length or sample rate.
        """
        mine, theirs = (self.duration_s, self.sample_rate), (other.duration_s, other.sample_rate)
        if mine != theirs:
            raise ValueError(f"cannot mix clips of {mine} and {theirs} (seconds, Hz)")
        from negmine.recipes.table import Recipes

        return Recipes.of([self, other]).mixed(np.array([[0, 1]]), np.array([[0.0, snr_db]]))[0]

    def render(self, sample_rate: int | None = None, reader: Reader | None = None) -> FloatSamples:
        """Render the clip's samples: see `negmine.recipes.render.render`."""
        from negmine.recipes.render import render

        return render(self, sample_rate, reader)
