"""A perch-hoplite database: calls as positive labels, rejections as negative ones.

perch-hoplite's own ingest of annotations adds positive labels alone. The tables are those that it
makes (version 1.0): a new database holds no windows yet, which its embedding adds, by the names of
project, deployment and recording that are written here: project is the folder of recordings,
deployment the first folder in it, as that is how it names them.
"""

from __future__ import annotations

import shutil
import sqlite3
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from negmine.audio.windows import Span
from negmine.errors import InputError
from negmine.exports.job import Job, Writer
from negmine.exports.rows import PlacedRow, Statement, statements

DATABASE = "hoplite.sqlite"
NEGATIVE, POSITIVE = 0, 1

_TABLES = """
CREATE TABLE hoplite_metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, project TEXT NOT NULL,
    latitude REAL, longitude REAL, UNIQUE (name, project));
CREATE TABLE recordings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, filename TEXT NOT NULL, datetime TEXT,
    deployment_id INTEGER REFERENCES deployments(id) ON DELETE CASCADE,
    UNIQUE (id, deployment_id), UNIQUE (filename, deployment_id));
CREATE TABLE windows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recording_id INTEGER NOT NULL REFERENCES recordings(id) ON DELETE CASCADE,
    offsets FLOAT_LIST NOT NULL, UNIQUE (id, recording_id, offsets));
CREATE TABLE annotations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recording_id INTEGER NOT NULL REFERENCES recordings(id) ON DELETE CASCADE,
    offsets FLOAT_LIST NOT NULL, label TEXT NOT NULL, label_type INTEGER NOT NULL,
    provenance TEXT NOT NULL, UNIQUE (id, recording_id, offsets));
CREATE INDEX idx_annotations
    ON annotations(recording_id, offsets, label, label_type, provenance);
CREATE INDEX idx_labels ON annotations(label, label_type, provenance);
CREATE INDEX idx_recordings_deployment_id ON recordings(deployment_id);
CREATE INDEX idx_windows_recording_id ON windows(recording_id);
"""


def _write(job: Job) -> int:
    said = statements(job.placed())
    path = job.folder / DATABASE
    with closing(sqlite3.connect(path)) as database:
        if job.settings.into:
            _copy(Path(job.settings.into), job.folder, database)
            written = _add(job, database, said, _Known(database))
        else:
            database.executescript(_TABLES)
            written = _add(job, database, said, _New(database))
        database.commit()
    return written


class _New:
    """Numbers recordings of a new database, inserting each when it is first asked for."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._found: dict[Path, int] = {}

    def number(self, placed: PlacedRow) -> int | None:
        if placed.path not in self._found:
            project = placed.root.name or "recordings"
            folder, slash, _ = placed.name.partition("/")
            deployment = self._insert(
                "deployments", name=folder if slash else project, project=project
            )
            self._found[placed.path] = self._insert(
                "recordings", filename=placed.name, deployment_id=deployment
            )
        return self._found[placed.path]

    def _insert(self, table: str, **values: str | int) -> int:
        where = " AND ".join(f"{name} = ?" for name in values)
        cursor = self._database.execute(
            f"SELECT id FROM {table} WHERE {where}", tuple(values.values())
        )
        if known := cursor.fetchone():
            return int(known[0])
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
        return int(cursor.lastrowid or 0)


class _Known:
    """Numbers the recordings that a database holds: by their path, or else by their file's name."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._paths: dict[str, list[int]] = defaultdict(list)
        self._names: dict[str, list[int]] = defaultdict(list)
        for number, filename in database.execute("SELECT id, filename FROM recordings ORDER BY id"):
            self._paths[filename].append(number)
            self._names[filename.rpartition("/")[2]].append(number)

    def number(self, placed: PlacedRow) -> int | None:
        """Return a recording's number; None where the database has none, or several."""
        found = self._paths.get(placed.name) or self._names.get(placed.path.name) or []
        return found[0] if len(found) == 1 else None


