"""What each kind of training row says about the classes it does not name.

This decides more than any loss. A *TP row* comes from a recording someone searched for calls: its
unknown cells go to zero, softly. An *FP row* was a detection, most often of another class's call:
its unknown cells carry no loss. A *pool row* says what its certificates say, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from negmine.labels import PartialLabels


class RowKind(StrEnum):
    """Where a row of a batch comes from."""

    TP = "tp"
    FP = "fp"
    POOL = "pool"


@dataclass(frozen=True)
class Batch:
    """Rows of one step.

    Attributes
    ----------
    waveforms : Tensor, float32, shape (B, T)
    targets : Tensor, float32, shape (B, C)
    known : Tensor, bool, shape (B, C)
        False: the cell is unknown, and its target meaningless.
    weight : Tensor, float32, shape (B, C)
        Of each cell's loss: a known cell's confidence; of unknown cells 1 in TP rows, else 0.
    """

    waveforms: Tensor
    targets: Tensor
    known: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.waveforms)

    def to(self, device: torch.device) -> Batch:
        return Batch(*(t.to(device, non_blocking=True) for t in self._tensors()))

    def join(self, other: Batch) -> Batch:
        """The rows of both."""
        pairs = zip(self._tensors(), other._tensors(), strict=True)
        return Batch(*(torch.cat(pair) for pair in pairs))

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.waveforms, self.targets, self.known, self.weight


def make_batch(
    waveforms: Sequence[np.ndarray],
    labels: Sequence[PartialLabels],
    kinds: Sequence[RowKind],
    classes: Sequence[str],
) -> Batch:
    """Stack rows, with the cells that each kind of row implies.

    Parameters
    ----------
    waveforms : sequence of float32 arrays, shape (T,)
    labels : sequence of PartialLabels
    kinds : sequence of RowKind
    classes : sequence of str
        In the order of the model's outputs.
    """
    targets, known, weights = [], [], []
    for partial, kind in zip(labels, kinds, strict=True):
        target, is_known, confidence = partial.to_arrays(classes)
        targets.append(target)
        known.append(is_known)
        unknown_weight = 1.0 if kind is RowKind.TP else 0.0
        weights.append(np.where(is_known, confidence, np.float32(unknown_weight)))
    return Batch(
        torch.from_numpy(np.stack(waveforms)),
        torch.from_numpy(np.stack(targets)),
        torch.from_numpy(np.stack(known)),
        torch.from_numpy(np.stack(weights).astype(np.float32)),
    )
