"""Training losses over (B, C) logits and targets of which only some are known.

A row around a confirmed call takes `bce_loss` or, where the zeros of its unknown cells are doubted,
`lsoft_bce_loss`; once pseudo labels fill those cells, `bce_loss` or `lsep_loss` on soft targets.
A row around a rejected detection takes `bce_loss` with `known`, or `lsoft_bce_loss`, and never
zeros in its unknown cells, since most such boxes sit on another class's call; a certified negative
takes `bce_loss` with the certificates' confidences as `weight`, and `lsep_loss` only once it is
mixed into a call, since a row of zeros has no pair to rank.
`asymmetric_loss`, `hill_loss`, `splc_loss` and `large_loss` suit rows whose unknown cells are
assumed absent and sometimes wrongly so.

Common to all: half-precision logits are computed in float32, targets receive no gradient, what has
weight 0 is left out whatever it holds, and "mean" divides by the number of cells (rows, for
`lsep_loss`) left in.

What is in ``__all__`` is for other trainers, too: it knows nothing of this one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.losses.cells import check_broadcast, read_cells
from training.losses.lsep import lsep_loss
from training.losses.missing_labels import (
    asymmetric_loss,
    hill_loss,
    large_loss,
    splc_loss,
)

__all__ = [
    "asymmetric_loss",
    "bce_loss",
    "hill_loss",
    "large_loss",
    "lsep_loss",
    "lsoft_bce_loss",
    "splc_loss",
]


def bce_loss(
    logits: Tensor,
    targets: Tensor,
    known: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute binary cross-entropy on the known cells.

    Parameters
    ----------
    logits, targets : float tensor, shape (B, C)
        Targets in [0, 1], hard or soft.
    known : bool tensor, shape (B, C), or None
        Unknown cells are left out, whatever they hold. None: all are known.
    weight : tensor, shape (B, C), (B, 1), (1, C) or (), or None
        One weight >= 0 a cell, such as a certificate's confidence.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of known cells whose weight is not 0.

    Returns
    -------
    float tensor: a scalar, or shape (B, C) for "none". 0 where no cell is left.

    Raises
    ------
    ValueError
        For a shape, dtype or reduction that does not fit.
    """
    cells = read_cells(logits, targets, known, weight, skip_unknown=True)
    return cells.reduce(
        F.binary_cross_entropy_with_logits(cells.logits, cells.targets, reduction="none"), reduction
    )


def lsoft_bce_loss(
    logits: Tensor,
    targets: Tensor,
    known: Tensor,
    lsoft: float | Tensor,
    detach: bool = True,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Compute binary cross-entropy with unknown zeros softened by the model's prediction.

    An unknown target becomes ``(1 - lsoft) * 0 + lsoft * sigmoid(x)``; known targets stay. Then,
    on an unknown cell,

    - detached, the gradient is ``(1 - lsoft) * sigmoid(x)``: that of BCE with target 0, weighted by
      1 - lsoft (the loss's value is another);
    - not detached, the loss is ``(1 - lsoft) * BCE(x, 0) + lsoft * H(sigmoid(x))`` with H the
      binary entropy, whose gradient ``-lsoft * x * sigmoid(x) * sigmoid(-x)`` comes on top and
      pushes the logit away from 0, to whichever side it is on: it sharpens confidence.

    With lsoft = 0 unknown cells are plain zeros.

    Parameters
    ----------
    logits, targets, known, weight, reduction
        As in `bce_loss`, but that unknown cells count.
    lsoft : float, or tensor of shape (B, C), (B, 1), (1, C) or ()
        In [0, 1]; a tensor's values are not checked.
    detach : bool
        Whether the prediction in the target is a constant.

    References
    ----------
    Reed et al. 2015, "Training Deep Neural Networks on Noisy Labels with Bootstrapping" (soft
    bootstrapping, detached); R. Baikulov's argus-freesound (2019) applies it to noisy tags.
    """
    cells = read_cells(logits, targets, known, weight)
    if isinstance(lsoft, Tensor):
        check_broadcast("lsoft", lsoft, logits)
    elif not 0.0 <= lsoft <= 1.0:
        raise ValueError(f"lsoft is {lsoft}; expected a share in [0, 1]")
    predicted = torch.sigmoid(cells.logits.detach() if detach else cells.logits)
    softened = torch.where(cells.trusted, cells.targets, (lsoft * predicted).to(predicted.dtype))
    return cells.reduce(
        F.binary_cross_entropy_with_logits(cells.logits, softened, reduction="none"), reduction
    )
