"""``negmine import``: what is understood of tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import Data

from negmine.cli.main import main
from negmine.formats import NAMES
from negmine.formats.recognise import read_tables
from negmine.pool import open_pool

TABLE = """file,species,start,end,correct,site,reviewer,extra
rec00.flac,owl,0.5,1,yes,hill,Ann,1
rec01.flac,owl,0.5,1,no,lake,Ann,1
rec02.flac,owl,0.5,1,?,lake,Ann,1
gone.flac,owl,0.5,1,yes,lake,Ann,1
rec03.flac,owl,,,no,,Ben,1
rec00.flac,owl,0.5,1,no,hill,Ben,1
rec04.flac,wren,0,1.5,no,,Ben,1
rec05.flac,owl,2,3.25,yes,,Ben,1
,owl,2,3,yes,,Ben,1
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["import", *map(str, arguments)])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path / "t.csv"


def test_everything_that_was_understood_is_shown(shared_data: Data, table: Path) -> None:
    result = run(table, "--recordings", shared_data.recordings)
    assert result.exit_code == 0, result.output
    shown = result.stdout
    assert f"{table}: plain: 3 present, 4 absent, 1 unknown\n" in shown
    assert "columns that are not used: extra" in shown
    assert "left out 1 rows: no recording; the first: " in shown
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line}
    assert rows["owl"] == ["3", "3", "1", "6"]
    assert rows["wren"] == ["0", "1", "0", "1"]
    assert "1 rows are of whole recordings; the others of 0.5 to 1.5 s" in shown
    assert "6 of 7 recordings are there" in shown
    assert f"not there: {table} row 5: 'gone.flac'" in shown
    assert f"contradict each other: {table} row 2 and {table} row 7" in shown
    assert "the tables name 2 groups of 4 recordings" in shown
    assert "would stop with: 1 class has rejections and no confirmed call: 'wren'" in result.stderr


def test_json_holds_the_same(shared_data: Data, table: Path) -> None:
    result = run(table, "--recordings", shared_data.recordings, "--skip-uncalled-classes", "--json")
    found = json.loads(result.stdout)
    assert found["tables"][0]["format"] == "plain"
    assert found["tables"][0]["left_out"] == {"no recording": 1}
    assert found["classes"]["owl"] == {"present": 3, "absent": 3, "unknown": 1, "recordings": 6}
    assert list(found["recordings_not_found"]) == ["gone.flac"]
    assert found["contradictions"] == [[f"{table} row 2", f"{table} row 7"]]
    assert "no sound file for recording 'gone.flac'" in found["stops"]
    again = run(table, "--recordings", shared_data.recordings, "--skip-uncalled-classes",
                "--present-only", "--json")  # fmt: skip
    assert json.loads(again.stdout)["stops"] is None


def test_rows_that_are_not_in_their_recording_are_shown(shared_data: Data, table: Path) -> None:
    table.write_text(
        "file,class,start,end,low_freq,high_freq\nrec00,owl,55,56,,\nrec01,owl,1,2,5000,9000\n"
        "rec02,owl,3,6,,\n"
    )
    result = run(table, "--recordings", shared_data.recordings)
    assert f"not in its recording: {table} row 2: recording 'rec00' ends at 4.00 s" in result.stdout
    assert "recording 'rec01' holds nothing above 4000 Hz" in result.stdout
    assert "row 4" not in result.stdout
    assert "would stop" in result.stderr


def test_the_one_table_is_read_back_and_makes_the_same_pool(data: Data, tmp_path: Path) -> None:
    out = tmp_path / "annotations.csv"
    made = run("--tp", data.tp, "--fp", data.fp, "--recordings", data.recordings, "--out", out)
    assert made.exit_code == 0, made.output
    (back,) = read_tables([out])
    assert (back.format, len(back.entries), back.notes.text()) == ("negmine", 32, ())
    digests = []
    for name, tables in (("a", ["--tp", data.tp, "--fp", data.fp]), ("b", ["--annotations", out])):
        arguments = [
            "build-pool",
            data.recordings,
            *tables,
            "--clip-s",
            1,
            "--out",
            tmp_path / name,
        ]
        built = CliRunner().invoke(main, [str(one) for one in arguments])
        assert built.exit_code == 0, built.output
        digests.append(open_pool(tmp_path / name).digest)
    assert digests[0] == digests[1]


