"""The log-mel front end as matrix products: no complex numbers, which few exchange formats know."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.models.frontend import LogMel


class MatrixLogMel(nn.Module):
    """`training.models.frontend.LogMel` with its Fourier transform written as two matrix products.

    With ``N = N1 N2``, ``n = N2 n1 + n2`` and ``k = k1 + N1 k2`` the transform of a frame is

        X[k] = sum_n2 exp(-2 pi i n2 k2 / N2) exp(-2 pi i n2 k1 / N)
                 sum_n1 exp(-2 pi i n1 k1 / N1) x[n]

    (J. W. Cooley, J. W. Tukey, Math. Comp. 19, 1965). It takes ``2 N (N1 + N2)`` multiplications a
    frame; a convolution with the whole basis takes ``N^2``, and its longer sums lose more digits,
    which the logarithm shows where one band is loud and the others silent. For a prime N it is that
    one product.

    Parameters
    ----------
    log_mel : LogMel
        What it replaces. Window and mel filters are taken from it.

    Shape: (B, T) -> (B, n_mels, T // hop + 1), for T > frame / 2.
    """

    def __init__(self, log_mel: LogMel) -> None:
        super().__init__()
        self.frame, self.hop = log_mel.settings.frame, log_mel.settings.hop
        size = self.frame
        inner = max(n for n in range(1, math.isqrt(size) + 1) if size % n == 0)
        outer = size // inner
        n1, n2 = torch.arange(inner), torch.arange(outer)
        k1, k2 = torch.arange(inner), torch.arange(outer // 2 + 1)  # the rest mirrors these

        # (n2, n1): where in a frame each factor of a product is
        places = n1 * outer + n2.unsqueeze(1)
        window = log_mel.mel.spectrogram.get_buffer("window")
        self.register_buffer("places", places)
        self.register_buffer("window", window[places])
        cos, sin = _turns(torch.outer(n1, k1), inner)
        self.register_buffer("first", torch.cat([cos, -sin], dim=1).float())
        cos, sin = _turns(torch.outer(n2, k1), size)
        self.register_buffer("twiddle_cos", cos.float())
        self.register_buffer("twiddle_sin", sin.float())
        cos, sin = _turns(torch.outer(n2, k2), outer)
        # (re, im) times (cos - i sin)
        second = torch.cat([torch.cat([cos, -sin], dim=1), torch.cat([sin, cos], dim=1)])
        self.register_buffer("second", second.float())

        filters = log_mel.mel.mel_scale.get_buffer("fb")
        bins = (k1.unsqueeze(1) + inner * k2).flatten()
        known = bins < len(filters)
        placed = torch.zeros(len(bins), filters.shape[1])
        placed[known] = filters[bins[known]]
        self.register_buffer("filters", placed)

    def forward(self, waveforms: Tensor) -> Tensor:
        half = self.frame // 2
        padded = F.pad(waveforms.unsqueeze(1), (half, half), mode="reflect")[:, 0]
        starts = torch.arange(waveforms.shape[1] // self.hop + 1, device=waveforms.device)
        index = starts.view(-1, 1, 1) * self.hop + self.get_buffer("places")
        frames = padded[:, index] * self.get_buffer("window")  # (B, frames, n2, n1)

        real, imaginary = (frames @ self.get_buffer("first")).chunk(2, dim=-1)  # (..., n2, k1)
        cos, sin = self.get_buffer("twiddle_cos"), self.get_buffer("twiddle_sin")
        turned = real * cos + imaginary * sin, imaginary * cos - real * sin
        joined = torch.cat([part.transpose(-1, -2) for part in turned], dim=-1)
        real, imaginary = (joined @ self.get_buffer("second")).chunk(2, dim=-1)  # (..., k1, k2)

        power = (real.square() + imaginary.square()).flatten(2) @ self.get_buffer("filters")
        # 10 log10(power + 1e-10) + 30, with the floor where an optimiser cannot take it for zero
        return ((10.0 * torch.log10(power * 1e10 + 1.0) - 70.0) / 40.0).transpose(1, 2)


def _turns(steps: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of ``2 pi steps / size``, in float64.

    Whole turns are taken off while the steps are whole numbers: large angles would cost digits.
    """
    angle = (steps % size).double() * (2 * math.pi / size)
    return angle.cos(), angle.sin()
