"""What a search gives: products, finds, and what its arms cost."""

from __future__ import annotations

from dataclasses import dataclass

from negmine.recipes.recipe import Recipe
from negmine.synthesis.arms import Arm


@dataclass(frozen=True)
class Product:
    """A recipe that the search made.

    Attributes
    ----------
    parents : tuple of str
        Ids.
    label : str
        The class it was made for.
    score : float
        For that class.
    """

    recipe: Recipe
    parents: tuple[str, ...]
    move: str
    label: str
    score: float


@dataclass(frozen=True)
class Find:
    """A certified hard negative: recipe, class, score, and the forward that found it, from 1."""

    recipe: str
    label: str
    score: float
    forward: int


@dataclass(frozen=True)
class Synthesised:
    """What a search gave.

    Attributes
    ----------
    kept : tuple of Product
        Those that are among their classes' hardest in the end.
    lineage : tuple of Product
        All products that those are made of, themselves included, in the order of their making.
    finds : tuple of Find
        Rows of the pool that the search scored are among them.
    arms : tuple of Arm
        That were tried, those that found most first.
    refused : frozenset of (str, str)
        Ids and classes of clips that may hold the class: of the pool's rows that the search looked
        at for a start, and of what it scored.
    doubt_auc : float, optional
        How well doubt tells confirmed calls from rejected detections, see `negmine.mining.doubt`;
        None where there were no scores or too few clips to fit it on, and nothing was refused.
    stopped : bool
        By Ctrl-C.
    """

    kept: tuple[Product, ...]
    lineage: tuple[Product, ...]
    finds: tuple[Find, ...]
    arms: tuple[Arm, ...]
    forwards: int
    refused: frozenset[tuple[str, str]]
    doubt_auc: float | None
    stopped: bool
