"""Mining at scale: from a store of scores to a selection, at one size of pool after another.

    python -m benchmarks.mining --rows 10000,100000,1000000

Pools of made-up recipes (`benchmarks.pool`) and made-up scores of them: embeddings round so many
places as sounds have, logits by one head a class. Every line is measured in a process of its own
that finds the scores on disk: the bare product of all embeddings with the heads and the top of
each class; a whole mining run, ``top`` and ``near``, with doubt, near-duplicates, the control and
the report; its peak memory. With ``--peer`` the same is asked of sentence-transformers'
``mine_hard_negatives`` with the embeddings at hand, where it is installed.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click

PLACES = 20_000


class Told:
    """A scorer whose every score is in the store: it is never asked."""

    held_out: frozenset[str] = frozenset()
    sample_rate = 32_000
    clip_s = 2.0
    fingerprint = "made-up-scores-00000000"

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def score(self, waveforms: Any) -> Any:
        raise AssertionError("a score is missing")


def fill_store(pool_path: Path, scores: Path, width: int) -> None:
    """Write made-up scores of all recipes of a pool."""
    import numpy as np

    from negmine.pool import open_pool
    from negmine.recipe import ID_BYTES
    from negmine.scores.embed import SHARD_ROWS
    from negmine.scores.store import ScoreStore

    pool = open_pool(pool_path)
    rng = np.random.default_rng(0)
    places = rng.normal(size=(PLACES, width)).astype(np.float32)
    heads = rng.normal(size=(width, len(pool.classes))).astype(np.float32) / np.sqrt(width)
    store = ScoreStore(scores, Told.fingerprint)
    ids = np.concatenate(
        [
            np.ascontiguousarray(recipes.ids.raw).view(np.uint8).reshape(-1, ID_BYTES)
            for recipes in (pool.recipes, pool.calls)
        ]
    )
    ids = np.unique(ids, axis=0)
    for start in range(0, len(ids), SHARD_ROWS):
        part = ids[start : start + SHARD_ROWS]
        noise = rng.normal(size=(len(part), width)).astype(np.float32)
        embeddings = places[rng.integers(PLACES, size=len(part))] + noise
        store.append(part, embeddings, embeddings @ heads)


def bare(pool_path: Path, scores: Path, count: int) -> dict[str, float]:
    """The product of all embeddings with a head a class, and the top of each: nothing else."""
    import torch

    from negmine.pool import open_pool
    from negmine.scores.scan import products
    from negmine.scores.store import ScoreStore

    classes = len(open_pool(pool_path).classes)
    store = ScoreStore(scores, Told.fingerprint)
    width = next(iter(store)).embeddings.shape[1]
    heads = torch.randn(classes, width, generator=torch.Generator().manual_seed(0))
    start = time.perf_counter()
    best = torch.zeros(classes, 0)
    for shard in store:
        found = products(shard.embeddings, heads).T
        best = (
            torch.cat([best, found], dim=1).topk(min(count, best.shape[1] + found.shape[1])).values
        )
    return {"bare_s": time.perf_counter() - start}


def mined(pool_path: Path, scores: Path, strategy: str) -> dict[str, float]:
    """A whole mining run over scores that stand: seconds and peak memory."""
    from benchmarks.losses import peak_rss_mib
    from negmine.mine import MineSettings, mine
    from negmine.pool import open_pool
    from negmine.strategy import parse_strategy

    start = time.perf_counter()
    pool = open_pool(pool_path)
    opened = time.perf_counter() - start
    start = time.perf_counter()
    settings = MineSettings(strategy=parse_strategy(strategy))
    found = mine(Told(pool.classes), pool, scores, settings)
    seconds = time.perf_counter() - start
    return {
        "rows": len(pool),
        "open_s": opened,
        f"{strategy}_s": seconds,
        f"{strategy}_mib": peak_rss_mib(),
        "chosen": len(found.selection.rows),
    }


def peer(pool_path: Path, scores: Path, count: int) -> dict[str, float]:
    """sentence-transformers over the same embeddings; its own search and selection alone."""
    import numpy as np
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    from benchmarks.losses import peak_rss_mib
    from negmine.pool import open_pool
    from negmine.recipe import ID_BYTES
    from negmine.scores.store import ScoreStore

    pool = open_pool(pool_path)
    store = ScoreStore(scores, Told.fingerprint)

    def embeddings(recipes: Any) -> np.ndarray:
        raw = np.ascontiguousarray(recipes.ids.raw).view(np.uint8).reshape(-1, ID_BYTES)
        return store.embeddings(store.positions(raw))

    corpus = list(pool.recipes.ids)
    queries = list(pool.calls.ids)[:2400]
    known = dict(zip(corpus, embeddings(pool.recipes), strict=True))
    known |= dict(zip(pool.calls.ids, embeddings(pool.calls), strict=True))

    class Model:
        """Looks embeddings up."""

        similarity_fn_name = "cosine"

        def encode(self, texts: list[str], **_: Any) -> np.ndarray:
            return np.stack([known[text] for text in texts])

        encode_query = encode_document = encode

        def similarity(self, one: Any, other: Any) -> Any:
            import torch

            return torch.as_tensor(one) @ torch.as_tensor(other).T

        def similarity_pairwise(self, one: Any, other: Any) -> Any:
            import torch

            return (torch.as_tensor(one) * torch.as_tensor(other)).sum(dim=-1)

    data = Dataset.from_dict({"anchor": queries, "positive": queries})
    start = time.perf_counter()
    mine_hard_negatives(
        data, Model(), anchor_column_name="anchor", positive_column_name="positive",
        corpus=corpus, num_negatives=count, range_max=count, verbose=False, use_faiss=False,
    )  # fmt: skip
    return {"peer_s": time.perf_counter() - start, "peer_mib": peak_rss_mib()}


@click.command(help=__doc__)
@click.option("--rows", default="10000,100000,1000000", show_default=True)
@click.option("--classes", default=24, show_default=True)
@click.option("--width", default=1280, show_default=True)
@click.option("--peer", "asks_peer", is_flag=True, help="Ask sentence-transformers, too.")
@click.option("--peer-rows", default=100_000, show_default=True, help="Only up to so many.")
@click.option("--work", type=click.Path(path_type=Path), help="Keep the pools and scores there.")
def main(
    rows: str, classes: int, width: int, asks_peer: bool, peer_rows: int, work: Path | None
) -> None:
    from benchmarks.pool import build

    with tempfile.TemporaryDirectory() as folder:
        results = []
        for count in map(int, rows.split(",")):
            here = (work or Path(folder)) / f"rows{count}"
            pool, scores = here / "pool", here / "scores"
            if not pool.exists():
                _alone(build, max(50, count // 200), classes, count, here)
            if not scores.exists():
                _alone(fill_store, pool, scores, width)
            found: dict[str, Any] = {}
            for strategy in ("top", "near"):
                found |= _alone(mined, pool, scores, strategy)
            found |= _alone(bare, pool, scores, 400)
            if asks_peer and count <= peer_rows:
                found |= _alone(peer, pool, scores, 50)
            results.append(found)
            click.echo(json.dumps(found), err=True)
    click.echo(markdown(results))


def _alone(function: Any, *arguments: Any) -> Any:
    """Run in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def markdown(results: list[dict[str, Any]]) -> str:
    columns = {
        "rows": "rows",
        "open_s": "open the pool, s",
        "bare_s": "bare product and top, s",
        "top_s": "mine top, s",
        "top_mib": "peak, MiB",
        "near_s": "mine near, s",
        "near_mib": "peak, MiB",
        "peer_s": "sentence-transformers, s",
        "peer_mib": "peak, MiB",
    }
    shown = {key: title for key, title in columns.items() if any(key in r for r in results)}
    lines = [f"| {' | '.join(shown.values())} |", "|---" * len(shown) + "|"]
    for found in results:
        cells = [_number(found[key]) if key in found else "-" for key in shown]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


if __name__ == "__main__":
    main()
