"""What other tools take for what `benchmarks.mining` measures: each finds the embeddings in memory.

Either is asked for its search and its choice alone: reading the embeddings, and putting them into
its own structures, is not timed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.mining_store import Timed, Told, raw_ids


def _opened(pool_path: Path, scores: Path) -> tuple[Any, Any, Any]:
    """Open a pool, embeddings of its recipes and of its calls: float32, shape (N, D)."""
    from negmine.pool import open_pool
    from negmine.scores.store import ScoreStore

    pool = open_pool(pool_path)
    store = ScoreStore(scores, Told.fingerprint)
    recipes, calls = (
        store.embeddings(store.positions(raw_ids(table))) for table in (pool.recipes, pool.calls)
    )
    return pool, recipes, calls


def sentence_transformers(pool_path: Path, scores: Path, count: int) -> dict[str, float]:
    """Run ``mine_hard_negatives``: of every confirmed call the ``count`` nearest rows."""
    try:
        from datasets import Dataset
        from sentence_transformers.util import mine_hard_negatives
    except ImportError:
        return {}
    import numpy as np
    import torch

    pool, recipes, calls = _opened(pool_path, scores)
    corpus, queries = list(pool.recipes.ids), list(pool.calls.ids)
    every = np.concatenate([recipes, calls])
    del recipes
    row = {name: number for number, name in enumerate([*corpus, *queries])}

    class Model:
        """Looks embeddings up."""

        device = torch.device("cpu")
        similarity_fn_name = "cosine"

        def encode(self, texts: list[str], **_: Any) -> np.ndarray:
            return np.asarray(every[[row[text] for text in texts]])

        encode_query = encode_document = encode

        def similarity(self, one: Any, other: Any) -> Any:
            return torch.as_tensor(one) @ torch.as_tensor(other).T

        def similarity_pairwise(self, one: Any, other: Any) -> Any:
            return (torch.as_tensor(one) * torch.as_tensor(other)).sum(dim=-1)

    data = Dataset.from_dict({"anchor": queries, "positive": queries})
    with Timed() as timed:
        mine_hard_negatives(
            data, Model(), anchor_column_name="anchor", positive_column_name="positive",
            corpus=corpus, num_negatives=count, range_max=count, verbose=False, use_faiss=False,
        )  # fmt: skip
    return {"st_s": timed.seconds, "st_mib": timed.mib}


def hoplite(pool_path: Path, scores: Path, count: int) -> dict[str, float]:
    """Run perch-hoplite's brute-force search of an in-memory database: the top of each class."""
    try:
        from perch_hoplite.db import brutalism, in_mem_impl, score_functions
    except ImportError:
        return {}
    import numpy as np

    pool, recipes, _ = _opened(pool_path, scores)
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
