"""Poolings of feature maps (B, D, F, T) -> (B, D) as one would write them down."""

from __future__ import annotations

from torch import Tensor


def positive_mean(features: Tensor) -> Tensor:
    """The mean of the positive values; 0 where none is."""
    positive = features > 0
    return (features * positive).sum((2, 3)) / positive.sum((2, 3)).clamp(min=1)


def power_mean(features: Tensor) -> Tensor:
    """The mean of the positive values, each weighted by itself; 0 where none is."""
    positive = features * (features > 0)
    return positive.square().sum((2, 3)) / positive.sum((2, 3)).clamp(min=1e-12)
