"""Pooling a feature map over frequency and time: in training, and to read out a whole clip.

Every readout works on the last feature map of one pass, at no further convolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def positive_mean(features: Tensor) -> Tensor:
    """Mean of the positive values over frequency and time; 0 where none is positive.

    A class that calls once then counts as much as one that calls often.

    Shape: (B, D, F, T) -> (B, D).
    """
    # a clip is one window as long as itself
    return window_means(features, features.shape[-1], features.shape[-1])[:, 0]


def power_mean(features: Tensor) -> Tensor:
    """Mean of the positive values, each weighted by itself: sum x^2 / sum x (Lehmer's mean of
    order 2), 0 where none is positive.

    Shape: (B, D, F, T) -> (B, D).
    """
    positive = features.float().clamp(min=0)
    total = positive.sum(dim=(2, 3))
    return positive.square().sum(dim=(2, 3)) / total.clamp(min=1e-12)


def window_means(features: Tensor, window: int, hop: int) -> Tensor:
    """`positive_mean` of every window of frames.

    The last window is filled up with frames that count as nothing, so that each frame lies in one.

    Parameters
    ----------
    features : Tensor, shape (B, D, F, T)
    window, hop : int
        Frames; a window longer than the map is the whole map.

    Returns
    -------
    Tensor, shape (B, N, D), N = max(1, ceil((T - window) / hop) + 1)
    """
    frames = features.shape[-1]
    window = min(window, frames)
    values = features.float()
    total = values.clamp(min=0).sum(dim=2)
    count = (values > 0).float().sum(dim=2)
    missing = -(frames - window) % hop
    total, count = F.pad(total, (0, missing)), F.pad(count, (0, missing))
    # sums by way of means: both have the same divisor
    total, count = F.avg_pool1d(total, window, hop), F.avg_pool1d(count, window, hop)
    return (total / count.clamp(min=0.5 / window)).transpose(1, 2)


def window_times(frames: int, window: int, hop: int) -> tuple[Tensor, Tensor]:
    """First and past-the-last frame of each window of `window_means`: int64, shape (N,) each."""
    window = min(window, frames)
    count = -(-(frames - window) // hop) + 1
    start = torch.arange(count) * hop
    return start, (start + window).clamp(max=frames)
