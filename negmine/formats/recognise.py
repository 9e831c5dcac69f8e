"""Which format a table or folder is of, and what all tables of a call say."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from negmine.errors import AnnotationError, InputError, did_you_mean, shorten
from negmine.formats import NAMES, format_of
from negmine.formats.entry import Entry, Notes
from negmine.formats.format import Format, Head, Options
from negmine.formats.plain import is_plain
from negmine.formats.sheet import delimiter_of
from negmine.formats.table_folders import described
from negmine.formats.verdict_words import folded
from negmine.storage.csv_tables import check_name
from negmine.storage.names import clean_name
from negmine.storage.text_files import open_regular

_HEAD_BYTES = 64 << 10
_MOST_BYTES = 64 << 30
# What is left where a table, or a folder of folders, is of no other format.
REST, FOLDERS = "plain", "birdnet_folders"
# Formats that are the sound files themselves, sorted into folders.
OF_CLIPS = frozenset(("birdnet_folders", "birdnet_review"))
# What a spreadsheet may have written instead of a table, by its first bytes.
_MADE_BY = {
    b"PK\x03\x04": "a workbook of a spreadsheet, or another ZIP file: save the sheet as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "a workbook of Excel 97: save the sheet as CSV UTF-8",
    b"\xff\xfe": "text in UTF-16: save it as CSV UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as CSV UTF-8",
}


@dataclass(frozen=True)
class Table:
    """What one table or folder says.

    Attributes
    ----------
    format : str
        Its name in `negmine.formats.NAMES`.
    """

    path: Path
    format: str
    entries: tuple[Entry, ...]
    notes: Notes

    @property
    def verdicts(self) -> Counter[str]:
        return Counter(entry.verdict for entry in self.entries)


@dataclass(frozen=True)
class ReadAs:
    """How tables are to be read.

    Attributes
    ----------
    format : str, optional
        Of all tables; by default each is recognised.
    options : Options
    """

    format: str | None = None
    options: Options = field(default_factory=Options)


def head_of(path: Path) -> Head:
    """Return what a table or folder is recognised by.

    Raises
    ------
    AnnotationError
        If there is none.
    """
    if path.is_dir():
        inside = (one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))
        return Head(path, folders=tuple(sorted(one.name for one in inside)))
    try:
        with open_regular(path, _MOST_BYTES) as file:
            start = file.read(_HEAD_BYTES)
    except InputError as error:
        raise AnnotationError(str(error)) from error
    if not start:
        raise AnnotationError(f"{path}: the file is empty")
    if b"\0" in start:
        return Head(path, magic=start[:16])
    text = start.decode("utf-8-sig", errors="replace")
    line = text.partition("\n")[0].rstrip("\r")
    cells = tuple(clean_name(cell.strip().strip('"')) for cell in line.split(delimiter_of(line)))
    return Head(path, cells, text, start[:16])


def recognised(path: Path, name: str | None = None, options: Options | None = None) -> str:
    """Return the name of a table's format, by its content.

    Parameters
    ----------
    name : str, optional
        The format, where the user says it.
    options : Options, optional
        Columns that it names and the table has make a plain one of what no other format knows.

    Raises
    ------
    AnnotationError
        If it is of no known format, or may be of several.
    """
    if name is not None:
        if name not in NAMES:
            raise AnnotationError(f"no format '{name}'{did_you_mean(name, NAMES)}; {_formats()}")
        return name
    head = head_of(path)
    rest = (REST, FOLDERS)
    found = [one for one in NAMES if one not in rest and format_of(one).recognises(head)]
    if len(found) > 1:
        raise AnnotationError(
            f"{path}: may be of the formats {', '.join(found)}; choose one with --format"
        )
    if found:
        return found[0]
    if format_of(FOLDERS).recognises(head):
        return FOLDERS
    if is_plain(head) or (options is not None and _names(options, head)):
        return REST
    raise AnnotationError(
        f"{path}: of no known format; found {_described(head)}; {_formats()}; name one with "
        "--format, or the columns of a plain table with --column recording=NAME --column class=NAME"
    )


def recognise(path: Path, name: str | None = None) -> Format:
    """Return a table's format, by its content: see `recognised`."""
    return format_of(recognised(path, name))


def _names(options: Options, head: Head) -> bool:
    """Return whether a user names columns of a table: its recordings', or its classes'."""
    given = [options.columns.get(name, "") for name in ("recording", "class", "t_min")]
    known = {folded(name) for name in head.columns}
    return any(given) and all(folded(name) in known for name in given if name)


def _formats() -> str:
    return f"the formats are {', '.join(NAMES)}"


def _described(head: Head) -> str:
    if head.path.is_dir():
        if head.folders:
            return f"the folders {shorten(head.folders, 8)}"
        return described(head.path)
    for start, what in _MADE_BY.items():
        if head.magic.startswith(start):
            return what
    if head.columns and re.fullmatch("sep=.?", head.text.split("\n", 1)[0].strip()):
        return "a first line that is for Excel alone, 'sep=': remove it"
    if head.columns:
        return f"the columns {shorten(head.columns, 20)}"
    return f"a file that begins with {head.magic[:8]!r}"


def read_tables(paths: Iterable[Path], asked: ReadAs | None = None) -> tuple[Table, ...]:
    """Read tables and folders, each of its own format.

    Raises
    ------
    AnnotationError
        If one is of no known format or malformed, or all say nothing.
    """
    asked = asked or ReadAs()
    tables, empty = [], ""
    for path in paths:
        name, notes = recognised(path, asked.format, asked.options), Notes()
        try:
            entries = tuple(_checked(format_of(name).read(path, asked.options, notes)))
        except AnnotationError:
            raise
        except InputError as error:
            raise AnnotationError(str(error)) from error
        if not entries:
            # detectors write a table for each recording, also of those with no detection
            said = "; ".join(notes.text())
            notes.say(f"{path}: nothing is read of it as {name}")
            empty = empty or f"{path}: nothing is read of it as {name}{said and f': {said}'}"
        tables.append(Table(path, name, entries, notes))
    if empty and not any(table.entries for table in tables):
        raise AnnotationError(empty)
    return tuple(tables)


def _checked(entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in entries:
        check_name(entry.where, "the recording's name", entry.recording)
        check_name(entry.where, "the class", entry.label)
        if entry.group:
            check_name(entry.where, "the group", entry.group)
        recording, label = clean_name(entry.recording), clean_name(entry.label)
        if (recording, label) != (entry.recording, entry.label):
            entry = replace(entry, recording=recording, label=label)
        yield entry


def read_entries(
    paths: Sequence[Path], asked: ReadAs | None = None
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Read tables; return their entries in order, and a line for each thing to know of them."""
    tables = read_tables(paths, asked)
    entries = tuple(entry for table in tables for entry in table.entries)
    return entries, joined_notes(tables)


def joined_notes(tables: Iterable[Table]) -> tuple[str, ...]:
    """Return the notes of all tables, what is said of many of them once."""
    whole, lines = Notes(), defaultdict[str, list[str]](list)
    for table in tables:
        for line in table.notes.lines:
            lines[line.replace(str(table.path), "")].append(line)
        whole.dropped += table.notes.dropped
        whole.repaired += table.notes.repaired
        whole.first = {**table.notes.first, **whole.first}
    for same in lines.values():
        more = f" (and the same of {len(same) - 1} more tables)" if len(same) > 1 else ""
        whole.say(same[0] + more)
    return whole.text()
