"""The front end that is exported against the one that trains."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.export.matrix_frontend import MatrixLogMel
from training.models.frontend import FrontEndSettings, LogMel

pytestmark = pytest.mark.usefixtures("one_thread")


def sounds(rate: int, samples: int) -> torch.Tensor:
    """Noise, a tone in noise, a click, silence."""
    generator = torch.Generator().manual_seed(0)
    found = 0.1 * torch.randn(4, samples, generator=generator)
    found[1] = 0.5 * torch.sin(torch.arange(samples) * (2 * torch.pi * 0.11)) + 0.1 * found[1]
    found[2:] = 0
    found[2, samples // 3] = 1
    return found


# frames of a power of two, of an even, an odd and a prime number of samples
@pytest.mark.parametrize(
    ("rate", "mels"), [(8000, 16), (32000, 64), (32000, 128), (11025, 32), (22050, 40), (1000, 4)]
)
def test_it_is_the_front_end_of_training(rate: int, mels: int) -> None:
    settings = FrontEndSettings.for_mels(rate, mels)
    normal = LogMel(settings)
    made = MatrixLogMel(normal)
    for samples in (rate, rate + settings.hop // 2, settings.frame // 2 + 1, 3 * settings.hop - 1):
        waveforms = sounds(rate, max(samples, settings.frame // 2 + 1))
        want, found = normal(waveforms), made(waveforms)
        assert found.shape == want.shape
        assert found.dtype == torch.float32
        # 0.008 dB: what float32 loses beside a tone 40 dB louder
        torch.testing.assert_close(found, want, rtol=0, atol=2e-4)


@pytest.mark.parametrize("frame_s", [0.0311, 0.032, 0.064])
def test_it_is_the_discrete_fourier_transform(frame_s: float) -> None:
    settings = FrontEndSettings(8000, 16, frame_s=frame_s)
    log_mel = LogMel(settings)
    waveforms = sounds(8000, 2000)
    size, hop = settings.frame, settings.hop
    padded = np.pad(waveforms.double().numpy(), ((0, 0), (size // 2, size // 2)), "reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    frames = np.stack([padded[:, a : a + size] for a in range(0, 2001, hop)], axis=1)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    filters = log_mel.mel.mel_scale.get_buffer("fb").double().numpy()
    want = (10 * np.log10(power @ filters + 1e-10) + 30) / 40
    found = MatrixLogMel(log_mel)(waveforms).numpy()
    np.testing.assert_allclose(found, want.transpose(0, 2, 1), rtol=0, atol=2e-4)


def test_silence_is_the_floor() -> None:
    made = MatrixLogMel(LogMel(FrontEndSettings.for_mels(8000, 16)))
    torch.testing.assert_close(made(torch.zeros(1, 800)), torch.full((1, 16, 7), (30 - 100) / 40))


def test_a_pure_tone_leaves_no_more_rounding_than_the_fft() -> None:
    # in silence beside a tone of full scale, only the digits that float32 lost are heard
    settings = FrontEndSettings.for_mels(32000, 64)
    normal = LogMel(settings)
    waveforms = torch.sin(torch.arange(32000) * 0.3).unsqueeze(0)
    exact = LogMel(settings).double().mel(waveforms.double())
    want = (10 * torch.log10(exact + 1e-10) + 30) / 40
    gaps = [(one(waveforms) - want).abs().max() for one in (MatrixLogMel(normal), normal)]
    assert gaps[0] < 1.5 * gaps[1]
