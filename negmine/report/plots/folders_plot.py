"""From which folders the chosen rows are, beside the share of the pool that each folder is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from negmine.look import LIGHT, Theme, adaptive
from negmine.report.plots.drawn import CM, Drawn, PlotKind, as_svg, finish, legend, new_figure
from negmine.report.plots.opened import open_for_plot
from negmine.report.settings import PlotSettings
from negmine.report.source_folders import FolderCount, count_folders

_MOST = 20


def draw_folders(counts: Sequence[FolderCount]) -> str:
    """Draw shares of the chosen and of the pool by folder, as an SVG that follows the theme.

    No name is written into the figure but numbers of rows of a table beside it.
    """
    figure = Figure(figsize=(16 * CM, (2.4 + 0.75 * len(counts)) * CM), layout="constrained")
    _bars(figure.add_subplot(), LIGHT, counts, [str(n) for n in range(1, len(counts) + 1)])
    return adaptive(as_svg(figure).decode())


def _bars(axis: Axes, theme: Theme, counts: Sequence[FolderCount], names: Sequence[str]) -> None:
    at = np.arange(len(counts))
    chosen = [100 * one.share for one in counts]
    pool = [100 * one.pool_share for one in counts]
    axis.barh(at - 0.2, chosen, height=0.4, color=theme.chosen, label="of the chosen clips")
    axis.barh(at + 0.2, pool, height=0.4, color=theme.negatives, label="of the pool's clips")
    axis.set_yticks(at, names)
    axis.set_ylim(len(counts) - 0.4, -0.6)
    axis.set_xlim(left=0)
    axis.set_xlabel("share that draws on the folder (%)")
    finish(axis, theme, grid="x")
    legend(axis, theme, ncols=2)


def _draw(inputs: Sequence[Path], settings: PlotSettings, theme: Theme) -> Drawn:
    opened = open_for_plot(inputs[0], settings.classes)
    every = count_folders(opened.pool, opened.rows)
    counts = every[:_MOST]
    notes = []
    if len(every) > _MOST:
        notes.append(
            f"{len(every) - _MOST} of {len(every)} folders are not drawn: the {_MOST} with most "
            "chosen clips are"
        )
    figure = new_figure(settings, 16, 3 + 0.85 * len(counts))
    names = [one.folder if len(one.folder) <= 40 else "…" + one.folder[-39:] for one in counts]
    _bars(figure.add_subplot(), theme, counts, names)
    facts = [
        {"folder": one.folder, "chosen": one.chosen, "pool": one.pool, "times": one.times}
        for one in every
    ]
    first = counts[0]
    alt = (
        f"Share of chosen clips and of the pool by folder; most are from {first.folder}: "
        f"{100 * first.share:.0f} % of the chosen, {100 * first.pool_share:.0f} % of the pool"
    )
    return Drawn(figure, alt, {"folders": facts}, tuple(notes))


KIND = PlotKind(_draw, uses=frozenset({"classes"}))
