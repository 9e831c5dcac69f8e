"""Reader of the tables of the RFCX species audio detection data: train_tp.csv and train_fp.csv."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import pandas as pd

from negmine.annotations.schema import Annotation, Annotations, sorted_classes
from negmine.errors import AnnotationError, did_you_mean
from negmine.windows import Span

COLUMNS = ("recording_id", "species_id", "songtype_id", "t_min", "f_min", "t_max", "f_max")
_OPTIONAL = frozenset({"songtype_id"})


def read_rfcx(
    tp: Path, fp: Path | None = None, *, songtypes: Literal["merge", "split"] = "merge"
) -> Annotations:
    """Read confirmed calls and rejected detections.

    Parameters
    ----------
    tp, fp : Path
        CSV files with the columns recording_id, species_id, songtype_id (may be left out), t_min,
        f_min, t_max, f_max: seconds and Hz. A species is a number or a name.
    songtypes : {"merge", "split"}
        ``split`` makes a class of each kind of call: species 3, songtype 1 becomes ``3/1``.

    Returns
    -------
    Annotations

    Raises
    ------
    AnnotationError
        If a table is missing, empty, lacks a column, holds a malformed row, or rejects a class that
        has no confirmed call.
    """
    confirmed = _read(tp, present=True, split=songtypes == "split")
    rejected = _read(fp, present=False, split=songtypes == "split") if fp else []
    classes = sorted_classes(box.label for box in confirmed)
    known = frozenset(classes)
    for box in rejected:
        if box.label not in known:
            count = sum(b.label == box.label for b in rejected)
            raise AnnotationError(
                f"{box.where}: class '{box.label}' has no confirmed call in {tp}"
                f"{did_you_mean(box.label, classes)}; add one, or remove its {count} rows"
            )
    return Annotations((*confirmed, *rejected), classes)


def _read(path: Path, *, present: bool, split: bool) -> list[Annotation]:
    try:
        # as text: a malformed number is then reported with its row, never repaired
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except FileNotFoundError as error:
        raise AnnotationError(f"{path}: no such file") from error
    except pd.errors.EmptyDataError as error:
        raise AnnotationError(
            f"{path}: the file is empty; expected {', '.join(COLUMNS)}"
        ) from error
    except (pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        raise AnnotationError(f"{path}: not readable as CSV: {str(error).strip()}") from error
    if not isinstance(table.index, pd.RangeIndex):
        # pandas takes the first cell of such rows for their name and shifts the others
        raise AnnotationError(f"{path}: the rows have more cells than the header has columns")
    _check_columns(path, [str(column) for column in table.columns])
    if table.empty:
        raise AnnotationError(f"{path}: the table has a header and no rows")
    records = table.to_dict("records")
    # row 2 is the first below the header, as a spreadsheet counts
    return [
        _annotation(f"{path} row {row}", {str(k): v for k, v in record.items()}, present, split)
        for row, record in enumerate(records, start=2)
    ]


def _check_columns(path: Path, found: list[str]) -> None:
    for column in COLUMNS:
        if column in found or column in _OPTIONAL:
            continue
        expected = f"expected {', '.join(COLUMNS)}; found {', '.join(found)}"
        for name in found:
            if name not in COLUMNS and (hint := did_you_mean(name, [column])):
                raise AnnotationError(f"{path}: unknown column '{name}'{hint}; {expected}")
        raise AnnotationError(f"{path}: no column '{column}'; {expected}")


def _annotation(where: str, row: dict[str, str], present: bool, split: bool) -> Annotation:
    for column in ("recording_id", "species_id"):
        if not row[column]:
            raise AnnotationError(f"{where}: {column} is empty")
    t_min, t_max, f_min, f_max = (
        _number(where, column, row[column]) for column in ("t_min", "t_max", "f_min", "f_max")
    )
    for low, high, name in ((t_min, t_max, "t"), (f_min, f_max, "f")):
        if high <= low:
            raise AnnotationError(
                f"{where}: {name}_max {high:g} <= {name}_min {low:g}; are the columns swapped?"
            )
        if low < 0:
            raise AnnotationError(f"{where}: {name}_min {low:g} is negative")
    songtype = row.get("songtype_id", "")
    label = f"{row['species_id']}/{songtype}" if split else row["species_id"]
    span = Span(t_min, t_max)
    return Annotation(row["recording_id"], label, songtype, present, span, f_min, f_max, where)


def _number(where: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise AnnotationError(f"{where}: {column} '{text}' is not a number")
    return value
