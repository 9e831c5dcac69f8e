"""Mining by the embeddings of a perch-hoplite database."""

from __future__ import annotations

import json
import sqlite3
import struct
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from negmine.cli.main import main
from negmine.embedded.embedded_windows import EmbeddedWindows, KnownWindows, open_windows
from negmine.embedded.held_out_heads import score_class
from negmine.embedded.mine_embedded import mine_windows
from negmine.embedded.settings import EmbeddedSettings
from negmine.errors import InputError
from negmine.formats.recognise import read_tables

WIDTH, RECORDINGS, EACH = 16, 10, 20
Label = tuple[int, float, float, str, int]
TABLES = """
CREATE TABLE deployments (id INTEGER PRIMARY KEY, name TEXT, project TEXT);
CREATE TABLE recordings (id INTEGER PRIMARY KEY, filename TEXT, deployment_id INTEGER);
CREATE TABLE windows (id INTEGER PRIMARY KEY, recording_id INTEGER, offsets FLOAT_LIST);
CREATE TABLE annotations (id INTEGER PRIMARY KEY, recording_id INTEGER, offsets FLOAT_LIST,
    label TEXT, label_type INTEGER, provenance TEXT);
INSERT INTO deployments VALUES (1, 'north', 'hills');
"""


def windows_of(labels: Sequence[Label] = (), seed: int = 0) -> EmbeddedWindows:
    """Twenty windows of 5 s in each of ten recordings; what calls is along the first axis.

    Of each recording, window 0 calls, 1 sounds like it, 2 and 3 do not. The last two unlabelled
    ones of recording 1 sound like it, too.
    """
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(RECORDINGS * EACH, WIDTH))
    embeddings[::EACH, 0] += 8
    embeddings[1::EACH, 0] += 6
    embeddings[EACH - 2 : EACH, 0] += 9
    starts = np.tile(np.arange(EACH) * 5.0, RECORDINGS)
    return EmbeddedWindows(
        np.repeat(np.arange(1, RECORDINGS + 1), EACH),
        np.column_stack([starts, starts + 5]),
        embeddings.astype(np.float16),
        {n: f"r{n}.wav" for n in range(1, RECORDINGS + 1)},
        dict.fromkeys(range(1, RECORDINGS + 1), "hills/north"),
        tuple(labels)
        or tuple(
            (n, start, start + 5, "owl", kind)
            for n in range(1, RECORDINGS + 1)
            for start, kind in ((0.0, 1), (5.0, 0), (10.0, 0), (15.0, 0))
        ),
    )


def test_what_labels_say_of_windows() -> None:
    windows = windows_of(
        [
            (1, 0.0, 5.0, "owl", 1),
            (1, 7.0, 8.0, "owl", 1),  # half of the label is in the second window
            (1, 14.0, 15.5, "owl", 1),  # two thirds in the third, a third in the fourth
            (1, 20.0, 25.0, "owl", 0),
            (1, 25.0, 29.0, "owl", 0),  # does not cover its window
            (1, 30.0, 35.0, "owl", 2),
            (1, 35.0, 40.0, "owl", 0),
            (1, 35.0, 40.0, "owl", 1),  # contradicts
            (2, 0.0, 5.0, "wren", 1),
        ]
    )
    known = windows.known("owl")
    assert np.flatnonzero(known.present).tolist() == [0, 1, 2]
    assert np.flatnonzero(known.absent).tolist() == [4]
    assert np.flatnonzero(~known.unlabelled).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert windows.classes == ("owl", "wren")


def test_hard_ones_are_those_that_sound_like_the_call() -> None:
    windows = windows_of()
    (mined,), notes = mine_windows(windows, settings=EmbeddedSettings(per_class=RECORDINGS))
    assert notes == []
    # those that sound like the call are a third of the rejected
    assert sum(row % EACH == 1 for row in mined.hard.tolist()) >= RECORDINGS - 1
    assert set(mined.to_hear[:2].tolist()) == {EACH - 2, EACH - 1}
    assert (mined.calls, mined.rejected) == (RECORDINGS, 3 * RECORDINGS)
    assert 0.7 < mined.separation <= 1
    assert (np.diff(mined.logits[mined.hard]) <= 0).all()


