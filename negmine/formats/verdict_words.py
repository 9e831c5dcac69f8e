"""What a reviewer's word means: present, absent or unknown. All readers ask this one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from negmine.errors import AnnotationError, did_you_mean
from negmine.formats.entry import Verdict

_PRESENT = """
1 1.0 true t yes y tp present correct right positive pos confirmed valid accepted accept detected
true_positive truepositive ja oui si sí sim wahr vrai verdadero verdadeiro vero
"""
_ABSENT = """
0 0.0 false f no n fp absent incorrect wrong negative neg rejected invalid reject not_present
notpresent not_detected false_positive falsepositive nein non não nao falsch faux falso
"""
_UNKNOWN = """
? - -- --- unsure unknown uncertain maybe possible possibly unclear unverified unvalidated
unreviewed not_validated (not_validated) (not_expert_validated) (not_consensus_validated)
not_reviewed pending todo skipped skip na n/a nan none null
"""

WORDS: dict[str, Verdict] = {
    **dict.fromkeys(_PRESENT.split(), "present"),
    **dict.fromkeys(_ABSENT.split(), "absent"),
    **dict.fromkeys(_UNKNOWN.split(), "unknown"),
    "": "unknown",
}

# Names of a column that holds a verdict, without blanks, underscores and capitals. In each, yes
# means that the class calls: "verified" or "reviewed" may mean that somebody looked.
_COLUMNS = """
verdict validated validation correct iscorrect present presence ispresent tpfp tporfp truth
groundtruth judgement judgment outcome reviewerverdict humanverdict expertverdict
"""
_NAMES = frozenset(_COLUMNS.split())


def verdict_of(where: str, text: str, column: str = "verdict") -> Verdict:
    """Return what a cell of a reviewer's column says.

    Parameters
    ----------
    where : str
        Table and row, for the message.
    text : str
        The cell; empty means not judged.

    Raises
    ------
    AnnotationError
        If the word is none that is known.
    """
    verdict = meaning(text)
    if verdict is None:
        word = _word(text)
        raise AnnotationError(
            f"{where}: {column} '{text}'{did_you_mean(word, WORDS)} is no verdict; write present, "
            "absent or unknown (or 1 and 0, yes and no, TP and FP, correct and incorrect)"
        )
    return verdict


def meaning(text: str) -> Verdict | None:
    """Return what a reviewer's word means; None where it is no such word."""
    return WORDS.get(_word(text))


def _word(text: str) -> str:
    return "_".join(text.casefold().split())


def folded(column: str) -> str:
    """Return a column's name without capitals, blanks and underscores."""
    return "".join(letter for letter in column.casefold() if letter not in " _-.")


def verdict_column(columns: Sequence[str], wanted: str = "", where: str = "") -> str | None:
    """Return the reviewer's column of a table: the one asked for, or one by a usual name.

    Parameters
    ----------
    wanted : str
        `negmine.formats.format.Options.verdict_column`.
    where : str
        The table, for the message.

    Returns
    -------
    str or None
        None where the table has no such column: it is not judged, or its rows are verdicts.

    Raises
    ------
    AnnotationError
        If the column asked for is not there, or several have usual names.
    """
    if wanted:
        return column_named(columns, wanted, where)
    found = [name for name in columns if folded(name) in _NAMES]
    if len(found) > 1:
        raise AnnotationError(
            f"{where}: the columns {_listed(found)} may all hold verdicts; name one with "
            "--column verdict=NAME"
        )
    return found[0] if found else None


def column_named(columns: Sequence[str], wanted: str, where: str) -> str:
    """Return a column by its name, however its capitals are written.

    Raises
    ------
    AnnotationError
        If the table has none of that name, or several.
    """
    if wanted in columns:
        return wanted
    alike = [name for name in columns if folded(name) == folded(wanted)]
    if len(alike) != 1:
        raise AnnotationError(
            f"{where}: no column '{wanted}'{did_you_mean(wanted, columns)}; found "
            f"{_listed(columns)}"
        )
    return alike[0]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in list(names)[:20])
