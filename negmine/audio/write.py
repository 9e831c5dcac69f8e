"""Writing sound files: FLAC for people and other tools, MP3 and WAV for pages."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from negmine.errors import AudioError, OutputError

# The rates in Hz that are used of those that MP3 knows, and how small it is made: variable rate,
# 4 kB a second, nothing below 10 kHz dropped. A step smaller, and only what is below 7 kHz is kept.
_MP3_RATES = (8000, 11025, 12000, 16000, 22050)
_MP3_COMPRESSION = 0.8


def write_flac(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write mono samples, shape (T,), as 16-bit FLAC.

    Raises
    ------
    AudioError
        If a sample is outside [-1, 1]: it would be clipped.
    OutputError
        If the file cannot be written.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > 1.0:
        raise AudioError(f"{path}: a peak of {peak:.2f} would be clipped; scale the samples first")
    # in memory: of a full disk libsndfile says "problem with initialization of the flac decoder"
    out = io.BytesIO()
    try:
        sf.write(out, samples, sample_rate, subtype="PCM_16", format="FLAC")
        path.write_bytes(out.getbuffer())
    except sf.LibsndfileError as error:
        raise OutputError(f"{path}: cannot be written: {error}") from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def encode_wav(samples: np.ndarray, sample_rate: int) -> bytes:
    """Encode mono samples, shape (T,), as 16-bit WAV; what is outside [-1, 1] is clipped."""
    out = io.BytesIO()
    sf.write(out, np.clip(samples, -1.0, 1.0), sample_rate, subtype="PCM_16", format="WAV")
    return out.getvalue()


def encode_mp3(samples: np.ndarray, sample_rate: int) -> bytes:
    """Encode mono samples as a small MP3, which every browser plays: not for measuring.

    Parameters
    ----------
    samples : float32 array, shape (T,), within [-1, 1]
    sample_rate : int
        Hz. Encoded is at the lowest rate of MP3's that keeps all frequencies, at most 22,050 Hz.

    Raises
    ------
    OutputError
        If the libsndfile in use writes no MP3.
    """
    rate = next((r for r in _MP3_RATES if r >= sample_rate), _MP3_RATES[-1])
    if rate != sample_rate:
        samples = soxr.resample(samples, sample_rate, rate, quality="HQ")
        # which may pass full scale by a little: quieter as a whole, not clipped
        samples = samples / max(1.0, float(np.abs(samples).max(initial=0.0)))
    out = io.BytesIO()
    try:
        with sf.SoundFile(
            out,
            "w",
            rate,
            1,
            format="MP3",
            subtype="MPEG_LAYER_III",
            compression_level=_MP3_COMPRESSION,
            bitrate_mode="VARIABLE",
        ) as file:
            file.write(samples)
    except (sf.LibsndfileError, ValueError) as error:
        raise OutputError(
            f"this libsndfile ({sf.__libsndfile_version__}) writes no MP3: {error}; install "
            "soundfile from its own wheel"
        ) from error
    return out.getvalue()
