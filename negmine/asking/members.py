"""Several models that ask as one: by their mean logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from negmine.models.scorer import Scorer
from negmine.recipes.recipe import Recipes
from negmine.scores.embed import score_recipes
from negmine.storage.digests import text_fingerprint

# Cells of scores (models, clips, classes) in memory at a time.
_CELLS = 50_000_000


class MemberScores:
    """Scores of the same clips by some models.

    Embeddings are those of the first model: two models' spaces have nothing to do with each other.

    Parameters
    ----------
    models : sequence of Scorer
        Of the same classes.
    folder : Path
        Where scores are kept.
    batch_size : int
    on_rows : callable
        Called with a number of clips as they are done, for each model.
    """

    def __init__(
        self,
        models: Sequence[Scorer],
        clips: Recipes,
        folder: Path,
        *,
        batch_size: int,
        on_rows: Callable[[int], object],
    ) -> None:
        self._members = [
            score_recipes(model, clips, folder, batch_size=batch_size, on_rows=on_rows)
            for model in models
        ]

    def __len__(self) -> int:
        return len(self._members[0])

    @property
    def scored(self) -> int:
        """Clips that some model scored in this run."""
        return max(member.scored for member in self._members)

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Return each model's logits, in the rows' order: float32, (M, len(rows), C)."""
        return np.stack([member.logits(rows) for member in self._members])

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        """Return the first model's, in the rows' order: float32, (len(rows), D), L2-normalised."""
        return self._members[0].embeddings(rows)

    def by_class(self, classes: int) -> Iterator[np.ndarray]:
        """Yield each class's logits: float32, shape (M, N); memory does not grow with classes."""
        models, count = len(self._members), len(self)
        at_once = max(1, _CELLS // max(models * count, 1))
        for first in range(0, classes, at_once):
            columns = slice(first, min(first + at_once, classes))
            out = np.empty((columns.stop - first, models, count), dtype=np.float32)
            for number, member in enumerate(self._members):
                for rows, logits in member:
                    out[:, number, rows] = logits[:, columns].T
            yield from out


def joint_fingerprint(models: Sequence[Scorer]) -> str:
    """Return one fingerprint of several models; that of a single one itself."""
    if len(models) == 1:
        return models[0].fingerprint
    return text_fingerprint(" ".join(model.fingerprint for model in models))
