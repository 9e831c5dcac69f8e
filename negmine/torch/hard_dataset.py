"""A selection as a data set of PyTorch's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from negmine.errors import PoolError, did_you_mean
from negmine.mining.selection import open_selection
from negmine.notices import warn
from negmine.pool.held_out import unmatched_note
from negmine.recipes.cache import find_cache
from negmine.recipes.labels import PartialLabels
from negmine.recipes.reader import Reader
from negmine.recipes.recipe import Recipe
from negmine.recipes.render import render


class HardNegativeDataset(Dataset[Any]):
    """The clips of a selection that ``negmine mine`` wrote, and what is known of each.

    An item is ``(samples, labels, weights)``, or what ``transform`` makes of it:

    - samples : float32 tensor, shape (T,), mono, within [-1, 1];
    - labels : float32 tensor, shape (C,): 0 where the class is certified absent, 1 where it is
      present, NaN where nothing is known;
    - weights : float32 tensor, shape (C,): the certificate's confidence, 1 where present, 0 where
      nothing is known.

    There is an item for each row of the selection, in its order, so that classes have the shares
    that mining gave them. The same item is the same to the bit, in any process and order.

    Parameters
    ----------
    selection : path-like
    classes : sequence of str, optional
        In the order of the model's outputs; by default the pool's. Classes that the pool lacks are
        unknown in all clips.
    sample_rate : int, optional
        In Hz; by default the pool's.
    held_out : iterable of str
        Recordings (file names without suffix) and groups, such as sites, that validate or test.
        Rows that draw on one of them, be it as a part of a mix, are left out: see ``left_out``.
        Names that are of nothing in the pool are warned of.
    own : bool
        Whether the class that a row was mined for is known alone, not all that is certified.
    transform : callable, optional
        Given samples, labels and weights, what an item is instead: that of your own data set.
    pool : path-like, optional
        Where the selection's pool is now.
    cache : path-like, optional
        A folder of ``negmine cache``, whose sound is read in place of the files'.

    Attributes
    ----------
    classes : tuple of str
    mined_for : tuple of str
        The class that each row was mined for.
    left_out : int
        Rows that draw on what is held out.
    clip_s : float
    sample_rate : int

    Raises
    ------
    PoolError
        If the selection or its pool is missing or damaged, it has a class that is not among
        ``classes``, or none of its rows may train.

    Examples
    --------
    >>> from negmine.torch import HardNegativeDataset
    >>> hard = HardNegativeDataset("hard.parquet", ["0", "1", "rain"], held_out=["rec00"])
    >>> samples, labels, weights = hard[0]
    >>> samples.shape, labels.isnan().tolist()  # of rain the pool knows nothing
    (torch.Size([8000]), [False, False, True])
    >>> pairs = HardNegativeDataset("hard.parquet", transform=lambda x, y, w: (x[None], y))
    >>> pairs[0][0].shape
    torch.Size([1, 8000])
    """

    def __init__(
        self,
        selection: str | Path,
        classes: Sequence[str] | None = None,
        *,
        sample_rate: int | None = None,
        held_out: Iterable[str] = (),
        own: bool = False,
        transform: Callable[[Tensor, Tensor, Tensor], Any] | None = None,
        pool: str | Path | None = None,
        cache: str | Path | None = None,
    ) -> None:
        path = Path(selection)
        chosen = open_selection(path, None if pool is None else Path(pool))
        opened = chosen.open_pool()
        self.classes = opened.classes if classes is None else tuple(classes)
        _check_classes({row.label for row in chosen.rows}, self.classes, path)
        self.clip_s, self.sample_rate = opened.clip_s, sample_rate or opened.sample_rate
        forbidden = frozenset([held_out] if isinstance(held_out, str) else held_out)
        if line := unmatched_note(sorted(forbidden), opened.sources):
            warn(line)
        rows = [
            (recipe, row.label)
            for recipe, row in zip(chosen.recipes(opened), chosen.rows, strict=True)
            if not recipe.draws_on(forbidden)
        ]
        if not rows:
            raise PoolError(
                f"{path}: none of its {len(chosen.rows)} rows may train: all draw on what is held "
                "out"
            )
        self.left_out = len(chosen.rows) - len(rows)
        self.mined_for = tuple(label for _, label in rows)
        self._recipes: list[Recipe] = [recipe for recipe, _ in rows]
        self._own, self._transform = own, transform
        self._reader: Reader | None = None
        if cache is not None:
            named = Path(cache)
            self._reader, _ = find_cache(chosen.pool, opened.sources, self.sample_rate, named)

    def __len__(self) -> int:
        return len(self._recipes)

    def __getitem__(self, index: int) -> Any:
        recipe = self._recipes[index]
        labels = recipe.labels
        if self._own:
            name = self.mined_for[index]
            labels = PartialLabels(absent={name: labels.absent[name]})
        targets, known, confidence = (torch.from_numpy(a) for a in labels.to_arrays(self.classes))
        samples = torch.from_numpy(render(recipe, self.sample_rate, self._reader))
        item = samples, targets.masked_fill(~known, torch.nan), confidence.clone()
        return self._transform(*item) if self._transform else item


def _check_classes(mined: set[str], classes: Sequence[str], path: Path) -> None:
    if len(set(classes)) < len(classes):
        twice = next(name for name in classes if list(classes).count(name) > 1)
        raise PoolError(f"class '{twice}' appears twice among the model's classes")
    for name in sorted(mined):
        if name not in classes:
            raise PoolError(
                f"{path}: mined for class '{name}', which is not among the model's {len(classes)} "
                f"classes{did_you_mean(name, classes)}"
            )
