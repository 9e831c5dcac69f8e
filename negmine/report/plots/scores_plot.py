"""How scores are distributed: certified negatives, chosen rows and confirmed calls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, StrMethodFormatter

from negmine.look import LIGHT, Theme, adaptive
from negmine.report.plots.drawn import (
    CM,
    Drawn,
    PlotKind,
    as_svg,
    finish,
    legend,
    new_figure,
    shortened,
    title,
)
from negmine.report.plots.opened import Opened, open_for_plot
from negmine.report.read_report import Histogram, class_report, histogram_of, number
from negmine.report.settings import PlotSettings

# Bins where a report brings none of its own, and of all classes together.
_BINS = 24
_BINS_OF_ALL = 40
_COLUMNS = 3
# Panels of classes, at most: what does not fit one page is named.
_MOST_PANELS = 30
HALF = "half of the calls score higher"


def draw_scores(
    now: Histogram | None,
    chosen: Sequence[float],
    then: Histogram | None = None,
    chosen_then: Sequence[float] = (),
    marks: Mapping[str, float] | None = None,
) -> str | None:
    """Draw how a class's scores are distributed, as an SVG that follows the page's theme.

    No name is written into the figure, so that none has to be escaped.

    Parameters
    ----------
    now, then : Histogram or None
        By the model that chose, and by that of the older selection.
    chosen, chosen_then : sequence of float
        Scores of the chosen rows; what is not finite is left out.
    marks : mapping of str to float, optional
        Scores to be marked, by what they are; NaN is left out.

    Returns
    -------
    str or None
        None where there is nothing to draw.
    """
    if not (now or then or _finite(chosen) or _finite(chosen_then)):
        return None
    figure = Figure(figsize=(18 * CM, 6.4 * CM))
    # fixed places: laying out again would take most of the time of a figure
    axis = figure.add_axes((0.09, 0.2, 0.89, 0.62))
    draw_class(axis, LIGHT, now, chosen, then, chosen_then, marks)
    legend(axis, LIGHT, ncols=4)
    return adaptive(as_svg(figure).decode())


def draw_class(
    axis: Axes,
    theme: Theme,
    now: Histogram | None,
    chosen: Sequence[float],
    then: Histogram | None = None,
    chosen_then: Sequence[float] = (),
    marks: Mapping[str, float] | None = None,
) -> None:
    """Draw one class's scores: see `draw_scores`.

    Beside all of a pool's rows, counts are on a logarithmic axis: what mining looks for is the last
    few of many thousands.
    """
    chosen, chosen_then = _finite(chosen), _finite(chosen_then)
    edges = now.edges if now else _edges(chosen)
    if now:
        _filled(axis, now.negatives, now.edges, theme.negatives, 0.45, "certified negatives")
    if edges is not None:
        _filled(axis, _counts(chosen, edges), edges, theme.chosen, 0.8, "chosen")
    if now:
        _line(axis, now.calls, now.edges, theme.calls, "-", "confirmed calls")
    edges = then.edges if then else _edges(chosen_then)
    if then:
        _line(axis, then.negatives, then.edges, theme.negatives, "--", "negatives, before")
        _line(axis, then.calls, then.edges, theme.calls, "--", "calls, before")
    if edges is not None and len(chosen_then):
        _line(axis, _counts(chosen_then, edges), edges, theme.chosen, "--", "chosen, before")
    known = {name: at for name, at in (marks or {}).items() if math.isfinite(at)}
    for (name, at), style in zip(known.items(), ("-", ":", "-."), strict=False):
        axis.axvline(at, color=theme.ink, linewidth=1.3, linestyle=style, label=name)
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    if now or then:
        axis.set_yscale("log")
        axis.set_ylim(bottom=0.6)
        axis.yaxis.set_minor_locator(NullLocator())
    # 1,000 and not ten to the third: read at a glance, and typeset in no time
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_xlabel("score (logit)")
    axis.set_ylabel("clips")
    finish(axis, theme, grid="y")


def joined(histograms: Sequence[Histogram]) -> Histogram | None:
    """Join histograms of several classes: each count is spread evenly over its bin.

    Returns
    -------
    Histogram or None
        Of 40 bins; None of no histogram.
    """
    if not histograms:
        return None
    low = min(one.edges[0] for one in histograms)
    high = max(one.edges[-1] for one in histograms)
    edges = np.linspace(low, high, _BINS_OF_ALL + 1)
    negatives, calls = np.zeros(_BINS_OF_ALL), np.zeros(_BINS_OF_ALL)
    for one in histograms:
        for counts, sums in ((one.negatives, negatives), (one.calls, calls)):
            below = np.concatenate([[0.0], np.cumsum(counts)])
            sums += np.diff(np.interp(edges, one.edges, below))
    return Histogram(edges, negatives, calls)


def _draw(inputs: Sequence[Path], settings: PlotSettings, theme: Theme) -> Drawn:
    opened = open_for_plot(inputs[0], settings.classes)
    histograms = {
        name: found
        for name in opened.classes
        if (found := histogram_of(class_report(opened.report, name), name))
    }
    notes = []
    if not histograms:
        notes.append(
            f"{opened.path}: no histograms of scores beside it, so chosen rows are drawn alone; "
            "'negmine mine' writes them"
        )
    shown = list(opened.classes)
    if len(shown) > _MOST_PANELS:
        notes.append(
            f"{len(shown) - _MOST_PANELS} of {len(shown)} classes have no panel of their own: "
            "name those to be shown with --class"
        )
        shown = shown[:_MOST_PANELS]
    figure = _panels(opened, histograms, shown, settings, theme)
    whole = joined(list(histograms.values()))
    facts = {
        "classes": shown,
        "chosen": len(opened.rows),
        "negatives": int(whole.negatives.sum().round()) if whole else None,
        "calls": int(whole.calls.sum().round()) if whole else None,
    }
    alt = (
        f"Distribution of scores of {len(opened.classes)} classes, all together and each: "
        "certified negatives, chosen rows and confirmed calls"
    )
    return Drawn(figure, alt, facts, tuple(notes))


def _panels(
    opened: Opened,
    histograms: Mapping[str, Histogram],
    shown: Sequence[str],
    settings: PlotSettings,
    theme: Theme,
) -> Figure:
    """Draw all classes together above, and each below."""
    alone = len(opened.classes) == 1
    columns = min(_COLUMNS, len(shown))
    rows = 0 if alone else -(-len(shown) // columns)
    figure = new_figure(settings, 18, 6.5 + 4.6 * rows)
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[1.35, *[1] * rows])
    top = figure.add_subplot(grid[0, :])
    by_class = {name: [r.score for r in opened.rows if r.label == name] for name in opened.classes}
    every = [score for scores in by_class.values() for score in scores]
    marks = {} if not alone else _marks(opened, shown[0])
    draw_class(top, theme, joined(list(histograms.values())), every, marks=marks)
    if not alone and any(
        math.isfinite(at) for name in shown for at in _marks(opened, name).values()
    ):
        # of each class alone, and named in the one legend
        top.plot([], [], color=theme.ink, linewidth=1.3, label=HALF)
    legend(top, theme)
    of = f"class {shortened(shown[0], 40)}" if alone else "all classes together"
    top.set_xlabel(f"score (logit), {of}")
    for place, name in enumerate([] if alone else shown):
        axis = figure.add_subplot(grid[1 + place // columns, place % columns])
        draw_class(axis, theme, histograms.get(name), by_class[name], marks=_marks(opened, name))
        title(axis, theme, f"class {shortened(name, 28)}", 9)
        if place % columns:
            axis.set_ylabel("")
        if place + columns < len(shown):
            axis.set_xlabel("")
    return figure


def _marks(opened: Opened, name: str) -> dict[str, float]:
    return {HALF: number(class_report(opened.report, name), "calls")}


def _finite(scores: Sequence[float]) -> list[float]:
    return [score for score in scores if np.isfinite(score)]


def _edges(scores: Sequence[float]) -> np.ndarray | None:
    return np.histogram_bin_edges(scores, bins=_BINS) if len(scores) else None


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


KIND = PlotKind(_draw, uses=frozenset({"classes"}))
