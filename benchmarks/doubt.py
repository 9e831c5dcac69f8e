"""How many rows of a pool hold the class after all, among those claimed at some doubt.

    python -m benchmarks.doubt DATA --pool POOL --model MODEL --out WORK

DATA is in RFCX's layout with every call of its recordings in train_events.csv (and
unlabelled_events.csv), which neither pool nor model ever sees. Rows are looked at class by class:
the hardest, from which mining chooses, and as many at random. A claim is contradicted by the rule of
`benchmarks.certificates`. External sound is taken to hold no call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import pandas as pd

from benchmarks.certificates import Auditor, read_events
from negmine.cli.console import Bars
from negmine.mining.fitting import claims_of, fit_doubt
from negmine.mining.known import know_calls
from negmine.models.scorer import load_scorer
from negmine.pool import open_pool
from negmine.recipes.labels import CERTIFICATES
from negmine.scores.embed import score_pool

EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0)


def measured(data: Path, pool_path: Path, model: Path, out: Path, top: int, bars: Bars) -> pd.DataFrame:
    """List rows with their doubt and the truth: the hardest of each class, and random ones."""
    pool = open_pool(pool_path)
    scorer = load_scorer(model, "cpu")
    total = len(pool) + len(pool.calls)
    scores, calls = score_pool(
        scorer, pool, out / "scores", batch_size=32, on_rows=bars("scoring", total, "clip")
    )
    known = know_calls(pool, scorer.classes, calls)
    doubt, _ = fit_doubt(pool, known, scores, scorer.held_out, np.random.default_rng(0))
    truth = read_events(p for p in (data / "train_events.csv", data / "unlabelled_events.csv") if p.exists())
    auditor = Auditor(truth, {(c.layers[0], n) for c in pool.calls for n in c.labels.present})
    rng = np.random.default_rng(1)
    leaking = pool.recipes.draws_on(scorer.held_out)
    logits = scores.logits(np.arange(len(pool)))
    tables = []
    for one in known:
        confidence = pool.recipes.confidence(one.name)
        free = np.flatnonzero((confidence > 0) & ~leaking)
        order = free[np.argsort(-logits[free, one.column], kind="stable")]
        for what, rows in (("hardest", order[:top]), ("random", rng.permutation(free)[:top])):
            near = call_similarity(scores.embeddings(rows), one.embeddings)
            features = one.features(logits[rows, one.column], near)
            claimed = doubt.probability(features, confidence[rows])
            recipes = pool.recipes[rows]
            tables.append(pd.DataFrame({
                "rows": what, "class": one.name,
                "kind": pool.recipes.kinds[rows],
                "certificate": [CERTIFICATES[i].value for i in pool.recipes.certificates(one.name, rows)],
                "certified": 1 - confidence[rows], "doubt": claimed,
                "x": features[:, 0], "near": features[:, 1],
                "present": [auditor.contradicts(r, one.name) for r in recipes],
            }))
    return pd.concat(tables)


def reliability(found: pd.DataFrame) -> str:
    """Tabulate the share of rows that hold the class, by claimed doubt."""
    lines = ["| rows | claimed doubt | count | mean doubt | hold the class |", "|---|---|--:|--:|--:|"]
    for what, rows in found.groupby("rows", sort=False):
        for low, high in zip(EDGES, EDGES[1:]):
            inside = rows[(rows.doubt > low) & (rows.doubt <= high)]
            if len(inside):
                lines.append(f"| {what} | {low:.1%} to {high:.1%} | {len(inside):,} | {inside.doubt.mean():.1%} | {inside.present.mean():.1%} |")
        lines.append(f"| {what} | all | {len(rows):,} | {rows.doubt.mean():.2%} | {rows.present.mean():.2%} |")
    return "\n".join(lines)


def by_kind(found: pd.DataFrame) -> str:
    """Tabulate what certificates and doubt claim, and what is found, by kind."""
    lines = ["| rows | kind | certificate | count | certificate | mean doubt | hold the class |", "|---|---|---|--:|--:|--:|--:|"]
    for (what, kind, certificate), rows in found.groupby(["rows", "kind", "certificate"], sort=False):
        lines.append(f"| {what} | {kind} | {certificate} | {len(rows):,} | {rows.certified.mean():.2%} | {rows.doubt.mean():.2%} | {rows.present.mean():.2%} |")
    return "\n".join(lines)


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--pool", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--model", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--top", default=200, show_default=True, help="Rows of a class, of either sort.")
@click.option("--raw", type=click.Path(path_type=Path), help="CSV to write, a row a claim.")
@click.option("--quiet", is_flag=True)
def main(data: Path, pool: Path, model: Path, out: Path, top: int, raw: Path | None, quiet: bool) -> None:
    with Bars(quiet) as bars:
        found = measured(data, pool, model, out, top, bars)
    click.echo(reliability(found))
    click.echo(by_kind(found))
    if raw:
        found.to_csv(raw, index=False)


if __name__ == "__main__":
    main()
