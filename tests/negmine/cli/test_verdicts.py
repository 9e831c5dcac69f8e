"""``--verdicts``: what a person heard joins the tables of every command that reads them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import Data
from onnx_models import make_model

from negmine.cli.main import main
from negmine.mining.selection import open_selection
from negmine.pool import open_pool


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def heard(data: Data, tmp_path: Path) -> tuple[Path, Path]:
    """A folder of recordings without annotations, and verdicts on windows of one second there."""
    field = tmp_path / "field"
    field.mkdir()
    for name in ("rec06", "rec07"):
        (data.recordings / f"{name}.flac").rename(field / f"{name}.flac")
    for table in (data.tp, data.fp):
        lines = table.read_text().splitlines(keepends=True)
        table.write_text("".join(line for line in lines if line[:5] not in ("rec06", "rec07")))
    verdicts = tmp_path / "heard.csv"
    verdicts.write_text(
        "recording,class,t_min,t_max,score,strategy,verdict,listener,model\n"
        "rec06,0,0.25,1.25,2.5,top,present,mia,abc\n"
        "rec06,1,0.25,1.25,1.5,top,absent,mia,abc\n"
        "rec07,1,0.25,1.25,1.0,top,unsure,mia,abc\n"
    )
    return field, verdicts


SMALL = ("--clip-s", "1", "--sample-rate", "8000")


def test_a_pool_takes_them_as_calls_and_rejections(
    data: Data, heard: tuple[Path, Path], tmp_path: Path
) -> None:
    field, verdicts = heard
    build = ("build-pool", *data.options, *SMALL, "--external", data.external, "--json")
    assert run(*build, "--out", tmp_path / "before").exit_code == 0
    result = run(
        *build, "--out", tmp_path / "pool", "--verdicts", verdicts, "--verdict-recordings", field
    )
    assert result.exit_code == 0, result.output
    assert (
        "warning: verdicts: 1 windows confirmed and 1 rejected, of 3 rows; 0 not heard yet, 1 "
        "unsure" in result.stderr
    )
    before, pool = (open_pool(tmp_path / name) for name in ("before", "pool"))
    assert len(pool.calls_of("0")) == len(before.calls_of("0")) + 1
    (new,) = [r for r in pool.recipes if r.layers[0].source and r.layers[0].source.root == field]
    assert (new.kind, new.layers[0].start_s) == ("fp", 0.25)
    assert new.labels.absent["1"].confidence == 1.0
    assert new.labels.present == {"0"}
    assert len(new.render()) == 8000


def test_mining_never_chooses_what_was_heard(data: Data, model: Path, tmp_path: Path) -> None:
    pool, out = tmp_path / "pool", tmp_path / "hard.parquet"
    build = ("build-pool", *data.options, *SMALL, "--external", data.external)
    assert run(*build, "--out", pool).exit_code == 0
    every = ("--max-doubt", 1, "--min-distance", 0)
    mine = ("mine", "--model", model, "--pool", pool, "--out", out, "--device", "cpu", *every)
    assert run(*mine).exit_code == 0
    chosen = {(row.recipe, row.label) for row in open_selection(out).rows}
    cut_from = {
        recipe.id: {source.recording for source in recipe.sources if source.root == data.recordings}
        for recipe in open_pool(pool).recipes
    }
    recording, label = next(
        (min(cut_from[recipe]), label) for recipe, label in sorted(chosen) if cut_from[recipe]
    )
    wrong = {one for one in chosen if one[1] == label and recording in cut_from[one[0]]}
    verdicts = tmp_path / "heard.csv"
    row = f"{recording},{label},0,4,present"
    verdicts.write_text(f"recording,class,t_min,t_max,verdict\n{row}\n")
    result = run(*mine, "--verdicts", verdicts)
    assert result.exit_code == 0, result.output
    assert "absences of the pool share sound with a window in which the class was" in result.stderr
    left = {(row.recipe, row.label) for row in open_selection(out).rows}
    assert left.isdisjoint(wrong)
    assert left >= chosen - wrong


def test_their_folder_without_them_is_told_to_have_no_effect(data: Data, tmp_path: Path) -> None:
    result = run(
        "build-pool", *data.options, "--out", tmp_path / "p", "--verdict-recordings", tmp_path
    )
    assert result.exit_code == 0
    assert "--verdict-recordings has no effect without --verdicts" in result.stderr


def test_recordings_that_are_nowhere_are_named(
    data: Data, heard: tuple[Path, Path], tmp_path: Path
) -> None:
    _, verdicts = heard
    result = run("build-pool", *data.options, "--out", tmp_path / "p", "--verdicts", verdicts)
    assert result.exit_code == 2
    assert f"{verdicts} row 2: no sound file for recording 'rec06'" in result.stderr
    assert not (tmp_path / "p").exists()


def test_training_takes_them(
    data: Data, heard: tuple[Path, Path], tmp_path: Path, one_thread: None
) -> None:
    field, verdicts = heard
    small = ("--clip-s", 1, "--sample-rate", 8000, "--n-mels", 16, "--window-s", 0.5)
    steps = ("--steps-per-epoch", 1, "--epochs", 1, "--tp-per-step", 2, "--fp-per-step", 1)
    train = ("train", *data.options, *small, *steps, "--folds", 1, "--device", "cpu")
    heard_too = ("--verdicts", verdicts, "--verdict-recordings", field)
    result = run(*train, "--out", tmp_path / "run", *heard_too)
    assert result.exit_code == 0, result.output
    assert "warning: verdicts: 1 windows confirmed and 1 rejected" in result.stderr
    # the tables are others without them
    again = run(*train, "--out", tmp_path / "run")
    assert again.exit_code == 2
    assert run(*train, "--out", tmp_path / "run", *heard_too).exit_code == 0


# ---- the whole way round: ask, hear, train


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An ONNX model of four levels of a clip, and classes 0 and 1."""
    make_model(tmp_path / "m.onnx")
    (tmp_path / "m.toml").write_text(
        'classes = ["0", "1"]\nsample_rate = 8000\nclip_s = 1.0\nembeddings = "levels"\n'
        'logits = "scores"\n'
    )
    return tmp_path / "m.onnx"


