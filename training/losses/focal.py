"""Certified zeros weighted by how far the model is from them."""

from __future__ import annotations

import torch
from torch import Tensor


def focal_weight(
    logits: Tensor, targets: Tensor, known: Tensor, weight: Tensor, gamma: float
) -> Tensor:
    """Multiply the weight of known zeros by ``sigmoid(logits) ** gamma``.

    A zero that the model scores low already then weighs nothing, and one that fools it keeps its
    weight. Calls and unknown cells keep theirs. No gradient passes through the factor.

    Parameters
    ----------
    logits, targets, weight : float tensor, shape (B, C)
    known : bool tensor, shape (B, C)
    gamma : float
        0 changes nothing.

    Returns
    -------
    float32 tensor, shape (B, C)

    References
    ----------
    Lin et al. 2017, "Focal Loss for Dense Object Detection", for negatives alone.
    """
    factor = torch.sigmoid(logits.detach().float()) ** gamma
    return torch.where(known & (targets == 0), weight * factor, weight)
