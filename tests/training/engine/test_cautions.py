"""What labels can neither teach nor test is said before it is trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from conftest import Data, Opened, tiny_config

from negmine.annotations import Annotation, Annotations
from negmine.audio.windows import Span
from negmine.cli.main import main
from negmine.errors import InputError
from negmine.mining.selection import Chosen, Selection
from negmine.pool import open_pool
from training.engine.cautions import cautions, check_learnable, unmixed
from training.engine.inputs import RunInputs
from training.engine.train import train

pytestmark = pytest.mark.usefixtures("one_thread")


def verdicts(text: str, classes: str = "ab") -> Annotations:
    """Of 'r1+a r2-b': class a confirmed in recording r1, class b rejected in r2."""
    boxes = []
    for i, word in enumerate(text.split()):
        recording, label = word[:-2], word[-1]
        span = Span(float(i), i + 0.5)
        boxes.append(Annotation(recording, label, "", word[-2] == "+", span, 0.0, 1.0, "row"))
    return Annotations(tuple(boxes), tuple(classes))


@pytest.mark.parametrize(
    ("text", "classes", "settings"),
    [
        ("r1+a", "a", {}),
        ("r1+a", "a", {"loss": "bce"}),
        ("r1+a r1-a", "a", {"fp_per_step": 0}),
        ("r1+a r1+b", "ab", {"loss": "bce"}),
        ("r1+a r1+b", "ab", {"loss": "lsep"}),
        ("r1+a r1+b", "ab", {"lsoft": 1.0}),
    ],
)
def test_labels_without_any_zero_are_refused(
    text: str, classes: str, settings: dict[str, Any]
) -> None:
    config = tiny_config(**settings)
    with pytest.raises(
        InputError, match=r"^no negative to learn from: .*; add rejected detections"
    ):
        check_learnable(config, verdicts(text, classes), added=False)
    # hard negatives and pseudo labels say what the tables do not
    check_learnable(config, verdicts(text, classes), added=True)


@pytest.mark.parametrize(
    ("text", "classes", "settings"),
    [
        ("r1+a r1-a", "a", {}),
        ("r1+a r1+b", "ab", {}),
        ("r1+a r1+b", "ab", {"loss": "hill"}),
        ("r1+a r1+b r2-a", "ab", {"loss": "bce"}),
    ],
)
def test_labels_with_some_zero_may_train(text: str, classes: str, settings: dict[str, Any]) -> None:
    check_learnable(tiny_config(**settings), verdicts(text, classes), added=False)


WHOLE = "r1+a r2-a r1+b r2-b"


@pytest.mark.parametrize(
    ("text", "held_out", "settings", "said"),
    [
        (f"{WHOLE} v1+a v1+b v2-a", {"v1", "v2"}, {}, []),
        (WHOLE, set(), {}, []),
        ("r1+a r1+b", set(), {}, ["the only negatives are those that the loss assumes"]),
        (WHOLE, set(), {"fp_per_step": 0}, ["the only negatives are those that the loss assumes"]),
        (
            "r1+a r1+b v1+a v1+b v2-a",
            {"v1", "v2"},
            {},
            [
                "all 1 rejected detections are in the validation fold",
                "the only negatives are those that the loss assumes",
            ],
        ),
        (
            "r1+a r2-a r1+b",
            set(),
            {"loss": "bce"},
            ["nothing says where these classes are absent, as --loss bce does not treat unknown "
             "as absent: 'b'"],
        ),
        (f"{WHOLE} v1-a", {"v1"}, {}, ["validation fold 0 of 4 holds no confirmed call: every"]),
        (
            f"{WHOLE} v1+a v1+b",
            {"v1"},
            {},
            ["validation fold 0 of 4 holds no recording in which a class was rejected and not"],
        ),
        # a rejection beside a confirmed call of the class is no known zero
        (
            f"{WHOLE} v1+a v1+b v1-a",
            {"v1"},
            {},
            ["validation fold 0 of 4 holds no recording in which a class was rejected and not"],
        ),
        (
            f"{WHOLE} v1+a v1-b",
            {"v1"},
            {},
            ["validation fold 0 of 4 holds no confirmed call of these classes: 'b'"],
        ),
    ],
)  # fmt: skip
def test_what_labels_lack_is_said_in_one_line_each(
    text: str, held_out: set[str], settings: dict[str, Any], said: list[str]
) -> None:
    found = cautions(tiny_config(**settings), verdicts(text), frozenset(held_out), added=False)
    assert len(found) == len(said)
    for line, beginning in zip(found, said, strict=True):
        assert line.startswith(beginning)
        assert "\n" not in line


def test_added_negatives_are_negatives() -> None:
    assert cautions(tiny_config(), verdicts("r1+a r1+b"), frozenset(), added=True) == []


def test_rows_that_are_not_mixed_are_counted() -> None:
    line = unmixed(["b"], verdicts("r1+a r1+b r2-b"), 0.5, "hard.parquet")
    assert line == (
        "hard.parquet: no negative is certified free of these classes, so their rows get none "
        "mixed in: 'b'; of TP rows 25% are mixed, of FP rows 0%"
    )


def test_training_on_calls_of_one_class_alone_writes_nothing(
    shared_opened: Opened, tmp_path: Path
) -> None:
    boxes = tuple(b for b in shared_opened.annotations.confirmed if b.label == "0")
    with pytest.raises(InputError, match="there is one class"):
        train(
            tiny_config(),
            RunInputs(Annotations(boxes, ("0",)), shared_opened.recordings, tmp_path / "cache"),
            tmp_path / "run",
        )
    assert not list(tmp_path.iterdir())


# ---- one class on the command line


@pytest.fixture
def one_class(shared_data: Data, tmp_path: Path) -> list[str]:
    """Options of a data set of class 0: confirmed in half of the recordings, rejected elsewhere."""
    calls, rejected = pd.read_csv(shared_data.tp), pd.read_csv(shared_data.fp)
    even = calls.recording_id.str[-1].astype(int) % 2 == 0
    calls[(calls.species_id == 0) & even].to_csv(tmp_path / "tp.csv", index=False)
    odd = rejected.recording_id.str[-1].astype(int) % 2 == 1
    rejected[(rejected.species_id == 0) & odd].to_csv(tmp_path / "fp.csv", index=False)
    tables = ["--tp", str(tmp_path / "tp.csv"), "--fp", str(tmp_path / "fp.csv")]
    return [str(shared_data.recordings), *tables]


TINY = (
    "--sample-rate", 8000, "--clip-s", 1, "--window-s", 0.5, "--n-mels", 16, "--tp-per-step", 4,
    "--steps-per-epoch", 1, "--epochs", 2, "--folds", 2, "--device", "cpu",
)  # fmt: skip


def call(command: str, *options: object) -> Result:
    return CliRunner().invoke(main, [command, *map(str, options)])


def test_one_class_is_trained_and_judged_by_what_can_change(
    one_class: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = call("train", *one_class, "--out", out, *TINY)
    assert result.exit_code == 0, result.stderr
    assert "warning" not in result.stderr
    assert ", known_ap " in result.stdout
    assert "neg@" not in result.stdout
    assert list(pd.read_csv(out / "metrics.csv").columns) == ["epoch", "loss", "known_ap"]


def test_one_class_without_rejections_is_refused_in_one_line(
    one_class: list[str], tmp_path: Path
) -> None:
    recordings, tp = one_class[0], one_class[1:3]
    result = call("train", recordings, *tp, "--out", tmp_path / "run", *TINY)
    assert result.exit_code == 2, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "no negative to learn from" in errors[0]
    assert "warning" not in result.stderr.replace("warning: validation fold", "")
    assert not (tmp_path / "run" / "last.pt").exists()


@pytest.mark.parametrize("command", ["train", "loop"])
def test_one_class_has_no_other_to_mix_by(
    command: str, one_class: list[str], shared_pool: Path, tmp_path: Path
) -> None:
    pool = open_pool(shared_pool)
    picked = next(r for r in pool if r.kind == "external")
    absence = picked.labels.absent["0"]
    row = Chosen(
        picked.id, "0", 1.0, 1, "external", absence.certificate.value, absence.confidence, "",
        0.5, 0.0,
    )  # fmt: skip
    Selection((row,), pool.path, pool.digest, "model").write(tmp_path / "hard.parquet")
    negatives = ["--hard-negatives", tmp_path / "hard.parquet"]
    given = negatives if command == "train" else ["--pool", shared_pool]
    result = call(
        command, *one_class, "--out", tmp_path / "run", *TINY, *given, "--hard-mix-by", "other"
    )
    assert result.exit_code == 2
    assert "--hard-mix-by other: '0' is the only class; leave it out, or take own" in result.stderr


def test_evaluation_of_one_class_leaves_out_what_ranks_classes(
    one_class: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert call("train", *one_class, "--out", out, *TINY).exit_code == 0
    names = [f"rec{i:02d}" for i in range(8)]
    truth = pd.DataFrame({"recording_id": names, "s0": [1, 0] * 4})
    truth.to_csv(tmp_path / "truth.csv", index=False)
    options = [one_class[0], "--model", out / "best.pt", "--truth", tmp_path / "truth.csv"]
    printed = call("evaluate", *options, "--device", "cpu").stdout
    assert "left out, the same for any model by this truth: lwlrap, neg@1, neg@3, neg@5" in printed
    found = json.loads(call("evaluate", *options, "--device", "cpu", "--json").stdout)
    assert {"macro_ap", "classes"} <= found.keys()
    assert found.keys().isdisjoint(["lwlrap", "neg@1", "neg@3", "neg@5"])
