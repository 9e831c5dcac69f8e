"""The command line: what it prints, how it ends, and that errors are one line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from conftest import Data
from placeholder import PlaceholderScorer

from negmine import __version__
from negmine.cli import plugins
from negmine.cli.main import main
from negmine.mining.selection import open_selection
from negmine.models import scorer
from negmine.pool import open_pool
from negmine.report.read_report import read_report

SMALL = ["--clip-s", "1", "--sample-rate", "8000"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def build(data: Data, out: Path, *options: object) -> Result:
    return run(
        "build-pool", *data.options, "--external", data.external, *SMALL, "--out", out, *options
    )


def assert_fails(result: Result, code: int, message: str) -> None:
    """One line on standard error, nothing on standard output but summaries, and the exit code."""
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    # progress bars end in carriage returns; they are no lines of the message
    lines = result.stderr.replace("\r", "\n").rstrip("\n").split("\n")
    assert lines[-1].startswith("Error: ")
    assert message in lines[-1]
    assert sum(line.startswith("Error") for line in lines) == 1


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of classes 0 and 1: its name says which, its text names what is held out."""

    def read(path: Path, device: str) -> PlaceholderScorer:
        return PlaceholderScorer(tuple(path.stem), held_out=frozenset(path.read_text().split()))

    class Point:
        name, value = "tone", "package:read"

        def load(self) -> Callable[..., Any]:
            return read

    monkeypatch.setattr(scorer, "entry_points", lambda group: [Point()])
    path = tmp_path / "01.tone"
    path.write_text("rec00 rec03")
    return path


# ---- build-pool and inspect


def test_a_built_pool_is_summarised(shared_data: Data, tmp_path: Path) -> None:
    result = build(shared_data, tmp_path / "pool", "--mix", 5)
    assert result.exit_code == 0
    assert f"{tmp_path / 'pool'}: written\n" in result.stdout
    assert "46 recipes (9 external, 32 fp, 5 mix), 0.01 h" in result.stdout
    table = result.stdout[result.stdout.index("class ") :].splitlines()
    assert table[0].split() == ["class", "external", "fp", "mix", "hours", "confidence", "calls"]
    assert [row.split()[0] for row in table[2:]] == ["0", "1"]
    assert table[2].split()[1:3] == ["9", "16"]
    assert table[2].split()[-1] == "8"
    again = build(shared_data, tmp_path / "pool", "--mix", 5)
    assert (again.exit_code, "pool: unchanged\n" in again.stdout) == (0, True)
    inspected = run("inspect", tmp_path / "pool")
    assert inspected.exit_code == 0
    assert inspected.stdout == result.stdout[result.stdout.index("46 recipes") :]


def test_json_of_a_pool_can_be_read(shared_data: Data, tmp_path: Path) -> None:
    result = build(shared_data, tmp_path / "pool", "--json")
    found = json.loads(result.stdout)
    assert found == json.loads(run("inspect", tmp_path / "pool", "--json").stdout)
    assert found["rows"] == 41
    assert found["kinds"] == {"external": 9, "fp": 32}
    assert found["groups"] == 11
    assert found["hours"] == pytest.approx(41 / 3600)
    pool = open_pool(tmp_path / "pool")
    for name, counts in found["classes"].items():
        certified = [r for r in pool if name in r.labels.absent]
        assert counts["external"] + counts["fp"] == len(certified)
        assert counts["hours"] == pytest.approx(len(certified) / 3600)
        mean = sum(r.labels.absent[name].confidence for r in certified) / len(certified)
        assert counts["confidence"] == pytest.approx(mean)
        assert counts["calls"] == 8


def test_a_class_without_negatives_has_no_confidence_in_json(data: Data, tmp_path: Path) -> None:
    lines = data.fp.read_text().splitlines()
    data.fp.write_text("\n".join(lines[:2]))  # of class 1
    run("build-pool", *data.options, *SMALL, "--out", tmp_path / "pool")
    found = json.loads(run("inspect", tmp_path / "pool", "--json").stdout)
    assert found["classes"]["0"]["confidence"] is None
    assert found["classes"]["1"]["fp"] == 1


def test_quiet_is_silent(shared_data: Data, tmp_path: Path, model: Path) -> None:
    results = [
        build(shared_data, tmp_path / "pool", "--quiet"),
        run("inspect", tmp_path / "pool", "--quiet"),
        run("mine", "--model", model, "--pool", tmp_path / "pool", "--out", tmp_path / "h", "-q"),
    ]
    assert [(result.exit_code, result.output) for result in results] == [(0, "")] * 3


def test_skipped_files_are_warned_of_even_when_quiet(data: Data, tmp_path: Path) -> None:
    (data.external / "bad.wav").touch()
    result = build(data, tmp_path / "pool", "--quiet", "--skip-bad")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("warning: skipped ")
    assert "bad.wav: the file is empty" in result.stderr


def test_what_is_left_out_is_said(data: Data, tmp_path: Path) -> None:
    result = build(data, tmp_path / "pool", "--fp-beyond", 0)
    assert "left out 16: rejected detections whose verdict does not cover" in result.stdout


