"""What each kind of training row says about the classes it does not name.

This decides more than any loss. A *TP row* comes from a recording someone searched for calls: its
unknown cells go to zero, softly. An *FP row* was a detection, most often of another class's call:
its unknown cells carry no loss. A *pool row* says what its certificates say, and nothing else.
Pseudo labels fill unknown cells of any row, and never a known one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from negmine.arrays import BoolClasses, FloatSamples, WeightClasses
from negmine.audio.windows import Span
from negmine.recipes.labels import PartialLabels, places


class RowKind(StrEnum):
    """Where a row of a batch comes from."""

    TP = "tp"
    FP = "fp"
    POOL = "pool"


@dataclass(frozen=True)
class Call:
    """A confirmed call in a row.

    Attributes
    ----------
    span : Span
        Seconds from the row's first sample; may reach beyond either end.
    low_hz, high_hz : float
        Its box in frequency.
    """

    label: str
    span: Span
    low_hz: float
    high_hz: float


@dataclass(frozen=True)
class Row:
    """A clip and what is known of it.

    Attributes
    ----------
    waveform : float32 array, shape (T,)
    soft : float array, shape (C,), optional
        Pseudo labels in [0, 1], in the order of the model's outputs. NaN: nothing is known of
        this cell, and if it is unknown it carries no loss, whatever the row's kind assumes.
    calls : tuple of Call
        The confirmed calls that make its classes present, so that a change of pitch or time can
        say whether they still are.
    lost : frozenset of str
        Classes of which nothing is known any more, not even what the row's kind assumes: their
        cells carry no loss.
    """

    waveform: FloatSamples
    labels: PartialLabels
    kind: RowKind
    soft: WeightClasses | None = None
    calls: tuple[Call, ...] = ()
    lost: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Cells:
    """One cell a class: what the loss sees of a row's labels.

    Attributes
    ----------
    targets : float32 array, shape (C,)
        In [0, 1]; 0 where unknown.
    known : bool array, shape (C,)
    weight : float32 array, shape (C,)
        A known cell's confidence; of an unknown one, how much it is to go to zero softly.
    """

    targets: WeightClasses
    known: BoolClasses
    weight: WeightClasses


@dataclass(frozen=True)
class Example:
    """A row as the loss sees it: what is mixed, and stacked to a batch."""

    waveform: FloatSamples
    cells: Cells
    kind: RowKind


@dataclass(frozen=True)
class Batch:
    """Rows of one step.

    Attributes
    ----------
    waveforms : Tensor, float32, shape (B, T)
    targets : Tensor, float32, shape (B, C)
        1 or 0, or a pseudo label between them.
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

    def split(self, parts: int) -> list[Batch]:
        """Split the rows into exactly this many parts of about the same size; some may be empty."""
        chunks = zip(*(t.tensor_split(parts) for t in self._tensors()), strict=True)
        return [Batch(*chunk) for chunk in chunks]

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.waveforms, self.targets, self.known, self.weight


def make_example(row: Row, classes: Sequence[str], pseudo_weight: float = 1.0) -> Example:
    """Make the cells that a row's labels, kind and pseudo labels imply.

    Parameters
    ----------
    classes : sequence of str
        In the order of the model's outputs.
    pseudo_weight : float
        Of a cell that a pseudo label fills.
    """
    cells = _hard_cells(row.labels, row.kind, tuple(classes))
    if row.soft is not None:
        filled = ~cells.known & ~np.isnan(row.soft)
        weight = np.where(filled, np.float32(pseudo_weight), np.float32(0))
        cells = Cells(
            np.where(filled, row.soft, cells.targets).astype(np.float32),
            cells.known | filled,
            np.where(cells.known, cells.weight, weight),
        )
    if row.lost:
        held = np.ones(len(classes) + 1, dtype=bool)  # the last: of no class
        held[places(row.lost, classes)] = False
        held = held[:-1]
        cells = Cells(cells.targets * held, cells.known & held, cells.weight * held)
    return Example(row.waveform, cells, row.kind)


@lru_cache(maxsize=256)
def _hard_cells(labels: PartialLabels, kind: RowKind, classes: tuple[str, ...]) -> Cells:
    """Make the cells of labels without pseudo labels: once of a label set that many rows share."""
    targets, known, confidence = labels.to_arrays(classes)
    assumed = np.float32(1.0 if kind is RowKind.TP else 0.0)
    cells = Cells(targets, known, np.where(known, confidence, assumed))
    for values in vars(cells).values():
        values.setflags(write=False)
    return cells


def stack(examples: Sequence[Example]) -> Batch:
    """Stack examples to a batch.

    Raises
    ------
    ValueError
        If there are none, or they differ in length or number of classes.
    """
    columns = (
        [e.waveform for e in examples],
        [e.cells.targets for e in examples],
        [e.cells.known for e in examples],
        [e.cells.weight for e in examples],
    )
    return Batch(*(torch.from_numpy(np.stack(column)) for column in columns))
