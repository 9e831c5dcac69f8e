"""Synthesis: a search, within a budget of model forwards, for certified negatives that score high.

What scores high is mixed, transplanted and shifted with what scores high; labels follow from the
algebra, never from the score. The best of it become parents in turn. A bandit over arms (kind
of the parent, class, move) spends the budget where it finds most. One further arm for each kind
scores rows of the pool that have no score yet, so that a search can start from no scores.

A *find* is a clip certified free of a class that scores above the class's threshold and is no near
copy of what is known there already. The threshold is the lowest score of the class's ``per_class``
hardest so far, and at least ``above`` of the settings. What may well hold the class after all
is refused by a *guard* (`negmine.synthesis.guard`): it is neither parent nor find, and no part of
the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from negmine.errors import ModelError, PoolError, did_you_mean
from negmine.models.scorer import Scorer
from negmine.pool import Pool, check_classes
from negmine.recipes.reader import Reader
from negmine.recipes.recipe import Recipe
from negmine.recipes.render import SilentError, render
from negmine.scores.embed import Scores
from negmine.synthesis.archive import BEAM, Archive, Beams, ScoredRecipe
from negmine.synthesis.arms import EXPLORE, Proposal, Proposer, arms_of, factors
from negmine.synthesis.bandit import Bandit
from negmine.synthesis.found import Find, Product, Synthesised
from negmine.synthesis.guard import fit_guard
from negmine.synthesis.moves import MoveRules
from negmine.synthesis.roots import hardest_roots
from negmine.synthesis.settings import SynthesisSettings

# Tries between one look at what was found and the next. Fixed, so that what is found does not
# depend on the size of the batches that are scored.
GENERATION = 64

# Rounds of proposals for one generation before it goes with what it has.
_ROUNDS = 8

# Offspring is as good as its parents: while fewer rows of the pool are scored than this share of
# the budget, rows of the pool are all that is tried.
_ROOTS = 0.25

# A call of `OnScored`: recipes, unit embeddings (n, D), logits (n, C), all in order.
OnScored = Callable[[Sequence[Recipe], np.ndarray, np.ndarray], object]

# Scores of a pool's rows, and of its confirmed calls.
Known = tuple[Scores, Scores | None]


def synthesise(
    scorer: Scorer,
    pool: Pool,
    settings: SynthesisSettings,
    rules: MoveRules | None = None,
    *,
    floors: Mapping[str, float] | None = None,
    known: Known | None = None,
    reader: Reader | None = None,
    on_scored: OnScored = lambda recipes, embeddings, logits: None,
) -> Synthesised:
    """Search for certified negatives that score high; the pool is only read.

    Parameters
    ----------
    rules : MoveRules, optional
        See `negmine.synthesis.into_pool.rules_for`.
    floors : mapping of str to float, optional
        For some classes, what takes the place of ``settings.above``.
    known : (Scores, Scores or None), optional
        Of the pool's rows, what the search starts from, and of its confirmed calls: with both,
        doubt is fitted as in mining, and the guard works.
    reader : Reader, optional
        Where sound is read from; from its files by default.
    on_scored : callable
        Called with recipes, their unit embeddings and their logits as they are scored.

    Raises
    ------
    ModelError
        If the model returns NaN.
    PoolError
        If model and pool have different classes, or a class of the settings is unknown.
    """
    rules, floors = rules or MoveRules(), floors or {}
    search = _Search(scorer, pool, settings, rules, floors, known, reader)
    stopped = False
    try:
        while search.forwards < settings.budget:
            proposals, waveforms = search.propose()
            if not proposals:
                break
            search.learn(proposals, *search.score(waveforms), on_scored)
    except KeyboardInterrupt:
        stopped = True
    return search.result(stopped)


class _Search:
    """The state of a search."""

    def __init__(
        self,
        scorer: Scorer,
        pool: Pool,
        settings: SynthesisSettings,
        rules: MoveRules,
        floors: Mapping[str, float],
        known: Known | None,
        reader: Reader | None,
    ) -> None:
        check_classes(scorer.classes, pool.classes, f"pool {pool.path} does not fit the model")
        classes = scorer.classes
        scores, calls = known or (None, None)
        wanted = settings.classes or classes
        for name in (*wanted, *floors):
            if name not in classes:
                raise PoolError(f"no class '{name}'{did_you_mean(name, classes)}")
        self._scorer, self._pool, self._settings, self._reader = scorer, pool, settings, reader
        self._names = {column: name for column, name in enumerate(classes) if name in wanted}
        above = -math.inf if settings.above is None else settings.above
        self._archives = {
            column: Archive(settings.per_class, floors.get(name, above), settings.min_distance)
            for column, name in self._names.items()
        }
        held_out = pool.recipes.draws_on(scorer.held_out)
        self._certified = {
            column: np.flatnonzero((pool.confidence(name) > 0) & ~held_out)
            for column, name in self._names.items()
        }
        unscored = np.zeros(len(pool), dtype=bool)
        if scores is None:
            for certified in self._certified.values():
                unscored[certified] = True
        doubt_rng = np.random.default_rng([settings.seed, *b"doubt"])
        self._guard = fit_guard(scorer, pool, settings.max_doubt, scores, calls, doubt_rng)
        self._rng = np.random.default_rng([settings.seed, *b"synthesis"])
        self._beams = Beams()
        kinds = sorted({*pool.recipes.count_kinds(), "mix", "transplant"})
        self._arms = arms_of(kinds, list(self._names.values()))
        self._bandit = Bandit(factors(self._arms))
        self._proposer = Proposer(
            pool,
            classes,
            self._arms,
            self._beams,
            rules,
            np.flatnonzero(unscored),
            scorer.held_out,
            self._rng,
        )
        self._products: dict[str, Product] = {}
        self._finds: list[Find] = []
        self._roots = 0 if scores is None else len(pool)
        self.forwards = 0
        if scores is not None:
            self._start(scores)

    def _start(self, scores: Scores) -> None:
        """Take in what is known of the pool's rows: the hardest of each class and kind."""
        enough = max(self._settings.per_class, BEAM)
        for column, certified in self._certified.items():
            roots = hardest_roots(
                self._pool,
                self._names[column],
                column,
                certified,
                scores,
                self._guard,
                enough,
            )
            if not len(roots):
                continue
            logits, embeddings = scores.logits(roots), scores.embeddings(roots)
            recipes = list(self._pool.recipes[roots])
            self._beams.offer(
                column, [ScoredRecipe(*one) for one in zip(recipes, logits, strict=True)]
            )
            for i in np.argsort(-logits[:, column], kind="stable").tolist():
                score = float(logits[i, column])
                self._archives[column].offer(recipes[i].id, score, embeddings[i])

    def propose(self) -> tuple[list[Proposal], list[np.ndarray]]:
        """Propose the next generation and its waveforms; fewer where the budget or ideas end."""
        count = min(GENERATION, self._settings.budget - self.forwards)
        proposals: list[Proposal] = []
        waveforms: list[np.ndarray] = []
        for _ in range(_ROUNDS):
            open_arms = self._proposer.open_arms()
            exploring = np.array([f.move == EXPLORE for f in self._arms])
            if self._roots < _ROOTS * self._settings.budget and open_arms[exploring].any():
                open_arms &= exploring
            if len(proposals) == count or not open_arms.any():
                break
            drawn = self._bandit.choose(self._rng, count - len(proposals), open_arms)
            made = [p for number in drawn.tolist() if (p := self._proposer.propose(number))]
            with ThreadPoolExecutor(2) as threads:
                for proposal, samples in zip(made, threads.map(self._rendered, made), strict=True):
                    if samples is not None:
                        proposals.append(proposal)
                        waveforms.append(samples)
        return proposals, waveforms

    def _rendered(self, proposal: Proposal) -> np.ndarray | None:
        """Render samples; None for what holds a silent part, to which no ratio is defined."""
        try:
            return render(proposal.recipe, self._scorer.sample_rate, self._reader)
        except SilentError:
            return None

    def score(self, waveforms: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Compute unit embeddings and logits of clips, batch by batch."""
        size = self._settings.batch_size
        batches = (np.stack(waveforms[i : i + size]) for i in range(0, len(waveforms), size))
        parts = [self._scorer.score(batch) for batch in batches]
        embeddings, logits = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        if not (np.isfinite(embeddings).all() and np.isfinite(logits).all()):
            raise ModelError("the model returned NaN or infinite values; was training stable?")
        norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
        return embeddings / np.maximum(norms, 1e-12), logits

    def learn(
        self,
        proposals: Sequence[Proposal],
        embeddings: np.ndarray,
        logits: np.ndarray,
        on_scored: OnScored,
    ) -> None:
        """Take in a generation: finds, new parents, and what its arms are worth."""
        found = np.zeros(len(proposals))
        refused = self._refused(proposals, embeddings, logits)
        offered: dict[int, list[ScoredRecipe]] = {column: [] for column in self._names}
        for i, proposal in enumerate(proposals):
            self.forwards += 1
            self._roots += not proposal.parents
            recipe, arm = proposal.recipe, self._arms[proposal.arm]
            for column, name in self._names.items():
                if name not in recipe.labels.absent:
                    continue
                score, archive = float(logits[i, column]), self._archives[column]
                if arm.label in ("", name):
                    arm.best = max(arm.best, score)
                if arm.label == name:
                    self._products[recipe.id] = Product(
                        recipe, proposal.parents, arm.move, name, score
                    )
                if (i, column) in refused:
                    continue
                offered[column].append(ScoredRecipe(recipe, logits[i]))
                # while anything will do, a find says nothing of its arm
                earned = math.isfinite(archive.threshold)
                if archive.offer(recipe.id, score, embeddings[i]):
                    self._finds.append(Find(recipe.id, name, score, self.forwards))
                    arm.found += 1
                    found[i] += earned
            arm.forwards += 1
        for column, clips in offered.items():
            self._beams.offer(column, clips)
        self._bandit.learn(np.array([proposal.arm for proposal in proposals]), found)
        on_scored([proposal.recipe for proposal in proposals], embeddings, logits)

    def _refused(
        self, proposals: Sequence[Proposal], embeddings: np.ndarray, logits: np.ndarray
    ) -> set[tuple[int, int]]:
        """Find which clips of a generation the guard refuses: places, and the classes' columns."""
        refused = set()
        for column, name in self._names.items():
            rows = [i for i, p in enumerate(proposals) if name in p.recipe.labels.absent]
            doubtful = self._guard.refuses(
                column,
                [proposals[i].recipe.id for i in rows],
                np.array([proposals[i].recipe.labels.absent[name].confidence for i in rows]),
                logits[rows, column],
                embeddings[rows],
                [proposals[i].parents for i in rows],
            )
            refused |= {(rows[at], column) for at in np.flatnonzero(doubtful)}
        return refused

    def result(self, stopped: bool) -> Synthesised:
        """Return the result of the search."""
        hardest = {entry.recipe for a in self._archives.values() for entry in a.entries}
        kept = tuple(p for key, p in self._products.items() if key in hardest)
        needed: set[str] = set()
        waiting = [product.recipe.id for product in kept]
        while waiting:
            key = waiting.pop()
            if key in self._products and key not in needed:
                needed.add(key)
                waiting += self._products[key].parents
        tried = [arm for arm in self._arms if arm.forwards]
        return Synthesised(
            kept=kept,
            lineage=tuple(p for key, p in self._products.items() if key in needed),
            finds=tuple(self._finds),
            arms=tuple(sorted(tried, key=lambda f: (-f.found, f.forwards))),
            forwards=self.forwards,
            refused=frozenset((key, self._names[of]) for key, of in self._guard.refused),
            doubt_auc=self._guard.auc,
            stopped=stopped,
        )
