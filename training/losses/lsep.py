"""Log-sum-exp pairwise ranking, exact for soft targets, in O(C log C)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from training.losses.cells import check_batch, reduce_losses, widen

# Up to about this many classes the matrix of all pairs is quicker than sorting: on one CPU thread
# they meet between 30 and 60, sooner the larger the batch.
PAIRS_UP_TO = 32


def lsep_loss(
    logits: Tensor,
    targets: Tensor,
    known: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Rank the classes of each row by their targets, hard or soft.

    A row's loss is ``log(1 + sum over pairs (i, j) of max(0, t_i - t_j) * exp(x_j - x_i))``.
    It depends on differences of logits within a row only. Computed in float32 (float64 for float64
    logits) from half-precision inputs too, it never overflows; rounding costs the loss about 1e-6
    of its value and the gradient, at logits of 1e4, about 1e-3.

    Parameters
    ----------
    logits, targets : float tensor, shape (B, C)
        Targets are constants: they receive no gradient.
    known : bool tensor, shape (B, C), or None
        Unknown cells are in no pair, whatever they hold. None: all are known.
    weight : tensor, shape (B,), or None
        One weight >= 0 a row. A row of weight 0 has no loss and no gradient, whatever it holds.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of rows whose weight is not 0.

    Returns
    -------
    float tensor: a scalar, or shape (B,) for "none". A row without a pair (all targets equal, or
    fewer than two known) has loss 0 and gradient 0, and counts as a row in the mean.

    Raises
    ------
    ValueError
        For a shape, dtype or reduction that does not fit.

    References
    ----------
    Li, Song and Luo 2017, "Improving Pairwise Ranking for Multi-label Image Classification", for
    hard targets; each pair is weighted here by the difference of its targets.
    """
    check_batch(logits, targets, known)
    live = None
    if weight is not None:
        if weight.shape != logits.shape[:1]:
            raise ValueError(
                f"weight has shape {tuple(weight.shape)}; expected ({len(logits)},): "
                "a ranking loss is weighted by row, not by cell"
            )
        live = weight != 0
        known = live[:, None].expand_as(logits) if known is None else known & live[:, None]
    wide = widen(logits)
    losses: Tensor = _RowLosses.apply(wide, targets.detach().to(wide.dtype), known)
    return reduce_losses(losses, live, weight, reduction)


class _RowLosses(torch.autograd.Function):
    """One loss a row, whose gradient is worked out beside it, where its parts are at hand.

    Autograd would be slower and keep more, and `logcumsumexp` has a NaN gradient at -inf.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, known: Tensor | None) -> Tensor:
        rank = _rank_by_pairs if logits.shape[1] <= PAIRS_UP_TO else _rank_by_sorting
        losses, gradient = rank(logits, targets, known, ctx.needs_input_grad[0])
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_losses: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return grad_losses[:, None] * gradient, None, None


def _rank_by_pairs(
    logits: Tensor, targets: Tensor, known: Tensor | None, with_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Return each row's loss, shape (B,), and its gradient, shape (B, C) or None."""
    if known is not None:
        logits = logits.masked_fill(~known, 0.0)
        targets = targets.masked_fill(~known, 0.0)
    gaps = (targets[:, :, None] - targets[:, None, :]).clamp_(min=0)
    if known is not None:
        gaps = gaps * (known[:, :, None] & known[:, None, :])
    # Only pairs with a gap may set the scale: a larger difference elsewhere would make theirs
    # underflow. The others are clamped to it, so that none is inf before it is multiplied by 0.
    differences = logits[:, None, :] - logits[:, :, None]
    largest = (differences * gaps.sign()).amax((1, 2))
    terms = differences.sub_(largest[:, None, None]).clamp_(max=0).exp_().mul_(gaps)
    as_lower = terms.sum(1)
    total = as_lower.sum(1)
    losses = _log_one_plus_exp(largest + total.log())
    if not with_gradient:
        return losses, None
    scale = total + (-largest).exp()
    return losses, as_lower.sub_(terms.sum(2)).div_(scale[:, None])


def _rank_by_sorting(
    logits: Tensor, targets: Tensor, known: Tensor | None, with_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Return what `_rank_by_pairs` does, without the pairs.

    Sort a row by target, upwards, and let g_k = t_k - t_(k-1) >= 0. Then t_i - t_j is the sum of
    g_k over j < k <= i, and the sum over pairs falls apart at each gap k into what is below and
    what is above it:

        sum_k  g_k * (sum over j < k of exp(x_j)) * (sum over i >= k of exp(-x_i))

    Both inner sums are cumulative log-sum-exps. No term is negative, so nothing cancels. An unknown
    cell adds exp(-inf) to both; where it is sorted to does not matter, since the gaps around it
    add up to the same difference.
    """
    if known is not None:
        targets = targets.masked_fill(~known, 0.0)
    targets, order = targets.sort(-1)
    rising = logits.gather(-1, order)
    falling = -rising
    if known is not None:
        unknown = ~known.gather(-1, order)
        rising = rising.masked_fill(unknown, -math.inf)
        falling = falling.masked_fill(unknown, -math.inf)

    log_gap = targets.diff(dim=-1).log()
    below = log_gap + rising[:, :-1].logcumsumexp(-1)
    above = _reverse_logcumsumexp(falling[:, 1:])
    losses = _log_one_plus_exp((below + above).logsumexp(-1))
    if not with_gradient:
        return losses, None

    # The gradient of x_j: up by its share of the pairs in which j is the lower, down by its share
    # of those in which it is the upper. exp(losses) is the 1 + sum that both are shares of.
    gradient = torch.zeros_like(rising)
    share = rising - losses[:, None]
    gradient[:, :-1] = (share[:, :-1] + _reverse_logcumsumexp(log_gap + above)).exp()
    share = falling - losses[:, None]
    gradient[:, 1:] -= (share[:, 1:] + below.logcumsumexp(-1)).exp()
    return losses, torch.empty_like(gradient).scatter_(-1, order, gradient)


def _log_one_plus_exp(values: Tensor) -> Tensor:
    # `softplus` would turn into the identity above 20, which is not exact in float64.
    return torch.logaddexp(values, torch.zeros_like(values))


def _reverse_logcumsumexp(values: Tensor) -> Tensor:
    return values.flip(-1).logcumsumexp(-1).flip(-1)