# ---- mine


def test_mining_writes_a_selection_a_control_and_a_report(
    shared_data: Data, tmp_path: Path, model: Path
) -> None:
    build(shared_data, tmp_path / "pool", "--mix", 20)
    out = tmp_path / "out" / "hard.parquet"
    options = ["--pool", tmp_path / "pool", "--out", out, "--per-class", 4, "--min-distance", 0]
    result = run("mine", "--model", model, *options, "--control")
    assert result.exit_code == 0
    assert f"{out}: 8 negatives" in result.stdout
    assert "61 rows, 61 scored now, " in result.stdout
    assert sorted(p.name for p in out.parent.iterdir()) == [
        "hard.control.parquet",
        "hard.parquet",
        "hard.report.json",
        "scores",
    ]
    hard, control = open_selection(out), open_selection(out.with_suffix(".control.parquet"))
    assert len(hard.rows) == len(control.rows) == 8
    pool = hard.open_pool()
    for row in (*hard.recipes(pool), *control.recipes(pool)):
        assert not row.groups & {"rec00", "rec03"}
    again = run("mine", "--model", model, *options, "--json")
    found = json.loads(again.stdout)
    assert found["scored"] == 0
    assert found["classes"]["0"]["chosen"] == 4
    written = read_report(out.parent / "hard.report.json")
    assert written == found
    assert open_selection(out) == hard


def test_scores_are_kept_where_asked(shared_pool: Path, tmp_path: Path, model: Path) -> None:
    result = run(
        "mine", "--model", model, "--pool", shared_pool, "--scores", tmp_path / "kept",
        "--out", tmp_path / "a" / "hard.parquet", "-b", 5,
    )  # fmt: skip
    assert result.exit_code == 0
    assert list((tmp_path / "kept").rglob("*.safetensors"))
    assert not (tmp_path / "a" / "scores").exists()


# ---- misuse: exit code 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d.tp.unlink(), "train_tp.csv: no such file"),
        (lambda d: d.tp.write_bytes(b""), "train_tp.csv: the file is empty"),
        (lambda d: d.tp.write_text("a,b\n1,2\n"), "no column 'recording_id'; expected recording"),
        (
            lambda d: d.tp.write_text(d.tp.read_text().replace("species_id", "specie_id")),
            "unknown column 'specie_id' (did you mean species_id?)",
        ),
        (
            lambda d: d.fp.write_text(d.fp.read_text() + "rec00,1,1,7.9,100,3.2,200\n"),
            "train_fp.csv row 18: t_max 3.2 <= t_min 7.9; are the columns swapped?",
        ),
        (
            lambda d: d.fp.write_text(
                d.fp.read_text() + "a,row,of,too,many,cells,for,the,header\n"
            ),
            "train_fp.csv row 18: 9 cells, and the header names 7 columns",
        ),
        (lambda d: (d.recordings / "rec01.flac").unlink(), "no sound file for recording 'rec01'"),
    ],
)
def test_bad_tables_are_misuse(
    data: Data, tmp_path: Path, spoil: Callable[[Data], object], message: str
) -> None:
    spoil(data)
    assert_fails(build(data, tmp_path / "pool"), 2, message)
    assert not (tmp_path / "pool").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--no-such-option"], "No such option"),
        (["--mix", "-3"], "Invalid value for '--mix'"),
        (["--mix-snr", "5", "-5"], "--mix-snr 5 -5: the range is empty"),
        (["--external", "gone"], "gone: no such folder"),
        (["--external", "pond=99"], "unknown class '99'; known are 0, 1"),
    ],
)
def test_wrong_options_are_misuse(
    shared_data: Data, tmp_path: Path, options: list[str], message: str
) -> None:
    assert_fails(build(shared_data, tmp_path / "pool", *options), 2, message)
    assert not (tmp_path / "pool").exists()


def test_another_pool_is_not_replaced_without_force(shared_data: Data, tmp_path: Path) -> None:
    build(shared_data, tmp_path / "pool")
    other = (shared_data, tmp_path / "pool", "--seed", 1, "--mix", 2)
    assert_fails(build(*other), 2, "another pool is there already")
    assert build(*other, "--force").exit_code == 0


def test_a_model_of_other_classes_is_misuse(shared_pool: Path, tmp_path: Path, model: Path) -> None:
    other = model.rename(tmp_path / "02.tone")
    result = run(
        "mine", "--model", other, "--pool", shared_pool, "--out", tmp_path / "hard.parquet"
    )
    assert_fails(result, 2, "does not fit the model: class '2' is unknown there")


@pytest.mark.parametrize(
    ("name", "message"),
    [("gone.tone", "gone.tone: no such model"), ("x.csv", "no reader for '.csv' models; in")],
)
def test_what_is_no_model_is_misuse(
    shared_pool: Path, tmp_path: Path, model: Path, name: str, message: str
) -> None:
    (tmp_path / "x.csv").touch()
    result = run(
        "mine",
        "--model",
        tmp_path / name,
        "--pool",
        shared_pool,
        "--out",
        tmp_path / "hard.parquet",
    )
    assert_fails(result, 2, message)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["01.tone", "x.csv"]


