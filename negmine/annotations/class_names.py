"""The classes that a user wants, and what else tables call them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from negmine.errors import AnnotationError, InputError, did_you_mean
from negmine.storage.csv_tables import check_name, open_table
from negmine.storage.names import clean_name

_ENDING = re.compile(r"(us|a|um|is|e|er|ra|rum|or|ius|ia|ium)$")


@dataclass(frozen=True)
class ClassNames:
    """Classes by their names and aliases.

    Attributes
    ----------
    classes : tuple of str
        As the table lists them.
    """

    classes: tuple[str, ...]
    _known: Mapping[str, str]

    def find(self, label: str) -> str:
        """Return the class that a table calls so; empty where it is none.

        Capitals, and blanks written as underscores, make no difference. A label of two names,
        such as BirdNET's ``Strix aluco_Tawny Owl``, is a class by either.
        """
        for name in (label, *(label.split("_") if label.count("_") == 1 else ())):
            found = self._known.get(_folded(name))
            if found is not None:
                return found
        return ""

    def hint(self, label: str) -> str:
        """Return which class a label may be, for a message."""
        known = list(self._known.values())
        epithet = _epithet(label)
        same = [name for name in self._known if epithet and _epithet(name) == epithet]
        if same:
            return f" (the same species as {self._known[same[0]]}, in another genus?)"
        return "" if label.isdigit() else did_you_mean(label, dict.fromkeys(known))


def read_classes(path: Path) -> ClassNames:
    """Read a table of classes: a column ``class``, and other names of each in all other columns.

    A cell may hold several names, separated by semicolons.

    Raises
    ------
    AnnotationError
        If the table is malformed, or one name is of two classes.
    """
    try:
        columns, rows = open_table(path, ("class", "aliases"))
        if "class" not in columns:
            raise AnnotationError(
                f"{path}: no column 'class'; found {', '.join(columns)}; all other columns hold "
                "other names of the classes"
            )
        classes: dict[str, str] = {}
        known: dict[str, str] = {}
        for number, cells in rows:
            where, row = f"{path} row {number}", dict(zip(columns, cells, strict=True))
            name = check_name(where, "class", row.pop("class"))
            if name in classes:
                raise AnnotationError(f"{where}: class '{name}' appears twice")
            classes[name] = where
            others = (one for cell in row.values() for one in cell.split(";"))
            for other in (name, *map(clean_name, others)):
                if other and known.setdefault(_folded(other), name) != name:
                    raise AnnotationError(
                        f"{where}: '{other}' is a name of class '{name}', and of class "
                        f"'{known[_folded(other)]}' further up"
                    )
    except AnnotationError:
        raise
    except InputError as error:
        raise AnnotationError(str(error)) from error
    if not classes:
        raise AnnotationError(f"{path}: the table has a header and no rows")
    return ClassNames(tuple(classes), known)


def _folded(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())


def _epithet(name: str) -> str:
    """Return the second word of a scientific name without its ending, which changes with the genus.

    Examples
    --------
    >>> _epithet("Parus caeruleus") == _epithet("cyanistes caerulea"), _epithet("Tawny")
    (True, '')
    """
    words = name.replace("_", " ").split()
    if len(words) != 2 or not all(word.isalpha() and len(word) > 3 for word in words):
        return ""
    return _ENDING.sub("", words[1]) if words[1].islower() else ""
