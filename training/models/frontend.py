"""From waveform to log-mel spectrogram."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from training.models.from_torchaudio import MelSpectrogram

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
            parts = torch.split(waveforms.float(), max(size, 1))
            power = torch.cat([self.mel.mel_scale(self._power(part)) for part in parts])
            # -100 dB floor; +-1 spans about 80 dB round a quiet soundscape
            return (10.0 * torch.log10(power + 1e-10) + 30.0) / 40.0

    def _power(self, waveforms: Tensor) -> Tensor:
        """Compute power, (B, T) -> (B, frame // 2 + 1, T // hop + 1): as `mel.spectrogram`.

        Squares are taken of real and imaginary parts. Of the absolute value, as torchaudio takes
        them, they cost three times as much.
        """
        frame, hop = self.settings.frame, self.settings.hop
        window = self.mel.spectrogram.get_buffer("window")
        spectrum = torch.stft(waveforms, frame, hop, window=window, return_complex=True)
        return spectrum.real.square().addcmul(spectrum.imag, spectrum.imag)
