"""Tables of detections, a row each, with or without a reviewer's column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from negmine.errors import AnnotationError
from negmine.formats.chosen_columns import ChosenColumns
from negmine.formats.entry import Entry
from negmine.formats.plain import Columns, entries_of
from negmine.formats.unjudged import unjudged


def detections(choice: ChosenColumns, of: dict[str, str], *hold_nothing: str) -> Iterator[Entry]:
    """Yield the detections of a table: unknown where no reviewer judged them.

    Parameters
    ----------
    of : dict of str to str
        The column of each of `negmine.formats.plain.FIELDS`; empty: the table has none.
    hold_nothing : sequence of str
        Columns that say nothing of use.
    """
    sheet = choice.sheet
    of["songtype"] = choice.of("songtype")
    of["group"] = choice.of("group", "site")
    of["judge"] = choice.of("judge", "reviewer", "annotator", "observer", "listener")
    of["f_min"], of["f_max"] = choice.of("f_min"), choice.of("f_max")
    of["verdict"] = choice.verdict()
    choice.done(*hold_nothing)
    rest = None if of["verdict"] else unjudged(sheet, scored=True)
    columns = {name: column for name, column in of.items() if column}
    yield from timed(entries_of(sheet, Columns(columns, rest), choice.options))


def timed(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield entries of a format whose rows have times.

    Raises
    ------
    AnnotationError
        If a row's are empty: without, it would be of the whole recording.
    """
    for entry in entries:
        if entry.span is None:
            raise AnnotationError(f"{entry.where}: its times are empty; give both")
        yield entry
