"""Hardness against doubt: what scores high, and may hold the class after all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from negmine.errors import InputError
from negmine.look import Theme
from negmine.mining.selection import Chosen
from negmine.report.plots.drawn import Drawn, Kind, finish, legend, new_figure
from negmine.report.plots.opened import Opened, open_for_plot
from negmine.report.settings import PlotSettings


def _draw(inputs: Sequence[Path], settings: PlotSettings, theme: Theme) -> Drawn:
    opened = open_for_plot(inputs[0], settings.classes)
    parts = {
        "random control": (opened.beside("control"), theme.negatives, "s", 9),
        "chosen": (opened.rows, theme.chosen, "o", 16),
        "left for review": (opened.beside("review"), theme.doubted, "^", 18),
    }
    figure = new_figure(settings, 16, 11)
    axis = figure.add_subplot()
    facts: dict[str, int] = {}
    unknown = 0
    for name, (rows, colour, marker, size) in parts.items():
        score, doubt = _known(rows)
        unknown += len(rows) - len(score)
        if not len(score):
            continue
        facts[name] = len(score)
        axis.scatter(
            score, doubt, s=size, color=colour, marker=marker, alpha=0.75, linewidths=0,
            label=f"{name} ({len(score):,})",
        )  # fmt: skip
    if not facts:
        raise InputError(
            f"{opened.path}: no row has a doubt (estimated probability that the class is present); "
            "'negmine mine' estimates it where a pool has confirmed calls"
        )
    if limit := _max_doubt(opened):
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
    notes = []
    if unknown:
        notes.append(f"{unknown} rows have no doubt, and are not drawn")
    alt = f"Score against doubt of {sum(facts.values()):,} rows: " + ", ".join(
        f"{count:,} {name}" for name, count in facts.items()
    )
    return Drawn(figure, alt, {"rows": facts, "max_doubt": limit or None}, tuple(notes))


def _known(rows: Sequence[Chosen]) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and doubts of the rows that have both; a doubt of 0 is drawn at the lowest."""
    both = [(r.score, r.doubt) for r in rows if math.isfinite(r.score) and math.isfinite(r.doubt)]
    score, doubt = np.array(both, dtype=np.float64).reshape(-1, 2).T
    return score, np.maximum(doubt, 1e-6)


def _max_doubt(opened: Opened) -> float:
    """Return the doubt beyond which nothing was chosen; 0 where the selection does not say."""
    try:
        return float((opened.selection.made_with or {}).get("max-doubt", 0))
    except ValueError:
        return 0.0


KIND = Kind(_draw, uses=frozenset({"classes"}))
