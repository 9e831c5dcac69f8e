"""Which columns of a table a reader takes: those that the user names, or those that tools write."""

from __future__ import annotations

from collections.abc import Iterable

from negmine.errors import AnnotationError, shorten
from negmine.formats.format import Options
from negmine.formats.plain import FIELDS
from negmine.formats.sheet import Sheet, SheetRow
from negmine.formats.verdict_words import column_named, folded, verdict_column


class ChosenColumns:
    """The columns of one table that its reader uses; it remembers them for `done`."""

    def __init__(self, sheet: Sheet, options: Options) -> None:
        self.sheet, self.options = sheet, options
        self.where = str(sheet.path)
        self._used: list[str] = []
        self._fields = {"verdict"}

    def of(self, field: str, *usual: str) -> str:
        """Return the column of a field, which may also be one that the user names.

        Parameters
        ----------
        field : str
            One of `negmine.formats.plain.FIELDS`.
        usual : sequence of str
            What tools call it, the preferred first; capitals make no difference.

        Returns
        -------
        str
            Empty where the table has none.

        Raises
        ------
        AnnotationError
            If the table has no column of the name that the user gives.
        """
        self._fields.add(field)
        named = self.options.columns.get(field)
        if named is not None:
            column = column_named(self.sheet.columns, named, self.where) if named else ""
            return self._use(column)
        return self.known(*usual)

    def needed(self, field: str, *usual: str) -> str:
        """Return the column of a field.

        Raises
        ------
        AnnotationError
            If the table has none.
        """
        column = self.of(field, *usual)
        if not column:
            raise AnnotationError(
                f"{self.where}: no column {' or '.join(map(repr, usual))}; name it with --column "
                f"{field}=NAME; found {shorten(self.sheet.columns, 20)}"
            )
        return column

    def known(self, *usual: str) -> str:
        """Return the first of some columns that the table has; empty where it has none."""
        for name in usual:
            for column in self.sheet.columns:
                if folded(column) == folded(name):
                    return self._use(column)
        return ""

    def verdict(self) -> str:
        """Return the reviewer's column; empty where the table has none."""
        if self.options.columns.get("verdict", "x") == "":
            return ""
        wanted = self.options.verdict_column or self.options.columns.get("verdict", "")
        return self._use(verdict_column(self.sheet.columns, wanted, self.where) or "")

    def done(self, *hold_nothing: str) -> None:
        """Note which columns are not used, but for those that ``hold_nothing`` of use.

        Raises
        ------
        AnnotationError
            If the user names a column of a field that this format does not take.
        """
        for field in self.options.columns:
            if field not in self._fields:
                raise AnnotationError(
                    f"{self.where}: --column {field}=NAME is not taken by this format; it takes "
                    f"{', '.join(one for one in FIELDS if one in self._fields)}"
                )
        known = {folded(name) for name in hold_nothing}
        self.sheet.ignore(
            self._used, [name for name in self.sheet.columns if folded(name) in known]
        )

    def _use(self, column: str) -> str:
        if column:
            self._used.append(column)
        return column


def joined(row: SheetRow, columns: Iterable[str]) -> str:
    """Return the path that some cells make, one folder each; empty cells are left out."""
    parts = [row[column].replace("\\", "/").rstrip("/") for column in columns if column]
    return "/".join(part for part in parts if part)
