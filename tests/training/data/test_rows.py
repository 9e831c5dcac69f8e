"""Rows of a step: what each kind says of the cells nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from batches import make_batch
from hypothesis import given
from hypothesis import strategies as st

from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.labels import PartialLabels
from training.data.rows import Batch, Cells, Row, RowKind, make_example

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
    cells = (batch.known, batch.weight, batch.targets)
    assert [cell[0, 1].item() for cell in cells] == [False, 0, 0]
    assert batch.weight[0, [0, 2]].tolist() == [1.0, 0.25]


def test_batch_moves_whole() -> None:
    moved = one(RowKind.TP).to(torch.device("meta"))
    assert {t.device.type for t in vars(moved).values()} == {"meta"}


def slow_cells(row: Row, classes: tuple[str, ...], pseudo_weight: float) -> Cells:
    """The cells of a row, one class after the other, as the module's text says them."""
    found = []
    for i, name in enumerate(classes):
        absence = row.labels.absent.get(name)
        soft = np.nan if row.soft is None else row.soft[i]
        if name in row.lost:
            cell = (0.0, False, 0.0)
        elif name in row.labels.present:
            cell = (1.0, True, 1.0)
        elif absence:
            cell = (0.0, True, absence.confidence)
        elif not np.isnan(soft):
            cell = (soft, True, pseudo_weight)
        else:
            cell = (0.0, False, float(row.kind is RowKind.TP and row.soft is None))
        found.append(cell)
    targets, known, weight = zip(*found, strict=True)
    return Cells(np.array(targets, np.float32), np.array(known, bool), np.array(weight, np.float32))


@st.composite
def any_rows(draw: st.DrawFn) -> Row:
    names = [*CLASSES, "wind", "a class of no output"]
    state = st.sampled_from(["present", "absent", "unknown", "unknown"])
    states = {name: draw(state) for name in names}
    sure = st.floats(1e-3, 1, exclude_min=True)
    absent = {
        name: Absence(Certificate.MIXED, draw(sure)) for name in names if states[name] == "absent"
    }
    labels = PartialLabels(frozenset(n for n in names if states[n] == "present"), absent)
    chance = st.one_of(st.just(np.nan), st.floats(0, 1))
    soft = draw(st.none() | st.lists(chance, min_size=4, max_size=4))
    lost = draw(st.frozensets(st.sampled_from(names)))
    kind = draw(st.sampled_from(list(RowKind)))
    chances = None if soft is None else np.array(soft, np.float32)
    return Row(np.zeros(2, np.float32), labels, kind, chances, lost=lost)


@given(any_rows(), st.permutations([*CLASSES, "wind"]), st.sampled_from([1.0, 0.3]))
def test_cells_are_those_of_class_after_class_to_the_bit(
    row: Row, order: list[str], pseudo_weight: float
) -> None:
    classes = tuple(order)
    for _ in range(2):  # the second time, what is kept of the label set is used
        got = make_example(row, classes, pseudo_weight).cells
        want = slow_cells(row, classes, pseudo_weight)
        for name, values in vars(want).items():
            assert getattr(got, name).dtype == values.dtype
            assert getattr(got, name).tobytes() == values.tobytes(), name