def test_a_windows_score_does_not_depend_on_the_labels_of_its_recording() -> None:
    windows, settings = windows_of(), EmbeddedSettings(folds=3)
    known = windows.known("owl")
    mine = windows.recording == 4
    # its call stays one, so that parts are dealt alike; all else of it is turned round
    call = np.flatnonzero(known.present & mine)[0]
    turned = KnownWindows(known.present | mine, known.absent & ~mine, known.unlabelled & ~mine)
    turned.present[call] = True

    def scored(what: KnownWindows) -> np.ndarray:
        return score_class(windows, what, settings, np.random.default_rng(1)).logits

    before, after = scored(known), scored(turned)
    part = np.flatnonzero(before[mine] == after[mine])
    assert len(part) == mine.sum()
    assert (before[~mine] != after[~mine]).any()


def test_near_duplicates_are_left_out() -> None:
    windows = windows_of()
    embeddings = windows.embeddings.copy()
    embeddings[1::EACH] = embeddings[1]
    (mined,), _ = mine_windows(
        replace(windows, embeddings=embeddings), settings=EmbeddedSettings(per_class=RECORDINGS)
    )
    assert sum(row % EACH == 1 for row in mined.hard.tolist()) == 1


def test_classes_without_calls_in_two_recordings_are_left_out() -> None:
    windows = windows_of([*windows_of().labels, (1, 50.0, 55.0, "wren", 1)])
    mined, notes = mine_windows(windows)
    assert [one.label for one in mined] == ["owl"]
    assert "left out 1 classes without calls in two recordings" in notes[0]
    with pytest.raises(InputError, match="unknown class 'owk' \\(did you mean owl\\?\\)"):
        mine_windows(windows, ["owk"])
    with pytest.raises(InputError, match="left out 1 classes"):
        mine_windows(windows, ["wren"])


def test_a_class_is_mined_alike_whatever_others_are() -> None:
    alone = windows_of()
    both = windows_of([*alone.labels, *((n, s, e, "ant", k) for n, s, e, _, k in alone.labels)])
    (one,), _ = mine_windows(alone)
    mined, _ = mine_windows(both)
    assert [m.label for m in mined] == ["ant", "owl"]
    np.testing.assert_array_equal(mined[1].logits, one.logits)


# ---- databases


def database(folder: Path, keys: Sequence[int] | None = None) -> Path:
    """Write the windows as perch-hoplite 1.0.2 does."""
    index = pytest.importorskip("usearch.index")
    folder.mkdir()
    windows = windows_of()
    with closing(sqlite3.connect(folder / "hoplite.sqlite")) as base:
        base.executescript(TABLES)
        rows = [(n, windows.names[n], 1) for n in windows.names]
        base.executemany("INSERT INTO recordings VALUES (?, ?, ?)", rows)
        pairs = zip(windows.recording.tolist(), windows.span_s.tolist(), strict=True)
        spans = [(n, struct.pack("<2d", *span)) for n, span in pairs]
        base.executemany("INSERT INTO windows (recording_id, offsets) VALUES (?, ?)", spans)
        said = [(n, struct.pack("<2d", s, e), name, k) for n, s, e, name, k in windows.labels]
        base.executemany(
            "INSERT INTO annotations (recording_id, offsets, label, label_type, provenance) "
            "VALUES (?, ?, ?, ?, 'Ann')",
            said,
        )
        base.commit()
    made = index.Index(ndim=WIDTH, metric="ip", dtype="f16")
    every = np.arange(1, len(windows) + 1) if keys is None else np.array(keys)
    made.add(every.astype(np.uint64), windows.embeddings[every - 1])
    made.save(folder / "usearch.index")
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["mine-embedded", *map(str, arguments)])


