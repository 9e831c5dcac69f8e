"""What all losses over cells share, and masked BCE and LSoft against plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.losses import losses
from training.losses.losses import (
    asymmetric_loss,
    bce_loss,
    hill_loss,
    large_loss,
    lsoft_bce_loss,
    splc_loss,
)

Loss = Callable[..., Tensor]
CELL_LOSSES: dict[str, Loss] = {
    "bce": bce_loss,
    "lsoft, detached": partial(lsoft_bce_loss, lsoft=0.4),
    "lsoft": partial(lsoft_bce_loss, lsoft=0.4, detach=False),
    "asymmetric": asymmetric_loss,
    "asymmetric, no clip": partial(asymmetric_loss, clip=0.0, gamma_neg=2.5),
    "asymmetric, small powers": partial(asymmetric_loss, gamma_pos=0.5, gamma_neg=0.5),
    "hill": hill_loss,
    "splc": splc_loss,
    "large": partial(large_loss, rate=0.2),
}


@pytest.fixture(params=CELL_LOSSES)
def loss(request: pytest.FixtureRequest) -> Loss:
    return CELL_LOSSES[request.param]


def batch(rows: int = 5, classes: int = 7) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return float64 logits, hard and soft targets, a mask and weights with some zeros."""
    draw = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(rows, classes, generator=draw, dtype=torch.float64)
    targets = torch.rand(rows, classes, generator=draw, dtype=torch.float64)
    targets[::2] = targets[::2].round()
    known = torch.rand(rows, classes, generator=draw) < 0.5
    weight = torch.rand(rows, classes, generator=draw, dtype=torch.float64)
    weight[weight < 0.3] = 0.0
    return logits.requires_grad_(), targets, known, weight


def gradient_of(value: Tensor, logits: Tensor) -> Tensor:
    return torch.autograd.grad(value, logits)[0]


def slow_bce(logit: float, target: float) -> float:
    """Return cross-entropy by its definition."""
    probability = 1 / (1 + math.exp(-logit))
    return -target * math.log(probability) - (1 - target) * math.log(1 - probability)


# What all share.


# Detached LSoft is left out: its gradient is, on purpose, not that of its value.
@pytest.mark.parametrize("name", sorted(CELL_LOSSES.keys() - {"lsoft, detached"}))
def test_gradcheck(name: str) -> None:
    loss = CELL_LOSSES[name]
    logits, targets, known, weight = batch(rows=3, classes=4)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets, known, weight=weight), logits)


def test_reductions_agree(loss: Loss) -> None:
    logits, targets, known, weight = batch()
    each = loss(logits, targets, known, weight=weight, reduction="none")
    assert each.shape == logits.shape
    assert (each[weight == 0] == 0).all()
    left = weight != 0
    if loss is bce_loss:
        left = left & known
    total = loss(logits, targets, known, weight=weight, reduction="sum")
    torch.testing.assert_close(total, each.sum())
    torch.testing.assert_close(loss(logits, targets, known, weight=weight), each.sum() / left.sum())


def test_weights_multiply_cell_by_cell(loss: Loss) -> None:
    logits, targets, known, weight = batch()
    plain = loss(logits, targets, known, weight=(weight != 0).double(), reduction="none")
    weighted = loss(logits, targets, known, weight=weight, reduction="none")
    torch.testing.assert_close(weighted, weight * plain)


@pytest.mark.parametrize("shape", [(), (1, 1), (5, 1), (1, 7), (5, 7)])
def test_weights_broadcast(loss: Loss, shape: tuple[int, ...]) -> None:
    logits, targets, known, _ = batch()
    weight = torch.full(shape, 0.5)
    torch.testing.assert_close(
        loss(logits, targets, known, weight=weight), 0.5 * loss(logits, targets, known)
    )


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_cell_of_weight_0_may_hold_anything(loss: Loss, poison: float) -> None:
    logits, targets, known, weight = batch()
    value = loss(logits, targets, known, weight=weight)
    left = weight != 0
    poisoned = torch.where(left, logits, poison).detach().requires_grad_()
    again = loss(poisoned, torch.where(left, targets, poison), known, weight=weight)
    assert torch.equal(again, value)
    gradient = gradient_of(again, poisoned)
    torch.testing.assert_close(gradient, gradient_of(value, logits), rtol=0, atol=0)
    assert (gradient[~left] == 0).all()


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_an_unknown_target_is_not_read(loss: Loss, poison: float) -> None:
    logits, targets, known, _ = batch()
    value = loss(logits, targets, known)
    assert torch.equal(loss(logits, torch.where(known, targets, poison), known), value)
    assert gradient_of(value, logits).isfinite().all()


