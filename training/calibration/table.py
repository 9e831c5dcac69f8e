"""Tables of thresholds: a CSV for people, and beside it a JSON that says of which models it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from negmine.errors import InputError, ModelError
from negmine.notices import warn
from negmine.storage.csv_tables import known_name, number_in, read_rows, write_csv
from negmine.storage.digests import file_digest
from negmine.storage.files import write_json
from negmine.storage.text_files import read_json
from training.calibration.judged_spans import as_logit
from training.calibration.probability import Probability

VERSION = 1

COLUMNS = (
    "class",
    "threshold",
    "precision",
    "precision_low",
    "precision_high",
    "present",
    "absent",
    "more_verdicts",
    "detections_per_hour",
    "fp_per_hour",
    "fp_per_hour_low",
    "fp_per_hour_high",
    "probability",
    "status",
)


@dataclass(frozen=True)
class Thresholds:
    """A table as commands use it.

    Attributes
    ----------
    values : float64 array, shape (C,)
        Probabilities of windows; NaN where a class has no threshold.
    maps : tuple of Probability or None
        Of each class.
    models : frozenset of str
        Fingerprints.
    window_s : float
        Of the windows that were scored.
    """

    path: Path
    classes: tuple[str, ...]
    values: np.ndarray
    maps: tuple[Probability | None, ...]
    models: frozenset[str]
    window_s: float

    @property
    def lacking(self) -> list[str]:
        """Classes without a threshold."""
        return [
            name for name, value in zip(self.classes, self.values, strict=True) if math.isnan(value)
        ]

    def check(self, paths: Sequence[Path], fingerprints: Sequence[str], window_s: float) -> None:
        """Check that the table is of these models, and of windows as long as theirs.

        Raises
        ------
        ModelError
            If a model is not among those it was made with, or the windows differ.
        """
        for path, fingerprint in zip(paths, fingerprints, strict=True):
            if fingerprint not in self.models:
                raise ModelError(
                    f"{self.path}: its thresholds are of another model than {path} (fingerprint "
                    f"{fingerprint[:12]}, not {' or '.join(sorted(m[:12] for m in self.models))}); "
                    "run 'negmine calibrate' with this one"
                )
        if not math.isclose(window_s, self.window_s, rel_tol=1e-3):
            raise ModelError(
                f"{self.path}: its thresholds are of windows of {self.window_s:.3f} s, and these "
                f"are of {window_s:.3f} s; leave out --window-s, or calibrate again"
            )
        if len(set(fingerprints)) < len(self.models):
            warn(
                f"{self.path}: made with {len(self.models)} models, of which {len(fingerprints)} "
                "score here: the precision of fewer models may be lower"
            )

    def probability(self, label: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        """Return the calibrated probability of detections, (N,); NaN where a class has no map.

        Parameters
        ----------
        label : int array, shape (N,)
        confidence : float array, shape (N,)
            The model's own.
        """
        found = np.full(len(label), np.nan)
        for column, one in enumerate(self.maps):
            if one is not None and (mine := label == column).any():
                found[mine] = one(as_logit(confidence[mine]))
        return found


def beside(path: Path) -> Path:
    """Return where the JSON of a table is.

    Raises
    ------
    InputError
        If the table's name leaves no place for it.
    """
    if path.suffix == ".json":
        raise InputError(f"{path}: a table is a CSV; its JSON is written beside it")
    return path.with_suffix(".json")


def write_thresholds(path: Path, table: pd.DataFrame, about: Mapping[str, Any]) -> None:
    """Write both files, each whole or not at all; the CSV's digest is in the JSON."""
    where = beside(path)
    write_csv(path, table)
    write_json(where, {"version": VERSION, **about, "table": file_digest(path)})


def read_thresholds(path: Path) -> Thresholds:
    """Read a table that ``negmine calibrate`` wrote; a line says where it was changed by hand.

    Raises
    ------
    InputError
        If one of the files is missing or malformed, or a threshold is no probability.
    """
    rows = list(read_rows(path, ("class", "threshold")))
    about = read_json(beside(path), "run 'negmine calibrate' again")
    try:
        if about["version"] != VERSION:
            raise InputError(f"{path}: of another version of negmine; calibrate again")
        classes = tuple(str(name) for name in about["classes"])
        maps = {
            str(name): Probability.from_dict(found) for name, found in about["probability"].items()
        }
        models = frozenset(str(one) for one in about["models"])
        window_s, written = float(about["window_s"]), about["table"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{beside(path)}: not what 'negmine calibrate' writes beside a table: {error!r}"
        ) from error
    if file_digest(path) != written:
        warn(
            f"{path}: changed since it was made: its thresholds are taken as they are now, its "
            "other columns are of those before"
        )
    values = np.full(len(classes), np.nan)
    column = {name: i for i, name in enumerate(classes)}
    met: set[str] = set()
    for where, (name, text) in rows:
        known_name(where, "class", name, column)
        if name in met:
            raise InputError(f"{where}: class '{name}' appears twice")
        met.add(name)
        value = number_in(where, "threshold", text) if text else math.nan
        if value < 0 or value > 1:
            raise InputError(f"{where}: threshold {text} is no probability; expected 0 to 1")
        values[column[name]] = value
    if len(met) < len(classes):
        left = [name for name in classes if name not in met]
        raise InputError(f"{path}: no row for class '{left[0]}'; leave its threshold empty instead")
    return Thresholds(path, classes, values, tuple(map(maps.get, classes)), models, window_s)
