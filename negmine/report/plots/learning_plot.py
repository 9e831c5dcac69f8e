"""Learning curves of runs: losses and validation scores, epoch by epoch, the best marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from negmine.errors import InputError, shorten
from negmine.look import Theme
from negmine.report.plots.drawn import Drawn, PlotKind, finish, labels_of, new_figure, title
from negmine.report.settings import PlotSettings
from negmine.storage.csv_tables import number_in, open_table

TABLE = "metrics.csv"
_STYLES = ("-", "--", ":", "-.")
# False positives an hour: lower is better, and epochs are chosen by them where they are there.
_RATE = "fp/h@"


def read_run(path: Path) -> dict[str, np.ndarray]:
    """Read a run's table of epochs: columns by name, NaN where a cell is empty.

    Parameters
    ----------
    path : Path
        The run's folder, or the table.

    Raises
    ------
    InputError
        If there is no such table, or it is malformed.
    """
    table = path / TABLE if path.is_dir() else path
    if not table.is_file():
        raise InputError(
            f"{path}: no run: neither a folder with {TABLE} nor such a table; 'negmine train' "
            "writes one"
        )
    return {name: np.array(values) for name, values in _columns(table).items()}


def _columns(table: Path) -> dict[str, list[float]]:
    names, rows = open_table(table, ("epoch", "loss"))
    for name in ("epoch", "loss"):
        if name not in names:
            raise InputError(
                f"{table}: no column '{name}': not the epochs of a run of 'negmine train'"
            )
    found: dict[str, list[float]] = {name: [] for name in names}
    for number, cells in rows:
        for name, cell in zip(names, cells, strict=True):
            where = f"{table} row {number}"
            if not cell and name in ("epoch", "loss"):
                raise InputError(f"{where}: {name} is empty; expected a number")
            found[name].append(number_in(where, name, cell) if cell else math.nan)
    if not found["epoch"]:
        raise InputError(f"{table}: holds no epoch yet, so there is nothing to draw")
    return found


def best_epoch(run: dict[str, np.ndarray]) -> int:
    """Return the place of the epoch that training keeps as ``best.pt``.

    The fewest false positives an hour where the run has them, and of equals the higher
    ``known_ap``; else the highest ``known_ap``; else the last. The first of equals.
    """
    unknown = np.full(len(run["epoch"]), math.nan)
    ap = run.get("known_ap", unknown)
    score = next((-values for name, values in run.items() if name.startswith(_RATE)), ap)
    ranks = [
        (epoch, 0.0) if math.isnan(one) else (one, 0.0 if math.isnan(tie) else tie)
        for epoch, one, tie in zip(run["epoch"], score, ap, strict=True)
    ]
    return ranks.index(max(ranks))


def _panels(runs: Sequence[dict[str, np.ndarray]]) -> dict[str, str]:
    """Return the columns to be drawn, and what each is, in words and with its unit."""
    found = list(dict.fromkeys(name for run in runs for name in run))
    shown = {"loss": "training loss"}
    known = {
        "known_ap": "known_ap (0 to 1), higher is better",
        "neg@3": "neg@3 (share of clips), lower is better",
        "neg@5": "neg@5 (share of clips), lower is better",
    }
    shown |= {name: text for name, text in known.items() if name in found}
    for name in found:
        if name.startswith(_RATE):
            shown[name] = f"{name} (false positives an hour), lower is better"
    return shown


def _draw(inputs: Sequence[Path], settings: PlotSettings, theme: Theme) -> Drawn:
    if len(inputs) > len(theme.series):
        raise InputError(
            f"{len(inputs)} runs; at most {len(theme.series)} can be told apart in one plot"
        )
    runs = [read_run(path) for path in inputs]
    names = labels_of(inputs)
    shown = _panels(runs)
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(settings, 9 * columns + 1, 6.2 * rows + 1)
    facts = []
    for number, (column, text) in enumerate(shown.items()):
        axis = figure.add_subplot(rows, columns, number + 1)
        for place, (name, run) in enumerate(zip(names, runs, strict=True)):
            if column in run:
                _line(axis, run, column, name, theme, place)
        title(axis, theme, text)
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if column == "loss" or column.startswith(_RATE):
            axis.set_ylim(bottom=0)
        else:
            axis.set_ylim(0, 1.02)
        finish(axis, theme)
    # above all panels, once
    handles, texts = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, texts, loc="outside upper left", frameon=False, labelcolor=theme.ink, fontsize=8.5,
        ncols=3,
    )  # fmt: skip
    for name, run in zip(names, runs, strict=True):
        at = best_epoch(run)
        last = {column: _number(run[column][at]) for column in shown if column in run}
        facts.append(
            {"run": name, "epochs": len(run["epoch"]), "best": int(run["epoch"][at])} | last
        )
    alt = f"{', '.join(shown)} by epoch of {shorten(names)}, the best epoch of each marked"
    return Drawn(figure, alt, {"runs": facts})


def _line(
    axis: Axes, run: dict[str, np.ndarray], column: str, name: str, theme: Theme, place: int
) -> None:
    colour = theme.series[place]
    style = _STYLES[place % len(_STYLES)]
    few = len(run["epoch"]) <= 40
    axis.plot(
        run["epoch"], run[column], color=colour, linestyle=style, linewidth=1.4,
        marker="." if few else "", markersize=4,
    )  # fmt: skip
    at = best_epoch(run)
    # the label is of a line with the star on it
    axis.plot(
        [], [], color=colour, linestyle=style, marker="*", markersize=9,
        label=f"{name} (best epoch: {run['epoch'][at]:.0f})",
    )  # fmt: skip
    axis.plot(
        run["epoch"][at], run[column][at], marker="*", markersize=12, color=colour,
        markeredgecolor=theme.page, markeredgewidth=0.7, linestyle="",
    )  # fmt: skip


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


KIND = PlotKind(_draw, most=0)
