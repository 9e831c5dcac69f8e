"""A format of annotations: how it is recognised, and its reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from negmine.formats.entry import Entry, Notes


@dataclass(frozen=True)
class Head:
    """The beginning of a table, or the entries of a folder: what formats are recognised by.

    Attributes
    ----------
    path : Path
    columns : tuple of str
        Cells of a text table's first line; empty for a folder or a file that is no text.
    text : str
        The first characters of a text file, up to 64 KiB.
    magic : bytes
        The first 16 bytes of a file; empty for a folder.
    folders : tuple of str
        Names of the folders in a folder, sorted; empty for a file.
    """

    path: Path
    columns: tuple[str, ...] = ()
    text: str = ""
    magic: bytes = b""
    folders: tuple[str, ...] = ()

    def has(self, *columns: str) -> bool:
        """Whether the first line names all of these columns."""
        return set(columns) <= set(self.columns)


@dataclass(frozen=True)
class Options:
    """What a user says of the tables.

    Attributes
    ----------
    columns : mapping of str to str
        Which column of the table holds what: a field of `negmine.formats.entry.Entry`, or
        ``t_min``, ``t_max``, ``f_min``, ``f_max``, to the column's name.
    verdict_column : str
        The reviewer's column; empty: by its usual names.
    label : str
        The class of tables and folders that name none.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    verdict_column: str = ""
    label: str = ""


Reader = Callable[[Path, Options, Notes], Iterator[Entry]]


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes
    ----------
    title : str
        One line for the help: the tool, and what is read.
    recognises : callable
        Given a `Head`, whether it is this format.
    read : callable
        Given path, options and notes, yields entries; raises
        `negmine.errors.AnnotationError` with place and remedy for what cannot be read.
    """

    title: str
    recognises: Callable[[Head], bool]
    read: Reader
