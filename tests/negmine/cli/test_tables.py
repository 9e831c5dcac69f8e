"""Tables and folders of any format, as the commands take them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from click.testing import CliRunner, Result
from conftest import SAMPLE_RATE, Data, tone

from negmine.cli.main import main
from negmine.pool import open_pool

# torch on several threads is slower where clips are this small
pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ("--clip-s", 1, "--sample-rate", 8000)
RUN = (
    *("--clip-s", 1, "--sample-rate", 8000, "--n-mels", 16, "--window-s", 0.5, "--folds", 2),
    *("--tp-per-step", 4, "--fp-per-step", 2, "--steps-per-epoch", 1, "--epochs", 1),
    *("--device", "cpu"),
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def judged(data: Data, path: Path) -> Path:
    """Write RFCX's two tables as one, in words of a person."""
    tables = [pd.read_csv(table).assign(correct=word)
              for table, word in ((data.tp, "yes"), (data.fp, "no"))]  # fmt: skip
    table = pd.concat(tables).rename(
        columns={"recording_id": "file", "species_id": "species", "t_min": "start", "t_max": "end"}
    )
    table["file"] += ".flac"
    table.to_csv(path, index=False)
    return path


def test_a_table_of_any_format_makes_the_pool_that_rfcxs_make(data: Data, tmp_path: Path) -> None:
    rest = (data.recordings, "--external", data.external, *SMALL)
    made = run("build-pool", *data.options, *rest[1:], "--out", tmp_path / "a")
    assert made.exit_code == 0, made.output
    for name, tables in (
        ("b", ["--annotations", data.tp, "--annotations", data.fp]),
        ("c", ["--annotations", judged(data, tmp_path / "t.csv")]),
        ("d", ["--tp", data.tp, "--annotations", data.fp]),
    ):
        again = run("build-pool", *rest, *tables, "--out", tmp_path / name)
        assert again.exit_code == 0, again.output
        assert open_pool(tmp_path / name).digest == open_pool(tmp_path / "a").digest


