"""Hardness against doubt: what scores high, and may hold the class after all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from negmine.errors import InputError
from negmine.look import LIGHT, Theme, adaptive
from negmine.mining.selection import Chosen, Selection
from negmine.report.plots.drawn import (
    CM,
    Drawn,
    PlotKind,
    as_svg,
    finish,
    legend,
    new_figure,
    thinner,
)
from negmine.report.plots.opened import open_for_plot
from negmine.report.read_report import number
from negmine.report.settings import PlotSettings


def _draw(inputs: Sequence[Path], settings: PlotSettings, theme: Theme) -> Drawn:
    opened = open_for_plot(inputs[0], settings.classes)
    parts = {
        "random control": (opened.beside("control"), theme.negatives, "s", 9),
        "chosen": (opened.rows, theme.chosen, "o", 16),
        "left for review": (opened.beside("review"), theme.doubted, "^", 18),
    }
    figure = new_figure(settings, 16, 11)
    limit = max_doubt(opened.selection, opened.report)
    facts, unknown = _scatter(figure.add_subplot(), theme, parts, limit)
    if not facts:
        raise InputError(
            f"{opened.path}: no row has a doubt (estimated probability that the class is present); "
            "'negmine mine' estimates it where a pool has confirmed calls"
        )
    notes = []
    if unknown:
        notes.append(f"{unknown} rows have no doubt, and are not drawn")
    alt = f"Score against doubt of {sum(facts.values()):,} rows: " + ", ".join(
        f"{count:,} {name}" for name, count in facts.items()
    )
    return Drawn(figure, alt, {"rows": facts, "max_doubt": limit or None}, tuple(notes))


def draw_doubt(rows: Sequence[Chosen], limit: float) -> str | None:
    """Draw score against doubt of chosen rows, as an SVG that follows the page's theme.

    Parameters
    ----------
    limit : float
        See `max_doubt`.

    Returns
    -------
    str or None
        None where no row has a doubt.
    """
    figure = Figure(figsize=(16 * CM, 8.5 * CM))
    axis = figure.add_axes((0.12, 0.16, 0.85, 0.74))
    counts, _ = _scatter(axis, LIGHT, {"chosen": (rows, LIGHT.chosen, "o", 14)}, limit)
    return adaptive(as_svg(figure).decode()) if counts else None


# Rows, and the colour, marker and size that they are drawn in.
_Part = tuple[Sequence[Chosen], str, str, int]


def _scatter(
    axis: Axes, theme: Theme, parts: Mapping[str, _Part], limit: float
) -> tuple[dict[str, int], int]:
    """Draw the parts; return how many rows of each, and how many have no doubt."""
    facts: dict[str, int] = {}
    unknown = 0
    for name, (rows, colour, marker, size) in parts.items():
        score, doubt = _known(rows)
        unknown += len(rows) - len(score)
        if not len(score):
            continue
        facts[name] = len(score)
        area, alpha = thinner(size, len(score))
        axis.scatter(
            score, doubt, s=area, color=colour, marker=marker, alpha=alpha, linewidths=0,
            label=f"{name} ({len(score):,})",
        )  # fmt: skip
    if not facts:
        return facts, unknown
    if limit:
        axis.axhline(
            limit, color=theme.ink, linewidth=1.1, linestyle="--", label=f"--max-doubt {limit:g}"
        )
    axis.set_yscale("log")
    axis.set_ylim(top=1.15)
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    axis.set_xlabel("score (logit): harder to the right")
    axis.set_ylabel("doubt: probability that the class is present")
    finish(axis, theme)
    legend(axis, theme)
    return facts, unknown


def _known(rows: Sequence[Chosen]) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and doubts of the rows that have both; a doubt of 0 is drawn at the lowest."""
    both = [(r.score, r.doubt) for r in rows if math.isfinite(r.score) and math.isfinite(r.doubt)]
    # as a selection keeps them: one that is still in memory is drawn the same
    score, doubt = np.array(both, dtype=np.float32).reshape(-1, 2).T
    return score, np.maximum(doubt, 1e-6)


def max_doubt(selection: Selection, report: Mapping[str, Any] | None) -> float:
    """Return the doubt beyond which nothing was chosen; 0 where neither file says."""
    found = number(report or {}, "max_doubt")
    if math.isfinite(found):
        return found
    try:
        return float((selection.made_with or {}).get("max-doubt", 0))
    except ValueError:
        return 0.0


KIND = PlotKind(_draw, uses=frozenset({"classes"}))
