"""What the rows of a table are that has no column of verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

from negmine.errors import AnnotationError
from negmine.formats.entry import Notes, Verdict
from negmine.formats.sheet import Sheet
from negmine.formats.verdict_words import meaning


def unjudged(sheet: Sheet, scored: bool, columns: Mapping[str, str] | None = None) -> Verdict:
    """Say what the rows of a table without a column of verdicts are, and return it.

    Parameters
    ----------
    scored : bool
        Whether the rows have scores: a detector's.
    columns : mapping of str to str, optional
        The columns that the user names; an empty ``verdict`` says that there is none.

    Raises
    ------
    AnnotationError
        If the rows have no scores and a column looks like verdicts: rejections would be calls.
    """
    may_be = "" if columns is not None and "verdict" in columns else _looks_like_verdicts(sheet)
    if may_be and not scored:
        raise AnnotationError(
            f"{sheet.path}: '{may_be}' looks like a column of verdicts; --column "
            f"'verdict={may_be}' reads it so, --column verdict= takes all rows as confirmed calls"
        )
    what = (
        "its rows have a score and are not judged: all are unknown"
        if scored
        else "all its rows are taken as confirmed calls"
    )
    hint = f"'verdict={may_be}' would read that column so" if may_be else "verdict=NAME names one"
    sheet.notes.say(f"{sheet.path}: no column of verdicts: {what}; --column {hint}")
    return "unknown" if scored else "present"


def _looks_like_verdicts(sheet: Sheet) -> str:
    """Return the first column of words that all are verdicts, for and against; else an empty text.

    Numbers are no such words: 0 and 1 may count anything.
    """
    said: dict[str, set[Verdict]] = {name: set() for name in sheet.columns}
    quiet = replace(sheet, notes=Notes())
    with closing(quiet.rows()) as rows:
        for _, cells in rows:
            for name, cell in zip(sheet.columns, cells, strict=True):
                if name not in said or not cell or cell == name:
                    continue
                word = None if cell[0].isdigit() else meaning(cell)
                if word is None:
                    del said[name]
                else:
                    said[name].add(word)
            if not said:
                return ""
    return next((name for name, words in said.items() if {"present", "absent"} <= words), "")