def _copy(source: Path, folder: Path, database: sqlite3.Connection) -> None:
    """Copy a database and what is beside it.

    Raises
    ------
    InputError
        If it is none of perch-hoplite's.
    """
    if not (source / DATABASE).is_file():
        raise InputError(f"{source}: no file {DATABASE} in it: not a perch-hoplite database")
    address = f"{(source / DATABASE).resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as other:
            other.backup(database)
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise InputError(f"{source / DATABASE}: not readable: {error}") from error
    if missing := {"recordings", "windows", "annotations"} - tables:
        raise InputError(
            f"{source / DATABASE}: no table '{min(missing)}': not a perch-hoplite database of "
            "version 1.0; open it with perch-hoplite, which brings earlier ones up to date"
        )
    for path in sorted(source.iterdir()):
        if path.is_file() and not path.is_symlink() and not path.name.startswith(DATABASE):
            shutil.copyfile(path, folder / path.name)


def _add(
    job: Job, database: sqlite3.Connection, said: list[Statement], recordings: _New | _Known
) -> int:
    before = _Labels(database)
    beyond = written = 0
    for one in said:
        number = recordings.number(one.placed)
        if number is None:
            job.leave_out("labels of recordings that the database does not hold, or under one name")
            continue
        span, kind = one.placed.span, POSITIVE if one.present else NEGATIVE
        if before.has(number, one.label, kind, span):
            job.leave_out("labels that the database has already")
            job.already += 1
            continue
        if before.contradict(number, one.label, kind, span):
            job.leave_out("labels that one of the database contradicts, on the same class and time")
            continue
        beyond += sum(not _inside(window, span) for window in before.windows(number, span))
        certificate = "call"
        if not one.present:
            certificate = one.placed.row.labels.absent[one.label].certificate.value
        database.execute(
            "INSERT INTO annotations (recording_id, offsets, label, label_type, provenance) "
            "VALUES (?, ?, ?, ?, ?)",
            (number, _packed(span), one.label, kind, f"negmine {certificate}"),
        )
        written += 1
    job.notes.append(
        "perch-hoplite takes a label for every window that it touches"
        + (f": {beyond} windows reach beyond what was heard or certified" if beyond else "")
    )
    return written


class _Labels:
    """The labels and windows that a database held before."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._labels: defaultdict[tuple[int, str], list[tuple[int, Span]]] = defaultdict(list)
        rows = database.execute("SELECT recording_id, label, label_type, offsets FROM annotations")
        for number, label, kind, offsets in rows:
            self._labels[number, label].append((kind, _unpacked(offsets)))
        self._windows: defaultdict[int, list[Span]] = defaultdict(list)
        for number, offsets in database.execute("SELECT recording_id, offsets FROM windows"):
            self._windows[number].append(_unpacked(offsets))

    def has(self, number: int, label: str, kind: int, span: Span) -> bool:
        return any(
            known == kind and _same(other, span) for known, other in self._labels[number, label]
        )

    def contradict(self, number: int, label: str, kind: int, span: Span) -> bool:
        return any(
            known == 1 - kind and other.overlap_s(span) > 0
            for known, other in self._labels[number, label]
        )

    def windows(self, number: int, span: Span) -> Iterator[Span]:
        return (window for window in self._windows[number] if window.overlap_s(span) > 0)


def _same(one: Span, other: Span) -> bool:
    return abs(one.start_s - other.start_s) < 1e-6 and abs(one.end_s - other.end_s) < 1e-6


def _inside(window: Span, span: Span) -> bool:
    return span.start_s <= window.start_s + 1e-6 and window.end_s <= span.end_s + 1e-6


def _packed(span: Span) -> bytes:
    return struct.pack("<2d", span.start_s, span.end_s)


def _unpacked(offsets: bytes) -> Span:
    if not isinstance(offsets, bytes) or len(offsets) < 16:
        raise InputError(f"a perch-hoplite database with offsets {offsets!r:.60}: damaged")
    return Span(*struct.unpack("<2d", offsets[:16]))


WRITER = Writer(_write, "own", "labels", lacks=("confidence", "score"))
