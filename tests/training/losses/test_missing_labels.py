"""Losses against missing labels: their formulas cell by cell, and what a known cell is spared."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.losses.losses import (
    asymmetric_loss,
    bce_loss,
    hill_loss,
    large_loss,
    splc_loss,
)


def batch(rows: int = 6, classes: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(11)
    logits = 3 * torch.randn(rows, classes, generator=draw, dtype=torch.float64)
    targets = (torch.rand(rows, classes, generator=draw) < 0.3).double()
    known = torch.rand(rows, classes, generator=draw) < 0.5
    return logits.requires_grad_(), targets, known


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def slow_asymmetric(x: float, present: bool, trusted: bool) -> float:
    p = sigmoid(x)
    q = max(p - 0.05, 0.0)
    return -(1 - p) * math.log(p) if present else -(q**4) * math.log(1 - q)


def slow_hill(x: float, present: bool, trusted: bool) -> float:
    p, m = sigmoid(x), sigmoid(x - 1)
    if present:
        return -((1 - m) ** 2) * math.log(m)
    return -math.log(1 - p) if trusted else (1.5 - p) * p**2


def slow_splc(x: float, present: bool, trusted: bool) -> float:
    p, m = sigmoid(x), sigmoid(x - 1)
    if present:
        return -((1 - m) ** 2) * math.log(m)
    if p > 0.6 and not trusted:
        return -((1 - p) ** 2) * math.log(p)
    return -(p**2) * math.log(1 - p)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("loss", "slow"),
    [(asymmetric_loss, slow_asymmetric), (hill_loss, slow_hill), (splc_loss, slow_splc)],
)
def test_equals_its_formula(
    loss: Callable[..., Tensor], slow: Callable[[float, bool, bool], float], masked: bool
) -> None:
    logits, targets, known = batch()
    each = loss(logits, targets, known if masked else None, reduction="none").tolist()
    for row, values in enumerate(each):
        for c, value in enumerate(values):
            trusted = masked and bool(known[row, c])
            present = bool(targets[row, c]) and (trusted or not masked)
            expected = slow(logits[row, c].item(), present, trusted)
            assert value == pytest.approx(expected, rel=1e-10, abs=1e-15)


@pytest.mark.parametrize("loss", [asymmetric_loss, hill_loss])
def test_a_soft_target_mixes_both_sides(loss: Callable[..., Tensor]) -> None:
    logits, _, _ = batch()
    zero, one = torch.zeros_like(logits), torch.ones_like(logits)
    mixed = 0.3 * loss(logits, one) + 0.7 * loss(logits, zero)
    torch.testing.assert_close(loss(logits, torch.full_like(logits, 0.3)), mixed)


def test_without_powers_and_clip_asymmetric_loss_is_bce() -> None:
    logits, targets, _ = batch()
    value = asymmetric_loss(logits, targets, gamma_pos=0, gamma_neg=0, clip=0)
    torch.testing.assert_close(value, bce_loss(logits, targets))


def test_an_easy_negative_counts_for_nothing_under_the_clip() -> None:
    logits = torch.tensor([[-3.0, 3.0]], requires_grad=True)  # 0.047 and 0.95
    value = asymmetric_loss(logits, torch.zeros(1, 2))
    gradient = torch.autograd.grad(value, logits)[0][0]
    assert gradient[0] == 0
    assert gradient[1] > 0


def test_hill_lets_go_of_an_assumed_negative_only() -> None:
    logits = torch.tensor([[8.0, 8.0]], requires_grad=True)
    known = torch.tensor([[False, True]])
    value = hill_loss(logits, torch.zeros(1, 2), known, reduction="sum")
    assumed, vouched = torch.autograd.grad(value, logits)[0][0].tolist()
    assert 0 <= assumed < 1e-5
    assert vouched == pytest.approx(1, abs=1e-3)


def test_splc_pulls_a_confident_assumed_negative_up_and_a_known_one_down() -> None:
    logits = torch.tensor([[1.0, 1.0]], requires_grad=True)
    known = torch.tensor([[False, True]])
    value = splc_loss(logits, torch.zeros(1, 2), known)
    assumed, vouched = torch.autograd.grad(value, logits)[0][0].tolist()
    assert assumed < 0 < vouched


def test_splc_at_tau_1_corrects_nothing() -> None:
    logits, targets, _ = batch()
    everything_known = torch.ones_like(targets, dtype=torch.bool)
    assert torch.equal(
        splc_loss(logits, targets, tau=1.0), splc_loss(logits, targets, everything_known)
    )


def slow_large_cells(
    logits: Tensor, targets: Tensor, known: Tensor | None, rate: Fraction
) -> set[tuple[int, int]]:
    cells = [
        (row, c)
        for row in range(logits.shape[0])
        for c in range(logits.shape[1])
        if (targets[row, c] == 0 if known is None else not known[row, c])
    ]
    cells.sort(key=lambda cell: -logits[cell].item())
    return set(cells[: math.ceil(rate * len(cells))])


rates = st.fractions(0, 1, max_denominator=100)


@settings(max_examples=40, deadline=None)
@given(rate=rates, masked=st.booleans())
def test_large_leaves_out_the_top_share(rate: Fraction, masked: bool) -> None:
    logits, targets, known = batch()
    mask = known if masked else None
    each = large_loss(logits, targets, mask, reduction="none", rate=float(rate))
    expected = slow_large_cells(logits.detach(), targets, mask, rate)
    assert {(row, c) for row, c in (each == 0).nonzero().tolist()} == expected


@pytest.mark.parametrize("masked", [False, True])
def test_large_loss_equals_its_formula(masked: bool) -> None:
    logits, targets, known = batch()
    mask = known if masked else None
    rate = Fraction(1, 4)
    large = slow_large_cells(logits.detach(), targets, mask, rate)
    assert large
    total = 0.0
    for row in range(logits.shape[0]):
        for c in range(logits.shape[1]):
            p = sigmoid(logits[row, c].item())
            present = bool(targets[row, c]) and (not masked or bool(known[row, c]))
            if (row, c) not in large:
                total += -math.log(p) if present else -math.log(1 - p)
    value = large_loss(logits, targets, mask, rate=float(rate))
    assert value.item() == pytest.approx(total / targets.numel(), rel=1e-12)


def test_among_equal_losses_exactly_the_share_is_left_out() -> None:
    each = large_loss(torch.zeros(10, 10), torch.zeros(10, 10), reduction="none", rate=0.15)
    assert (each == 0).flatten().nonzero().flatten().tolist() == list(range(15))


def test_rate_0_is_bce_with_assumed_zeros() -> None:
    logits, targets, known = batch()
    assumed = bce_loss(logits, torch.where(known, targets, 0.0))
    torch.testing.assert_close(large_loss(logits, targets, known, rate=0.0), assumed)


def test_a_cell_left_out_has_no_gradient() -> None:
    logits, targets, known = batch()
    each = large_loss(logits, targets, known, reduction="none", rate=0.3)
    assert (each == 0).any()
    assert (torch.autograd.grad(each.sum(), logits)[0][each == 0] == 0).all()


def test_weights_do_not_decide_which_loss_is_large() -> None:
    logits, targets = torch.tensor([[3.0, 2.0, 1.0]]), torch.zeros(1, 3)
    weight = torch.tensor([[0.1, 5.0, 0.0]])
    each = large_loss(logits, targets, weight=weight, reduction="none", rate=0.5)
    assert (each == 0).tolist() == [[True, False, True]]


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (1.5, r"rate is 1.5; expected a share in \[0, 1\]"),
        (math.nan, "rate is nan"),
    ],
)
def test_wrong_options_are_refused(rate: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        large_loss(torch.zeros(2, 2), torch.zeros(2, 2), rate=rate)
