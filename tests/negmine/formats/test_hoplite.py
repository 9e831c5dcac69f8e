"""perch-hoplite's databases, made by the statements of its version 1.0.2, and by itself."""

from __future__ import annotations

import random
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.recognise import Table, read_tables

TABLES = """
CREATE TABLE hoplite_metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE deployments (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
    project TEXT NOT NULL, latitude REAL, longitude REAL, UNIQUE (name, project));
CREATE TABLE recordings (id INTEGER PRIMARY KEY AUTOINCREMENT, filename TEXT NOT NULL,
    datetime TEXT, deployment_id INTEGER REFERENCES deployments(id) ON DELETE CASCADE);
CREATE TABLE windows (id INTEGER PRIMARY KEY AUTOINCREMENT, recording_id INTEGER NOT NULL,
    offsets FLOAT_LIST NOT NULL);
CREATE TABLE annotations (id INTEGER PRIMARY KEY AUTOINCREMENT, recording_id INTEGER NOT NULL,
    offsets FLOAT_LIST NOT NULL, label TEXT NOT NULL, label_type INTEGER NOT NULL,
    provenance TEXT NOT NULL);
INSERT INTO deployments (name, project) VALUES ('north', 'hills');
INSERT INTO recordings (filename, deployment_id) VALUES ('north/a.wav', 1), ('b.wav', NULL);
"""
SAID = [
    ("north/a.wav", "owl", "present", Span(0, 5), "hills/north", "Ann"),
    ("north/a.wav", "owl", "absent", Span(5, 10), "hills/north", "Ann"),
    ("b.wav", "wren", "unknown", Span(2.5, 7.5), "", "Ann"),
]


def span(start: float, end: float) -> bytes:
    return struct.pack("<2d", start, end)


def made(folder: Path, *rows: tuple[object, ...]) -> Path:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "hoplite.sqlite")) as database:
        database.executescript(TABLES)
        database.execute("INSERT INTO windows (recording_id, offsets) VALUES (1, ?)", (span(0, 5),))
        database.executemany(
            "INSERT INTO annotations (recording_id, offsets, label, label_type, provenance) "
            "VALUES (?, ?, ?, ?, ?)",
            rows
            or [
                (1, span(0, 5), "owl", 1, "Ann"),
                (1, span(5, 10), "owl", 0, "Ann"),
                (2, span(2.5, 7.5), "wren", 2, "Ann"),
            ],
        )
        database.commit()
    return folder


def read(path: Path) -> Table:
    (table,) = read_tables([path])
    assert table.format == "hoplite"
    return table


def said(table: Table) -> list[tuple[object, ...]]:
    return [(e.recording, e.label, e.verdict, e.span, e.group, e.judge) for e in table.entries]


def test_labels_of_all_three_types(tmp_path: Path) -> None:
    folder = made(tmp_path / "db")
    before = sorted((p.name, p.read_bytes()) for p in folder.iterdir())
    for path in (folder, folder / "hoplite.sqlite"):
        table = read(path)
        assert said(table) == SAID
        assert any("1 embedded windows" in line for line in table.notes.text())
    assert sorted((p.name, p.read_bytes()) for p in folder.iterdir()) == before


def test_what_a_notebook_has_not_yet_written_back_is_read(tmp_path: Path) -> None:
    folder = made(tmp_path / "db")
    with closing(sqlite3.connect(folder / "hoplite.sqlite")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE annotations SET label_type = 0 WHERE id = 1")
        database.commit()
        assert (folder / "hoplite.sqlite-wal").stat().st_size
        assert [e.verdict for e in read(folder).entries] == ["absent", "absent", "unknown"]


def test_columns_that_were_added_are_named(tmp_path: Path) -> None:
    folder = made(tmp_path / "db")
    with closing(sqlite3.connect(folder / "hoplite.sqlite")) as database:
        database.execute("ALTER TABLE annotations ADD COLUMN mood TEXT")
    assert any("not used: mood" in line for line in read(folder).notes.text())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1, b"123", "owl", 1, "Ann"), "annotation 1: its offsets are not two numbers"),
        ((1, "0-5", "owl", 1, "Ann"), "annotation 1: its offsets are not two numbers"),
        ((1, span(5, 1), "owl", 1, "Ann"), "annotation 1: the end 1 s is not after"),
        ((1, span(0, float("nan")), "owl", 1, "Ann"), "annotation 1: its offsets are 0 and nan"),
        ((1, span(0, 5), "owl", 3, "Ann"), "annotation 1: label_type 3: expected 0, 1 or 2"),
        ((1, span(0, 5), "", 1, "Ann"), "annotation 1: the class is empty"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, row: tuple[object, ...], message: str) -> None:
    with pytest.raises(AnnotationError, match=message) as caught:
        read(made(tmp_path / "db", row))
    assert "\n" not in str(caught.value)


def test_other_and_damaged_databases_are_one_line(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE hoplite_labels (id INTEGER)")
    with pytest.raises(AnnotationError, match="no table 'annotations': not a database of perch"):
        read(other)
    folder = made(tmp_path / "db")
    content = (folder / "hoplite.sqlite").read_bytes()
    (folder / "hoplite.sqlite").write_bytes(content[: len(content) // 3])
    with pytest.raises(AnnotationError, match="not readable"):
        read(folder)


def test_damage_anywhere_is_read_or_is_an_error_of_the_database(tmp_path: Path) -> None:
    folder = made(tmp_path / "db")
    content = (folder / "hoplite.sqlite").read_bytes()
    rng = random.Random(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 30)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        (folder / "hoplite.sqlite").write_bytes(damaged)
        try:
            read(folder)
        except AnnotationError:
            refused += 1
    assert refused > 10


def test_what_perch_hoplite_writes(tmp_path: Path) -> None:
    usearch = pytest.importorskip("perch_hoplite.db.sqlite_usearch_impl")
    datatypes = pytest.importorskip("perch_hoplite.db.datatypes")
    config = usearch.get_default_usearch_config(embedding_dim=8)
    database = usearch.SQLiteUSearchDB.create(str(tmp_path / "db"), usearch_cfg=config)
    deployment = database.insert_deployment("north", "hills", 1.0, 2.0)
    one = database.insert_recording("north/a.wav", deployment_id=deployment)
    other = database.insert_recording("b.wav")
    kinds = datatypes.LabelType
    database.insert_annotation(one, [0.0, 5.0], "owl", kinds.POSITIVE, "Ann")
    database.insert_annotation(one, [5.0, 10.0], "owl", kinds.NEGATIVE, "Ann")
    database.insert_annotation(other, [2.5, 7.5], "wren", kinds.UNCERTAIN, "Ann")
    database.commit()
    assert said(read(tmp_path / "db")) == SAID
