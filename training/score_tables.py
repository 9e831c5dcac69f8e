"""Tables of clip scores and of what is known of clips, in the layout of an RFCX submission.

One row a recording: ``recording_id, s0, s1, ...``, one column a class. In a table of truth a cell
is 1, 0, or empty where nobody knows; its columns may be called as the classes are, without ``s``,
and others may stand beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from negmine.errors import InputError, did_you_mean
from negmine.tables import writing

ID = "recording_id"


@dataclass(frozen=True)
class ScoreTable:
    """Scores of recordings.

    Attributes
    ----------
    recordings : tuple of str
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
        with writing(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.9g")

    def aligned(self, like: ScoreTable, where: str, other: str) -> ScoreTable:
        """The same scores in the order of another table's recordings and classes.

        Parameters
        ----------
        like : ScoreTable
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
    path : Path
    classes : sequence of str
        In the order wanted.

    Returns
    -------
    truth : ScoreTable
        1 or 0; 0 where nobody knows.
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
    try:
        # as text: a malformed number is then reported with its place
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as CSV: {str(error).strip()}") from error
    found = [str(column) for column in table.columns]
    if ID not in found:
        raise InputError(f"{path}: no column '{ID}'; found {', '.join(found[:6])}")
    if classes is None:
        columns = _all_classes(path, found)
    else:
        columns = [_column(path, found, name) for name in classes]
    if not columns or table.empty:
        raise InputError(f"{path}: the table has no {'rows' if columns else 'classes'}")
    names = table[ID]
    if names.duplicated().any():
        raise InputError(f"{path}: recording '{names[names.duplicated()].iloc[0]}' stands twice")
    text = table[columns]
    scores = text.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(scores) & ~((text == "").to_numpy() & empty)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(
            f"{path} row {row + 2}: {columns[column]} '{text.iat[row, column]!s}' of recording "
            f"'{names.iat[row]}' is not a finite number"
        )
    wanted = [column[1:] for column in columns] if classes is None else classes
    return ScoreTable(tuple(names), tuple(wanted), scores)


def _all_classes(path: Path, found: Sequence[str]) -> list[str]:
    columns = [column for column in found if column != ID]
    odd = [column for column in columns if not column.startswith("s") or column == "s"]
    if odd:
        raise InputError(
            f"{path}: column '{odd[0]}' is no class; expected {ID}, s0, s1, ... as in an RFCX "
            "submission"
        )
    return columns


def _column(path: Path, found: Sequence[str], name: str) -> str:
    """The column of a class."""
    for column in (name, f"s{name}"):
        if column in found:
            return column
    raise InputError(
        f"{path}: no column '{name}' or 's{name}' for class '{name}'"
        f"{did_you_mean(f's{name}', found)}; is this the truth of the same classes?"
    )
