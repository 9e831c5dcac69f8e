"""Choosing for one class: from a ranked shortlist to what is kept, and why the rest was not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from negmine.mining.doubt import DoubtModel
from negmine.mining.known import KnownClass
from negmine.mining.nearest import call_similarity
from negmine.mining.rules.chain import Strategy
from negmine.mining.rules.duplicates import without_duplicates
from negmine.mining.rules.rule import Candidates
from negmine.mining.strata import Strata
from negmine.pool import Pool
from negmine.scores.embed import Scores
from negmine.scores.index import EmbeddingIndex

DOUBT, DUPLICATES = "doubt", "duplicates"
# The head of a shortlist that is looked at first, as a multiple of the rows wanted.
_HEAD = 2


@dataclass(frozen=True)
class Choice:
    """What became of a class's shortlist.

    Attributes
    ----------
    rows : int64 array, shape (n,)
        Kept, the best first.
    review : int64 array, shape (m,)
        Those ranked among them that are too likely to hold the class.
    walked : int
        Ranks looked at: as far as the last that was kept, or all where too few were.
    rejected : dict of str to int
        Of the ranks looked at, by rule, in the order of the rules.
    """

    rows: np.ndarray
    review: np.ndarray
    walked: int
    rejected: dict[str, int]

    def after(self, doubted: np.ndarray) -> Choice:
        """Return the same choice that counts, and reviews first, the rows doubted before it."""
        rejected = self.rejected | {DOUBT: self.rejected[DOUBT] + len(doubted)}
        review = np.append(doubted, self.review)
        return Choice(self.rows, review, self.walked + len(doubted), rejected)


class Chooser:
    """Takes a class's shortlist through doubt, near-duplicates and a strategy's rules.

    Parameters
    ----------
    min_distance : float
        Sounds nearer than this (1 - cosine) are duplicates: the better ranked is kept.
    max_doubt : float
        Above it, a row goes to review.
    """

    def __init__(
        self,
        pool: Pool,
        scores: Scores,
        doubt: DoubtModel,
        strata: Strata,
        strategy: Strategy,
        min_distance: float,
        max_doubt: float,
    ) -> None:
        self._pool, self._scores, self._doubt, self._strata = pool, scores, doubt, strata
        self._rules = [rule for rule in strategy.rules if rule.takes]
        self._min_distance, self._max_doubt = min_distance, max_doubt

    def choose(self, known: KnownClass, shortlist: np.ndarray, wanted: int) -> Choice:
        """Keep up to ``wanted`` rows of a shortlist, the best first."""
        # without rules that weigh all of it, its head mostly holds enough
        if not self._rules and len(shortlist) > (head := _HEAD * wanted):
            choice = self._choose(known, shortlist[:head], wanted)
            if len(choice.rows) == wanted:
                return choice
        return self._choose(known, shortlist, wanted)

    def _choose(self, known: KnownClass, shortlist: np.ndarray, wanted: int) -> Choice:
        embeddings = self._scores.embeddings(shortlist)
        logits = self._scores.logits(shortlist)[:, known.column]
        features = known.features(logits, call_similarity(embeddings, known.embeddings))
        confidence = self._pool.recipes.confidence(known.name, shortlist)
        stratum = self._strata.of(known.name, shortlist)
        doubted = self._doubt.probability(features, confidence, stratum) > self._max_doubt
        alive = np.flatnonzero(~doubted)
        reason = np.where(doubted, DOUBT, "").astype(object)

        def keep(rule: str, ranks: np.ndarray) -> None:
            nonlocal alive
            kept = alive[ranks]
            reason[np.setdiff1d(alive, kept)] = rule
            alive = kept

        here = embeddings[alive]
        near = EmbeddingIndex(here).within(here, self._min_distance)
        keep(DUPLICATES, without_duplicates(near, len(alive)))
        every = Candidates(embeddings, self._keys(known, shortlist))
        for rule in self._rules:
            keep(rule.name, rule.take(every.only(alive), wanted))
        chosen = alive[:wanted]
        last = int(chosen[-1]) + 1 if len(chosen) else 0
        walked = last if len(chosen) == wanted else len(shortlist)
        rules = dict.fromkeys([DOUBT, DUPLICATES, *(rule.name for rule in self._rules)])
        rejected = {rule: int((reason[:walked] == rule).sum()) for rule in rules}
        return Choice(shortlist[chosen], shortlist[:walked][doubted[:walked]], walked, rejected)

    def _keys(
        self, known: KnownClass, rows: np.ndarray
    ) -> Callable[[str], Sequence[Sequence[str]]]:
        @cache
        def keys(by: str) -> Sequence[Sequence[str]]:
            recipes = self._pool.recipes
            if by == "kind":
                return [(kind,) for kind in recipes.kinds[rows].tolist()]
            if by == "certificate":
                return [(str(one),) for one in recipes.certificates(known.name, rows).tolist()]
            if by == "source":
                made = recipes[rows]
                return [tuple(f"{s.root}/{s.name}" for s in recipe.sources) for recipe in made]
            return [tuple(groups) for groups in recipes.groups(rows)]

        return keys
