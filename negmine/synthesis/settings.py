"""How synthesis searches."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from negmine.synthesis.moves import MoveRules


@dataclass(frozen=True)
class SynthesisSettings:
    """How synthesis searches.

    Attributes
    ----------
    budget : int
        Forwards: clips scored.
    seed : int
    per_class : int
        The lowest score of this many hardest of a class is the threshold.
    threshold : mapping of str to float
        By class, a score at or below which nothing is a find.
    classes : collection of str
        To find negatives of; empty: all.
    min_distance : float
        Nearer embeddings (1 - cosine similarity) are the same sound.
    max_doubt : float
        A clip that holds a class with a higher probability is neither parent nor find for it; see
        `negmine.synthesis.guard`.
    batch_size : int
    moves : MoveRules
    """

    budget: int
    seed: int = 0
    per_class: int = 50
    threshold: Mapping[str, float] = field(default_factory=dict)
    classes: Collection[str] = ()
    min_distance: float = 0.02
    max_doubt: float = 0.1
    batch_size: int = 32
    moves: MoveRules = field(default_factory=MoveRules)
