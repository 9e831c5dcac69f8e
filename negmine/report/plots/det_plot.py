"""False positives an hour against recall: detection error trade-off curves of models.

After Martin et al. (1997, "The DET curve in assessment of detection task performance"): the axis of
false positives is logarithmic, the other is recall instead of the rate of misses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from negmine.errors import InputError, did_you_mean, shorten
from negmine.look import Theme
from negmine.report.plots.drawn import (
    Drawn,
    PlotKind,
    finish,
    labels_of,
    legend,
    new_figure,
    shortened,
    title,
)
from negmine.report.settings import PlotSettings
from negmine.storage.csv_tables import EVERY, number_in, read_rows

COLUMNS = ("model", "class", "recall", "fp_per_hour", "threshold", "hours")
# The row of all classes: their false positives an hour added up, each class at that recall.
TOGETHER = EVERY
# Recalls at which the rates are reported as numbers.
_TOLD = (0.5, 0.7, 0.9)
_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))

# A curve's recalls and false positives an hour, and the hours of the recordings.
Curve = tuple[np.ndarray, np.ndarray, float]


def read_curves(path: Path) -> dict[str, dict[str, Curve]]:
    """Read curves that ``evaluate --curves-out`` wrote: by model, then by class.

    Raises
    ------
    InputError
        If it is no such table.
    """
    found: dict[str, dict[str, tuple[list[float], list[float], float]]] = {}
    for where, (model, name, recall, rate, _, hours) in read_rows(path, COLUMNS):
        if not rate:  # a class without calls
            continue
        numbers = [
            number_in(where, column, text)
            for column, text in (("recall", recall), ("fp_per_hour", rate), ("hours", hours))
        ]
        if not (0 < numbers[0] <= 1 and numbers[1] >= 0 and numbers[2] > 0):
            raise InputError(
                f"{where}: recall {recall}, fp_per_hour {rate}, hours {hours}: expected a share "
                "above 0, a rate and a length; 'negmine evaluate --curves-out' writes them"
            )
        curve = found.setdefault(model, {}).setdefault(name, ([], [], numbers[2]))
        curve[0].append(numbers[0])
        curve[1].append(numbers[1])
    return {
        model: {name: _sorted(curve) for name, curve in of_model.items()}
        for model, of_model in found.items()
    }


def _sorted(curve: tuple[list[float], list[float], float]) -> Curve:
    recall, rate, hours = np.array(curve[0]), np.array(curve[1]), curve[2]
    order = np.argsort(recall, kind="stable")
    return recall[order], rate[order], hours


def _all_curves(inputs: Sequence[Path]) -> dict[str, dict[str, Curve]]:
    """Read the curves of all files, each model under a name of its own."""
    curves: dict[str, dict[str, Curve]] = {}
    for label, path in zip(labels_of(inputs), inputs, strict=True):
        of_file = read_curves(path)
        if not of_file:
            raise InputError(f"{path}: no class has a call, so there is no curve to draw")
        # a file of one model goes by its own name: the files are what a person has named
        for model, of_model in of_file.items():
            curves[label if len(of_file) == 1 else f"{label}: {model}"] = of_model
    return curves


def _draw(inputs: Sequence[Path], settings: PlotSettings, theme: Theme) -> Drawn:
    curves = _all_curves(inputs)
    if len(curves) > len(theme.series):
        raise InputError(
            f"{len(curves)} models; at most {len(theme.series)} can be told apart in one plot"
        )
    known = dict.fromkeys(name for of_model in curves.values() for name in of_model)
    wanted = settings.classes or (TOGETHER,)
    for name in wanted:
        if name not in known:
            raise InputError(f"no curve of class '{name}'{did_you_mean(name, known)}")
    columns = min(2, len(wanted))
    rows = -(-len(wanted) // columns)
    figure = new_figure(settings, 15 if columns == 1 else 18, 9.5 * rows + 1)
    facts: list[dict[str, str | float | None]] = []
    said: list[str] = []
    notes = dict.fromkeys(_other_lengths(curves))
    for number, label in enumerate(wanted):
        axis = figure.add_subplot(rows, columns, number + 1)
        least = min(of_model[label][2] ** -1 for of_model in curves.values() if label in of_model)
        for place, (name, of_model) in enumerate(curves.items()):
            if label not in of_model:
                notes[f"{name}: no curve of class '{label}'"] = None
                continue
            recall, rate, _ = of_model[label]
            # 0 has no logarithm: it is drawn at half of what one false positive in all hours is
            axis.plot(
                np.maximum(rate, least / 2), recall, color=theme.series[place],
                linestyle=_STYLES[place], linewidth=1.7, label=name,
            )  # fmt: skip
            if (reached := _at(recall, rate, 0.7)) is not None:
                said.append(f"{name} {_rate(reached)} at 70 % recall")
            told = {f"fp/h@{at:g}": _at(recall, rate, at) for at in _TOLD}
            facts.append({"model": name, "class": label} | told)
        axis.set_xscale("log")
        axis.set_xlim(left=least / 2 * 0.98)
        axis.set_ylim(0, 1.005)
        axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        what = "false positives an hour"
        axis.set_xlabel(f"{what}, classes added up" if label == TOGETHER else what)
        axis.set_ylabel("recall: share of calls found")
        if len(wanted) > 1:
            title(axis, theme, f"class {shortened(label, 40)}")
        finish(axis, theme)
        if number == 0:
            legend(axis, theme, loc="lower right", bbox_to_anchor=(1.0, 0.0), ncols=1)
    alt = (
        f"False positives an hour against recall: {shorten(said, 6) or 'none reaches 70 % recall'}"
    )
    return Drawn(figure, alt, {"curves": facts}, tuple(notes))


def _other_lengths(curves: Mapping[str, Mapping[str, Curve]]) -> Iterator[str]:
    """Say so where the recordings cannot have been the same."""
    lengths = {curve[2] for of_model in curves.values() for curve in of_model.values()}
    if len(lengths) > 1:
        told = shorten(f"{one:.3g} h" for one in sorted(lengths))
        yield f"the curves are of recordings of {told}: false positives compare on the same ones"


def _rate(per_hour: float) -> str:
    return f"{per_hour:,.0f}" if per_hour >= 10 else f"{per_hour:.2g}"


def _at(recall: np.ndarray, rate: np.ndarray, wanted: float) -> float | None:
    """Return the rate at the first point of a curve that reaches a recall; None if none does."""
    reached = np.flatnonzero(recall >= wanted - 1e-9)
    return float(rate[reached[0]]) if len(reached) else None


KIND = PlotKind(_draw, most=0, uses=frozenset({"classes"}))