def asking(data: Data, model: Path, field: Path, out: Path, *options: object) -> Result:
    small = ("--model", model, "--unlabelled", field, "--device", "cpu")
    return run("ask", *data.options, *small, "--out", out, *options)


def fill(table: Path, word: str) -> list[list[str]]:
    """Write the same verdict in every row; return the rows."""
    header, *rows = csv.reader(table.read_text().splitlines())
    place = header.index("verdict")
    for row in rows:
        row[place] = word
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return rows


def test_what_is_asked_is_heard_and_not_asked_again(
    data: Data, heard: tuple[Path, Path], model: Path, tmp_path: Path
) -> None:
    field, _ = heard
    out = tmp_path / "one.csv"
    result = asking(data, model, field, out, "--per-class", 2, "--strategy", "threshold")
    assert result.exit_code == 0, result.output
    assert f"{out}: 4 windows to hear" in result.stdout
    assert "warning: the thresholds of 2 of 2 classes (0, 1) are of calls that a model trained" in (
        result.stderr
    )
    lines = out.read_text().splitlines()
    assert lines[0] == "recording,class,t_min,t_max,score,strategy,verdict,listener,model"
    assert len(lines) == 5
    assert all(line.split(",")[5:8] == ["threshold", "", ""] for line in lines[1:])
    report = json.loads((tmp_path / "one.report.json").read_text())
    assert report["settings"]["per_class"] == 2
    assert lines[1].endswith(f",{report['model']}")
    before = out.read_bytes()
    again = asking(data, model, field, out, "--per-class", 2, "--strategy", "threshold")
    assert again.exit_code == 0
    assert out.read_bytes() == before

    first = fill(out, "absent")
    refused = asking(data, model, field, out)
    assert refused.exit_code == 2
    assert f"{out}: 4 of its 4 rows have a verdict; pass it as --verdicts" in refused.stderr
    two = tmp_path / "two.csv"
    heard_too = ("--verdicts", out, "--verdict-recordings", field)
    result = asking(data, model, field, two, "--per-class", 20, "--strategy", "random", *heard_too)
    assert result.exit_code == 0, result.output
    assert "warning: 2 of 2 classes get fewer than 20 windows (0, 1)" in result.stderr
    for name, label, start, end, *_ in csv.reader(two.read_text().splitlines()[1:]):
        for other in (row for row in first if row[:2] == [name, label]):
            assert float(end) <= float(other[2]) or float(start) >= float(other[3])

    pool = tmp_path / "pool"
    small = ("--clip-s", "1", "--sample-rate", "8000", "--external", data.external)
    built = run("build-pool", *data.options, *small, "--out", pool, *heard_too)
    assert built.exit_code == 0, built.output
    found = {
        (recipe.layers[0].source.recording, name, str(recipe.layers[0].start_s))
        for recipe in open_pool(pool).recipes
        if recipe.layers[0].source and recipe.layers[0].source.root == field
        for name in recipe.labels.absent
    }
    assert {(row[0], row[1], row[2]) for row in first} <= found


def test_a_table_of_something_else_is_never_written_over(
    data: Data, heard: tuple[Path, Path], model: Path
) -> None:
    field, _ = heard
    before = data.tp.read_bytes()
    result = asking(data, model, field, data.tp)
    assert result.exit_code == 2
    assert f"{data.tp}: exists and is no table of 'negmine ask'" in result.stderr
    assert data.tp.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--per-site", 3, "--sites", "a.csv", "--site-regex", "."), "both name sites"),
        (("--per-site", 3, "--site-regex", "xyz"), "finds no site in recording 'rec06'"),
        (("--strategy", "disagreement"), "name two or more different models by --model"),
        (("--verdicts", "{out}"), "no verdict is filled in yet"),
    ],
)
def test_what_would_ask_nothing_is_one_clear_error(
    data: Data,
    heard: tuple[Path, Path],
    model: Path,
    tmp_path: Path,
    options: tuple[object, ...],
    message: str,
) -> None:
    field, _ = heard
    out = tmp_path / "out.csv"
    assert asking(data, model, field, out).exit_code == 0
    given = [str(one).replace("{out}", str(out)) for one in options]
    result = asking(data, model, field, tmp_path / "other.csv", *given)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "other.csv").exists()