def test_a_live_nan_is_not_hidden(loss: Loss) -> None:
    logits, targets, known, weight = batch()
    known[:] = True
    for poisoned in (logits, targets, weight):
        original = poisoned.detach()[1, 1].clone()
        with torch.no_grad():
            poisoned[1, 1] = math.nan
            assert loss(logits, targets, known, weight=weight).isnan()
            poisoned[1, 1] = original


def test_nothing_left_is_0_with_gradient_0(loss: Loss) -> None:
    logits, targets, known, _ = batch()
    value = loss(logits, targets, known, weight=torch.zeros(()))
    assert value.item() == 0.0
    assert (gradient_of(value, logits) == 0).all()
    empty = torch.zeros(0, 7, requires_grad=True)
    value = loss(empty, torch.zeros(0, 7), torch.zeros(0, 7, dtype=torch.bool))
    assert value.item() == 0.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(loss: Loss, dtype: torch.dtype) -> None:
    logits, targets, known, weight = batch()
    half = logits.detach().to(dtype).requires_grad_()
    value = loss(half, targets.to(dtype), known, weight=weight.to(dtype))
    assert value.dtype == torch.float32
    wide = half.detach().float().requires_grad_()
    expected = loss(wide, targets.to(dtype).float(), known, weight=weight.to(dtype).float())
    assert torch.equal(value, expected)
    gradient = gradient_of(value, half)
    assert gradient.dtype == dtype
    torch.testing.assert_close(gradient, gradient_of(expected, wide).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_logits_stay_finite(loss: Loss, dtype: torch.dtype) -> None:
    extremes = [-1e4, -200.0, -88.0, -17.0, 0.0, 17.0, 88.0, 200.0, 1e4]
    logits = torch.tensor([extremes] * 4, dtype=dtype, requires_grad=True)
    targets = torch.tensor([[0.0], [0.3], [1.0], [1.0]]).expand_as(logits)
    known = torch.tensor([[True], [True], [True], [False]]).expand_as(logits)
    value = loss(logits, targets, known)
    assert value.isfinite()
    assert gradient_of(value, logits).isfinite().all()


def test_memory_layout_does_not_matter(loss: Loss) -> None:
    logits, targets, known, weight = batch()
    transposed = [part.t().contiguous().t() for part in (logits, targets, known)]
    assert not transposed[0].is_contiguous()
    value = loss(logits, targets, known, weight=weight)
    again = loss(*transposed, weight=weight.t().contiguous().t())
    torch.testing.assert_close(again, value)
    torch.testing.assert_close(gradient_of(again, logits), gradient_of(value, logits))


def test_targets_are_constants(loss: Loss) -> None:
    logits, targets, known, _ = batch()
    value = loss(logits, targets.requires_grad_(), known)
    assert torch.autograd.grad(value, [logits, targets], allow_unused=True)[1] is None


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        ({"logits": torch.zeros(3)}, r"logits have shape \(3,\); expected \(B, C\)"),
        ({"logits": torch.zeros(3, 3, dtype=torch.int64)}, r"call logits.float\(\)"),
        ({"targets": torch.zeros(3, 3, dtype=torch.int64)}, r"call targets.float\(\)"),
        ({"targets": torch.zeros(3, 4)}, "class indices"),
        ({"known": torch.ones(3, 3)}, "bool mask"),
        ({"known": torch.ones(3, 1, dtype=torch.bool)}, "one flag a cell"),
        ({"weight": torch.ones(3)}, r"weight has shape \(3,\); expected \(3, 1\)"),
        ({"weight": torch.ones(2, 3)}, "one value a row"),
        ({"weight": torch.ones(1, 3, 3)}, "one value a row"),
        ({"reduction": "avg"}, "reduction 'avg': expected"),
    ],
)
def test_what_does_not_fit_is_refused(loss: Loss, replace: dict[str, object], message: str) -> None:
    fitting: dict[str, object] = {
        "logits": torch.zeros(3, 3),
        "targets": torch.zeros(3, 3),
        "known": torch.ones(3, 3, dtype=torch.bool),
    }
    with pytest.raises(ValueError, match=message):
        loss(**(fitting | replace))


# Masked BCE.


def test_bce_equals_a_loop() -> None:
    logits, targets, known, weight = batch()
    total, count = 0.0, 0
    for row in range(logits.shape[0]):
        for c in range(logits.shape[1]):
            if known[row, c] and weight[row, c] > 0:
                cell = slow_bce(logits[row, c].item(), targets[row, c].item())
                total += weight[row, c].item() * cell
                count += 1
    assert bce_loss(logits, targets, known, weight).item() == pytest.approx(total / count, 1e-12)


