"""Rows of a step: what each kind says of the cells nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from negmine.labels import Absence, Certificate, PartialLabels
from training.rows import Batch, RowKind, make_batch

CLASSES = ("frog", "owl", "rain")
LABELS = PartialLabels(
    present=frozenset({"owl"}), absent={"rain": Absence(Certificate.VERIFIED, 0.25)}
)


def one(kind: RowKind, labels: PartialLabels = LABELS, classes: tuple[str, ...] = CLASSES) -> Batch:
    return make_batch([np.ones(4, np.float32)], [labels], [kind], classes)


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
    waveforms = [np.full(3, i, np.float32) for i in range(3)]
    batch = make_batch(waveforms, [LABELS] * 3, list(RowKind), CLASSES)
    assert batch.weight[:, 0].tolist() == [1.0, 0.0, 0.0]
    assert batch.waveforms[:, 0].tolist() == [0.0, 1.0, 2.0]


def test_tensors_have_the_types_a_loss_takes() -> None:
    batch = one(RowKind.TP)
    assert batch.waveforms.dtype == batch.targets.dtype == batch.weight.dtype == torch.float32
    assert batch.known.dtype == torch.bool


def test_join_keeps_all_rows_in_order() -> None:
    first, second = (
        one(RowKind.TP),
        make_batch(
            [np.zeros(4, np.float32)] * 2, [PartialLabels()] * 2, [RowKind.POOL] * 2, CLASSES
        ),
    )
    joined = first.join(second)
    assert len(joined) == 3
    for name in ("waveforms", "targets", "known", "weight"):
        whole = getattr(joined, name)
        assert torch.equal(whole[:1], getattr(first, name))
        assert torch.equal(whole[1:], getattr(second, name))
    assert len(first) == 1


def test_rows_of_unequal_number_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        make_batch([np.ones(2, np.float32)] * 2, [LABELS] * 2, [RowKind.TP], CLASSES)


def test_batch_moves_whole() -> None:
    moved = one(RowKind.TP).to(torch.device("meta"))
    assert {t.device.type for t in vars(moved).values()} == {"meta"}
