"""What the synthesis knows so far: parents to draw from, and the hard negatives found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from negmine.recipes.recipe import Recipe

# Parents an arm keeps, and how many of them may draw on one recording: else the offspring of one
# clip would soon be all there is.
BEAM = 32
_PER_GROUP = 4

# Of this many parents drawn the best becomes one: a pull towards high scores, not a law.
_TOURNAMENT = 3


@dataclass(frozen=True)
class ScoredRecipe:
    """A scored recipe.

    Attributes
    ----------
    logits : float32 array, shape (C,)
    """

    recipe: Recipe
    logits: np.ndarray

    @property
    def origins(self) -> frozenset[str]:
        """The groups of its sounds; generated sound is its own."""
        return self.recipe.groups or frozenset(source.name for source in self.recipe.sources)


@dataclass
class Beams:
    """Parents by class and kind, the highest-scoring first, no recording too often."""

    kept: dict[tuple[int, str], list[ScoredRecipe]] = field(default_factory=dict)

    def offer(self, column: int, clips: Sequence[ScoredRecipe]) -> None:
        """Offer clips, all certified free of a class, to its beams."""
        by_kind: dict[str, list[ScoredRecipe]] = {}
        for clip in clips:
            by_kind.setdefault(clip.recipe.kind, []).append(clip)
        for kind, offered in by_kind.items():
            known = [*self.kept.get((column, kind), []), *offered]
            known.sort(key=lambda clip: (-float(clip.logits[column]), clip.recipe.id))
            used: dict[str, int] = {}
            beam: list[ScoredRecipe] = []
            for clip in known:
                if all(used.get(group, 0) < _PER_GROUP for group in clip.origins):
                    beam.append(clip)
                    for group in clip.origins:
                        used[group] = used.get(group, 0) + 1
                if len(beam) == BEAM:
                    break
            self.kept[column, kind] = beam

    def has(self, column: int, kind: str) -> bool:
        """Return whether there are parents of a kind for a class."""
        return bool(self.kept.get((column, kind)))

    def kinds(self, column: int) -> list[str]:
        """Return kinds with parents for a class."""
        return sorted(kind for (of, kind), beam in self.kept.items() if of == column and beam)

    def draw(self, column: int, kind: str | None, rng: np.random.Generator) -> ScoredRecipe:
        """Draw a parent by tournament: of one kind, or of any, every kind as likely."""
        kinds = self.kinds(column)
        beam = self.kept[column, kind or kinds[int(rng.integers(len(kinds)))]]
        return beam[int(rng.integers(0, len(beam), _TOURNAMENT).min())]


@dataclass(frozen=True)
class HardNegative:
    """A hard negative of one class: its id, score, and where the model puts it."""

    recipe: str
    score: float
    embedding: np.ndarray


class Archive:
    """The hardest negatives of one class, no two of them nearly the same sound.

    Parameters
    ----------
    capacity : int
        How many are kept.
    threshold : float
        Nothing at or below it is kept.
    min_distance : float
        Nearer than this (1 - cosine similarity) are the same: the higher-scoring stays.
    """

    def __init__(self, capacity: int, threshold: float, min_distance: float) -> None:
        self._capacity, self._threshold, self._near = capacity, threshold, min_distance
        self.entries: list[HardNegative] = []
        self._embeddings = np.zeros((0, 0), dtype=np.float32)

    @property
    def threshold(self) -> float:
        """What a clip must score above: the threshold, or the worst of a full archive."""
        if len(self.entries) < self._capacity:
            return self._threshold
        return max(self._threshold, min(entry.score for entry in self.entries))

    def offer(self, recipe: str, score: float, embedding: np.ndarray) -> bool:
        """Take a clip in if it belongs; True where it is a find, and no better copy of one.

        Parameters
        ----------
        recipe : str
            Its id.
        embedding : float32 array, shape (D,)
            L2-normalised.
        """
        if not score > self.threshold:
            return False
        near: list[int] = []
        if self.entries:
            near = np.flatnonzero(self._embeddings @ embedding > 1.0 - self._near).tolist()
        if any(self.entries[i].score >= score for i in near):
            return False
        kept = [entry for i, entry in enumerate(self.entries) if i not in near]
        kept.append(HardNegative(recipe, score, embedding))
        kept.sort(key=lambda entry: (-entry.score, entry.recipe))
        self.entries = kept[: self._capacity]
        self._embeddings = np.stack([entry.embedding for entry in self.entries])
        return not near
