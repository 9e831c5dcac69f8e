"""How many rows of a pool hold the class after all, among those claimed at some doubt.

    python -m benchmarks.doubt DATA --pool POOL --model MODEL --out WORK

DATA is in RFCX's layout with every call of its recordings in train_events.csv (and
unlabelled_events.csv), which neither pool nor model ever sees. Rows are looked at class by class:
the hardest, from which mining chooses, and others at random. A claim is contradicted by the rule of
`benchmarks.certificates`. External sound is taken to hold no call.

With --verdicts N, a listener who makes no mistake has heard N rows of each kind of claim: drawn at
random, or among the hardest with --hear hardest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import pandas as pd

from benchmarks.certificates import Auditor, read_events
from negmine.cli.console import Bars
from negmine.mining.doubt import DoubtModel
from negmine.mining.fitting import claims_of, fit_doubt
from negmine.mining.known import KnownCalls, know_calls
from negmine.mining.strata import Heard, Strata
from negmine.models.scorer import load_scorer
from negmine.pool import Pool, open_pool
from negmine.recipes.certificates import CERTIFICATES
from negmine.scores.embed import Scores, score_pool

EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0)


@dataclass(frozen=True)
class Audited:
    """A pool that a model has scored, and the truth about it."""

    pool: Pool
    scores: Scores
    known: list[KnownCalls]
    held_out: frozenset[str]
    auditor: Auditor

    @classmethod
    def of(cls, data: Path, pool_path: Path, model: Path, out: Path, bars: Bars) -> Audited:
        """Score a pool; scores are kept in WORK."""
        pool, scorer = open_pool(pool_path), load_scorer(model, "cpu")
        advance = bars("scoring", len(pool) + len(pool.calls), "clip")
        scores, calls = score_pool(scorer, pool, out / "scores", on_rows=advance)
        tables = [data / f"{part}_events.csv" for part in ("train", "unlabelled")]
        confirmed = {(c.layers[0], name) for c in pool.calls for name in c.labels.present}
        auditor = Auditor(read_events(path for path in tables if path.exists()), confirmed)
        known = know_calls(pool, scorer.classes, calls)
        return cls(pool, scores, known, scorer.held_out, auditor)

    def rows(self, top: int) -> pd.DataFrame:
        """List rows with the truth: the hardest of each class, and random ones."""
        rng = np.random.default_rng(1)
        table, may = self.pool.recipes, ~self.pool.recipes.draws_on(self.held_out)
        found = []
        for one in self.known:
            free = np.flatnonzero((table.confidence(one.name) > 0) & may)
            logits = self.scores.logits(free)[:, one.column]
            hardest = free[np.argsort(-logits, kind="stable")][:top]
            for what, rows in (("hardest", hardest), ("random", rng.permutation(free)[:top])):
                numbers = table.certificates(one.name, rows).tolist()
                columns = {
                    "rows": what,
                    "class": one.name,
                    "row": rows,
                    "recipe": list(table.ids[rows]),
                    "kind": table.kinds[rows],
                    "certificate": [CERTIFICATES[number].value for number in numbers],
                    "certified": 1 - table.confidence(one.name, rows),
                    "present": [self.auditor.contradicts(r, one.name) for r in table[rows]],
                }
                found.append(pd.DataFrame(columns))
        return pd.concat(found, ignore_index=True)

    def fit(self, heard: list[Heard]) -> tuple[DoubtModel, Strata]:
        rng = np.random.default_rng(0)
        return fit_doubt(self.pool, self.known, self.scores, self.held_out, rng, heard)

    def doubts(self, doubt: DoubtModel, strata: Strata, found: pd.DataFrame) -> np.ndarray:
        """Return the doubt of each listed row."""
        out = np.zeros(len(found))
        for one in self.known:
            own = np.flatnonzero(found["class"] == one.name)
            rows = found["row"].to_numpy()[own]
            out[own] = doubt.probability(*claims_of(self.pool, one, self.scores, strata, rows))
        return out


def listen(found: pd.DataFrame, what: str, count: int, seed: int) -> list[Heard]:
    """Draw rows of each kind of claim, and hear them without a mistake."""
    rng = np.random.default_rng([seed, 7])
    rows: list[int] = []
    for _, group in found[found["rows"] == what].groupby(["kind", "certificate"]):
        rows += rng.permutation(group.index.to_numpy())[:count].tolist()
    columns = ("recipe", "class", "present")
    return [Heard(*values) for values in zip(*(found.loc[rows, c] for c in columns), strict=True)]


def reliability(found: pd.DataFrame) -> Iterator[str]:
    """Tabulate the share of rows that hold the class, by claimed doubt."""
    yield "| rows | claimed doubt | count | mean doubt | hold the class |"
    yield "|---|---|--:|--:|--:|"
    for what, rows in found.groupby("rows", sort=False):
        for low, high in pairwise(EDGES):
            inside = rows[(rows["doubt"] > low) & (rows["doubt"] <= high)]
            if len(inside):
                yield f"| {what} | {low:.1%} to {high:.1%} | {_cells(inside)} |"
        yield f"| {what} | all | {_cells(rows)} |"


def by_kind(found: pd.DataFrame) -> Iterator[str]:
    """Tabulate what certificates and doubt claim, and what is found, by kind."""
    yield "| rows | kind | certificate | it admits | count | mean doubt | hold the class |"
    yield "|---|---|---|--:|--:|--:|--:|"
    for key, rows in found.groupby(["rows", "kind", "certificate"], sort=False):
        names = " | ".join(map(str, key)) if isinstance(key, tuple) else str(key)
        yield f"| {names} | {rows['certified'].mean():.2%} | {_cells(rows)} |"


def _cells(rows: pd.DataFrame) -> str:
    return f"{len(rows):,} | {rows['doubt'].mean():.2%} | {rows['present'].mean():.2%}"


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--pool", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--model", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--top", default=200, show_default=True, help="Rows of a class, of either sort.")
@click.option("--verdicts", default=0, show_default=True, help="Rows heard of each kind of claim.")
@click.option("--hear", type=click.Choice(["random", "hardest"]), default="random")
@click.option("--quiet", is_flag=True)
def main(
    data: Path,
    pool: Path,
    model: Path,
    out: Path,
    top: int,
    verdicts: int,
    hear: str,
    quiet: bool,
) -> None:
    with Bars(quiet) as bars:
        audited = Audited.of(data, pool, model, out, bars)
    found = audited.rows(top)
    doubt, strata = audited.fit(listen(found, hear, verdicts, 0) if verdicts else [])
    found["doubt"] = audited.doubts(doubt, strata, found)
    for line in (*reliability(found), "", *by_kind(found)):
        click.echo(line)


if __name__ == "__main__":
    main()
