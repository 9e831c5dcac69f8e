"""What mining must never choose, by a table such as 'negmine audit read --contradicted' writes."""

from __future__ import annotations

from pathlib import Path

from negmine.errors import InputError, PoolError
from negmine.pool import Pool
from negmine.storage.csv_tables import known_name, read_rows

COLUMNS = ("recipe", "class")


def read_exclusions(path: Path, pool: Pool) -> frozenset[tuple[str, str]]:
    """Read a CSV table with columns recipe and class; it may have no row.

    Raises
    ------
    InputError
        If the table is malformed, or names a class or a recipe that the pool does not have.
    """
    found = set()
    # an audit may have found nothing to leave out
    for where, (recipe, label) in read_rows(path, COLUMNS, may_be_empty=True):
        known_name(where, "class", label, pool.classes)
        try:
            pool.recipes.row_of(recipe)
        except PoolError as error:
            raise InputError(f"{where}: {error}") from error
        found.add((recipe, label))
    return frozenset(found)
