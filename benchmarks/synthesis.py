"""What synthesis finds for a forward, against scoring a pool at random and mixing at random.

    python -m benchmarks.synthesis POOL MODEL --tp TP.csv --fp FP.csv

Every arm scores as many clips. A find is a pair of a clip and a class that it is certified free
of, scoring above the class's threshold: a quantile of the pool's own certified clips, or the median
confirmed call. Variants of one clip must not count as many, so finds are counted four times: all;
those no two of which are nearer than 0.02 in embedding space; those of different sets of
recordings; and those that have no recording in common at all. From the pool's scores the search
runs once for each `--max-doubt`; what its guard refuses is no find. With `--truth`, tables of all
events of the recordings (RFCX's columns), the finds are audited for calls that the certificates
missed, as in `benchmarks.certificates`; nothing is searched with it. With `--per-class` the search
runs as the command does: the threshold is the lowest of the class's own hardest, and rises.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import numpy as np

from benchmarks.certificates import Auditor, read_events
from negmine.annotations import read_rfcx
from negmine.limits import MOST_ROWS
from negmine.models.scorer import Scorer, load_scorer
from negmine.pool import Pool, open_pool
from negmine.recipes.cache import find_cache
from negmine.recipes.reader import Reader
from negmine.recipes.recipe import Recipe
from negmine.recipes.render import SilentError, render
from negmine.scores.embed import Scores, score_pool
from negmine.synthesis.into_pool import rules_for
from negmine.synthesis.moves import MoveRules, mix
from negmine.synthesis.settings import SynthesisSettings
from negmine.synthesis.synthesise import synthesise

NEAR = 0.02


@dataclass(frozen=True)
class Found:
    """A clip that was scored: its scores, its unit embedding, the classes it was refused for."""

    recipe: Recipe
    logits: np.ndarray
    embedding: np.ndarray
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bench:
    """What all arms share."""

    pool: Pool
    scorer: Scorer
    scores: Scores
    calls: Scores
    thresholds: np.ndarray
    reader: Reader | None
    budget: int
    usable: np.ndarray

    def random(self, seed: int) -> list[Found]:
        """Draw rows of the pool at random, none twice."""
        rng = np.random.default_rng([seed, 1])
        count = min(self.budget, len(self.usable))
        rows = rng.choice(self.usable, count, replace=False)
        logits, embeddings = self.scores.logits(rows), self.scores.embeddings(rows)
        recipes = (self.pool.recipes[row] for row in rows.tolist())
        return [Found(r, *pair) for r, *pair in zip(recipes, logits, embeddings, strict=True)]

    def mixes(self, seed: int) -> list[Found]:
        """Mix random rows that are certified free of a class in common."""
        rng = np.random.default_rng([seed, 2])
        made: list[Recipe] = []
        rules = MoveRules()
        while len(made) < self.budget:
            one, other = (self.pool.recipes[int(row)] for row in rng.choice(self.usable, 2))
            mixed = mix(one, other, rules, rng)
            if mixed is not None and mixed.labels.absent:
                made.append(mixed)
        return self.score(made)

    def synthesis(
        self, seed: int, rules: MoveRules, max_doubt: float = 1.0, *, warm: bool = True
    ) -> list[Found]:
        """Search cold: pay for what it learns of the pool, too, and use no guard."""
        settings = SynthesisSettings(
            budget=self.budget, seed=seed, per_class=MOST_ROWS, max_doubt=max_doubt
        )
        scored: list[Found] = []

        def keep(recipes: Sequence[Recipe], embeddings: np.ndarray, logits: np.ndarray) -> None:
            scored.extend(map(Found, recipes, logits, embeddings))

        done = synthesise(
            self.scorer,
            self.pool,
            settings,
            rules,
            floors=dict(zip(self.scorer.classes, self.thresholds.tolist(), strict=True)),
            known=(self.scores, self.calls) if warm else None,
            reader=self.reader,
            on_scored=keep,
        )
        for arm in done.arms[:12]:
            click.echo(f"  {arm}", err=True)
        refused = defaultdict(set)
        for recipe, label in done.refused:
            refused[recipe].add(label)
        return [replace(f, refused=frozenset(refused[f.recipe.id])) for f in scored]

    def commanded(
        self, seed: int, rules: MoveRules, per_class: int, max_doubt: float, auditor: Auditor
    ) -> list[float]:
        """Count finds, those without a call, the share of others, refusals; the threshold rises."""
        recipes: dict[str, Recipe] = {}
        settings = SynthesisSettings(
            budget=self.budget, seed=seed, per_class=per_class, max_doubt=max_doubt
        )
        done = synthesise(
            self.scorer,
            self.pool,
            settings,
            rules,
            known=(self.scores, self.calls),
            reader=self.reader,
            on_scored=lambda made, *scores: recipes.update((one.id, one) for one in made),
        )
        wrong = sum(auditor.contradicts(recipes[f.recipe], f.label) for f in done.finds)
        total = len(done.finds)
        return [total, total - wrong, wrong / max(total, 1), len(done.refused)]

    def score(self, recipes: Sequence[Recipe]) -> list[Found]:
        out: list[Found] = []
        for first in range(0, len(recipes), 32):
            batch = []
            for recipe in recipes[first : first + 32]:
                try:
                    batch.append((recipe, render(recipe, self.scorer.sample_rate, self.reader)))
                except SilentError:
                    continue
            embeddings, logits = self.scorer.score(np.stack([samples for _, samples in batch]))
            embeddings = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
            out += [
                Found(recipe, *pair)
                for (recipe, _), *pair in zip(batch, logits, embeddings, strict=True)
            ]
        return out

    def count(self, scored: Sequence[Found]) -> dict[str, float]:
        """Count finds for 1,000 forwards, in each way, and classes with ten or more."""
        total = {"all": 0, "apart": 0, "sets": 0, "disjoint": 0, "classes": 0}
        for column, name in enumerate(self.scorer.classes):
            finds = self.finds(scored, column, name)
            apart = _apart(finds)
            total["all"] += len(finds)
            total["apart"] += apart
            total["sets"] += len({found.recipe.groups for found in finds})
            total["disjoint"] += _disjoint(finds)
            total["classes"] += apart >= 10
        each = 1000 / len(scored)
        return {k: v if k == "classes" else v * each for k, v in total.items()}

    def finds(self, scored: Sequence[Found], column: int, name: str) -> list[Found]:
        """Return those of one class, the hardest first."""
        threshold = self.thresholds[column]
        found = [
            f
            for f in scored
            if f.logits[column] > threshold
            and name in f.recipe.labels.absent
            and name not in f.refused
        ]
        return sorted(found, key=lambda f: -float(f.logits[column]))

    def hidden(self, scored: Sequence[Found], auditor: Auditor) -> float:
        """Share of finds in which the truth has the class after all."""
        found = [
            auditor.contradicts(found.recipe, name)
            for column, name in enumerate(self.scorer.classes)
            for found in self.finds(scored, column, name)
        ]
        return float(np.mean(found)) if found else float("nan")


def _apart(finds: Sequence[Found]) -> int:
    """Take finds greedily from the hardest: no two of which are nearer than `NEAR`."""
    kept: list[np.ndarray] = []
    for found in finds:
        if not kept or float((np.stack(kept) @ found.embedding).max()) <= 1 - NEAR:
            kept.append(found.embedding)
    return len(kept)


def _disjoint(finds: Iterable[Found]) -> int:
    """Take finds greedily from the hardest: no two of which share a recording."""
    used: set[str] = set()
    count = 0
    for found in finds:
        names = {source.name for source in found.recipe.sources}
        if not names & used:
            used |= names
            count += 1
    return count


@click.command(help=__doc__)
@click.argument("pool", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--tp", type=click.Path(path_type=Path))
@click.option("--fp", type=click.Path(path_type=Path))
@click.option("--truth", type=click.Path(path_type=Path), multiple=True)
@click.option("--budget", default=2000, show_default=True)
@click.option("--quantile", default=0.99, show_default=True)
@click.option("--calls", is_flag=True, help="The threshold: the median confirmed call.")
@click.option("--max-doubt", type=float, multiple=True, default=(1.0, 0.1), show_default=True)
@click.option(
    "--per-class",
    default=0,
    help="The threshold: the lowest score of this many hardest of a class.",
)
@click.option("--seeds", default=3, show_default=True)
@click.option("--scores", type=click.Path(path_type=Path), help="Kept between runs.")
@click.option("--device", default="auto", show_default=True)
def main(
    pool: Path,
    model: Path,
    tp: Path | None,
    fp: Path | None,
    truth: tuple[Path, ...],
    budget: int,
    quantile: float,
    calls: bool,
    max_doubt: tuple[float, ...],
    per_class: int,
    seeds: int,
    scores: Path | None,
    device: str,
) -> None:
    opened, scorer = open_pool(pool), load_scorer(model, device)
    reader, _ = find_cache(pool, opened.sources, scorer.sample_rate, None)
    rules = rules_for(opened, read_rfcx(tp, fp) if tp else None)
    with tempfile.TemporaryDirectory() as temporary:
        folder = scores or Path(temporary)
        known, of_calls = score_pool(scorer, opened, folder, reader=reader)
        free = ~opened.recipes.draws_on(scorer.held_out)
        thresholds, certified = [], np.zeros(len(opened), dtype=bool)
        for column, name in enumerate(scorer.classes):
            rows = np.flatnonzero((opened.confidence(name) > 0) & free)
            certified[rows] = True
            values = known.logits(rows)[:, column]
            if calls:
                values = of_calls.logits(np.flatnonzero(opened.calls.present(name)))[:, column]
            thresholds.append(np.median(values) if calls else np.quantile(values, quantile))
        bench = Bench(
            opened, scorer, known, of_calls, np.array(thresholds), reader, budget,
            np.flatnonzero(certified),
        )  # fmt: skip
        arms: dict[str, Callable[[int], list[Found]]] = {
            "random rows of the pool": bench.random,
            "random mixes": bench.mixes,
            "synthesis, from nothing": partial(bench.synthesis, rules=rules, warm=False),
        }
        for limit in max_doubt:
            arms[f"synthesis, from the pool's scores, doubt up to {limit:g}"] = partial(
                bench.synthesis, rules=rules, max_doubt=limit
            )
        auditor = Auditor(read_events(truth))
        if per_class:
            click.echo("| doubt up to | finds | the class not there | there after all | refused |")
            click.echo("|--:|--:|--:|--:|--:|")
            for limit in max_doubt:
                done = [bench.commanded(s, rules, per_class, limit, auditor) for s in range(seeds)]
                finds, right, share, refused = np.mean(done, axis=0)
                cells = f"{limit:g} | {finds:.0f} | {right:.0f} | {share:.1%} | {refused:.0f}"
                click.echo(f"| {cells} |")
            return
        header = "| finds for 1,000 forwards | all | 0.02 apart | sets of recordings | disjoint "
        click.echo(header + "| classes with 10 | class there after all |")
        click.echo("|---|--:|--:|--:|--:|--:|--:|")
        for title, arm in arms.items():
            counts, hidden = [], []
            for seed in range(seeds):
                scored = arm(seed)
                counts.append(list(bench.count(scored).values()))
                hidden.append(bench.hidden(scored, auditor))
            cells = " | ".join(f"{value:.0f}" for value in np.mean(counts, axis=0))
            share = f"{np.nanmean(hidden):.1%}" if truth else ""
            click.echo(f"| {title} | {cells} | {share} |")
    click.echo(f"\n{len(opened)} rows, {len(bench.usable)} of them usable; budget {budget}.")


if __name__ == "__main__":
    main()
