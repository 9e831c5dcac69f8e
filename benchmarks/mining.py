"""Mining at scale: from a store of scores to a selection, at one size of pool after another.

    python -m benchmarks.mining --rows 10000,100000,1000000

Pools of made-up recipes (`benchmarks.pool`) and made-up scores of them: embeddings round as many
places as sounds have, logits by one head a class. Every measurement is a process of its own that
finds the scores on disk. *Bare* is the product of all embeddings with the queries and the top of
each class, nothing else: the queries are a head a class. *Mine* is the whole of a run: pool and
store are opened, checksums verified, doubt fitted, near-duplicates dropped, the control drawn. With
``--peer`` the same is asked of perch-hoplite; with ``--index`` an index is built, as ``negmine
search`` does. Times are the processor's, all threads together, so that other work on the machine
changes little.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.measure import apart
from benchmarks.mining_store import Timed, Told, raw_ids

PLACES = 20_000
# Files with boxes: calls are then as far apart as they are in recordings.
ANNOTATED = 500
PER_CLASS = 50


def fill_store(pool_path: Path, scores: Path, width: int) -> None:
    """Write made-up scores of all recipes of a pool."""
    import numpy as np

    from negmine.pool import open_pool
    from negmine.scores.embed import SHARD_ROWS, open_store

    pool = open_pool(pool_path)
    rng = np.random.default_rng(0)
    places = rng.normal(size=(PLACES, width)).astype(np.float32)
    heads = rng.normal(size=(width, len(pool.classes))).astype(np.float32) / np.sqrt(width)
    store = open_store(Told(pool.classes), scores)
    ids = np.concatenate([raw_ids(recipes) for recipes in (pool.recipes, pool.calls)])
    ids = np.unique(ids, axis=0)
    for start in range(0, len(ids), SHARD_ROWS):
        part = ids[start : start + SHARD_ROWS]
        noise = rng.standard_normal((len(part), width), dtype=np.float32)
        embeddings = places[rng.integers(PLACES, size=len(part))] + noise
        store.append(part, embeddings, embeddings @ heads)


def bare(pool_path: Path, scores: Path, count: int) -> dict[str, float]:
    """Time the product of all embeddings with the queries, and the top of each class."""
    import numpy as np

    from negmine.pool import open_pool
    from negmine.scores.embed import open_store

    pool = open_pool(pool_path)
    store = open_store(Told(pool.classes), scores)
    classes, width = len(pool.classes), store.embeddings(np.arange(1)).shape[1]
    heads = np.random.default_rng(0).standard_normal((classes, width), dtype=np.float32)
    best = np.zeros((classes, 0), dtype=np.float32)
    with Timed() as timed:
        for shard in store:
            found = heads @ shard.embeddings.astype(np.float32).T
            every = np.concatenate([best, found], axis=1)
            kept = min(count, every.shape[1])
            best = np.partition(every, every.shape[1] - kept, axis=1)[:, -kept:]
    return {"bare_s": timed.seconds}


def mined(pool_path: Path, scores: Path, per_class: int) -> dict[str, float]:
    """Time a whole mining run over scores that exist already."""
    from negmine.mining.mine import MineSettings, mine
    from negmine.pool import open_pool

    settings = MineSettings(per_class=per_class)
    with Timed() as timed:
        pool = open_pool(pool_path)
        found = mine(Told(pool.classes), pool, scores, settings)
    return {
        "rows": len(pool),
        "mine_s": timed.seconds,
        "mine_mib": timed.mib,
        "chosen": len(found.selection.rows),
    }


def hoplite(pool_path: Path, scores: Path, count: int) -> dict[str, float]:
    """Time perch-hoplite's brute-force search of its in-memory database, the top of each class.

    Reading the embeddings and putting them there is not timed.
    """
    try:
        from perch_hoplite.db import brutalism, in_mem_impl, score_functions
    except ImportError:
        return {}
    import numpy as np

    from negmine.pool import open_pool
    from negmine.scores.embed import open_store

    pool = open_pool(pool_path)
    store = open_store(Told(pool.classes), scores)
    recipes = store.embeddings(store.positions(raw_ids(pool.recipes)))
    width = recipes.shape[1]
    database = in_mem_impl.InMemoryGraphSearchDB.create(width, np.float32)
    recording = database.insert_recording("made up", None)
    for number, embedding in enumerate(recipes):
        database.insert_window(recording, [float(number)], embedding, handle_duplicates="allow")
    heads = np.random.default_rng(0).normal(size=(len(pool.classes), width)).astype(np.float32)
    score = score_functions.get_score_fn("dot")
    with Timed() as timed:
        for head in heads:
            brutalism.brute_search(database, head, count, score)
    return {"hoplite_s": timed.seconds, "hoplite_mib": timed.mib}


def indexed(pool_path: Path, scores: Path, factory: str | None) -> dict[str, Any]:
    """Build the index that ``negmine search`` would, or another, and ask it."""
    import numpy as np

    from negmine.pool import open_pool
    from negmine.scores.embed import Scores, open_store
    from negmine.scores.pool_index import open_index

    pool = open_pool(pool_path)
    of_pool = Scores(open_store(Told(pool.classes), scores), raw_ids(pool.recipes))
    with Timed() as timed:
        index, _ = open_index(of_pool, pool.digest, factory=factory)
    queries = of_pool.embeddings(np.arange(100))
    with Timed() as asked:
        index.search(queries, 40)
    info = index.info
    return {
        "index": info.factory,
        "index_s": timed.seconds,
        "index_mib": timed.mib,
        "recall": info.recall,
        "effort": info.effort,
        "query_ms": 10 * asked.seconds,
    }


@click.command(help=__doc__)
@click.option("--rows", default="10000,100000,1000000", show_default=True)
@click.option("--classes", default=24, show_default=True)
@click.option("--calls", default=100, show_default=True, help="Confirmed calls a class.")
@click.option("--width", default=1280, show_default=True)
@click.option("--peer", "asks_peers", is_flag=True, help="Ask perch-hoplite, too.")
@click.option("--peer-rows", default=100_000, show_default=True, help="Only up to this many.")
@click.option("--index", "asks_index", is_flag=True, help="Build an index, too.")
@click.option("--factory", help="Of the index, instead of the one that negmine chooses.")
@click.option("--work", type=click.Path(path_type=Path), help="Keep the pools and scores there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a Markdown table.")
def main(
    rows: str,
    classes: int,
    calls: int,
    width: int,
    asks_peers: bool,
    peer_rows: int,
    asks_index: bool,
    factory: str | None,
    work: Path | None,
    as_json: bool,
) -> None:
    from benchmarks.pool import build

    with tempfile.TemporaryDirectory() as folder:
        results = []
        for count in map(int, rows.split(",")):
            here = (work or Path(folder)) / f"rows{count}-calls{calls}-classes{classes}"
            pool, scores = here / "pool", here / "scores"
            if not pool.exists():
                files = ANNOTATED + max(40, count // 250)
                boxes = (calls * classes, min(8_000, count // 10), ANNOTATED)
                apart(build, files, classes, count, here, *boxes)
            if not scores.exists():
                apart(fill_store, pool, scores, width)
            # the bare product first: it opens the store untimed, so that all find it in memory
            asked: list[tuple[Any, ...]] = [(bare, 8 * PER_CLASS), (mined, PER_CLASS)]
            if asks_index:
                asked.append((indexed, factory))
            if asks_peers and count <= peer_rows:
                asked.append((hoplite, 8 * PER_CLASS))
            found: dict[str, Any] = {}
            for function, setting in asked:
                part = apart(function, pool, scores, setting)
                click.echo(f"{count} {function.__name__} {json.dumps(part)}", err=True)
                found |= part
            results.append(found)
    click.echo(json.dumps(results, indent=2) if as_json else markdown(results))


COLUMNS = {
    "rows": "rows",
    "bare_s": "bare, s",
    "mine_s": "mine, s",
    "mine_mib": "peak, MiB",
    "hoplite_s": "perch-hoplite, s",
    "hoplite_mib": "peak, MiB",
    "index": "index",
    "index_s": "built, s",
    "index_mib": "peak, MiB",
    "recall": "recall of 10",
    "effort": "looks at",
    "query_ms": "a query, ms",
}


def markdown(results: list[dict[str, Any]]) -> str:
    shown = {key: title for key, title in COLUMNS.items() if any(key in r for r in results)}
    lines = [f"| {' | '.join(shown.values())} |", "|" + "--:|" * len(shown)]
    for found in results:
        cells = [_text(found[key]) if key in found else "" for key in shown]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _text(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


if __name__ == "__main__":
    main()
