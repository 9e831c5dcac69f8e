"""Members of an ensemble, from tables and run folders, and how well each join of them does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negmine.errors import InputError
from training import metrics
from training.evaluation.differences import differences
from training.evaluation.ensemble import JOINS, How, RowScale, join
from training.evaluation.score_tables import ScoreTable, read_scores, read_truth

# What `training.schedules.crossval` leaves in a run's folder: whole recordings' scores, the same
# with each known cell read in its verdict's own span, and what is known.
OOF, OOF_VERDICTS, KNOWN = "oof.csv", "oof.verdicts.csv", "known.csv"


@dataclass(frozen=True)
class Member:
    """One model's scores of some recordings.

    Attributes
    ----------
    name : str
        Their places.
    table : ScoreTable
        Of whole recordings: what is joined and written.
    judged : ScoreTable
        What is compared with the truth: out-of-fold, each known cell from its own span.
    truth : Path or None
        The known labels that a run folder brings along.
    """

    name: str
    table: ScoreTable
    judged: ScoreTable
    truth: Path | None = None


def open_members(paths: Sequence[Path]) -> list[Member]:
    """Read tables of scores, and the out-of-fold scores of every seed in run folders.

    All tables come in the order of the first one's recordings and classes.

    Raises
    ------
    InputError
        If there are fewer than two, one is malformed, or they differ in recordings or classes.
    """
    members = [member for path in paths for member in _open(path)]
    if len(members) < 2:
        raise InputError(
            f"{paths[0] if paths else 'nothing'}: one member alone; an ensemble needs two or more"
        )
    first = members[0]
    return [
        Member(
            m.name,
            m.table.aligned(first.table, m.name, first.name),
            m.judged.aligned(first.table, m.name, first.name),
            m.truth,
        )
        for m in members
    ]


def _open(path: Path) -> list[Member]:
    if not path.is_dir():
        table = read_scores(path)
        return [Member(str(path), table, table)]
    # a run's own table is the mean of its seeds, which are the members
    inside = sorted(path.glob("seed*"), key=_number)
    folders = [folder for folder in [*inside, path] if (folder / OOF_VERDICTS).exists()]
    folders = [folder for folder in folders if folder != path] or folders
    if not folders:
        raise InputError(
            f"{path}: no out-of-fold scores in this folder; make them with 'negmine train "
            "--folds K --seeds N', or name tables of scores"
        )
    truths = [parent / KNOWN for parent in (path, path.parent) if (parent / KNOWN).exists()]
    return [
        Member(
            str(folder),
            read_scores(folder / OOF),
            read_scores(folder / OOF_VERDICTS),
            truths[0] if truths else None,
        )
        for folder in folders
    ]


def _number(folder: Path) -> tuple[int, str]:
    digits = folder.name.removeprefix("seed")
    return (int(digits) if digits.isdecimal() else -1), folder.name


def join_members(members: Sequence[Member], how: How, scale: RowScale = "range") -> ScoreTable:
    """Join the members' scores of whole recordings.

    Raises
    ------
    InputError
        If rows are to be scaled to their maximum, and a score is negative.
    """
    first = members[0].table
    return ScoreTable(
        first.recordings, first.classes, _join([m.table for m in members], how, scale)
    )


def _join(tables: Sequence[ScoreTable], how: How, scale: RowScale) -> np.ndarray:
    try:
        return join([table.scores for table in tables], how, scale)
    except ValueError as error:
        raise InputError(f"these scores cannot be joined: {error}") from error


@dataclass(frozen=True)
class _Scored:
    """Metrics of one table, and of resamples of its recordings."""

    metrics: dict[str, float]
    resampled: dict[str, np.ndarray]


def compare(
    members: Sequence[Member],
    truth: Path | None = None,
    scale: RowScale = "range",
    resamples: int = 0,
) -> list[dict[str, Any]]:
    """Compare each member and each way of joining them with the truth.

    Parameters
    ----------
    truth : Path, optional
        CSV, empty cells being unknown. By default the known labels of the run folders.
    scale : {"range", "max"}
    resamples : int
        Times that the recordings are drawn again to compare with the first member; 0: it is not.

    Returns
    -------
    list of dict
        ``name``, and what `training.metrics.evaluate` finds on the known cells, and ``known_ap``,
        without those that are the same for any scores. Empty without any truth. With resamples,
        all but the first have ``differences`` from it, by metric: see
        `training.evaluation.differences.Difference`.

    Raises
    ------
    InputError
        If the truth is malformed, of other recordings or classes, or the run folders disagree.
    """
    paths = [truth] if truth else [m.truth for m in members if m.truth]
    if not paths:
        return []
    first = members[0]
    found = []
    for path in paths:
        table, known = read_truth(path, first.table.classes)
        known_table = ScoreTable(table.recordings, table.classes, known.astype(float))
        present = table.aligned(first.table, str(path), first.name).scores == 1
        sure = known_table.aligned(first.table, str(path), first.name).scores == 1
        found.append((present, sure))
    for path, other in zip(paths, found, strict=True):
        if not all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True)):
            raise InputError(
                f"{path} and {paths[0]} know other labels: the runs had other annotations; give "
                "--truth"
            )
    present, sure = found[0]
    judged = [m.table if truth else m.judged for m in members]
    scores = [(m.name, table.scores) for m, table in zip(members, judged, strict=True)]
    scores += [(f"{how} of all", _join(judged, how, scale)) for how in JOINS]
    # one recording alone is drawn again as it is
    weights = metrics.resamples(len(present), resamples if len(present) > 1 else 0)
    measured = [_resampled(present, values, sure, weights) for _, values in scores]
    rows = [{"name": name, **one.metrics} for (name, _), one in zip(scores, measured, strict=True)]
    if resamples:
        for row, one in zip(rows[1:], measured[1:], strict=True):
            row["differences"] = {k: vars(d) for k, d in differences(measured[0], one).items()}
    return rows


def _resampled(
    present: np.ndarray, values: np.ndarray, sure: np.ndarray, weights: np.ndarray
) -> _Scored:
    once = _scored(present, values, sure)
    drawn = [np.repeat(np.arange(len(present)), counts) for counts in weights]
    each = [_scored(present[rows], values[rows], sure[rows]) for rows in drawn]
    return _Scored(once, {k: np.array([one.get(k, np.nan) for one in each]) for k in once})


def _scored(present: np.ndarray, values: np.ndarray, sure: np.ndarray) -> dict[str, float]:
    found = metrics.evaluate(present, values, sure)
    if metrics.scores_matter(present, sure, "all"):
        found["known_ap"] = metrics.known_ap(present, values, sure)
    return found
