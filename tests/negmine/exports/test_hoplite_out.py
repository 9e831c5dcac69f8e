"""Labels that are added to a copy of a perch-hoplite database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from exporting import exported

from negmine.audio.windows import Span
from negmine.errors import InputError
from negmine.exports.rows import place_of
from negmine.exports.to_hoplite import DATABASE, NEGATIVE, POSITIVE, _packed
from negmine.mining.selection import open_selection


def rows(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        return database.execute(query).fetchall()


def execute(folder: Path, *statements: tuple[Any, ...]) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        for statement in statements:
            database.execute(*statement)
        database.commit()


ANNOTATE = (
    "INSERT INTO annotations (recording_id, offsets, label, label_type, provenance) "
    "VALUES (?, ?, ?, ?, 'me')"
)


@pytest.fixture
def before(selection: Path, tmp_path: Path) -> Path:
    """A database of the selection's recordings, with no label yet."""
    exported(selection, "hoplite", tmp_path / "before")
    execute(tmp_path / "before", ("DELETE FROM annotations",))
    (tmp_path / "before" / "usearch.index").write_bytes(b"an index")
    return tmp_path / "before"


def test_all_is_copied_and_the_original_is_as_it_was(
    selection: Path, before: Path, tmp_path: Path
) -> None:
    content = {path.name: path.read_bytes() for path in before.iterdir()}
    done = exported(selection, "hoplite", tmp_path / "after", into=str(before))
    assert {path.name: path.read_bytes() for path in before.iterdir()} == content
    assert (tmp_path / "after" / "usearch.index").read_bytes() == b"an index"
    count = "SELECT count(*) FROM annotations WHERE label_type = 0"
    assert rows(tmp_path / "after", count) == [(done.written,)]
    query = "SELECT id, filename FROM recordings"
    assert rows(tmp_path / "after", query) == rows(before, query)


def test_the_same_labels_again_change_nothing_and_are_no_error(
    selection: Path, before: Path, tmp_path: Path
) -> None:
    first = exported(selection, "hoplite", tmp_path / "first", into=str(before))
    again = exported(selection, "hoplite", tmp_path / "again", into=str(tmp_path / "first"))
    assert (again.written, again.left_out) == (
        0,
        {"labels that the database has already": first.written}
        | {k: n for k, n in first.left_out.items() if k != "labels that the database has already"},
    )
    query = "SELECT * FROM annotations"
    assert rows(tmp_path / "again", query) == rows(tmp_path / "first", query)


def test_what_is_known_already_or_contradicted_is_left_out(
    selection: Path, before: Path, tmp_path: Path
) -> None:
    chosen = open_selection(selection)
    pool = chosen.open_pool()
    placed = [
        (row, place)
        for row in chosen.rows
        if (place := place_of(pool.recipes[pool.recipes.row_of(row.recipe)]))
    ]
    (first, at), (second, there) = placed[0], next(p for p in placed if p[0].label == "1")
    number = {name: n for n, name in rows(before, "SELECT id, filename FROM recordings")}
    near = Span(there.span.start_s - 0.3, there.span.start_s + 0.1)
    execute(
        before,
        (ANNOTATE, (number[at.source.name], _packed(at.span), first.label, NEGATIVE)),
        (ANNOTATE, (number[there.source.name], _packed(near), second.label, POSITIVE)),
        # of another class, and of another time: neither contradicts
        (ANNOTATE, (number[there.source.name], _packed(near), "other", POSITIVE)),
        (ANNOTATE, (number[there.source.name], _packed(Span(90, 91)), second.label, POSITIVE)),
    )
    overlapping = sum(
        row.label == second.label
        and place.source.name == there.source.name
        and place.span.overlap_s(near) > 0
        for row, place in placed
    )
    done = exported(selection, "hoplite", tmp_path / "after", into=str(before))
    left_out = {reason: n for reason, n in done.left_out.items() if reason.startswith("labels")}
    assert left_out == {
        "labels that the database has already": 1,
        "labels that one of the database contradicts, on the same class and time": overlapping,
    }
    assert done.written == len(placed) - 1 - overlapping


def test_recordings_are_found_by_file_name_and_lost_ones_are_counted(
    selection: Path, before: Path, tmp_path: Path
) -> None:
    rename = "UPDATE recordings SET filename = ? WHERE filename = ?"
    execute(
        before,
        (rename, ("deep/down/rec01.flac", "rec01.flac")),
        (rename, ("gone.flac", "rec02.flac")),
        ("INSERT INTO recordings (filename) VALUES ('one/rec03.flac')",),
        (rename, ("two/rec03.flac", "rec03.flac")),
    )
    whole = exported(selection, "hoplite", tmp_path / "whole")
    done = exported(selection, "hoplite", tmp_path / "after", into=str(before))
    query = "SELECT filename FROM annotations a JOIN recordings r ON a.recording_id = r.id"
    names = [name for (name,) in rows(tmp_path / "whole", query)]
    lost = names.count("rec02.flac") + names.count("rec03.flac")
    (count,) = (n for reason, n in done.left_out.items() if "does not hold" in reason)
    assert count == lost > 0
    assert done.written == whole.written - lost
    found = [name for (name,) in rows(tmp_path / "after", query)]
    assert found.count("deep/down/rec01.flac") == names.count("rec01.flac") > 0


def test_windows_that_reach_beyond_what_is_certified_are_said(
    selection: Path, before: Path, tmp_path: Path
) -> None:
    number = {name: n for n, name in rows(before, "SELECT id, filename FROM recordings")}
    window = "INSERT INTO windows (recording_id, offsets) VALUES (?, ?)"
    execute(before, (window, (number["rec00.flac"], _packed(Span(0.0, 4.0)))))
    done = exported(selection, "hoplite", tmp_path / "after", into=str(before))
    labels = rows(
        tmp_path / "after",
        f"SELECT count(*) FROM annotations WHERE recording_id = {number['rec00.flac']}",
    )
    (line,) = (line for line in done.notes if "for every window" in line)
    assert f"{labels[0][0]} windows reach beyond" in line


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: (p / DATABASE).unlink(), "not a perch-hoplite database"),
        (lambda p: (p / DATABASE).write_bytes(b"SQLite" * 999), "not readable"),
        (lambda p: execute(p, ("DROP TABLE windows",)), "no table 'windows'"),
        (lambda p: execute(p, (ANNOTATE, (1, b"x", "0", 1))), "offsets b'x'"),
    ],
)
def test_a_database_that_is_none_is_an_error(
    spoil: Any, said: str, selection: Path, before: Path, tmp_path: Path
) -> None:
    spoil(before)
    with pytest.raises(InputError, match=said):
        exported(selection, "hoplite", tmp_path / "after", into=str(before))
    assert not (tmp_path / "after").exists()
