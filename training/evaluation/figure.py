"""Pictures: the hardest negatives, and what retraining did to their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from negmine.storage.files import writing

_COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """One negative in the picture.

    Attributes
    ----------
    samples : float32 array, shape (T,)
    label : str
        The class it fooled.
    origin : str
        Its kind and certificate.
    before, after : float
        The class's probability by the model that mined it, and by the retrained one.
    band_hz : (float, float)
        The class's band.
    """

    samples: np.ndarray
    label: str
    origin: str
    before: float
    after: float
    band_hz: tuple[float, float]


def draw_negatives(path: Path, panels: Sequence[Panel], sample_rate: int, title: str) -> None:
    """Draw spectrograms of negatives as PNG, the class's band marked.

    Parameters
    ----------
    panels : sequence of Panel
        At least one.
    sample_rate : int
        Hz.
    """
    rows = -(-len(panels) // _COLUMNS)
    figure = Figure(figsize=(3.6 * _COLUMNS, 2.9 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    for axis, panel in zip(axes.flat, panels, strict=False):
        nfft = 512 if sample_rate < 24_000 else 1024
        # a floor of noise far below 16 bits: the logarithm of a padded end is then defined
        floor = np.random.default_rng(0).normal(0, 1e-6, len(panel.samples))
        spectrum, frequencies, times, _ = axis.specgram(
            panel.samples + floor, NFFT=nfft, Fs=sample_rate, noverlap=nfft * 3 // 4, cmap="magma"
        )
        level = 10 * np.log10(spectrum)
        axis.images[0].set_clim(np.percentile(level, 20), level.max())
        for edge in panel.band_hz:
            axis.axhline(edge, color="white", linewidth=0.8, linestyle="--")
        axis.set_title(
            f"taken for {panel.label}: {panel.before:.2f} → {panel.after:.2f}\n{panel.origin}",
            fontsize=9,
        )
        axis.set_xlabel("s", fontsize=8)
        axis.set_ylabel("Hz", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.set_xlim(times[0], times[-1])
        axis.set_ylim(frequencies[0], frequencies[-1])
    with writing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
