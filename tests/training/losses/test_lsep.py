"""LSEP against loops over pairs, at extremes, and by what must leave it unchanged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.losses import lsep
from training.losses.losses import lsep_loss

Loss = Callable[..., Tensor]
FORMS = {"pairs": 10**9, "sorting": 0}


def in_form(form: str) -> Loss:
    """Return `lsep_loss`, made to use one of its two forms whatever the number of classes."""

    def loss(*args: Tensor | None, **options: Tensor | str | None) -> Tensor:
        with patch.object(lsep, "PAIRS_UP_TO", FORMS[form]):
            return lsep_loss(*args, **options)  # type: ignore[arg-type]

    return loss


@pytest.fixture(params=sorted(FORMS))
def loss(request: pytest.FixtureRequest) -> Loss:
    return in_form(request.param)


def slow_row(scores: Sequence[float], labels: Sequence[float]) -> tuple[float, list[float]]:
    """Return one row's loss and gradient, pair by pair in double precision."""
    pairs = [
        (i, j, math.log(labels[i] - labels[j]) + scores[j] - scores[i])
        for i in range(len(labels))
        for j in range(len(labels))
        if labels[i] > labels[j]
    ]
    top = max([0.0] + [value for _, _, value in pairs])
    others = math.fsum(math.exp(value - top) for _, _, value in pairs)
    # Written so that a sum far below 1 survives being added to it.
    loss = math.log1p(others) if top == 0.0 else top + math.log(math.exp(-top) + others)
    gradient = [0.0] * len(labels)
    for i, j, value in pairs:
        share = math.exp(value - loss)
        gradient[j] += share
        gradient[i] -= share
    return loss, gradient


