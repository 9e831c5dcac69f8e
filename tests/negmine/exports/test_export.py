"""The folder as a whole, and the command."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Data
from exporting import essence, exported

from negmine.annotations import read_rfcx
from negmine.cli.main import main
from negmine.errors import AudioError, InputError, OutputError
from negmine.exports import NAMES, writer_of
from negmine.exports.export import Rows, export
from negmine.exports.sources import rows_of_pool
from negmine.mining.selection import open_selection

ROOT = Path(__file__).parents[3]


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("to", NAMES)
def test_the_same_is_written_twice(to: str, selection: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        exported(selection, to, tmp_path / name / "out")
    a, b = content(tmp_path / "a"), content(tmp_path / "b")
    assert a.pop("out/export.json") != b.pop("out/export.json")  # they say where they are
    assert a == b


def test_every_format_is_registered_and_documented() -> None:
    modules = {path.stem for path in (ROOT / "negmine" / "exports").glob("to_*.py")}
    assert modules == {f"to_{name}" for name in NAMES}
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert callable(writer_of(name).write)
        assert f"`{name}`" in page


def test_a_folder_that_is_there_is_kept_unless_it_is_an_export_to_replace(
    selection: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    exported(selection, "rfcx", out)  # an empty one is free
    before = content(out)
    with pytest.raises(OutputError, match=r"an export is there already.*--force"):
        exported(selection, "raven", out)
    assert content(out) == before
    export(rows_of_pool(selection.parent / "pool"), "raven", out, replace=True)
    assert (out / "selections.txt").exists()
    assert not (out / "train_fp.csv").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("words")
    with pytest.raises(OutputError, match=r"a folder of something else \(thesis.tex\)"):
        export(rows_of_pool(selection.parent / "pool"), "raven", tmp_path / "mine", replace=True)
    assert content(tmp_path / "mine") == {"thesis.tex": b"words"}


@pytest.mark.parametrize("to", ["audiofolder", "webdataset", "birdnet"])
def test_a_recording_that_changed_leaves_nothing_behind(
    to: str, selection: Path, shared_data: Data, tmp_path: Path
) -> None:
    root = tmp_path / "all"
    shutil.copytree(selection.parent, root / "mined")
    data = shutil.copytree(shared_data.root, root / "data")
    pool = root / "mined" / "pool"
    old, new = (p / "train" for p in (shared_data.root, data))
    moved = ["--root", f"{old}={new}"]
    assert CliRunner().invoke(main, ["pool", "relocate", str(pool), *moved]).exit_code == 0
    (data / "train" / "rec03.flac").write_bytes((data / "train" / "rec04.flac").read_bytes())
    with pytest.raises(AudioError, match=r"rec03.*changed"):
        export(rows_of_pool(pool), to, root / "out")
    assert sorted(path.name for path in root.iterdir()) == ["data", "mined"]


def test_nothing_to_write_is_an_error(selection: Path, tmp_path: Path) -> None:
    pool = rows_of_pool(selection.parent / "pool")
    mixes = [row for row in pool.rows if row.recipe.kind == "mix"]
    with pytest.raises(InputError, match=r"nothing of it can be written as raven: 12 rows"):
        export(Rows(mixes, pool.classes, "pool", 8000), "raven", tmp_path / "out")
    with pytest.raises(InputError, match="no row to export"):
        export(Rows([], pool.classes, "pool", 8000), "raven", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["export", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_says_what_it_wrote_and_what_it_left_out(
    selection: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, shown, said = run(selection, "--to", "raven", "--out", out, "--class", "0", "--json")
    assert code == 0, said
    report = json.loads(shown)
    about = json.loads((out / "export.json").read_text())
    assert {name: about[name] for name in report} == report
    assert report["written"] + sum(report["left_out"].values()) == report["rows"]
    assert "warning: left out" in said
    assert set(report) == {"out", "format", "rows", "written", "unit", "left_out", "notes"}
    code, shown, said = run(selection, "--to", "raven", "--out", out)
    assert (code, shown) == (1, "")
    assert "--force" in said


def test_the_command_takes_annotations_of_any_format(shared_data: Data, tmp_path: Path) -> None:
    tables = ["--tp", shared_data.tp, "--fp", shared_data.fp, "-q"]
    out = tmp_path / "raven"
    assert run(shared_data.recordings, *tables, "--to", "raven", "--out", out)[::2] == (0, "")
    table = ["--annotations", out / "selections.txt"]
    code, _, said = run(shared_data.recordings, *table, "--to", "rfcx", "--out", tmp_path / "rfcx")
    assert code == 0
    assert "columns that are not used" in said
    before = read_rfcx(shared_data.tp, shared_data.fp)
    after = read_rfcx(*(tmp_path / "rfcx" / name for name in ("train_tp.csv", "train_fp.csv")))
    assert sorted(map(essence, after.boxes)) == sorted(map(essence, before.boxes))


def test_rejections_alone_are_written_too(shared_data: Data, tmp_path: Path) -> None:
    table = tmp_path / "judged.csv"
    rows = ["rec00,owl,1,2,absent", "rec01,owl,0,1,absent", "rec01,frog,0,1,unknown"]
    table.write_text("recording,class,t_min,t_max,verdict\n" + "\n".join(rows) + "\n")
    options = ["--annotations", table, "--to", "hoplite", "--out", tmp_path / "out"]
    code, _, said = run(shared_data.recordings, *options)
    assert code == 0, said
    with closing(sqlite3.connect(tmp_path / "out" / "hoplite.sqlite")) as database:
        query = "SELECT filename, label, label_type FROM annotations a JOIN recordings r "
        found = database.execute(query + "ON a.recording_id = r.id").fetchall()
    assert found == [("rec00.flac", "owl", 0), ("rec01.flac", "owl", 0)]
    assert "1 of 3 rows are not judged" in said
    code, _, said = run(shared_data.recordings, *options, "--force", "--skip-uncalled-classes")
    assert code == 2
    table.write_text("recording,class,t_min,t_max,verdict\nrec00,owl,1,2,unknown\n")
    code, _, said = run(shared_data.recordings, *options, "--force")
    assert code == 2
    assert "of 1 rows 0 are present, 0 absent and 1 not judged" in said


def test_a_source_that_is_none_says_how_tables_are_named(shared_data: Data, tmp_path: Path) -> None:
    for source in (shared_data.tp, shared_data.recordings):
        code, _, said = run(source, "--to", "raven", "--out", tmp_path / "out")
        assert code == 2
        assert "--annotations" in said
    assert run(tmp_path / "none", "--to", "raven", "--out", tmp_path / "out")[0] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--class", "7"], "no class '7'"),
        (["--kind", "mixes"], "no rows of kind 'mixes' (did you mean mix?)"),
        (["--ids", "00"], "no row of recipe '00'"),
        (["--class", "0", "--kind", "tp"], "no rows of kind 'tp'"),
    ],
)
def test_a_choice_of_nothing_is_an_error(
    options: list[str], said: str, selection: Path, tmp_path: Path
) -> None:
    code, _, error = run(selection, "--to", "raven", "--out", tmp_path / "out", *options)
    assert code == 2
    assert said in error
    assert not (tmp_path / "out").exists()


def test_an_option_for_another_source_is_warned_of(
    selection: Path, shared_data: Data, tmp_path: Path
) -> None:
    pool = selection.parent / "pool"
    options = ["--pool", pool, "--cells", "own", "--fp", shared_data.fp, "--render", "all"]
    code, _, said = run(pool, "--to", "audiofolder", "--out", tmp_path / "out", *options)
    assert code == 0
    for flag in ("--pool", "--cells", "--fp", "--render"):
        assert f"warning: {flag} has no effect" in said


def test_a_sample_of_a_seed_is_the_same(selection: Path, tmp_path: Path) -> None:
    sets = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        options = ["--sample", 5, "--seed", seed, "-q", "--out", tmp_path / name]
        assert run(selection, "--to", "audiofolder", *options)[0] == 0
        sets.append(frozenset(path.name for path in (tmp_path / name / "clips").iterdir()))
    assert sets[0] == sets[1] != sets[2]
    assert all(0 < len(one) <= 5 for one in sets)


def test_what_is_held_out_is_left_out_also_as_part_of_a_mix(
    selection: Path, tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("rec01\nrec02\n")
    options = ["--holdout", names, "--holdout", "rec05", "--json", "--out", tmp_path / "out"]
    code, shown, said = run(selection, "--to", "audiofolder", *options)
    assert code == 0
    chosen = open_selection(selection)
    recipes = {row.recipe: recipe for row, recipe in zip(
        chosen.rows, chosen.recipes(chosen.open_pool()), strict=True
    )}  # fmt: skip
    held = {"rec01", "rec02", "rec05"}
    dirty = {r for r, recipe in recipes.items() if {s.recording for s in recipe.sources} & held}
    lines = (tmp_path / "out" / "metadata.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == recipes.keys() - dirty
    assert json.loads(shown)["left_out"] == {"rows that draw on what is held out": len(dirty)}
    assert {recipes[name].kind for name in dirty} >= {"fp", "mix"}
    assert "held out (" not in said


def test_a_name_that_holds_nothing_out_is_said(selection: Path, tmp_path: Path) -> None:
    options = ["--holdout", "rec01.flac", "--out", tmp_path / "out"]
    code, _, said = run(selection, "--to", "raven", *options)
    assert code == 0
    assert "1 of 1 names that are held out (rec01.flac) are of no recording or site" in said
    assert "did you mean rec01?" in said


def test_holding_out_all_is_an_error(selection: Path, tmp_path: Path) -> None:
    every = [f"rec{i:02d}" for i in range(8)]
    options = [part for name in every for part in ("--holdout", name)]
    code, _, said = run(
        selection, "--to", "raven", "--kind", "fp", *options, "--out", tmp_path / "out"
    )
    assert code == 2
    assert "no row to export" in said
    assert not (tmp_path / "out").exists()


def test_ctrl_c_leaves_nothing(
    selection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from negmine.exports import clip_files

    calls = 0

    def interrupted(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(clip_files, "write_flac", interrupted)
    code, _, said = run(selection, "--to", "audiofolder", "--out", tmp_path / "out")
    assert code == 130
    assert "stopped" in said
    assert not list(tmp_path.iterdir())


def test_a_class_that_spreadsheets_take_for_a_formula_is_said(
    selection: Path, tmp_path: Path
) -> None:
    rows = rows_of_pool(selection.parent / "pool")
    odd = Rows(rows.rows, ("0", "1", "=owl"), rows.source, rows.sample_rate)
    done = export(odd, "opensoundscape", tmp_path / "out")
    assert any("apostrophe" in line for line in done.notes)
    done = export(odd, "audiofolder", tmp_path / "other")
    assert not any("apostrophe" in line for line in done.notes)
