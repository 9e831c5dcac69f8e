"""Losses for rows whose unknown cells are assumed absent, and sometimes wrongly so.

All four read an unknown target as 0 and differ in how they forgive that assumption; `hill_loss`,
`splc_loss` and `large_loss` never forgive a known cell. Without a mask they are the papers' own
losses, in which any zero may be a missing label. To leave a cell out, give it weight 0.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from training.losses.cells import read_cells


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    known: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    *,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    clip: float = 0.05,
) -> Tensor:
    """Compute focal loss with one exponent a side; easy negatives count for nothing.

    With p = sigmoid(x) and q = max(p - clip, 0), a cell's loss is
    ``-t * (1 - p)**gamma_pos * log(p) - (1 - t) * q**gamma_neg * log(1 - q)``.

    Parameters
    ----------
    logits, targets : float tensor, shape (B, C)
        A soft target mixes the two sides in proportion.
    known : bool tensor, shape (B, C), or None
        Unknown targets are read as 0. None: all targets are read.
    weight : tensor, shape (B, C), (B, 1), (1, C) or (), or None
        One weight >= 0 a cell; 0 leaves the cell out.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of cells whose weight is not 0.
    gamma_pos, gamma_neg : float >= 0
        The defaults, and that of `clip`, are those of the authors' code.
    clip : float in [0, 1)
        Probability below which a negative has no loss.

    Returns
    -------
    float tensor: a scalar, or shape (B, C) for "none". 0 where no cell is left.

    Raises
    ------
    ValueError
        For a shape, dtype or reduction that does not fit.

    References
    ----------
    Ridnik et al. 2021, "Asymmetric Loss For Multi-Label Classification".
    """
    cells = read_cells(logits, targets, known, weight)
    x, t = cells.logits, cells.targets
    probability = torch.sigmoid(x)
    shifted = (probability - clip).clamp(min=0)
    # Without a clip, log(1 - p) must come from the logit: 1 - p is 0 from a logit of 17 on.
    log_absent = torch.log1p(-shifted) if clip > 0 else F.logsigmoid(-x)
    present = _power(torch.sigmoid(-x), gamma_pos) * F.logsigmoid(x)
    absent = _power(shifted, gamma_neg) * log_absent
    return cells.reduce(-(t * present + (1 - t) * absent), reduction)


def hill_loss(
    logits: Tensor,
    targets: Tensor,
    known: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    *,
    lamb: float = 1.5,
    margin: float = 1.0,
    gamma: float = 2.0,
) -> Tensor:
    """Let go of an assumed negative that the model is confident about.

    With p = sigmoid(x) and m = sigmoid(x - margin), a cell's loss is
    ``-t * (1 - m)**gamma * log(m) + (1 - t) * (lamb - p) * p**2``, whose second part is flat at
    both ends. A hard negative that somebody vouches for is not to be let go of: a known cell takes
    ``-(1 - t) * log(1 - p)`` for its second part.

    Parameters
    ----------
    logits, targets : float tensor, shape (B, C)
        A soft target mixes the two sides in proportion.
    known : bool tensor, shape (B, C), or None
        Unknown targets are read as 0. None, the paper's setting: all targets are read, and any
        zero may be a missing label.
    weight : tensor, shape (B, C), (B, 1), (1, C) or (), or None
        One weight >= 0 a cell; 0 leaves the cell out.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of cells whose weight is not 0.
    lamb, margin, gamma : float
        The defaults are those of the authors' code.

    Returns
    -------
    float tensor: a scalar, or shape (B, C) for "none". 0 where no cell is left.

    Raises
    ------
    ValueError
        For a shape, dtype or reduction that does not fit.

    References
    ----------
    Zhang et al. 2021, "Simple and Robust Loss Design for Multi-Label Learning with Missing Labels".
    """
    cells = read_cells(logits, targets, known, weight)
    x, t = cells.logits, cells.targets
    probability = torch.sigmoid(x)
    present = _focal(x - margin, gamma)
    absent = torch.where(cells.trusted, F.softplus(x), (lamb - probability) * probability**2)
    return cells.reduce(t * present + (1 - t) * absent, reduction)


def splc_loss(
    logits: Tensor,
    targets: Tensor,
    known: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    *,
    tau: float = 0.6,
    margin: float = 1.0,
    gamma: float = 2.0,
) -> Tensor:
    """Read an assumed negative as a positive once the model gives it more than `tau`.

    Self-paced loss correction over the focal margin loss. With p = sigmoid(x) and
    f(x) = -(1 - p)**gamma * log(p), a present cell's loss is ``f(x - margin)``, an absent cell's is
    ``f(-x)``, and that of an assumed absent cell with p > tau is ``f(x)``.

    Parameters
    ----------
    logits, targets : float tensor, shape (B, C)
        A soft target mixes the two sides in proportion.
    known : bool tensor, shape (B, C), or None
        Unknown targets are read as 0; known ones are never corrected. None, the paper's setting:
        all targets are read, and any zero may be corrected.
    weight : tensor, shape (B, C), (B, 1), (1, C) or (), or None
        One weight >= 0 a cell; 0 leaves the cell out.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of cells whose weight is not 0.
    tau : float
        The paper corrects from the second epoch on; 1.0 corrects nothing.
    margin, gamma : float
        The defaults, and that of `tau`, are those of the authors' code.

    Returns
    -------
    float tensor: a scalar, or shape (B, C) for "none". 0 where no cell is left.

    Raises
    ------
    ValueError
        For a shape, dtype or reduction that does not fit.

    References
    ----------
    Zhang et al. 2021, "Simple and Robust Loss Design for Multi-Label Learning with Missing Labels".
    """
    cells = read_cells(logits, targets, known, weight)
    x, t = cells.logits, cells.targets
    corrected = ~cells.trusted & (torch.sigmoid(x) > tau)
    absent = _focal(torch.where(corrected, x, -x), gamma)
    return cells.reduce(t * _focal(x - margin, gamma) + (1 - t) * absent, reduction)


def large_loss(
    logits: Tensor,
    targets: Tensor,
    known: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    *,
    rate: float,
    variant: Literal["reject", "correct"] = "reject",
) -> Tensor:
    """Compute binary cross-entropy that distrusts assumed negatives of the largest loss.

    The paper's three schemes, of which the last differs in what the caller keeps:

    - rejection (LL-R): ``variant="reject"``, with a rate that grows by epoch, such as
      ``epoch * 0.002`` from 0 on;
    - temporary correction (LL-Ct): ``variant="correct"``, with the same schedule;
    - permanent correction (LL-Cp): ``variant="correct"`` with a small constant rate, and the cells
      of `large_loss_cells` written back to the stored labels as known and present.

    Parameters
    ----------
    logits, targets : float tensor, shape (B, C)
    known : bool tensor, shape (B, C), or None
        Unknown targets are read as 0; known ones are never doubted. None, the paper's setting: all
        targets are read, and any zero may be doubted.
    weight : tensor, shape (B, C), (B, 1), (1, C) or (), or None
        One weight >= 0 a cell; 0 leaves the cell out.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of cells whose weight is not 0; as in the paper, a rejected
        cell counts among them.
    rate : float
        Share of the batch's assumed negatives to distrust in this step, in [0, 1].
    variant : {"reject", "correct"}
        Give those cells no loss, or the loss of a positive.

    Returns
    -------
    float tensor: a scalar, or shape (B, C) for "none". 0 where no cell is left.

    Raises
    ------
    ValueError
        For a shape, dtype, reduction, rate or variant that does not fit.

    References
    ----------
    Kim et al. 2022, "Large Loss Matters in Weakly Supervised Multi-Label Classification".
    """
    if variant not in ("reject", "correct"):
        raise ValueError(f"variant {variant!r}: expected 'reject' or 'correct'")
    cells = read_cells(logits, targets, known, weight)
    large = large_loss_cells(logits, targets, known, weight, rate=rate)
    read_as = torch.where(large, 1.0, cells.targets)
    losses = F.binary_cross_entropy_with_logits(cells.logits, read_as, reduction="none")
    if variant == "reject":
        losses = torch.where(large, 0.0, losses)
    return cells.reduce(losses, reduction)


@torch.no_grad()
def large_loss_cells(
    logits: Tensor,
    targets: Tensor,
    known: Tensor | None = None,
    weight: Tensor | None = None,
    *,
    rate: float,
) -> Tensor:
    """Mark the assumed negatives that `large_loss` distrusts.

    Parameters
    ----------
    logits, targets, known, weight, rate
        As in `large_loss`. Weights only leave cells out: cells are ranked by unweighted loss.

    Returns
    -------
    bool tensor, shape (B, C): ``ceil(rate * n)`` of the batch's n assumed negatives. Among equal
    losses the first cells are marked.

    Raises
    ------
    ValueError
        For a shape, dtype or rate that does not fit.
    """
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"rate is {rate}; expected a share in [0, 1]")
    cells = read_cells(logits, targets, known, weight)
    assumed = cells.live & ~cells.trusted & (cells.targets == 0)
    # BCE with target 0 grows with the logit, so ranking the logits is ranking the losses.
    scores = torch.where(assumed, cells.logits, -torch.inf).flatten()
    order = scores.argsort(descending=True, stable=True)
    # The tolerance keeps 0.15 * 100, a little above 15 in float32, from becoming 16.
    count = (rate * assumed.sum() - 1e-4).ceil()
    chosen = torch.arange(len(order), device=order.device) < count
    return torch.empty_like(chosen).scatter_(0, order, chosen).view_as(assumed)


def _focal(logits: Tensor, gamma: float) -> Tensor:
    """Return -(1 - p)**gamma * log(p), the focal loss of a positive."""
    return -_power(torch.sigmoid(-logits), gamma) * F.logsigmoid(logits)


def _power(values: Tensor, exponent: float) -> Tensor:
    """Return values**exponent, with gradient 0 at 0, where its slope may be infinite."""
    return values.clamp(min=torch.finfo(values.dtype).tiny) ** exponent
