"""From waveform to log-mel spectrogram."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchaudio.transforms import MelSpectrogram

# On a CPU, spectrograms of a few clips at a time stay in its cache; large batches do not.
_CPU_CHUNK = 8


@dataclass(frozen=True)
class FrontEndSettings:
    """What a log-mel front end is made of; a checkpoint carries it.

    Attributes
    ----------
    sample_rate : int
        Hz.
    n_mels : int
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

    @classmethod
    def for_mels(cls, sample_rate: int, n_mels: int) -> FrontEndSettings:
        """Frames just long enough that every mel band holds a bin of the spectrum."""
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
        self.mel = MelSpectrogram(
            sample_rate=settings.sample_rate,
            n_fft=settings.frame,
            hop_length=settings.hop,
            f_min=settings.f_min_hz,
            f_max=settings.sample_rate / 2,
            n_mels=settings.n_mels,
            power=2.0,
        )

    def forward(self, waveforms: Tensor) -> Tensor:
        with torch.autocast(waveforms.device.type, enabled=False):
            size = _CPU_CHUNK if waveforms.device.type == "cpu" else len(waveforms)
            power = torch.cat(
                [self.mel(part) for part in torch.split(waveforms.float(), max(size, 1))]
            )
            # -100 dB floor; +-1 spans about 80 dB round a quiet soundscape
            return (10.0 * torch.log10(power + 1e-10) + 30.0) / 40.0
