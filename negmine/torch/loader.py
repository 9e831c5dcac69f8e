"""A loader of a trainer's own data set, with hard negatives in every batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from negmine.torch.hard_dataset import HardNegativeDataset
from negmine.torch.hard_sampler import HardNegativeBatchSampler


def mixed_loader(
    own: Dataset[Any],
    hard_negatives: str | Path | None,
    classes: Sequence[str] | None = None,
    *,
    batch_size: int,
    hard_share: float = 0.25,
    seed: int = 0,
    held_out: Iterable[str] = (),
    sample_rate: int | None = None,
    transform: Callable[[Tensor, Tensor, Tensor], Any] | None = None,
    **options: Any,
) -> DataLoader[Any]:
    """Make a loader whose batches hold a share of hard negatives.

    Parameters
    ----------
    own : Dataset
        With a length. Its items are such as ``(samples, labels, weights)``, or what ``transform``
        makes of these for hard negatives.
    hard_negatives : path-like or None
        A selection; None: a loader of your own rows alone, shuffled.
    classes, held_out, sample_rate, transform
        See `HardNegativeDataset`. What validates must be named in ``held_out``.
    batch_size, hard_share, seed
        See `HardNegativeBatchSampler`, which also shares the rows out over the ranks of
        ``torch.distributed``.
    **options
        Of ``DataLoader``, such as ``num_workers``.

    Examples
    --------
    >>> import torch
    >>> from torch.utils.data import TensorDataset
    >>> from negmine.torch import mixed_loader
    >>> own = TensorDataset(torch.zeros(24, 8000), torch.ones(24, 2), torch.ones(24, 2))
    >>> loader = mixed_loader(own, "hard.parquet", ["0", "1"], batch_size=8)
    >>> samples, labels, weights = next(iter(loader))
    >>> samples.shape, (labels == 0).any(dim=1).sum().item()
    (torch.Size([8, 8000]), 2)
    """
    if hard_negatives is None:
        return DataLoader(own, batch_size=batch_size, shuffle=True, **options)
    hard = HardNegativeDataset(
        hard_negatives, classes, sample_rate=sample_rate, held_out=held_out, transform=transform
    )
    count = len(own)  # type: ignore[arg-type]
    sampler = HardNegativeBatchSampler(count, len(hard), batch_size, hard_share, seed)
    return DataLoader(ConcatDataset([own, hard]), batch_sampler=sampler, **options)