def test_columns_and_classes_can_be_named(data: Data, tmp_path: Path) -> None:
    table = pd.read_csv(judged(data, tmp_path / "t.csv")).rename(
        columns={"correct": "heard it", "species": "which"}
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    classes = tmp_path / "classes.csv"
    classes.write_text("class,aliases\nlow tone,0\n")
    made = run(
        "build-pool", data.recordings, "--annotations", tmp_path / "t.csv", *SMALL,
        "--column", "verdict=Heard It", "--column", "class=which", "--classes", classes,
        "--out", tmp_path / "pool",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    assert open_pool(tmp_path / "pool").classes == ("low tone",)
    assert "left out 16 rows of 1 names that are no class of --classes: '1'" in made.stderr


def test_recordings_that_are_not_there_are_counted_where_asked(data: Data, tmp_path: Path) -> None:
    for i in range(3, 8):
        (data.recordings / f"rec{i:02d}.flac").unlink()
    arguments = ("build-pool", *data.options, *SMALL, "--out", tmp_path / "pool")
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "5 of 8 recordings are missing" in refused.stderr
    assert "--present-only goes on without them" in refused.stderr
    made = run(*arguments, "--present-only")
    assert made.exit_code == 0, made.output
    assert "5 of 8 recordings are not there; their 20 rows are left out" in made.stderr
    assert len(open_pool(tmp_path / "pool").calls) == 6


def test_classes_without_a_call_are_left_out_where_asked(data: Data, tmp_path: Path) -> None:
    data.fp.write_text(data.fp.read_text() + "rec00,17,1,1.0,100,2.0,200\nrec01,18,1,1,100,2,200\n")
    arguments = ("build-pool", *data.options, *SMALL, "--out", tmp_path / "pool")
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "2 classes have rejections and no confirmed call: '17' (1 rows), '18'" in refused.stderr
    assert "did you mean" not in refused.stderr
    made = run(*arguments, "--skip-uncalled-classes")
    assert made.exit_code == 0, made.output
    assert open_pool(tmp_path / "pool").classes == ("0", "1")


@pytest.fixture
def sorted_clips(tmp_path: Path) -> Path:
    """Ten clips of a tone in ``ding``, ten of noise in ``rest``: the same file names in both."""
    rng = np.random.default_rng(0)
    for name in ("ding", "rest"):
        (tmp_path / name).mkdir()
        for i in range(10):
            samples = rng.normal(0, 0.01, 2 * SAMPLE_RATE).astype(np.float32)
            if name == "ding":
                samples[8000:12000] += tone(1000, 0.5)
            sf.write(tmp_path / name / f"{i}.wav", samples, SAMPLE_RATE)
    return tmp_path


def test_a_folder_of_positives_is_enough_to_start(sorted_clips: Path) -> None:
    named = ("--positives", sorted_clips / "ding")
    built = ("build-pool", *named, *SMALL, "--out", sorted_clips / "pool")
    refused = run(*built)
    assert refused.exit_code == 2
    assert "nothing to put into the pool" in refused.stderr
    assert "--negative-files" in refused.stderr
    assert run(*built, "--external", sorted_clips / "rest").exit_code == 0
    assert open_pool(sorted_clips / "pool").classes == ("ding",)
    made = run("train", *named, "--negatives", sorted_clips / "pool", *RUN,
               "--out", sorted_clips / "run")  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "the class is 'ding'" in made.stderr
    assert "10 of 10 calls of whole files are taken to be where the energy is" in made.stderr
    assert "0, 0.9 to 1.6 s of 2.00 s" in made.stderr


def test_folders_of_one_class_build_and_train(sorted_clips: Path) -> None:
    folders = ("--positives", f"{sorted_clips / 'ding'}=bell",
               "--negative-files", sorted_clips / "rest")  # fmt: skip
    made = run("build-pool", *folders, *SMALL, "--out", sorted_clips / "pool")
    assert made.exit_code == 0, made.output
    pool = open_pool(sorted_clips / "pool")
    assert pool.classes == ("bell",)
    assert {r.layers[0].source.root.name for r in pool if r.layers[0].source} == {"rest"}
    assert [absence.confidence for r in pool for absence in r.labels.absent.values()] == [1.0] * 20
    trained = run("train", *folders, *RUN, "--out", sorted_clips / "run", "--json")
    assert trained.exit_code == 0, trained.output
    assert json.loads(trained.stdout)["held_out"] == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no recordings: name their folder"),
        (("{root}/ding",), "nothing says what calls"),
        (("--positives", "{root}/gone"), "gone: no such folder"),
        (("{root}/ding", "--annotations", "{root}/gone.csv"), "gone.csv: no such file"),
        (("{root}/ding", "--annotations", "{root}/t.csv", "--format", "ravn"), "no format 'ravn'"),
        (
            ("{root}/ding", "--annotations", "{root}/t.csv", "--column", "x=y"),
            "'x=y' is not FIELD=",
        ),
    ],
)
def test_what_is_missing_is_one_line(
    sorted_clips: Path, arguments: tuple[str, ...], message: str
) -> None:
    (sorted_clips / "t.csv").write_text("file,class\n1,ding\n")
    made = run("build-pool", *(a.format(root=sorted_clips) for a in arguments), *SMALL,
               "--out", sorted_clips / "pool")  # fmt: skip
    assert made.exit_code == 2, made.output
    assert message in made.stderr
    assert not (sorted_clips / "pool").exists()


def test_groups_of_a_table_are_held_out_by_their_names(data: Data, tmp_path: Path) -> None:
    table = pd.read_csv(judged(data, tmp_path / "t.csv"))
    table["site"] = ["hill" if name < "rec04" else "lake" for name in table["file"]]
    table.to_csv(tmp_path / "t.csv", index=False)
    tables = (data.recordings, "--annotations", tmp_path / "t.csv")
    made = run("build-pool", *tables, *SMALL, "--holdout", "hill", "--out", tmp_path / "pool")
    assert made.exit_code == 0, made.output
    assert "the tables name 2 groups of 8 recordings" in made.stderr
    pool = open_pool(tmp_path / "pool")
    assert {source.group for source in pool.sources} == {"lake"}
    trained = run("train", *tables, *RUN, "--out", tmp_path / "run", "--json")
    assert json.loads(trained.stdout)["held_out"] == 4


def test_verdicts_on_recordings_that_are_not_there_are_counted_where_asked(
    data: Data, tmp_path: Path
) -> None:
    (tmp_path / "heard.csv").write_text(
        "recording,class,t_min,t_max,verdict\ngone,0,0,1,present\nrec00,0,3,4,absent\n"
    )
    arguments = ("build-pool", *data.options, "--verdicts", tmp_path / "heard.csv", *SMALL,
                 "--out", tmp_path / "pool")  # fmt: skip
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "no sound file for recording 'gone'" in refused.stderr
    made = run(*arguments, "--present-only")
    assert made.exit_code == 0, made.output
    assert "1 recordings of verdicts are not there; their 1 rows are left out" in made.stderr