def slow(logits: Tensor, targets: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Return all rows' losses and gradients, with unknown cells taken out of their row."""
    losses, gradient = [], torch.zeros(logits.shape, dtype=torch.float64)
    for row, mask in enumerate(known):
        scores, labels = logits.detach()[row, mask].tolist(), targets[row, mask].tolist()
        loss, values = slow_row(scores, labels)
        losses.append(loss)
        gradient[row, mask] = torch.tensor(values, dtype=torch.float64)
    return torch.tensor(losses, dtype=torch.float64), gradient


def batch(
    kind: str, rows: int = 6, classes: int = 9, scale: float = 3.0, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Return float64 logits, targets and a mask whose rows know between no cell and all."""
    draw = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(rows, classes, generator=draw, dtype=torch.float64)
    targets = torch.rand(rows, classes, generator=draw, dtype=torch.float64)
    if kind == "hard":
        targets = targets.round()
    elif kind == "tied":
        targets = (5 * targets).round() / 5
    elif kind == "signed":
        targets = targets - 0.7
    share = torch.linspace(0, 1, rows, dtype=torch.float64)[:, None]
    known = torch.rand(rows, classes, generator=draw, dtype=torch.float64) < share
    return logits.requires_grad_(), targets, known


def gradient_of(value: Tensor, logits: Tensor) -> Tensor:
    return torch.autograd.grad(value, logits)[0]


@pytest.mark.parametrize("kind", ["hard", "soft", "tied", "signed"])
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_equals_the_sum_over_pairs(loss: Loss, kind: str, scale: float) -> None:
    logits, targets, known = batch(kind, scale=scale)
    value = loss(logits, targets, known, reduction="none")
    expected, gradient = slow(logits, targets, known)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(gradient_of(value.sum(), logits), gradient, rtol=1e-10, atol=1e-13)


def test_equals_the_formula_as_published(loss: Loss) -> None:
    x, t = torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor([[1.0, 0.0, 0.3]])
    pairs = 1.0 * math.exp(-1.0 - 0.5) + 0.7 * math.exp(2.0 - 0.5) + 0.3 * math.exp(-1.0 - 2.0)
    assert loss(x, t).item() == pytest.approx(math.log(1 + pairs), rel=1e-6)


@pytest.mark.parametrize("kind", ["hard", "soft", "tied"])
def test_gradcheck(loss: Loss, kind: str) -> None:
    logits, targets, known = batch(kind, rows=4, classes=6)
    weight = torch.tensor([1.0, 0.0, 0.3, 2.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets, known, weight), logits)


def test_thousands_of_hard_labels_equal_the_closed_form() -> None:
    logits, targets, _ = batch("hard", rows=2, classes=5000)
    value = lsep_loss(logits, targets, reduction="none")
    present = torch.where(targets == 1, -logits, -torch.inf).logsumexp(-1)
    absent = torch.where(targets == 0, logits, -torch.inf).logsumexp(-1)
    torch.testing.assert_close(value, torch.nn.functional.softplus(present + absent))


@pytest.mark.parametrize("classes", [24, lsep.PAIRS_UP_TO, lsep.PAIRS_UP_TO + 1, 100])
def test_float32_stays_close_to_float64(classes: int) -> None:
    logits, targets, known = batch("soft", classes=classes)
    narrow = logits.detach().float().requires_grad_()
    value = lsep_loss(narrow, targets.float(), known, reduction="none")
    expected, gradient = slow(narrow, targets.float(), known)
    torch.testing.assert_close(value.double(), expected, rtol=2e-6, atol=1e-6)
    torch.testing.assert_close(
        gradient_of(value.sum(), narrow).double(), gradient, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("gap", [12.0, 100.0, 9984.0])  # all exact in the three types
def test_a_wide_gap_neither_overflows_nor_rounds_to_nothing(
    loss: Loss, dtype: torch.dtype, gap: float
) -> None:
    wrong = torch.tensor([[-gap, gap]], dtype=dtype, requires_grad=True)
    targets = torch.tensor([[1.0, 0.0]], dtype=dtype)
    value = loss(wrong, targets)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(2 * gap, rel=1e-6)
    gradient = gradient_of(value, wrong)
    assert gradient.dtype == dtype
    assert gradient.tolist() == [[-1.0, 1.0]]
    right = loss(-wrong, targets)
    assert 0.0 <= right.item() < 1e-9


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_random_logits_up_to_1e4_stay_finite_and_right(loss: Loss, dtype: torch.dtype) -> None:
    logits, targets, known = batch("soft", scale=3e3)
    narrow = logits.detach().clamp(-1e4, 1e4).to(dtype).requires_grad_()
    value = loss(narrow, targets.to(dtype), known, reduction="none")
    expected, gradient = slow(narrow, targets.to(dtype), known)
    torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-6)
    # float32 leaves about 1e-3 of a logit of 1e4; the gradient takes its dtype's rounding on top.
    torch.testing.assert_close(
        gradient_of(value.sum(), narrow).double(), gradient, rtol=0, atol=1e-2
    )


def test_a_difference_without_a_gap_does_not_hide_the_others(loss: Loss) -> None:
    # The tie (1, 2) differs by 300; scaled by it, the pair (1, 0) would underflow to nothing.
    value = loss(torch.tensor([[0.0, 0.0, 300.0]]), torch.tensor([[0.0, 1.0, 1.0]]))
    assert value.item() == pytest.approx(math.log(2))


def test_autocast_changes_nothing(loss: Loss) -> None:
    logits, targets, known = batch("soft")
    plain = loss(logits.float(), targets.float(), known)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(logits.float(), targets.float(), known), plain)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_unknown_cells_may_hold_anything(loss: Loss, poison: float) -> None:
    logits, targets, known = batch("soft")
    value = loss(logits, targets, known)
    poisoned = torch.where(known, logits, poison).detach().requires_grad_()
    again = loss(poisoned, torch.where(known, targets, poison), known)
    assert torch.equal(again, value)
    gradient = gradient_of(again, poisoned)
    torch.testing.assert_close(gradient, gradient_of(value, logits), rtol=0, atol=0)
    assert (gradient[~known] == 0).all()


def test_a_known_nan_is_not_hidden(loss: Loss) -> None:
    logits, targets = torch.tensor([[math.nan, 0.0, 1.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    assert loss(logits, targets).isnan()
    assert loss(targets, logits).isnan()


def test_rows_without_a_pair_have_no_loss_and_no_gradient(loss: Loss) -> None:
    logits = torch.tensor([[3.0, -2.0, 1e4]]).repeat(4, 1).requires_grad_()
    targets = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0.5], [1, 0, 0.5]])
    known = torch.tensor([[1, 1, 1], [1, 1, 1], [0, 0, 1], [0, 0, 0]]).bool()
    value = loss(logits, targets, known, reduction="none")
    assert value.tolist() == [0.0] * 4
    assert (gradient_of(value.sum(), logits) == 0).all()


def test_one_class_or_no_row_is_no_loss(loss: Loss) -> None:
    for shape in ((3, 1), (0, 5)):
        logits = torch.zeros(shape, requires_grad=True)
        value = loss(logits, torch.ones(shape))
        assert value.item() == 0.0
        assert (gradient_of(value, logits) == 0).all()


def test_row_weights_and_reductions(loss: Loss) -> None:
    logits, targets, _ = batch("soft", rows=3)
    rows = loss(logits, targets, reduction="none")
    assert rows.shape == (3,)
    torch.testing.assert_close(loss(logits, targets, reduction="sum"), rows.sum())
    torch.testing.assert_close(loss(logits, targets), rows.mean())
    weight = torch.tensor([0.5, 0.0, 2.0])
    torch.testing.assert_close(
        loss(logits, targets, weight=weight), (0.5 * rows[0] + 2 * rows[2]) / 2
    )


def test_a_row_of_weight_0_may_hold_anything(loss: Loss) -> None:
    logits, targets, known = batch("soft", rows=3)
    poisoned = logits.detach().clone()
    poisoned[1] = math.nan
    poisoned.requires_grad_()
    for mask in (None, known):
        value = loss(poisoned, targets, mask, torch.tensor([1.0, 0.0, 1.0]))
        gradient = gradient_of(value, poisoned)
        assert value.isfinite()
        assert gradient.isfinite().all()
        assert (gradient[1] == 0).all()
    nothing = loss(poisoned, targets, None, torch.zeros(3))
    assert nothing.item() == 0.0
    assert (gradient_of(nothing, poisoned) == 0).all()


def test_memory_layout_does_not_matter(loss: Loss) -> None:
    logits, targets, known = batch("soft")
    value = loss(logits, targets, known)
    transposed = [part.t().contiguous().t() for part in (logits, targets, known)]
    assert not transposed[0].is_contiguous()
    assert torch.equal(loss(*transposed), value)
    torch.testing.assert_close(
        gradient_of(loss(*transposed), logits), gradient_of(value, logits), rtol=0, atol=0
    )


def test_inputs_are_left_as_they_were(loss: Loss) -> None:
    logits, targets, known = batch("soft")
    before = [part.detach().clone() for part in (logits, targets, known)]
    gradient_of(loss(logits, targets, known), logits)
    for part, copy in zip((logits, targets, known), before, strict=True):
        assert torch.equal(part, copy)


def test_targets_are_constants(loss: Loss) -> None:
    logits, targets, _ = batch("soft")
    targets.requires_grad_()
    value = loss(logits, targets)
    assert torch.autograd.grad(value, [logits, targets], allow_unused=True)[1] is None


def test_without_gradients_the_value_is_the_same(loss: Loss) -> None:
    logits, targets, known = batch("soft")
    assert torch.equal(loss(logits.detach(), targets, known), loss(logits, targets, known))


def test_a_second_derivative_is_refused(loss: Loss) -> None:
    logits, targets, _ = batch("soft")
    (first,) = torch.autograd.grad(loss(logits, targets) ** 2, logits, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(first.sum())


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        ({"logits": torch.zeros(3)}, r"logits have shape \(3,\); expected \(B, C\)"),
        ({"logits": torch.zeros(2, 0)}, "C >= 1"),
        ({"logits": torch.zeros(2, 3, dtype=torch.int64)}, r"call logits.float\(\)"),
        ({"targets": torch.zeros(2, 3, dtype=torch.int64)}, r"call targets.float\(\)"),
        ({"targets": torch.zeros(2, 4)}, "class indices"),
        ({"known": torch.ones(2, 3)}, "bool mask"),
        ({"known": torch.ones(3, dtype=torch.bool)}, "one flag a cell"),
        ({"weight": torch.ones(2, 3)}, "weighted by row"),
        ({"reduction": "avg"}, "reduction 'avg'"),
    ],
)
def test_what_does_not_fit_is_refused(replace: dict[str, object], message: str) -> None:
    fitting: dict[str, object] = {"logits": torch.zeros(2, 3), "targets": torch.zeros(2, 3)}
    with pytest.raises(ValueError, match=message):
        lsep_loss(**(fitting | replace))  # type: ignore[arg-type]


cells = st.tuples(
    st.floats(-60, 60),
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0])),
    st.booleans(),
)
drawn_rows = st.lists(cells, min_size=1, max_size=12)
drawn_forms = st.sampled_from(sorted(FORMS))
quick = settings(max_examples=30, deadline=None)


def as_batch(row: list[tuple[float, float, bool]]) -> tuple[Tensor, Tensor, Tensor]:
    x, t, known = zip(*row, strict=True)
    return (
        torch.tensor([x], dtype=torch.float64),
        torch.tensor([t], dtype=torch.float64),
        torch.tensor([known]),
    )


@quick
@given(row=drawn_rows, form=drawn_forms)
def test_any_row_equals_the_sum_over_pairs(row: list[tuple[float, float, bool]], form: str) -> None:
    x, t, known = as_batch(row)
    expected, gradient = slow(x, t, known)
    value = in_form(form)(x.requires_grad_(), t, known, reduction="none")
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradient_of(value.sum(), x), gradient, rtol=1e-9, atol=1e-12)


@quick
@given(row=drawn_rows, form=drawn_forms, shift=st.floats(-1e3, 1e3))
def test_a_constant_added_to_a_row_changes_nothing(
    row: list[tuple[float, float, bool]], form: str, shift: float
) -> None:
    x, t, known = as_batch(row)
    loss = in_form(form)
    torch.testing.assert_close(loss(x + shift, t, known), loss(x, t, known), rtol=1e-9, atol=1e-10)


@quick
@given(row=drawn_rows, form=drawn_forms, noise=st.floats(allow_nan=True, allow_infinity=True))
def test_unknown_cells_never_influence(
    row: list[tuple[float, float, bool]], form: str, noise: float
) -> None:
    x, t, known = as_batch(row)
    loss = in_form(form)
    other = loss(torch.where(known, x, noise), torch.where(known, t, noise), known)
    torch.testing.assert_close(other, loss(x, t, known), rtol=0, atol=0)


@quick
@given(row=drawn_rows, form=drawn_forms, rise=st.floats(0, 50))
def test_raising_a_top_target_never_raises_the_loss(
    row: list[tuple[float, float, bool]], form: str, rise: float
) -> None:
    x, t, known = as_batch(row)
    loss = in_form(form)
    best = torch.where(known, t, -1.0).argmax(-1)
    raised = x.clone()
    raised[0, best] += rise
    before, after = loss(x, t, known).item(), loss(raised, t, known).item()
    assert after <= before + 1e-9 * (1 + abs(before))


@quick
@given(row=drawn_rows, form=drawn_forms, data=st.data())
def test_the_order_of_classes_does_not_matter(
    row: list[tuple[float, float, bool]], form: str, data: st.DataObject
) -> None:
    loss = in_form(form)
    value = loss(*as_batch(row))
    shuffled = loss(*as_batch(data.draw(st.permutations(row))))
    torch.testing.assert_close(shuffled, value, rtol=1e-10, atol=1e-12)
