"""Arms of the search, and what they propose: a kind of parent, a class, a move."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from negmine.pool import Pool
from negmine.recipes.recipe import Recipe
from negmine.synthesis.archive import Beams
from negmine.synthesis.moves import MoveRules, late, level, mix, shift, transplant

MOVES = ("mix", "level", "late", "shift", "transplant")
EXPLORE = "explore"

# Draws of parents before an arm gives up on a proposal.
_DRAWS = 8

# Share of transplants whose crop is a confirmed call of the class, where there is one.
_OWN_CALLS = 0.5

_ALONE: Mapping[str, Callable[[Recipe, MoveRules, np.random.Generator], Recipe | None]] = {
    "level": level,
    "late": late,
    "shift": shift,
}


@dataclass
class Arm:
    """An arm of the search, what it cost and what it gave.

    Attributes
    ----------
    kind : str
        Of the parent; for a transplant, of what gives the band.
    label : str
        The class; empty for `EXPLORE`, which tries a row of the pool for all of them.
    move : str
        One of `MOVES`, or `EXPLORE`.
    forwards, found : int
        Clips scored, and finds of any class among them.
    best : float
        The highest score, of the arm's class.
    """

    kind: str
    label: str
    move: str
    forwards: int = 0
    found: int = 0
    best: float = -math.inf


def arms_of(kinds: Sequence[str], classes: Sequence[str]) -> list[Arm]:
    """List all arms of some kinds and classes."""
    made = [Arm(kind, name, move) for kind in kinds for name in classes for move in MOVES]
    return made + [Arm(kind, "", EXPLORE) for kind in kinds]


def factors(arms: Sequence[Arm]) -> np.ndarray:
    """Return each arm's kind, class and move as numbers: int64, shape (A, 3)."""
    columns = zip(*((f.kind, f.label, f.move) for f in arms), strict=True)
    return np.stack([np.unique(column, return_inverse=True)[1] for column in columns], axis=1)


@dataclass(frozen=True)
class Proposal:
    """A recipe to be scored.

    Attributes
    ----------
    parents : tuple of str
        Ids; none for a row of the pool.
    """

    recipe: Recipe
    parents: tuple[str, ...]
    arm: int


class Proposer:
    """Makes proposals: each new, certified free of its arm's class, of usable parents.

    Parameters
    ----------
    classes : sequence of str
        The model's.
    beams : Beams
        The parents.
    unscored : int array
        Rows of the pool to explore.
    held_out : frozenset of str
        Groups whose calls are no crops for transplants.
    """

    def __init__(
        self,
        pool: Pool,
        classes: Sequence[str],
        arms: Sequence[Arm],
        beams: Beams,
        rules: MoveRules,
        unscored: np.ndarray,
        held_out: frozenset[str],
        rng: np.random.Generator,
    ) -> None:
        self._pool, self._arms, self._beams = pool, arms, beams
        self._rules, self._rng = rules, rng
        self._columns = {name: column for column, name in enumerate(classes)}
        self._known = {one.tobytes() for one in pool.recipes.ids.raw}
        kinds = pool.recipes.kinds[unscored]
        # the next one last
        self._unscored = {
            str(kind): rng.permutation(unscored[kinds == kind]).tolist()
            for kind in np.unique(kinds)
        }
        free = ~pool.calls.draws_on(held_out)
        self._calls = {name: (of := pool.calls_of(name))[free[of]] for name in classes}

    def open_arms(self) -> np.ndarray:
        """Return which arms have something to try: bool, shape (A,)."""
        return np.array([self._is_open(arm) for arm in self._arms], dtype=bool)

    def _is_open(self, arm: Arm) -> bool:
        if arm.move == EXPLORE:
            return bool(self._unscored.get(arm.kind))
        if arm.move == "transplant" and self._rules.bands is None:
            return False
        return self._beams.has(self._columns[arm.label], arm.kind)

    def propose(self, number: int) -> Proposal | None:
        """Propose by one arm; None where its draws gave nothing new that is certified."""
        arm = self._arms[number]
        if arm.move == EXPLORE:
            waiting = self._unscored.get(arm.kind)
            return Proposal(self._pool.recipes[waiting.pop()], (), number) if waiting else None
        for _ in range(_DRAWS):
            made, parents = self._made(arm)
            # what it is free of follows from its parts; a class that is unknown then is not a find
            if made is None or arm.label not in made.labels.absent:
                continue
            key = bytes.fromhex(made.id)
            if key not in self._known:
                self._known.add(key)
                return Proposal(made, parents, number)
        return None

    def _made(self, arm: Arm) -> tuple[Recipe | None, tuple[str, ...]]:
        rules, rng, column = self._rules, self._rng, self._columns[arm.label]
        parent = self._beams.draw(column, arm.kind, rng).recipe
        if arm.move in _ALONE:
            return _ALONE[arm.move](parent, rules, rng), (parent.id,)
        other = self._beams.draw(column, None, rng).recipe
        if arm.move == "mix":
            # the first keeps its level where the whole is not too loud
            first, second = (parent, other) if rng.random() < 0.5 else (other, parent)
            return mix(first, second, rules, rng), (first.id, second.id)
        calls = self._calls[arm.label]
        if len(calls) and rng.random() < _OWN_CALLS:
            other = self._pool.calls[int(rng.choice(calls))]
        return transplant(other, parent, arm.label, rules, rng), (other.id, parent.id)
