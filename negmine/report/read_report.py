"""The JSON report of a mining run, read back: histograms of scores, and what each rule did."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negmine.errors import PoolError
from negmine.mining.selection import Selection
from negmine.notices import warn
from negmine.storage.text_files import read_json


@dataclass(frozen=True)
class Histogram:
    """Counts of a class's logits.

    Attributes
    ----------
    edges : float array, shape (B + 1,)
    negatives, calls : float array, shape (B,)
        Certified rows of the pool, and confirmed calls of the class.
    """

    edges: np.ndarray
    negatives: np.ndarray
    calls: np.ndarray


@dataclass(frozen=True)
class RuleCount:
    """What one rule did with a class's rows; None where the report does not say."""

    name: str
    kept: int | None
    rejected: int | None
    reason: str


def report_path(selection: Path) -> Path:
    """Return where `negmine mine` writes the report of a selection, its control and review."""
    stem = selection.stem.removesuffix(".control").removesuffix(".review")
    return selection.with_name(f"{stem}.report.json")


def read_report(path: Path) -> dict[str, Any] | None:
    """Read a report of `negmine mine`; None where there is no such file.

    Raises
    ------
    PoolError
        If it is not such a report.
    """
    if not path.exists():
        return None
    report = read_json(path, "run 'negmine mine' again")
    if not isinstance(report, dict) or not isinstance(report.get("classes"), dict):
        raise PoolError(f"{path}: not a report written by 'negmine mine': it has no classes")
    return report


def report_beside(path: Path, selection: Selection) -> dict[str, Any] | None:
    """Read the report of a selection; None where there is none, or it is of another one.

    A run that was killed between the two files leaves them so.

    Raises
    ------
    PoolError
        If it is not a report.
    """
    report = read_report(report_path(path))
    made_of = (report or {}).get("selection")
    if path.stem.endswith((".control", ".review")) or made_of in (None, selection.digest):
        return report
    warn(f"{report_path(path)}: not of this selection: left out; run 'negmine mine' again")
    return None


def class_report(report: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    """Return what a report says of a class; nothing where it says nothing."""
    found = ((report or {}).get("classes") or {}).get(name) or {}
    if not isinstance(found, Mapping):
        raise PoolError(f"the mining report's class '{name}' is {found!r}, not a table")
    return found


def number(table: Mapping[str, Any], key: str) -> float:
    """Read a number of a report; NaN where it is absent or null."""
    value = table.get(key)
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PoolError(f"the mining report's '{key}' is {value!r}, not a number")
    return float(value)


def histogram_of(entry: Mapping[str, Any], name: str) -> Histogram | None:
    """Return a class's histogram, or None where its report has none.

    Raises
    ------
    PoolError
        If it is malformed.
    """
    found = entry.get("histogram")
    if not found:
        return None
    try:
        edges, negatives, calls = (
            np.array(found[key], dtype=np.float64) for key in ("edges", "negatives", "calls")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PoolError(f"the mining report's histogram of class '{name}': {error!r}") from error
    shapes = {negatives.shape, calls.shape}
    if edges.ndim != 1 or len(edges) < 2 or shapes != {(len(edges) - 1,)}:
        raise PoolError(
            f"the mining report's histogram of class '{name}' has {edges.size} edges, "
            f"{negatives.size} counts of negatives and {calls.size} of calls; there is one edge "
            "more than counts"
        )
    if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise PoolError(f"the mining report's histogram of class '{name}': edges do not ascend")
    counts = np.concatenate([negatives, calls])
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise PoolError(f"the mining report's histogram of class '{name}' has a count below 0")
    return Histogram(edges, negatives, calls)


@dataclass(frozen=True)
class DoubtBins:
    """Bins of claimed probabilities: the mean claimed, the share found, and how many claims."""

    claimed: np.ndarray
    found: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class DoubtLevel:
    """What doubt says of one kind of claim: see `negmine.mining.doubt.DoubtModel`."""

    kind: str
    certificate: str
    certified: float
    level: float
    most: float
    heard: float
    present: float


def doubt_bins(report: Mapping[str, Any] | None, name: str) -> DoubtBins | None:
    """Return a reliability diagram's numbers: of ``judged`` or of ``heard`` clips; None without.

    Raises
    ------
    PoolError
        If they are malformed.
    """
    found = _doubt(report).get(name)
    if not found:
        return None
    try:
        parts = [np.array(found[key], dtype=np.float64) for key in ("claimed", "found", "count")]
    except (KeyError, TypeError, ValueError) as error:
        raise PoolError(f"the mining report's reliability of doubt: {error!r}") from error
    if len({part.shape for part in parts}) > 1 or parts[0].ndim != 1:
        raise PoolError("the mining report's reliability of doubt has lists of different lengths")
    if not len(parts[0]):
        return None
    shares = np.concatenate(parts[:2])
    if not ((shares >= 0) & (shares <= 1)).all():
        raise PoolError("the mining report's reliability of doubt has a share outside [0, 1]")
    return DoubtBins(*parts)


def doubt_levels(report: Mapping[str, Any] | None) -> list[DoubtLevel]:
    """List what doubt says of each kind of claim; empty where not reported."""
    listed = _doubt(report).get("strata") or []
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise PoolError("the mining report's strata of doubt are not a list of tables")
    numbers = ("certified", "level", "most", "heard", "present")
    return [
        DoubtLevel(
            str(one.get("kind", "")),
            str(one.get("certificate", "")),
            *(number(one, name) for name in numbers),
        )
        for one in listed
    ]


def _doubt(report: Mapping[str, Any] | None) -> Mapping[str, Any]:
    found = (report or {}).get("doubt") or {}
    if not isinstance(found, Mapping):
        raise PoolError(f"the mining report's 'doubt' is {found!r}, not a table")
    return found


def rules_of(entry: Mapping[str, Any], name: str) -> list[RuleCount]:
    """List what each rule kept and rejected of a class, in order; empty where not reported."""
    listed = entry.get("rules")
    if listed is None:
        return []
    if not isinstance(listed, list) or not all(isinstance(rule, Mapping) for rule in listed):
        raise PoolError(f"the mining report's rules of class '{name}' are not a list of tables")
    return [
        RuleCount(
            str(rule.get("rule", "")),
            _count(rule, "kept"),
            _count(rule, "rejected"),
            str(rule.get("reason") or ""),
        )
        for rule in listed
    ]


def _count(table: Mapping[str, Any], key: str) -> int | None:
    value = number(table, key)
    return int(value) if math.isfinite(value) else None
