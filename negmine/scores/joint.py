"""The scores of several models of the same rows, as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from negmine.scores.embed import Block, Scores


class JointScores:
    """Mean logits of several models, and how far they are apart.

    Embeddings are those of the first model: two models' spaces have nothing to do with each other.

    Parameters
    ----------
    members : sequence of Scores
        Of the same rows, one a model.
    """

    def __init__(self, members: Sequence[Scores]) -> None:
        self.members = tuple(members)

    def __len__(self) -> int:
        return len(self.members[0])

    @property
    def scored(self) -> int:
        """Rows that some model scored in this run."""
        return max(member.scored for member in self.members)

    def __iter__(self) -> Iterator[Block]:
        first, *others = self.members
        for block in first:
            logits = block.logits
            if others:
                every = [logits, *(other.logits(block.rows) for other in others)]
                logits = np.asarray(np.mean(every, axis=0, dtype=np.float32))
            yield replace(block, logits=logits)

    def by_model(self, rows: np.ndarray) -> np.ndarray:
        """Return each model's logits, in the order of the rows: float32, (M, len(rows), C)."""
        return np.stack([member.logits(rows) for member in self.members])

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Average logits of some rows, in their order: float32, shape (len(rows), C)."""
        if len(self.members) == 1:
            return self.members[0].logits(rows)
        return np.asarray(self.by_model(rows).mean(axis=0, dtype=np.float32))

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        """Return the first model's, in the rows' order: float32, (len(rows), D), L2-normalised."""
        return self.members[0].embeddings(rows)