def test_what_is_no_pool_is_misuse(tmp_path: Path, model: Path) -> None:
    out = ["--out", tmp_path / "hard.parquet"]
    assert_fails(run("inspect", tmp_path / "gone"), 2, "gone: no such folder; make one with")
    assert_fails(run("mine", "--model", model, "--pool", tmp_path, *out), 2, "not a pool; make one")
    (tmp_path / "pool.json").write_text('{"format":\n\n 1')
    assert_fails(run("inspect", tmp_path), 2, "pool.json: not readable as JSON: ")


def test_a_damaged_table_of_a_pool_is_one_line(shared_data: Data, tmp_path: Path) -> None:
    build(shared_data, tmp_path / "pool")
    (path,) = (tmp_path / "pool" / "parts").glob("*/labels.parquet")
    path.write_bytes(path.read_bytes()[:-20] + b"\n" * 20)
    assert_fails(
        run("inspect", tmp_path / "pool"), 2, "labels.parquet: damaged: its bytes do not match"
    )


def test_an_unknown_command_is_misuse() -> None:
    assert_fails(run("mime"), 2, "No such command 'mime'")


# ---- failure: exit code 1


def test_a_truncated_recording_is_a_failure(data: Data, tmp_path: Path) -> None:
    path = data.recordings / "rec02.flac"
    path.write_bytes(path.read_bytes()[:5000])
    result = build(data, tmp_path / "pool")
    assert_fails(result, 1, "rec02.flac: not readable as audio, or truncated")
    assert "repair or remove it, or pass --skip-bad" in result.stderr
    assert not (tmp_path / "pool").exists()


def test_a_place_that_cannot_be_written_is_a_failure(
    shared_data: Data, shared_pool: Path, tmp_path: Path, model: Path
) -> None:
    (tmp_path / "file").touch()
    assert_fails(build(shared_data, tmp_path / "file" / "pool"), 1, "pool: cannot be written")
    result = run(
        "mine", "--model", model, "--pool", shared_pool, "--scores", tmp_path / "scores",
        "--out", tmp_path / "file" / "hard.parquet",
    )  # fmt: skip
    assert_fails(result, 1, "cannot be written")


def test_running_out_of_memory_is_a_failure(
    shared_data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("negmine.building.build_pool", raising(MemoryError()))
    assert_fails(build(shared_data, tmp_path / "pool"), 1, "out of memory; use shorter clips")


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


# ---- Ctrl-C


def test_ctrl_c_ends_with_the_shells_code(
    shared_data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("negmine.building.build.write_new", raising(KeyboardInterrupt()))
    result = build(shared_data, tmp_path / "pool")
    assert_fails(result, 130, "stopped; the same command resumes from here")
    assert list(tmp_path.iterdir()) == []


# ---- plug-ins


def plug_in(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    point = EntryPoint("extra", value, plugins.ENTRY_POINTS)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point])


@click.command()
@click.option("--times", type=int, default=1, help="How often.")
def hello(times: int) -> None:
    """Say hello."""
    for _ in range(times):
        click.echo("hello")


def test_a_plug_ins_command_is_listed_and_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name, value = "hello", "package:hello"

        def load(self) -> click.Command:
            return hello

    monkeypatch.setattr(plugins, "entry_points", lambda group: [Point()])
    assert re.search(r"^  hello +Say hello\.$", run("--help").stdout, re.MULTILINE)
    assert run("hello", "--times", 2).stdout == "hello\nhello\n"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_package:main", "plug-in 'no_such_package:main' cannot be loaded: No module"),
        (
            "negmine.cli.plugins:no_such",
            "plug-in 'negmine.cli.plugins:no_such' cannot be loaded: module",
        ),
        (
            "negmine.cli.plugins:ENTRY_POINTS",
            "plug-in 'negmine.cli.plugins:ENTRY_POINTS' is not a click command",
        ),
    ],
)
def test_a_broken_plug_in_is_named_and_harms_no_other_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, message: str
) -> None:
    plug_in(monkeypatch, value)
    for arguments in ([], ["--help"], ["--some", "option"]):
        assert_fails(run("extra", *arguments), 1, message)
    assert_fails(run("inspect", tmp_path), 2, "not a pool")
    listing = run("--help")
    assert listing.exit_code == 0
    assert "build-pool" in listing.stdout


def test_a_plug_in_does_not_take_a_commands_place(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", "no_such_package:main", plugins.ENTRY_POINTS)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point])
    assert "Score a pool with a model" in run("mine", "--help").stdout


# ---- the program itself


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "negmine", "inspect", str(tmp_path)], capture_output=True, text=True
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith(f"Error: {tmp_path}: no pool.json in it: not a pool")
    assert found.stderr.count("\n") == 1


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"negmine, version {__version__}\n"
