"""Tables of scores and truth, members of an ensemble, and the command that joins them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from negmine.cli.main import main
from negmine.errors import InputError
from training import metrics
from training.evaluation import ensemble
from training.evaluation.members import compare, join_members, open_members
from training.evaluation.score_tables import ScoreTable, read_scores, read_truth

NAMES, CLASSES = ("a", "b", "c"), ("0", "7")


def write(path: Path, scores: np.ndarray, names: tuple[str, ...] = NAMES) -> ScoreTable:
    table = ScoreTable(names, CLASSES, scores)
    table.write(path)
    return table


def random_table(path: Path, seed: int) -> ScoreTable:
    return write(path, np.random.default_rng(seed).random((3, 2)))


def test_tables_read_back_as_written(tmp_path: Path) -> None:
    scores = np.array([[0.123456789, 1e-7], [0.0, 1.0], [-3.5, 1e6]])
    table = write(tmp_path / "t.csv", scores)
    read = read_scores(tmp_path / "t.csv")
    assert (read.recordings, read.classes) == (table.recordings, table.classes)
    assert read.scores == pytest.approx(scores, rel=1e-8)


def test_truth_keeps_unknown_apart_from_absent(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("recording_id,s0,s7\na,1,\nb,,0\nc,0,1\n")
    truth, known = read_truth(path, ("0", "7"))
    assert truth.scores.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert known.tolist() == [[True, False], [False, True], [True, True]]


@pytest.mark.parametrize(
    "classes",
    [("top", "stop"), ("7", "s7"), ("s", "ss", "sss"), ("-", "=1+1", "'-x"), ("recording_id", "a")],
)
def test_known_labels_come_back_under_their_own_classes(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    present = np.eye(len(classes))
    names = tuple(f"r{i}" for i in range(len(classes)))
    ScoreTable(names, classes, present).write(tmp_path / "known.csv")
    truth, _ = read_truth(tmp_path / "known.csv", classes)
    assert truth.scores.tolist() == present.tolist()
    assert read_scores(tmp_path / "known.csv").classes == classes


def test_an_ensemble_takes_a_truth_as_evaluate_does(tmp_path: Path) -> None:
    members = [tmp_path / name for name in ("a.csv", "b.csv")]
    for seed, path in enumerate(members):
        random_table(path, seed)
    tables = []
    for text in ("recording_id,s0,s7\na,1,\nb,0,1\nc,1,0\n",
                 "note,7,recording_id,0\nx,,a,1\ny,1,b,0\nz,0,c,1\n"):  # fmt: skip
        (tmp_path / "truth.csv").write_text(text)
        tables.append(compare(open_members(members), tmp_path / "truth.csv"))
    assert tables[0] == tables[1]
    (tmp_path / "truth.csv").write_text("recording_id,s0\na,1\nb,0\nc,1\n")
    with pytest.raises(InputError, match="no column '7' or 's7' for class '7'"):
        compare(open_members(members), tmp_path / "truth.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recording_id,s0,s7\na,0.1,x\n", r"row 2: s7 'x' of recording 'a' is not a finite"),
        ("recording_id,s0,s7\na,0.1,\n", r"row 2: s7 '' of recording 'a' is not"),
        ("recording_id,s0,s7\na,0.1,inf\n", "is not a finite number"),
        ("recording_id,s0,s7\na,0,1\na,1,0\n", "recording 'a' appears twice"),
        ("id,s0\na,0\n", "no column 'recording_id'; found id, s0"),
        ("recording_id,s0,frog\na,0,1\n", "column 'frog' is not a class"),
        ("recording_id\na\n", "has no classes"),
        ("recording_id,s0\n", "has no rows"),
        ("", "the file is empty; expected recording_id"),
    ],
)
def test_malformed_tables(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_scores(path)


def test_a_table_of_scores_is_no_truth(tmp_path: Path) -> None:
    random_table(tmp_path / "t.csv", 0)
    with pytest.raises(InputError, match=r"class '0' is 0\.\d+, not 0, 1 or empty"):
        read_truth(tmp_path / "t.csv", CLASSES)
    with pytest.raises(InputError, match="no such file"):
        read_truth(tmp_path / "none.csv", CLASSES)


def test_members_are_joined_by_name_not_by_place(tmp_path: Path) -> None:
    first = random_table(tmp_path / "a.csv", 0)
    second = random_table(tmp_path / "b.csv", 1)
    turned = ScoreTable(NAMES[::-1], CLASSES[::-1], second.scores[::-1, ::-1])
    turned.write(tmp_path / "turned.csv")
    members = open_members([tmp_path / "a.csv", tmp_path / "turned.csv"])
    joined = join_members(members, "mean")
    assert (joined.recordings, joined.classes) == (NAMES, CLASSES)
    want = (first.scores + second.scores) / 2
    assert joined.scores == pytest.approx(want, abs=1e-8)


@pytest.mark.parametrize(
    ("names", "classes", "message"),
    [
        (("a", "b", "d"), CLASSES, "b.csv: no recording 'c'"),
        (("a", "b"), CLASSES, "b.csv: no recording 'c'"),
        (("a", "b", "c", "e"), CLASSES, "a.csv: no recording 'e', which .*b.csv has"),
        (NAMES, ("0", "8"), "b.csv: no class '7'"),
    ],
)
def test_members_of_other_recordings_or_classes(
    tmp_path: Path, names: tuple[str, ...], classes: tuple[str, ...], message: str
) -> None:
    random_table(tmp_path / "a.csv", 0)
    ScoreTable(names, classes, np.zeros((len(names), len(classes)))).write(tmp_path / "b.csv")
    with pytest.raises(InputError, match=message):
        open_members([tmp_path / "a.csv", tmp_path / "b.csv"])


def run_folder(root: Path, seeds: int = 2, truth: str = "a,1,0\nb,,1\nc,0,\n") -> Path:
    for seed in range(seeds):
        folder = root / f"seed{seed}"
        folder.mkdir(parents=True)
        random_table(folder / "oof.csv", seed)
        random_table(folder / "oof.verdicts.csv", 10 + seed)
    (root / "known.csv").write_text("recording_id,s0,s7\n" + truth)
    return root


def test_run_folders_bring_their_seeds_and_their_known_labels(tmp_path: Path) -> None:
    root = run_folder(tmp_path / "run")
    members = open_members([root])
    assert [Path(m.name).name for m in members] == ["seed0", "seed1"]
    rows = compare(members)
    truth = np.array([[1, 0], [0, 1], [0, 0]])
    known = np.array([[1, 1], [0, 1], [1, 0]], dtype=bool)
    verdicts = [m.judged.scores for m in members]
    assert [row["name"] for row in rows[2:]] == [f"{how} of all" for how in ensemble.JOINS]
    for row, scores in zip(
        rows, [*verdicts, *(ensemble.join(verdicts, h) for h in ensemble.JOINS)], strict=True
    ):
        assert row["lwlrap"] == metrics.masked_lwlrap(truth, scores, known)
        assert row["known_ap"] == metrics.known_ap(truth, scores, known)
        assert row["neg@1"] == metrics.neg_at_k(truth, scores, 1, known)
    # what is written is of whole recordings
    want = (members[0].table.scores + members[1].table.scores) / 2
    assert join_members(members, "mean").scores == pytest.approx(want, abs=1e-12)
    # a folder of one seed finds the labels beside it
    assert open_members([root / "seed1", root / "seed0"])[0].truth == root / "known.csv"


def test_members_are_compared_with_the_first_in_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names, truth = [f"r{i}" for i in range(12)], rng.random((12, 3)) < 0.4
    cells = [
        f"{name},{','.join(map(str, row))}"
        for name, row in zip(names, truth.astype(int), strict=False)
    ]
    (tmp_path / "truth.csv").write_text("\n".join(["recording_id,s0,s1,s2", *cells]) + "\n")
    tables = []
    for number, sureness in enumerate((0.0, 3.0)):
        scores = rng.normal(size=truth.shape) + sureness * truth
        ScoreTable(tuple(names), ("0", "1", "2"), scores).write(tmp_path / f"{number}.csv")
        tables.append(tmp_path / f"{number}.csv")
    members = open_members(tables)
    plain, rows = (compare(members, tmp_path / "truth.csv", resamples=n) for n in (0, 200))
    assert not any("differences" in row for row in plain)
    assert "differences" not in rows[0]
    assert [row | {"differences": 0} for row in rows] == [row | {"differences": 0} for row in plain]
    found = rows[1]["differences"]
    assert found.keys() == rows[1].keys() - {"name", "differences"}
    for name, one in found.items():
        assert one["value"] == rows[1][name] - rows[0][name]
        assert one["interval"][0] <= one["value"] <= one["interval"][1]
    # what is known of recordings tells, and twelve are enough to show it
    assert found["known_ap"]["interval"][0] > 0


def test_runs_that_know_other_labels_need_a_truth(tmp_path: Path) -> None:
    one, two = (
        run_folder(tmp_path / "one"),
        run_folder(tmp_path / "two", truth="a,1,0\nb,,\nc,0,\n"),
    )
    members = open_members([one, two])
    with pytest.raises(InputError, match="know other labels"):
        compare(members)
    assert len(compare(members, one / "known.csv")) == 8


def test_a_folder_without_out_of_fold_scores(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no out-of-fold scores"):
        open_members([tmp_path, tmp_path])


def test_one_member_is_no_ensemble(tmp_path: Path) -> None:
    random_table(tmp_path / "a.csv", 0)
    with pytest.raises(InputError, match="one member alone"):
        open_members([tmp_path / "a.csv"])


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["ensemble", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("how", ensemble.JOINS)
def test_the_command_writes_the_join_and_prints_the_table(
    tmp_path: Path, how: ensemble.How
) -> None:
    tables = [random_table(tmp_path / f"{seed}.csv", seed).scores for seed in range(3)]
    truth = tmp_path / "truth.csv"
    truth.write_text("recording_id,s0,s7\nc,0,1\na,1,0\nb,1,1\n")
    paths = [tmp_path / f"{seed}.csv" for seed in range(3)]
    out = tmp_path / "deep" / "joined.csv"
    code, text, _ = invoke(*paths, "--how", how, "--out", out, "--truth", truth, "--json")
    assert code == 0
    want = ensemble.join(tables, how)
    assert read_scores(out).scores == pytest.approx(want, abs=1e-7)
    rows = {row["name"]: row for row in json.loads(text)["table"]}
    present = np.array([[1, 0], [1, 1], [0, 1]])
    assert len(rows) == 7
    assert rows[f"{how} of all"]["lwlrap"] == pytest.approx(metrics.lwlrap(present, want))
    code, text, _ = invoke(*paths, "--truth", truth)
    assert code == 0
    assert "rank of all" in text
    assert str(paths[2]) in text
    assert invoke(*paths, "--truth", truth, "--quiet")[1] == ""
    code, text, _ = invoke(*paths, "--truth", truth, "--resamples", 20)
    assert code == 0
    below = text.split("\n\n")[1].splitlines()
    assert below[0] == f"against {paths[0]}, in pairs; 95 %, over recordings"
    assert [line.split("  ")[0] for line in below[3:]] == [
        str(paths[1]), str(paths[2]), *(f"{one} of all" for one in ensemble.JOINS)
    ]  # fmt: skip


def test_the_command_says_what_it_lacks(tmp_path: Path) -> None:
    for seed in range(2):
        write(tmp_path / f"{seed}.csv", np.random.default_rng(seed).normal(size=(3, 2)))
    paths = [tmp_path / "0.csv", tmp_path / "1.csv"]
    code, _, text = invoke(*paths)
    assert (code, "nothing to do" in text) == (2, True)
    out = tmp_path / "joined.csv"
    code, _, text = invoke(*paths, "--how", "row-scaled", "--row-scale", "max", "--out", out)
    assert (code, "cannot be joined" in text) == (2, True)
    assert not out.exists()
