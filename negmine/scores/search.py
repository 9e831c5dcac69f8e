"""What in a pool sounds like this: the neighbours of a clip in a model's embedding space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from negmine.models.scorer import Scorer
from negmine.pool import Pool
from negmine.recipes.ancestry import ancestry
from negmine.recipes.recipe import Recipe
from negmine.scores.embed import Scores
from negmine.scores.pool_index import PoolIndex


@dataclass(frozen=True)
class Neighbour:
    """A clip of the pool near a sound.

    Attributes
    ----------
    similarity : float
        Cosine, of the embeddings.
    logits : float32 array, shape (C,)
    """

    recipe: Recipe
    similarity: float
    logits: np.ndarray


def find_neighbours(
    samples: np.ndarray,
    scorer: Scorer,
    pool: Pool,
    scores: Scores,
    index: PoolIndex,
    count: int,
    label: str | None = None,
) -> tuple[list[Neighbour], np.ndarray]:
    """Find the clips of a pool that are nearest to a sound.

    Parameters
    ----------
    samples : float32 array, shape (T,)
        At the scorer's rate.
    scores : Scores
        Of the pool's recipes by this scorer.
    index : PoolIndex
        Over them.
    label : str, optional
        Only clips certified free of this class.

    Returns
    -------
    neighbours : list of Neighbour
        The nearest first: ranked by the embeddings, whatever the index rounds.
    logits : float32 array, shape (C,)
        Of the sound.

    Examples
    --------
    >>> from pathlib import Path
    >>> from negmine import open_pool
    >>> from negmine.audio import read_all
    >>> from negmine.models.scorer import load_scorer
    >>> from negmine.scores.embed import score_recipes
    >>> from negmine.scores.pool_index import open_index
    >>> from negmine.scores.search import find_neighbours
    >>> pool, scorer = open_pool("pool"), load_scorer(Path("run/best.pt"), "cpu")
    >>> scores = score_recipes(scorer, pool.recipes, Path("scores"))
    >>> sound = read_all(Path("data/external/other0.wav"), scorer.sample_rate)[:8000]
    >>> index, _ = open_index(scores, pool.digest)
    >>> near, logits = find_neighbours(sound, scorer, pool, scores, index, 2)
    >>> [found.recipe.kind for found in near], logits.shape
    (['external', 'external'], (2,))
    """
    embedded, logits = scorer.score(samples[None])
    query = embedded[0] / max(float(np.linalg.norm(embedded[0])), 1e-12)
    may = pool.confidence(label) > 0 if label else np.ones(len(pool), dtype=bool)
    wanted = min(count, int(may.sum()))
    asked = 4 * count
    while True:
        rows = index.search(query[None], min(asked, len(pool)))[0][0]
        rows = rows[rows >= 0]
        rows = rows[may[rows]]
        if len(rows) >= wanted or asked >= len(pool):
            break
        asked *= 4
    similarity = scores.embeddings(rows) @ query
    best = np.lexsort((rows, -similarity))[:count]
    found = rows[best]
    of_rows = scores.logits(found)
    return [
        Neighbour(pool.recipes[row], float(similarity[best[i]]), of_rows[i])
        for i, row in enumerate(found.tolist())
    ], logits[0]


def neighbour_table(neighbours: list[Neighbour], classes: tuple[str, ...]) -> pd.DataFrame:
    """Tabulate one row a neighbour, the nearest first: what it is, and its highest class."""
    rows: list[dict[str, Any]] = []
    for rank, found in enumerate(neighbours, start=1):
        best = int(np.argmax(found.logits))
        absent = [name for name in classes if name in found.recipe.labels.absent]
        rows.append(
            {
                "rank": rank,
                "similarity": round(found.similarity, 4),
                "recipe": found.recipe.id,
                "kind": found.recipe.kind,
                "highest_class": classes[best],
                "highest_logit": round(float(found.logits[best]), 3),
                "certified_classes": len(absent),
                "sound": "; ".join(ancestry(found.recipe)),
            }
        )
    columns = [
        "rank", "similarity", "recipe", "kind", "highest_class", "highest_logit",
        "certified_classes", "sound",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
