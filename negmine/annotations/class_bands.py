"""The frequency band of each class: where its confirmed calls are, or where a table says."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

from negmine.annotations import Annotations
from negmine.errors import AnnotationError
from negmine.notices import warn
from negmine.storage.csv_tables import known_name, number_in, read_rows

Band = tuple[float, float]

COLUMNS = ("class", "f_min", "f_max")


def class_bands(
    annotations: Annotations,
    margin: float = 0.25,
    table: Path | None = None,
    nyquist_hz: float = float("inf"),
) -> dict[str, Band]:
    """Return the band of each class, in the order of the classes.

    Parameters
    ----------
    annotations : Annotations
        A band reaches from the lowest to the highest frequency of the class's confirmed boxes.
    margin : float
        Added on both sides, as a share of the band's width.
    table : Path, optional
        CSV with columns class, f_min, f_max (Hz); its bands take the place of those of the boxes,
        and get no margin.
    nyquist_hz : float
        Bands are cut off at it.

    Returns
    -------
    dict of str to (float, float)
        Lowest and highest frequency, in Hz.

    Raises
    ------
    AnnotationError
        If the table is malformed, a class has neither a call nor a row in it, or a band is wholly
        outside its class's calls, or above ``nyquist_hz``.
    """
    given = read_bands(table, annotations.classes) if table else {}
    found = _reaches(annotations)
    bands = {}
    for name in annotations.classes:
        if name not in given and name not in found:
            raise AnnotationError(
                f"class '{name}': no confirmed call gives its band; name it in a table of bands"
            )
        low, high = given.get(name) or _widened(*found[name], margin)
        if low >= nyquist_hz:
            raise AnnotationError(
                f"class '{name}': its band begins at {low:g} Hz, and the sound ends at "
                f"{nyquist_hz:g} Hz; choose a higher --sample-rate"
            )
        calls = found.get(name, (low, high))
        if calls[1] <= low or calls[0] >= high:
            raise AnnotationError(
                f"{table}: class '{name}': its band from {low:g} to {high:g} Hz holds none of its "
                f"confirmed calls, which reach from {calls[0]:g} to {calls[1]:g} Hz; are the edges "
                "in Hz?"
            )
        bands[name] = low, min(high, nyquist_hz)
    return bands


def _reaches(annotations: Annotations) -> dict[str, Band]:
    """Return from where to where the confirmed boxes of each class reach."""
    found: dict[str, Band] = {}
    for box in annotations.confirmed:
        low, high = found.get(box.label, (box.f_min_hz, box.f_max_hz))
        found[box.label] = min(low, box.f_min_hz), max(high, box.f_max_hz)
    return found


def call_bands(annotations: Annotations) -> dict[str, Band]:
    """Return the bands of those classes whose confirmed boxes all have one, without margin."""
    bands = _reaches(annotations)
    named = [name for name in annotations.classes if name in bands]
    return {name: bands[name] for name in named if isfinite(bands[name][1])}


def warn_of_margin(table: Path | str | None, classes: tuple[str, ...]) -> None:
    """Warn that a margin that was asked for has no effect: a table names the band of each class."""
    if table and set(classes) <= read_bands(Path(table), classes).keys():
        warn(f"--band-margin has no effect: {table} names every class, and its bands get no margin")


def _widened(low: float, high: float, margin: float) -> Band:
    added = (high - low) * margin
    return max(0.0, low - added), high + added


def read_bands(path: Path, classes: tuple[str, ...]) -> dict[str, Band]:
    """Read a table of bands: the lowest and highest frequency in Hz of each class that it names.

    Raises
    ------
    AnnotationError
        If it names a class twice, or a band is empty.
    InputError
        If it is no such table, or names an unknown class.
    """
    bands: dict[str, Band] = {}
    for where, (name, *edges) in read_rows(path, COLUMNS):
        known_name(where, "class", name, classes)
        if name in bands:
            raise AnnotationError(f"{where}: class '{name}' appears twice")
        low, high = (number_in(where, *pair) for pair in zip(COLUMNS[1:], edges, strict=True))
        if not 0 <= low < high:
            raise AnnotationError(
                f"{where}: f_min {low:g} and f_max {high:g}: expected 0 <= f_min < f_max, in Hz"
            )
        bands[name] = low, high
    return bands