def test_a_database_is_mined_and_its_table_read(tmp_path: Path) -> None:
    folder, out = database(tmp_path / "db"), tmp_path / "hard.csv"
    np.testing.assert_array_equal(open_windows(folder).embeddings, windows_of().embeddings)
    result = run(folder, "--out", out, "--per-class", 10, "--json")
    assert result.exit_code == 0, result.output
    about = json.loads(result.stdout)
    assert about["classes"][0]["class"] == "owl"
    assert (about["classes"][0]["hard"], about["rows"]) == (10, 20)
    (table,) = read_tables([out])
    assert table.format == "negmine"
    assert table.verdicts == {"absent": 10, "unknown": 10}
    first = table.entries[0]
    assert first.span is not None
    assert (first.span.start_s, first.span.end_s, first.group) == (5, 10, "hills/north")
    before = out.read_bytes()
    assert run(folder, "--out", out, "--per-class", 10, "--quiet").exit_code == 0
    assert out.read_bytes() == before


def test_verdicts_are_never_written_over(tmp_path: Path) -> None:
    folder, out = database(tmp_path / "db"), tmp_path / "hard.csv"
    assert run(folder, "--out", out, "--per-class", 2).exit_code == 0
    heard = out.read_text(encoding="utf-8").replace("owl,,", "owl,present,", 1)
    out.write_text(heard, encoding="utf-8")
    (table,) = read_tables([out])
    assert table.verdicts == {"absent": 2, "unknown": 1, "present": 1}
    result = run(folder, "--out", out)
    assert result.exit_code == 2
    assert "1 of its rows have a verdict that is not the database's" in result.stderr
    assert out.read_text(encoding="utf-8") == heard
    out.write_text("a,b\n1,2\n", encoding="utf-8")
    assert "is no table of 'negmine mine-embedded'" in run(folder, "--out", out).stderr


def test_windows_that_the_index_lacks_are_counted(tmp_path: Path) -> None:
    windows = open_windows(database(tmp_path / "db", range(1, 151)))
    assert len(windows) == len(windows.embeddings) == 150
    assert "left out 50 of 200 windows" in windows.notes[0]


def test_what_is_wrong_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = database(tmp_path / "db"), tmp_path / "hard.csv"
    index = folder / "usearch.index"
    content = index.read_bytes()

    def failure() -> str:
        result = run(folder, "--out", out)
        assert result.exit_code == 2
        assert not out.exists()
        assert len(result.stderr.strip().splitlines()) == 1
        return result.stderr

    for damaged in (b"", b"no index", content[:400]):
        index.write_bytes(damaged)
        assert "usearch.index" in failure()
    index.write_bytes(content)
    with closing(sqlite3.connect(folder / "hoplite.sqlite")) as base:
        base.execute("UPDATE windows SET recording_id = 77 WHERE id = 3")
        base.commit()
    assert "window 3: no recording 77" in failure()
    index.unlink()
    with closing(sqlite3.connect(folder / "hoplite.sqlite")) as base:
        base.execute("UPDATE windows SET recording_id = 1 WHERE id = 3")
        base.commit()
    assert "usearch.index: no such file" in failure()
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    assert "this needs usearch" in failure()


@pytest.mark.parametrize("name", ["notes.csv", "empty"])
def test_what_is_no_database_is_refused_and_none_is_made(tmp_path: Path, name: str) -> None:
    given = tmp_path / name
    given.write_text("a,b\n") if name == "notes.csv" else given.mkdir()
    result = run(given, "--out", tmp_path / "hard.csv")
    assert result.exit_code == 2
    assert "hoplite.sqlite" in result.stderr
    assert [path.name for path in tmp_path.rglob("*")] == [name]
