"""From waveform to log-mel spectrogram."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

# On a CPU, the spectrum of one clip at a time stays in its cache; that of several does not.
_CPU_CHUNK = 1

# Of an analysis frame, in samples: 64 ms at 384 kHz are 24,576.
_LONGEST_FRAME = 1 << 16


@dataclass(frozen=True)
class FrontEndSettings:
    """What a log-mel front end is made of; a checkpoint carries it.

    Attributes
    ----------
    sample_rate : int
        Hz.
    frame_s, hop_s : float
        Analysis frame and step, in seconds.
    f_min_hz : float
        Lower edge of the lowest mel band; the upper edge of the highest is half the sample rate.
    """

    sample_rate: int
    n_mels: int
    frame_s: float
    hop_s: float = 0.016
    f_min_hz: float = 50.0

    def __post_init__(self) -> None:
        # what a file says becomes the size of a matrix
        ranges = {
            "sample_rate": (1, 10_000_000),
            "n_mels": (1, 1024),
            "frame_s": (1e-4, 1.0),
            "hop_s": (1e-4, 1.0),
            "f_min_hz": (0.0, self.sample_rate / 2),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not low <= value <= high:
                raise ValueError(f"{name} {value} is outside [{low:g}, {high:g}]")
        if not 2 <= self.frame <= _LONGEST_FRAME or self.hop < 1:
            raise ValueError(f"frames of {self.frame} samples every {self.hop}")

    @classmethod
    def for_mels(cls, sample_rate: int, n_mels: int) -> FrontEndSettings:
        """Choose frames just long enough that every mel band holds a bin of the spectrum."""
        return cls(sample_rate, n_mels, frame_s=0.032 if n_mels <= 64 else 0.064)

    @property
    def frame(self) -> int:
        """Analysis frame in samples."""
        return round(self.frame_s * self.sample_rate)

    @property
    def hop(self) -> int:
        """Step in samples."""
        return round(self.hop_s * self.sample_rate)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class LogMel(nn.Module):
    """Log-mel spectrogram in decibels, scaled to about unit range.

    Shape: (B, T) -> (B, n_mels, T // hop + 1).
    """

    def __init__(self, settings: FrontEndSettings) -> None:
        super().__init__()
        self.settings = settings
        # checkpoints name the buffers as torchaudio's MelSpectrogram did
        self.mel = nn.Module()
        self.mel.spectrogram, self.mel.mel_scale = nn.Module(), nn.Module()
        self.mel.spectrogram.register_buffer("window", torch.hann_window(settings.frame))
        self.mel.mel_scale.register_buffer("fb", mel_filters(settings))

    @property
    def window(self) -> Tensor:
        """Of an analysis frame: (frame,)."""
        return self.get_buffer("mel.spectrogram.window")

    @property
    def filters(self) -> Tensor:
        """From a spectrum's bins to mel bands: (frame // 2 + 1, n_mels)."""
        return self.get_buffer("mel.mel_scale.fb")

    def forward(self, waveforms: Tensor) -> Tensor:
        with torch.autocast(waveforms.device.type, enabled=False):
            size = _CPU_CHUNK if waveforms.device.type == "cpu" else len(waveforms)
            parts = torch.split(waveforms.float(), max(size, 1))
            power = torch.cat([self.power(part) for part in parts])
            # -100 dB floor; +-1 spans about 80 dB round a quiet soundscape
            return (10.0 * torch.log10(power + 1e-10) + 30.0) / 40.0

    def power(self, waveforms: Tensor) -> Tensor:
        """Compute the power in mel bands, (B, T) -> (B, n_mels, T // hop + 1).

        Squares are taken of real and imaginary parts: of the absolute value they cost three times
        as much.
        """
        frame, hop = self.settings.frame, self.settings.hop
        spectrum = torch.stft(waveforms, frame, hop, window=self.window, return_complex=True)
        power = spectrum.real.square().addcmul(spectrum.imag, spectrum.imag)
        return torch.matmul(power.transpose(-1, -2), self.filters).transpose(-1, -2)


def mel_filters(settings: FrontEndSettings) -> Tensor:
    """Return triangular filters, equally wide in mel: (frame // 2 + 1, n_mels).

    Mel is 2595 log10(1 + f / 700) (O'Shaughnessy, 1987). Each filter has height 1, and ends where
    its neighbours are highest. To the bit those of torchaudio, which checkpoints were trained with.
    """
    rate = settings.sample_rate
    low, high = (2595.0 * math.log10(1.0 + hz / 700.0) for hz in (settings.f_min_hz, rate / 2))
    corners = 700.0 * (10.0 ** (torch.linspace(low, high, settings.n_mels + 2) / 2595.0) - 1.0)
    bins = torch.linspace(0, rate // 2, settings.frame // 2 + 1)
    width = corners.diff()
    away = corners.unsqueeze(0) - bins.unsqueeze(1)
    rising, falling = -away[:, :-2] / width[:-1], away[:, 2:] / width[1:]
    return torch.minimum(rising, falling).clamp(min=0)
