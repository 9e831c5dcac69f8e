"""SpecAugment: stretches of time and bands of frequency are blanked in training.

Park et al. 2019, "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition".
The number of masks and their widths are settings; a mask is filled with 0, which is the mean of a
normalised spectrogram.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Masks(Protocol):
    """How much is blanked: see `training.augmentation.AugmentSettings`."""

    @property
    def time_masks(self) -> int: ...
    @property
    def time_mask_s(self) -> float: ...
    @property
    def freq_masks(self) -> int: ...
    @property
    def freq_mask_share(self) -> float: ...


def mask_spectrograms(spectrograms: Tensor, settings: Masks, hop_s: float) -> Tensor:
    """Blank parts of each spectrogram, drawn from torch's own generator.

    Parameters
    ----------
    spectrograms : Tensor, shape (B, M, T)
        Normalised.
    settings : Masks
        ``time_masks`` of up to ``time_mask_s`` seconds, and ``freq_masks`` of up to
        ``freq_mask_share`` of the bands.
    hop_s : float
        Seconds a frame.
    """
    batch, bands, frames = spectrograms.shape
    widest_time = min(frames, round(settings.time_mask_s / hop_s))
    widest_band = min(bands, round(settings.freq_mask_share * bands))
    device = spectrograms.device
    blank = torch.zeros(batch, bands, frames, dtype=torch.bool, device=device)
    for count, size, widest, axis in (
        (settings.time_masks, frames, widest_time, 2),
        (settings.freq_masks, bands, widest_band, 1),
    ):
        at = torch.arange(size, device=device)
        for _ in range(count):
            # on the CPU's generator whatever the device: a seed then means the same everywhere
            draws = torch.rand(2, batch).to(device)
            width = (draws[0] * (widest + 1)).floor()
            start = (draws[1] * (size - width + 1)).floor()
            inside = (at >= start[:, None]) & (at < (start + width)[:, None])
            blank |= inside.unsqueeze(3 - axis)
    return spectrograms.masked_fill(blank, 0.0)