def test_bce_without_a_mask_is_torch_s() -> None:
    logits, targets, _, _ = batch()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(bce_loss(logits, targets), expected)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_bce_leaves_unknown_cells_out(poison: float) -> None:
    logits, targets, known, _ = batch()
    poisoned = torch.where(known, logits, poison).detach().requires_grad_()
    value = bce_loss(poisoned, targets, known, torch.where(known, 1.0, poison))
    torch.testing.assert_close(value, bce_loss(logits[known][None], targets[known][None]))
    gradient = gradient_of(value, poisoned)
    assert gradient.isfinite().all()
    assert (gradient[~known] == 0).all()


# LSoft.


@pytest.mark.parametrize("detach", [True, False])
def test_lsoft_equals_a_loop(detach: bool) -> None:
    logits, targets, known, weight = batch()
    lsoft = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
    value = lsoft_bce_loss(logits, targets, known, lsoft, detach, weight)
    total, count = 0.0, 0
    for row in range(logits.shape[0]):
        for c in range(logits.shape[1]):
            x = logits[row, c].item()
            soft = lsoft[row].item() / (1 + math.exp(-x))
            target = targets[row, c].item() if known[row, c] else soft
            if weight[row, c] > 0:
                total += weight[row, c].item() * slow_bce(x, target)
                count += 1
    assert value.item() == pytest.approx(total / count, rel=1e-12)


@pytest.mark.parametrize("detach", [True, False])
def test_lsoft_0_is_bce_with_zeros(detach: bool) -> None:
    logits, targets, known, weight = batch()
    zeros = torch.where(known, targets, 0.0)
    value = lsoft_bce_loss(logits, targets, known, 0.0, detach, weight)
    expected = bce_loss(logits, zeros, weight=weight)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient_of(value, logits), gradient_of(expected, logits))


@settings(max_examples=40, deadline=None)
@given(x=st.floats(-40, 40), lsoft=st.floats(0, 1))
def test_detached_lsoft_has_the_gradient_of_weighted_bce(x: float, lsoft: float) -> None:
    logits = torch.tensor([[x]], dtype=torch.float64, requires_grad=True)
    zero, unknown = torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.bool)
    soft = gradient_of(lsoft_bce_loss(logits, zero, unknown, lsoft), logits)
    weighted = gradient_of((1 - lsoft) * bce_loss(logits, zero), logits)
    torch.testing.assert_close(soft, weighted, rtol=1e-9, atol=1e-15)


@settings(max_examples=40, deadline=None)
@given(x=st.floats(-40, 40), lsoft=st.floats(0, 1))
def test_lsoft_in_full_is_weighted_bce_and_entropy(x: float, lsoft: float) -> None:
    logits = torch.tensor([[x]], dtype=torch.float64, requires_grad=True)
    zero, unknown = torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.bool)
    value = lsoft_bce_loss(logits, zero, unknown, lsoft, detach=False)
    p = torch.sigmoid(logits)
    entropy = (torch.special.entr(p) + torch.special.entr(torch.sigmoid(-logits))).sum()
    expected = (1 - lsoft) * bce_loss(logits, zero) + lsoft * entropy
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-12)
    detached = gradient_of(lsoft_bce_loss(logits, zero, unknown, lsoft), logits)
    extra = gradient_of(value, logits) - detached
    stated = (-lsoft * logits * p * (1 - p)).detach()
    torch.testing.assert_close(extra, stated, rtol=1e-6, atol=1e-12)


def test_lsoft_leaves_known_cells_alone() -> None:
    logits, targets, known, _ = batch()
    each = lsoft_bce_loss(logits, targets, known, 0.7, detach=False, reduction="none")
    expected = bce_loss(logits, targets, reduction="none")
    torch.testing.assert_close(each[known], expected[known])


@pytest.mark.parametrize("lsoft", [-0.1, 1.1, math.nan])
def test_lsoft_outside_its_range_is_refused(lsoft: float) -> None:
    logits, targets, known, _ = batch()
    with pytest.raises(ValueError, match=r"expected a share in \[0, 1\]"):
        lsoft_bce_loss(logits, targets, known, lsoft)


def test_lsoft_of_an_unclear_shape_is_refused() -> None:
    logits, targets, known, _ = batch()
    with pytest.raises(ValueError, match=r"lsoft has shape \(5,\); expected \(5, 1\)"):
        lsoft_bce_loss(logits, targets, known, torch.ones(5))


# One fact about each kind of row that the module's own text rests on.


def test_a_row_of_known_zeros_teaches_bce_but_not_lsep() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0]], requires_grad=True)
    assert (gradient_of(bce_loss(logits, torch.zeros(1, 3)), logits) > 0).all()
    assert (gradient_of(losses.lsep_loss(logits, torch.zeros(1, 3)), logits) == 0).all()


def test_large_leaves_no_known_cell_out() -> None:
    logits, targets, known, weight = batch()
    each = large_loss(logits, targets, known, weight, "none", rate=1.0)
    assert torch.equal(each == 0, ~known | (weight == 0))
