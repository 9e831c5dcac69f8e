"""Tables of clip scores and of what is known of clips, in the layout of an RFCX submission.

One row a recording: ``recording_id, s0, s1, ...``, one column a class. In a table of truth a cell
is 1, 0, or empty where unknown; its columns may be called as the classes are, without ``s``,
and others may be present, too.

A table has one of the two layouts, for all of its classes. A table that holds both, such as
``top, stop, sstop`` for the classes top and stop, is an error. What negmine writes is never such a
one: its columns are the classes with an ``s`` before each, together longer than the classes, so
that they cannot hold all classes' bare names, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from negmine.errors import InputError, did_you_mean, shorten
from negmine.storage.csv_tables import check_name, open_table, write_csv
from negmine.storage.decimals import decimal

ID = "recording_id"


@dataclass(frozen=True)
class ScoreTable:
    """Scores of recordings.

    Attributes
    ----------
    classes : tuple of str
        The table's columns without their leading ``s``.
    scores : float64 array, shape (N, C)
        NaN where a cell is empty.
    """

    recordings: tuple[str, ...]
    classes: tuple[str, ...]
    scores: np.ndarray

    def write(self, path: Path) -> None:
        """Write the table as CSV, whole or not at all."""
        table = pd.DataFrame(self.scores, columns=[f"s{name}" for name in self.classes])
        table.insert(0, ID, list(self.recordings))
        write_csv(path, table, float_format="%.9g")

    def aligned(self, like: ScoreTable, where: str, other: str) -> ScoreTable:
        """Put the scores in the order of another table's recordings and classes.

        Parameters
        ----------
        where, other : str
            What to call the two tables in an error.

        Raises
        ------
        InputError
            If the tables have other recordings or classes.
        """
        rows = _places(self.recordings, like.recordings, "recording", where, other)
        columns = _places(self.classes, like.classes, "class", where, other)
        return ScoreTable(like.recordings, like.classes, self.scores[np.ix_(rows, columns)])


def _places(
    have: Sequence[str], want: Sequence[str], what: str, where: str, other: str
) -> list[int]:
    place = {name: index for index, name in enumerate(have)}
    wanted = frozenset(want)
    for names, known, there, lacking in (
        (want, place.keys(), other, where),
        (have, wanted, where, other),
    ):
        odd = [name for name in names if name not in known]
        if odd:
            raise InputError(
                f"{lacking}: no {what} '{odd[0]}', which {there} has{did_you_mean(odd[0], known)}; "
                f"{len(odd)} of {len(names)} are missing; are both of the same recordings and "
                "classes?"
            )
    return [place[name] for name in want]


def read_scores(path: Path) -> ScoreTable:
    """Read a table of scores, all of whose cells must be finite numbers.

    Raises
    ------
    InputError
        If it is missing, malformed, or holds a cell that is no finite number.
    """
    return _read(path, empty=False)


def read_truth(path: Path, classes: Sequence[str]) -> tuple[ScoreTable, np.ndarray]:
    """Read what is known of recordings.

    Parameters
    ----------
    classes : sequence of str
        In the order wanted.

    Returns
    -------
    truth : ScoreTable
        1 or 0; 0 where unknown.
    known : bool array, shape (N, C)

    Raises
    ------
    InputError
        If it is missing, malformed, lacks a class, or holds a cell other than 0, 1 and empty.
    """
    table = _read(path, empty=True, classes=classes)
    known = ~np.isnan(table.scores)
    truth = np.where(known, table.scores, 0.0)
    odd = np.argwhere((truth != 0) & (truth != 1))
    if len(odd):
        row, column = odd[0]
        raise InputError(
            f"{path}: recording '{table.recordings[row]}', class '{table.classes[column]}' is "
            f"{truth[row, column]:g}, not 0, 1 or empty; is this a table of scores?"
        )
    return ScoreTable(table.recordings, table.classes, truth), known


def _read(path: Path, *, empty: bool, classes: Sequence[str] | None = None) -> ScoreTable:
    found, rows = open_table(path, (ID, "s0", "s1", "..."))
    if ID not in found:
        raise InputError(f"{path}: no column '{ID}'; found {shorten(found, 6)}")
    columns = _all_classes(path, found) if classes is None else _layout(path, found, classes)
    if not columns:
        raise InputError(f"{path}: the table has no classes")
    place_of = {column: place for place, column in enumerate(found)}
    name_at, *places = (place_of[column] for column in (ID, *columns))
    row_of: dict[str, int] = {}
    scores = []
    for number, cells in rows:
        where, name = f"{path} row {number}", cells[name_at]
        check_name(where, ID, name)
        if name in row_of:
            raise InputError(
                f"{where}: recording '{name}' appears twice, first in row {row_of[name]}"
            )
        row_of[name] = number
        values = np.array([decimal(cells[place]) for place in places])
        for column in np.flatnonzero(np.isnan(values)).tolist():
            text = cells[places[column]]
            if text or not empty:
                raise InputError(
                    f"{where}: {columns[column]} '{text}' of recording '{name}' is not a finite "
                    "number"
                )
        scores.append(values)
    if not scores:
        raise InputError(f"{path}: the table has no rows")
    wanted = [column[1:] for column in columns] if classes is None else classes
    return ScoreTable(tuple(row_of), tuple(wanted), np.stack(scores))


def _all_classes(path: Path, found: Sequence[str]) -> list[str]:
    columns = [column for column in found if column != ID]
    odd = [column for column in columns if not column.startswith("s") or column == "s"]
    if odd:
        raise InputError(
            f"{path}: column '{odd[0]}' is not a class; expected {ID}, s0, s1, ... as in an RFCX "
            "submission"
        )
    return columns


def _layout(path: Path, found: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Return the columns of all classes: named as they are, or with an ``s`` before each."""
    there = frozenset(found) - {ID}
    layouts = [list(classes), [f"s{name}" for name in classes]]
    lacking = [[i for i, name in enumerate(names) if name not in there] for names in layouts]
    fitting = [names for names, missing in zip(layouts, lacking, strict=True) if not missing]
    if len(fitting) == 2:
        raise InputError(
            f"{path}: both the columns {shorten(layouts[0])} and the columns {shorten(layouts[1])} "
            f"(RFCX's) may be the classes {shorten(classes)}; leave one of the two sets out"
        )
    if fitting:
        return fitting[0]
    if not set(lacking[0]) & set(lacking[1]):
        raise InputError(
            f"{path}: column '{layouts[1][lacking[0][0]]}' is RFCX's for class "
            f"'{classes[lacking[0][0]]}', and column '{layouts[0][lacking[1][0]]}' is named as "
            "its class; name all columns in one of the two ways"
        )
    name = classes[min(lacking, key=len)[0]]
    raise InputError(
        f"{path}: no column '{name}' or 's{name}' for class '{name}'"
        f"{did_you_mean(f's{name}', found)}; is this the truth of the same classes?"
    )
