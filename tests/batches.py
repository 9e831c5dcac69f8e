"""Batches made of rows, for tests of what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from training.data.rows import Batch, Row, make_example, stack


def make_batch(rows: Sequence[Row], classes: Sequence[str], pseudo_weight: float = 1.0) -> Batch:
    """Rows as the loss sees them, unchanged and unmixed."""
    return stack([make_example(row, classes, pseudo_weight) for row in rows])


def join(first: Batch, second: Batch) -> Batch:
    """The rows of both, as those of plug-ins follow the trainer's own."""
    pairs = zip(vars(first).values(), vars(second).values(), strict=True)
    return Batch(*(torch.cat(pair) for pair in pairs))
