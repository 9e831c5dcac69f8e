"""The scores of a class's negatives, chosen rows and confirmed calls, now and before, as SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter

from negmine.report.read_report import DoubtBins, Histogram

# Readable on a white page and on a dark one; the three colours can be distinguished by all readers.
_INK = "#808080"
_NEGATIVES, _CALLS, _CHOSEN = "#5b8fd6", "#e69f00", "#d1495b"

# Bins where a report brings none of its own.
_BINS = 24


def draw_scores(
    now: Histogram | None,
    chosen: Sequence[float],
    then: Histogram | None = None,
    chosen_then: Sequence[float] = (),
) -> bytes | None:
    """Draw how a class's scores are distributed, as SVG.

    Beside all of a pool's rows, counts are on a logarithmic axis: what mining looks for is the last
    few of many thousands.
    No name is written into the figure, so that none has to be escaped.

    Parameters
    ----------
    now, then : Histogram or None
        By the model that chose, and by that of the older selection.
    chosen, chosen_then : sequence of float
        Scores of the chosen rows; what is not finite is left out.

    Returns
    -------
    bytes or None
        None where there is nothing to draw.
    """
    chosen = [score for score in chosen if np.isfinite(score)]
    chosen_then = [score for score in chosen_then if np.isfinite(score)]
    if not (now or then or chosen or chosen_then):
        return None
    figure = Figure(figsize=(7.2, 2.5))
    FigureCanvasSVG(figure)
    # fixed places: laying out again would take most of the time of a figure
    axis = figure.add_axes((0.09, 0.2, 0.64, 0.74))
    edges = now.edges if now else _edges(chosen)
    if now:
        _filled(axis, now.negatives, now.edges, _NEGATIVES, 0.45, "certified negatives")
    if edges is not None:
        _filled(axis, _counts(chosen, edges), edges, _CHOSEN, 0.75, "chosen")
    if now:
        _line(axis, now.calls, now.edges, _CALLS, "-", "confirmed calls")
    edges = then.edges if then else _edges(chosen_then)
    if then:
        _line(axis, then.negatives, then.edges, _NEGATIVES, "--", "negatives, before")
        _line(axis, then.calls, then.edges, _CALLS, "--", "calls, before")
    if edges is not None:
        _line(axis, _counts(chosen_then, edges), edges, _CHOSEN, "--", "chosen, before")
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    if now or then:
        axis.set_yscale("log")
        axis.set_ylim(bottom=0.6)
        axis.yaxis.set_minor_locator(NullLocator())
    # 1,000 and not ten to the third: read at a glance, and typeset in no time
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_xlabel("score (logit)", color=_INK)
    axis.set_ylabel("clips", color=_INK)
    return _svg(figure, axis)


def _svg(figure: Figure, axis: Axes) -> bytes:
    """Finish a figure of one axis, and return it as SVG: the same bytes each time."""
    axis.tick_params(which="both", colors=_INK, labelsize=9)
    axis.grid(axis="y", color=_INK, alpha=0.25, linewidth=0.6)
    axis.set_axisbelow(True)
    for name, spine in axis.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(_INK)
    axis.legend(
        loc="upper left",
        bbox_to_anchor=(1.02, 1.04),
        fontsize=9,
        frameon=False,
        labelcolor=_INK,
        handlelength=1.6,
    )
    out = io.BytesIO()
    # without salt and date the same figure has other bytes each time
    with matplotlib.rc_context({"svg.hashsalt": "negmine", "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return out.getvalue()


def draw_reliability(bins: Mapping[str, DoubtBins | None]) -> bytes | None:
    """Draw claimed doubt against the share that was found, as SVG; on the diagonal both are alike.

    Parameters
    ----------
    bins : mapping of str to DoubtBins or None
        By what is said of them in the legend.

    Returns
    -------
    bytes or None
        None where there is nothing to draw.
    """
    shown = {name: one for name, one in bins.items() if one is not None}
    if not shown:
        return None
    figure = Figure(figsize=(5.6, 3.2))
    FigureCanvasSVG(figure)
    axis = figure.add_axes((0.11, 0.15, 0.5, 0.8))
    axis.plot([0, 1], [0, 1], color=_INK, linewidth=0.8, linestyle=":")
    for (name, one), colour in zip(shown.items(), (_NEGATIVES, _CHOSEN), strict=False):
        axis.plot(
            one.claimed, one.found, color=colour, marker="o", markersize=4, linewidth=1.2,
            label=name,
        )  # fmt: skip
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.set_xlabel("claimed", color=_INK)
    axis.set_ylabel("found", color=_INK)
    return _svg(figure, axis)


def _edges(scores: Sequence[float]) -> np.ndarray | None:
    return np.histogram_bin_edges(scores, bins=_BINS) if scores else None


def _counts(scores: Sequence[float], edges: np.ndarray) -> np.ndarray:
    """Count the scores in each bin; what is rounded out of the last one counts in it."""
    return np.histogram(np.clip(scores, edges[0], edges[-1]), edges)[0]


def _filled(
    axis: Axes, counts: np.ndarray, edges: np.ndarray, colour: str, alpha: float, label: str
) -> None:
    axis.stairs(counts, edges, baseline=0.1, fill=True, color=colour, alpha=alpha, label=label)


def _line(
    axis: Axes, counts: np.ndarray, edges: np.ndarray, colour: str, style: str, label: str
) -> None:
    # a bin without a clip is drawn below the axis, where a logarithm has no zero
    shown = np.maximum(counts, 0.1)
    axis.stairs(
        shown, edges, baseline=0.1, color=colour, linestyle=style, linewidth=1.4, label=label
    )
