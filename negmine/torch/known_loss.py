"""Binary cross entropy over the cells that are known."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def known_bce(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Compute the mean binary cross entropy of the cells that are known.

    Parameters
    ----------
    logits : float tensor, shape (B, C)
    labels : float tensor, shape (B, C)
        In [0, 1]; NaN where nothing is known: such cells count for nothing and have no gradient.
    weights : float tensor, shape (B, C), optional
        Of the cells, such as the confidence of an absence; 1 by default.

    Returns
    -------
    Tensor, shape ()
        ``sum(weight * bce) / sum(weight)`` over the known cells; 0 where there are none.

    Examples
    --------
    >>> import torch
    >>> from negmine.torch import known_bce
    >>> logits = torch.tensor([[0.0, 5.0]])
    >>> known_bce(logits, torch.tensor([[0.0, torch.nan]])).item()  # log(2)
    0.6931471824645996
    """
    known = ~labels.isnan()
    weight = known.to(logits.dtype) if weights is None else weights.to(logits.dtype) * known
    targets = torch.where(known, labels, torch.zeros_like(labels)).to(logits.dtype)
    every = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    # of unknown cells 0, also where a logit is infinite
    total = torch.where(known, every * weight, torch.zeros_like(every)).sum()
    return total / weight.sum().clamp(min=torch.finfo(logits.dtype).tiny)
