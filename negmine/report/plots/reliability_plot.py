"""Doubt that was claimed against the share that was found: on the diagonal both are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from negmine.errors import InputError
from negmine.look import LIGHT, Theme, adaptive
from negmine.report.plots.drawn import CM, Drawn, PlotKind, as_svg, finish, legend, new_figure
from negmine.report.plots.opened import open_for_plot
from negmine.report.read_report import DoubtBins, doubt_bins
from negmine.report.settings import PlotSettings


def bins_of(report: Mapping[str, Any] | None) -> dict[str, DoubtBins]:
    """Return what a mining report says of doubt's reliability, by what was judged."""
    found = {
        "calls and rejections": doubt_bins(report, "judged"),
        "rows heard": doubt_bins(report, "heard"),
    }
    return {name: bins for name, bins in found.items() if bins is not None}


def draw_reliability(bins: Mapping[str, DoubtBins]) -> str | None:
    """Draw a reliability diagram as an SVG that follows the page's theme; None of nothing."""
    if not bins:
        return None
    figure = Figure(figsize=(11 * CM, 9 * CM))
    _plot(figure.add_axes((0.14, 0.15, 0.8, 0.74)), LIGHT, bins)
    return adaptive(as_svg(figure).decode())


def _plot(axis: Axes, theme: Theme, bins: Mapping[str, DoubtBins]) -> None:
    axis.plot([0, 1], [0, 1], color=theme.soft, linewidth=1, linestyle=":", label="as claimed")
    styles = ((theme.negatives, "o", "-"), (theme.chosen, "s", "--"))
    for (name, one), (colour, marker, line) in zip(bins.items(), styles, strict=False):
        # areas by counts: a point of three clips says little
        sizes = 14 + 90 * one.count / max(1.0, float(one.count.max()))
        axis.plot(one.claimed, one.found, color=colour, linewidth=1.3, linestyle=line)
        axis.scatter(one.claimed, one.found, s=sizes, color=colour, marker=marker, label=name)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.set_aspect("equal", anchor="W")
    axis.set_xlabel("doubt claimed (probability)")
    axis.set_ylabel("share found present")
    finish(axis, theme)
    legend(axis, theme, ncols=3, markerscale=0.6)


def _draw(inputs: Sequence[Path], settings: PlotSettings, theme: Theme) -> Drawn:
    opened = open_for_plot(inputs[0], ())
    bins = bins_of(opened.report)
    if not bins:
        raise InputError(
            f"{opened.path}: its mining report tells no reliability of doubt: there was no report, "
            "or too few calls and rejections; 'negmine mine' writes it"
        )
    figure = new_figure(settings, 11, 10)
    _plot(figure.add_subplot(), theme, bins)
    facts = {
        name: {
            "claimed": one.claimed.tolist(),
            "found": one.found.tolist(),
            "count": one.count.astype(int).tolist(),
        }
        for name, one in bins.items()
    }
    alt = "Claimed doubt against the share that was found to hold the class; the diagonal is ideal"
    return Drawn(figure, alt, facts)


KIND = PlotKind(_draw)
