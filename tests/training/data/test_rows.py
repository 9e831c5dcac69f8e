"""Rows of a step: what each kind says of the cells nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from batches import make_batch

from negmine.recipes.labels import Absence, Certificate, PartialLabels
from training.data.rows import Batch, Row, RowKind

CLASSES = ("frog", "owl", "rain")
LABELS = PartialLabels(
    present=frozenset({"owl"}), absent={"rain": Absence(Certificate.VERIFIED, 0.25)}
)


def one(kind: RowKind, labels: PartialLabels = LABELS, classes: tuple[str, ...] = CLASSES) -> Batch:
    return make_batch([Row(np.ones(4, np.float32), labels, kind)], classes)


@pytest.mark.parametrize(
    ("kind", "unknown"), [(RowKind.TP, 1.0), (RowKind.FP, 0.0), (RowKind.POOL, 0.0)]
)
def test_unknown_cells_weigh_1_in_tp_rows_and_nothing_elsewhere(
    kind: RowKind, unknown: float
) -> None:
    batch = one(kind)
    assert batch.targets.tolist() == [[0.0, 1.0, 0.0]]
    assert batch.known.tolist() == [[False, True, True]]
    assert batch.weight.tolist() == [[unknown, 1.0, 0.25]]


def test_confidence_becomes_the_weight_of_a_certified_zero() -> None:
    absent = {
        "frog": Absence(Certificate.MIXED, 0.98),
        "rain": Absence(Certificate.EXTERNAL, 0.5),
    }
    batch = one(RowKind.POOL, PartialLabels(absent=absent))
    assert batch.weight.tolist() == [[pytest.approx(0.98), 0.0, 0.5]]
    assert batch.targets.sum() == 0


def test_cells_stand_in_the_order_of_the_outputs() -> None:
    batch = one(RowKind.FP, classes=("rain", "frog", "owl"))
    assert batch.targets.tolist() == [[0.0, 0.0, 1.0]]
    assert batch.weight.tolist() == [[0.25, 0.0, 1.0]]


def test_kinds_in_one_batch_keep_their_own_weights() -> None:
    rows = [Row(np.full(3, i, np.float32), LABELS, kind) for i, kind in enumerate(RowKind)]
    batch = make_batch(rows, CLASSES)
    assert batch.weight[:, 0].tolist() == [1.0, 0.0, 0.0]
    assert batch.waveforms[:, 0].tolist() == [0.0, 1.0, 2.0]


def test_tensors_have_the_types_a_loss_takes() -> None:
    batch = one(RowKind.TP)
    assert batch.waveforms.dtype == batch.targets.dtype == batch.weight.dtype == torch.float32
    assert batch.known.dtype == torch.bool


def test_rows_of_unequal_length_are_refused() -> None:
    rows = [Row(np.ones(n, np.float32), LABELS, RowKind.TP) for n in (2, 3)]
    with pytest.raises(ValueError, match="same shape"):
        make_batch(rows, CLASSES)


@pytest.mark.parametrize("kind", list(RowKind))
def test_pseudo_labels_fill_unknown_cells_and_never_known_ones(kind: RowKind) -> None:
    soft = np.array([0.3, 0.1, 0.9], np.float32)
    batch = make_batch([Row(np.ones(4, np.float32), LABELS, kind, soft)], CLASSES, 0.5)
    # the owl was confirmed and the rain rejected, whatever a model says
    torch.testing.assert_close(batch.targets, torch.tensor([[0.3, 1.0, 0.0]]))
    assert batch.known.tolist() == [[True, True, True]]
    assert batch.weight.tolist() == [[0.5, 1.0, 0.25]]


def test_cell_whose_pseudo_label_is_missing_carries_no_loss() -> None:
    soft = np.array([np.nan, 0.1, 0.9], np.float32)
    row = Row(np.ones(4, np.float32), LABELS, RowKind.TP, soft)
    batch = make_batch([row], CLASSES, 0.5)
    assert batch.targets.tolist() == [[0.0, 1.0, 0.0]]
    assert batch.known.tolist() == [[False, True, True]]
    assert batch.weight.tolist() == [[0.0, 1.0, 0.25]]


@pytest.mark.parametrize("soft", [None, np.full(3, 0.5, np.float32)])
def test_lost_class_carries_no_loss_in_any_row(soft: np.ndarray | None) -> None:
    unsaid = PartialLabels(absent={"rain": Absence(Certificate.VERIFIED, 0.25)})
    row = Row(np.ones(4, np.float32), unsaid, RowKind.TP, soft, lost=frozenset({"owl"}))
    batch = make_batch([row], CLASSES)
    assert (batch.known[0, 1], batch.weight[0, 1], batch.targets[0, 1]) == (False, 0, 0)
    assert batch.weight[0, [0, 2]].tolist() == [1.0, 0.25]


def test_batch_moves_whole() -> None:
    moved = one(RowKind.TP).to(torch.device("meta"))
    assert {t.device.type for t in vars(moved).values()} == {"meta"}
