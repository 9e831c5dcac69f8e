"""Losses for rows whose unknown cells are assumed absent, and sometimes wrongly so.

All four read an unknown target as 0 and differ in how they forgive that assumption; `hill_loss`,
`splc_loss` and `large_loss` never forgive a known cell. With ``known=None`` they are the papers'
own losses, in which any zero may be a missing label. To leave a cell out, give it weight 0. Shapes,
reductions and errors are those of `training.losses.losses.bce_loss`; a soft target mixes the two
sides in proportion. Defaults are those of the authors' code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.losses.cells import LossCells, read_cells


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
    ``f(-x)``, and that of an assumed absent cell with p > tau is ``f(x)``. The paper corrects from
    the second epoch on; with tau = 1 nothing is corrected.

    Zhang et al. 2021, see `hill_loss`.
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
) -> Tensor:
    """Compute binary cross-entropy without the assumed negatives of the largest loss.

    Left out are ``ceil(rate * n)`` of the batch's n assumed negatives, ranked by unweighted loss;
    of equal losses the first. As in the paper, "mean" counts them among the cells.

    Kim et al. 2022, "Large Loss Matters in Weakly Supervised Multi-Label Classification": its
    LL-R, for which ``rate`` grows by epoch, such as ``epoch * 0.002`` from 0 on.

    Raises
    ------
    ValueError
        If the rate is outside [0, 1], too.
    """
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"rate is {rate}; expected a share in [0, 1]")
    cells = read_cells(logits, targets, known, weight)
    losses = F.binary_cross_entropy_with_logits(cells.logits, cells.targets, reduction="none")
    return cells.reduce(torch.where(_large(cells, rate), 0.0, losses), reduction)


@torch.no_grad()
def _large(cells: LossCells, rate: float) -> Tensor:
    """Mark the assumed negatives of the largest loss: bool, shape (B, C)."""
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