def test_the_one_table_holds_whole_recordings_groups_judges_and_doubt(table: Path) -> None:
    out = table.with_name("out.csv")
    assert run(table, "--out", out).exit_code == 0
    (back,) = read_tables([out])
    assert [e.verdict for e in back.entries] == [
        "unknown", "absent", "unknown", "present", "absent", "unknown", "absent", "present",
    ]  # fmt: skip
    assert back.entries[4].span is None
    assert (back.entries[0].group, back.entries[0].judge) == ("hill", "Ann")
    assert out.read_text().splitlines()[1].endswith(f",{table} row 2")
    # written again, it is the same but for where a row is from
    again = table.with_name("again.csv")
    run(out, "--out", again)
    cut = [
        [line.rpartition(",")[0] for line in one.read_text().splitlines()] for one in (out, again)
    ]
    assert cut[0] == cut[1]


def test_where_calls_of_whole_files_are_is_shown(shared_data: Data, tmp_path: Path) -> None:
    result = run("--positives", f"{shared_data.recordings}=tone")
    assert result.exit_code == 0, result.output
    assert f"{shared_data.recordings}: folder: 8 present, 0 absent, 0 unknown" in result.stdout
    assert "taken to be the call: rec00: 'tone' from 0.4 to 3.1 s of 4.00 s" in result.stdout
    assert "would stop" not in result.stderr
    table = tmp_path / "t.csv"
    table.write_text("file,class\nrec00,owl\nrec01,owl\n")
    shown = run(table, "--recordings", shared_data.recordings, "--json").stdout
    assert json.loads(shown)["calls_of_whole_recordings"] == [
        {"recording": name, "class": "owl", "t_min": 0.4, "t_max": 3.1, "duration_s": 4.0}
        for name in ("rec00", "rec01")
    ]


def test_the_help_lists_every_format() -> None:
    shown = run("--help").stdout
    for name in NAMES:
        assert f"  {name}" in shown


def test_no_table_is_an_error() -> None:
    result = run()
    assert result.exit_code == 2
    assert "no table: name some" in result.stderr


def test_a_folder_of_tables_is_each_of_them(shared_data: Data, tmp_path: Path) -> None:
    head = "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\tVerdict\n"
    (tmp_path / "raven").mkdir()
    for number in range(6):
        text = f"{head}1\t0.5\t1\towl\t{'fp' if number % 2 else 'tp'}\n"
        (tmp_path / "raven" / f"rec0{number}.Table.1.selections.txt").write_text(text)
    found = run(tmp_path / "raven", "--recordings", shared_data.recordings)
    assert found.exit_code == 0, found.output
    first = tmp_path / "raven" / "rec00.Table.1.selections.txt"
    assert f"{first} and 5 more tables: raven: 3 present, 3 absent, 0 unknown\n" in found.stdout
    assert found.stdout.count("table is named after") == 1
    assert "(and the same of 5 more tables)" in found.stdout
    assert "6 of 6 recordings are there" in found.stdout
    named = run(*sorted((tmp_path / "raven").iterdir()), "--recordings", shared_data.recordings)
    assert named.stdout == found.stdout
    built = CliRunner().invoke(
        main,
        [
            *("build-pool", str(shared_data.recordings), "--annotations", str(tmp_path / "raven")),
            *("--out", str(tmp_path / "pool"), "--quiet"),
        ],
    )
    assert built.exit_code == 0, built.output
    assert built.stderr.count("table is named after") == 1
    (tmp_path / "raven" / "rec00.wav").write_bytes(b"")
    mixed = run(tmp_path / "raven")
    assert mixed.exit_code == 2
    assert "a folder of 6 tables and 1 files that are none: name the tables" in mixed.stderr
