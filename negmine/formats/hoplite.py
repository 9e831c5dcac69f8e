"""perch-hoplite's databases: what people said of spans of recordings."""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from negmine.audio.windows import Span, to_microseconds
from negmine.errors import AnnotationError
from negmine.formats.entry import Entry, Notes, Verdict
from negmine.formats.format import Format, Head, Options
from negmine.formats.plain import checked_span

DATABASE = "hoplite.sqlite"
_MAGIC = b"SQLite format 3\0"
_TABLES = frozenset({"deployments", "recordings", "windows", "annotations"})
# ``LabelType`` of perch-hoplite 1.0
_VERDICTS: dict[object, Verdict] = {0: "absent", 1: "present", 2: "unknown"}
_QUERY = """
SELECT a.id, r.filename, d.project, d.name, a.offsets, a.label, a.label_type, a.provenance
FROM annotations a
JOIN recordings r ON a.recording_id = r.id
LEFT JOIN deployments d ON r.deployment_id = d.id
ORDER BY a.id
"""


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn what SQLite says of a damaged file into an error.

    Raises
    ------
    AnnotationError
        If it is damaged; text that is not UTF-8, too.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise AnnotationError(f"{file}: not readable: {error}") from error


def open_database(path: Path) -> sqlite3.Connection:
    """Open a database, or the one in a folder, for reading alone.

    Raises
    ------
    AnnotationError
        If it is none of perch-hoplite 1.0.
    """
    file = path / DATABASE if path.is_dir() else path
    # what is not yet in the file itself is beside it; without that, nothing may be written there
    waiting = file.with_name(f"{file.name}-wal")
    # without mode=ro a file that is missing would be made
    mode = "mode=ro" if waiting.is_file() and waiting.stat().st_size else "mode=ro&immutable=1"
    with readable(file):
        database = sqlite3.connect(f"{file.resolve().as_uri()}?{mode}", uri=True)
        try:
            database.execute("PRAGMA trusted_schema = OFF")
            kinds = "SELECT name FROM sqlite_master WHERE type = 'table'"
            tables = {name for (name,) in database.execute(kinds)}
        except BaseException:
            database.close()
            raise
    if missing := sorted(_TABLES - tables):
        database.close()
        raise AnnotationError(
            f"{file}: no table '{missing[0]}': not a database of perch-hoplite 1.0; open an "
            "earlier one with perch-hoplite, which brings it up to date"
        )
    return database


def offsets(where: str, blob: object) -> tuple[float, float]:
    """Return beginning and end, in seconds, of what a database packs into bytes.

    Raises
    ------
    AnnotationError
        If they are not two numbers.
    """
    if not isinstance(blob, bytes) or len(blob) != 16:
        raise AnnotationError(f"{where}: its offsets are not two numbers; damaged?")
    start, end = struct.unpack("<2d", blob)
    if not (math.isfinite(start) and math.isfinite(end)):
        raise AnnotationError(f"{where}: its offsets are {start:g} and {end:g}; damaged?")
    return start, end


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    if options.columns or options.verdict_column:
        raise AnnotationError(f"{path}: a database's columns are known; leave --column out")
    with closing(open_database(path)) as database, readable(path):
        (windows,) = database.execute("SELECT count(*) FROM windows").fetchone()
        notes.say(f"{path}: {windows} embedded windows; what is said of spans is read")
        _other_columns(database, path, notes)
        yield from (_entry(path, row) for row in database.execute(_QUERY))


def _entry(path: Path, row: tuple[object, ...]) -> Entry:
    number, filename, project, deployment, blob, label, kind, provenance = row
    where = f"{path} annotation {number}"
    if kind not in _VERDICTS:
        raise AnnotationError(f"{where}: label_type {kind!r:.20}: expected 0, 1 or 2")
    start, end = offsets(where, blob)
    span = checked_span(where, start, end)
    group = "/".join(str(name) for name in (project, deployment) if name)
    return Entry(
        str(filename),
        str(label),
        _VERDICTS[kind],
        where,
        Span(to_microseconds(span.start_s), to_microseconds(span.end_s)),
        group=group,
        judge=str(provenance or ""),
    )


def _other_columns(database: sqlite3.Connection, path: Path, notes: Notes) -> None:
    known = {"id", "recording_id", "offsets", "label", "label_type", "provenance"}
    columns = [row[1] for row in database.execute("PRAGMA table_info(annotations)")]
    if odd := [name for name in columns if name not in known]:
        notes.say(f"{path}: columns that are not used: {', '.join(odd)}")


def _recognises(head: Head) -> bool:
    return head.magic.startswith(_MAGIC) or (head.path / DATABASE).is_file()


FORMAT = Format("perch-hoplite 1.0: a database's labels", _recognises, _read)
