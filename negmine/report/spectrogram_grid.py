"""Spectrograms side by side, on one scale of decibels, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from negmine.audio.spectrogram import frequency_ticks, hz_to_mel, level_range, mel_levels
from negmine.look import SHADES
from negmine.storage.files import writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """One clip: its samples, float32, shape (T,); what is written above; a band to be marked."""

    samples: np.ndarray
    title: str
    band_hz: tuple[float, float] | None = None


def draw_grid(path: Path, panels: Sequence[Panel], sample_rate: int, title: str) -> None:
    """Draw at least one clip at a rate in Hz; time to the right, frequency in mel upwards."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pictures = [mel_levels(panel.samples, sample_rate) for panel in panels]
    low, high = level_range(*pictures)
    top, ticks = float(hz_to_mel(sample_rate / 2)), frequency_ticks(sample_rate)
    rows = -(-len(panels) // _COLUMNS)
    figure = Figure(figsize=(3.6 * _COLUMNS, 2.6 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for number, (panel, levels) in enumerate(zip(panels, pictures, strict=True), start=1):
        axis = figure.add_subplot(rows, _COLUMNS, number)
        show_levels(axis, levels, (low, high), len(panel.samples) / sample_rate)
        for edge_hz in panel.band_hz or ():
            at = float(hz_to_mel(edge_hz)) / top
            axis.axhline(at, color="white", linewidth=0.8, linestyle="--")
        axis.set_yticks([at for _, at in ticks], [text for text, _ in ticks])
        axis.set_title(panel.title, fontsize=9)
        axis.set_xlabel("s", fontsize=8)
        axis.tick_params(labelsize=7)
    with writing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def show_levels(
    axis: Axes, levels: np.ndarray, range_db: tuple[float, float], duration_s: float
) -> AxesImage:
    """Show a clip's levels: seconds to the right, the share of the mel axis upwards, 0 to 1."""
    low, high = range_db
    extent = (0.0, duration_s, 0.0, 1.0)
    return axis.imshow(
        levels, origin="lower", aspect="auto", cmap=SHADES, vmin=low, vmax=high, extent=extent
    )
