"""Pooling a feature map over frequency and time: in training, and to read out a whole clip.

Every pooling here is a ratio of two sums over the positions of the map, so that its values over any
windows come from the same sums a frame: one pass of the network serves the whole clip and every
window of it. ``K`` is 1, or the number of classes where each has a frequency band of its own.

============  =======================  ======================
pooling       numerator                denominator
============  =======================  ======================
positive      sum of positive values   number of them
mean          sum of values            number of values
attention     sum of values times      sum of the weights
              learned weights
power         sum of squares of        sum of positive values
              positive values
============  =======================  ======================

By the mean of positive values a class that calls once counts as much as one that calls often.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Frames:
    """Numerator and denominator of a pooling, a frame.

    Attributes
    ----------
    numerator, denominator : float32 Tensor, shape (B, G, D, T)
        Summed over frequency, of G = K bands; or with ``rows``, of each of G rows of the map.
    rows : bool Tensor, shape (K, G), optional
        The rows that each band covers: they are summed last, when there are few windows left.
    """

    numerator: Tensor
    denominator: Tensor
    rows: Tensor | None = None

    @property
    def length(self) -> int:
        return self.numerator.shape[-1]

    def only(self, audible: Tensor | None) -> Frames:
        """Return the same, zero where there is no sound: float Tensor, shape (B, T)."""
        if audible is None:
            return self
        counts = audible[:, None, None, :]
        return replace(
            self, numerator=self.numerator * counts, denominator=self.denominator * counts
        )


def pool_frames(
    features: Tensor, pooling: str, rows: Tensor | None = None, attention: Tensor | None = None
) -> Frames:
    """Compute the sums that a pooling needs of a feature map.

    Parameters
    ----------
    features : Tensor, shape (B, D, F, T)
    pooling : {"positive", "mean", "attention", "power"}
    rows : bool Tensor, shape (K, F), optional
        The rows that each of K bands covers; all, by default, as one band.
    attention : Tensor, shape (B, 1, F, T), optional
        Logits of the weights of ``attention``.

    Raises
    ------
    ValueError
        For an unknown pooling, or ``attention`` without its weights.
    """
    values = features.float()
    if pooling == "positive":
        parts = values.clamp(min=0), (values > 0).float()
    elif pooling == "mean":
        parts = values, torch.ones_like(values)
    elif pooling == "power":
        positive = values.clamp(min=0)
        parts = positive.square(), positive
    elif pooling == "attention" and attention is not None:
        # bounded: the weights of two positions differ by at most exp(10), and none overflows
        weights = torch.exp(5.0 * torch.tanh(attention.float() / 5.0))
        parts = values * weights, weights.expand_as(values)
    else:
        raise ValueError(f"pooling {pooling!r}: expected positive, mean, power or attention")
    if rows is None:
        numerator, denominator = (part.sum(dim=2).unsqueeze(1) for part in parts)
    else:
        numerator, denominator = (part.transpose(1, 2) for part in parts)
    return Frames(numerator, denominator, rows)


def window_pool(frames: Frames, window: int, hop: int) -> Tensor:
    """Pool every window of frames; 0 where a denominator is 0.

    The last window is filled up with frames that count as nothing, so that each frame is in one.

    Parameters
    ----------
    window, hop : int
        Frames; a window longer than the map is the whole map.

    Returns
    -------
    Tensor, shape (B, N, K, D), N = max(1, ceil((T - window) / hop) + 1)
    """
    missing = _missing(frames.length, window, hop)

    def windows(part: Tensor) -> Tensor:
        # means in place of sums: both have the same divisor
        means = F.avg_pool1d(F.pad(part.flatten(1, 2), (0, missing)), window, hop)
        return means.view(*part.shape[:3], -1).permute(0, 3, 1, 2)

    return _ratio(windows(frames.numerator), windows(frames.denominator), frames.rows)


def _missing(length: int, window: int, hop: int) -> Any:
    """Count frames that fill up the last window, or a map shorter than one."""
    # in an export the length is a symbol
    longest = torch.sym_max(window, length)
    return longest - length + -(longest - window) % hop


def audible_windows(audible: Tensor, window: int, hop: int) -> Tensor:
    """Return which windows of `window_pool` hold sound: bool, shape (B, N), of frames (B, T)."""
    padded = F.pad(audible.unsqueeze(1), (0, _missing(audible.shape[-1], window, hop)))
    return F.max_pool1d(padded, window, hop)[:, 0] > 0


def clip_pool(frames: Frames) -> Tensor:
    """Pool whole clips: shape (B, K, D)."""
    numerator, denominator = (
        part.mean(dim=-1).unsqueeze(1) for part in (frames.numerator, frames.denominator)
    )
    return _ratio(numerator, denominator, frames.rows)[:, 0]


def _ratio(numerator: Tensor, denominator: Tensor, rows: Tensor | None) -> Tensor:
    """Pool from the two sums, (B, N, G, D), over the rows of each band: (B, N, K, D)."""
    if rows is not None:
        numerator, denominator = (
            torch.einsum("bngd,kg->bnkd", part, rows.to(part.dtype))
            for part in (numerator, denominator)
        )
    return numerator / denominator.clamp(min=1e-12)


def join_windows(logits: Tensor, audible: Tensor | None, readout: str, sharpness: float) -> Tensor:
    """Join windows by ``max`` or ``lse``, those without sound left out: (B, C).

    The lowest number there is where none holds sound.

    Parameters
    ----------
    logits : Tensor, shape (B, N, C)
    audible : bool Tensor, shape (B, N), optional
        All, by default.
    readout : {"max", "lse"}
    sharpness : float
        Of ``lse``.
    """
    if audible is None:
        return logits.amax(dim=1) if readout == "max" else log_sum_exp(logits, sharpness)
    heard = audible.unsqueeze(-1)
    most = torch.where(heard, logits, torch.finfo(logits.dtype).min).amax(dim=1)
    if readout == "lse":
        # as many windows at the maximum add nothing to the sum of what exceeds it
        level = torch.where(heard, logits, most.unsqueeze(1))
        most = log_sum_exp(level, sharpness, heard.sum(dim=1).clamp(min=1))
    return most


def log_sum_exp(logits: Tensor, sharpness: float, count: Tensor | None = None) -> Tensor:
    """Compute ``log(mean(exp(r x))) / r`` over windows: the mean at r = 0, the maximum at infinity.

    Parameters
    ----------
    logits : Tensor, shape (B, N, C)
    sharpness : float
        r > 0.
    count : Tensor, shape (B, 1), optional
        Windows that the mean is of; all N, by default. The others must equal the maximum.

    Returns
    -------
    Tensor, shape (B, C)
    """
    most = logits.amax(dim=1, keepdim=True)
    # exp(x) - 1 and log(1 + x): where r is small, 1 would swallow the digits that count
    total = torch.expm1((logits - most) * sharpness).sum(dim=1)
    mean = total / (logits.shape[1] if count is None else count)
    return most[:, 0] + torch.log1p(mean) / sharpness


def window_times(frames: int, window: int, hop: int) -> tuple[Tensor, Tensor]:
    """Return first and past-the-last frame of each window of `window_pool`: int64, (N,) each."""
    window = min(window, frames)
    count = -(-(frames - window) // hop) + 1
    start = torch.arange(count) * hop
    return start, (start + window).clamp(max=frames)
