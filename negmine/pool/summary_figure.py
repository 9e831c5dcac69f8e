"""A pool as a picture: certified hours by class and kind, and how sure they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from negmine.pool.summary import PoolSummary
from negmine.storage.files import writing


def draw_summary(path: Path, summary: PoolSummary, clip_s: float) -> None:
    """Draw a pool's summary as PNG.

    Parameters
    ----------
    path : Path
    summary : PoolSummary
    clip_s : float
        Length of a clip: rows become hours by it.
    """
    names = list(summary.classes)
    at = np.arange(len(names))
    figure = Figure(figsize=(9, 1.6 + 0.22 * max(len(names), 5)), layout="constrained")
    FigureCanvasAgg(figure)
    hours, sure = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    left = np.zeros(len(names))
    # viridis: kinds next to one another differ in lightness, too
    shades = colormaps["viridis"](np.linspace(0.0, 0.95, max(1, len(summary.kinds))))
    for shade, kind in zip(shades, summary.kinds, strict=True):
        width = np.array([summary.classes[n][kind] for n in names]) * clip_s / 3600
        hours.barh(at, width, left=left, height=0.8, label=kind, color=shade)
        left += width
    confidence = [summary.classes[name]["confidence"] for name in names]
    sure.plot(confidence, at, "o", color="0.2", markersize=4)
    for axis in (hours, sure):
        axis.grid(axis="x", color="0.9")
        axis.set_axisbelow(True)
    hours.set_yticks(at, names, fontsize=8)
    hours.set_ylim(len(names) - 0.5, -0.5)
    hours.set_ylabel("class")
    hours.set_xlabel("hours certified absent")
    sure.set_xlabel("mean confidence")
    sure.set_xlim(min(0.9, *(c for c in [*confidence, 0.9] if np.isfinite(c))) - 0.01, 1.005)
    rows = sum(summary.kinds.values())
    figure.suptitle(f"{rows:,} clips, {summary.hours:.2f} h, from {summary.groups} recordings")
    figure.legend(
        *hours.get_legend_handles_labels(), loc="outside lower center", ncols=len(summary.kinds)
    )
    with writing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
