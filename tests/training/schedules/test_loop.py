"""Rounds of train, mine, retrain: every file kept, and the same end however often stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Data, Opened, open_data, tiny_config

from negmine.annotations import Annotations
from negmine.annotations.recordings import open_unlabelled
from negmine.annotations.verdict_rows import Verdict
from negmine.asking.settings import AskSettings
from negmine.audio.windows import Span
from negmine.errors import InputError, PoolError
from negmine.mining.mine import MineSettings
from negmine.mining.selection import Selection, open_selection
from negmine.notices import warn
from negmine.pool import open_pool
from training.data.settings import LOOP_SAMPLES, LoopHardUse
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import HardInputs, RunContext, RunInputs, SampleInputs
from training.engine.run import run_training
from training.engine.scorer import CheckpointScorer
from training.schedules.asking import Asking
from training.schedules.loop import Mining, Round, loop_table, run_loop
from training.schedules.settings import LoopSettings

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = {"steps_per_epoch": 2, "epochs": 1}


@dataclass
class Progress:
    """Keeps what a progress bar would be told; presses Ctrl-C in the phase of a given title."""

    stop_in: str = "never"
    bars: dict[str, tuple[int, str]] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    def __call__(self, title: str, total: int, unit: str = "file", /) -> Callable[..., object]:
        self.bars[title] = (total, unit)
        self.done[title] = 0

        def advance(count: int = 1, **shown: object) -> None:
            self.done[title] += count
            if self.stop_in in title:
                raise KeyboardInterrupt

        return advance


@pytest.fixture(scope="module")
def opened(shared_data: Data) -> Opened:
    return open_data(shared_data, alternating=True)


@pytest.fixture(scope="module")
def loop(opened: Opened, shared_pool: Path) -> Callable[..., list[Round]]:
    def run(out: Path, progress: Progress | None = None, **changes: Any) -> list[Round]:
        settings: dict[str, Any] = {
            "rounds": 1,
            "control": True,
            "replay": 1.0,
            "stop_after": 0,
        }
        mining = changes.pop("mining", MineSettings(per_class=3, batch_size=16))
        caution = changes.pop("caution", warn)
        asking, heard = changes.pop("asking", None), changes.pop("heard", ())
        return run_loop(
            tiny_config(**STEPS),
            RunInputs(opened.annotations, opened.recordings, out / "cache"),
            out,
            RunContext(progress=progress or Progress(), caution=caution),
            LoopSettings(**(settings | changes)),
            Mining(open_pool(shared_pool), mining, LoopHardUse(ratio=0.5), heard=heard),
            asking,
        )

    return run


@pytest.fixture(scope="module")
def whole(
    loop: Callable[..., list[Round]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Round], Progress]:
    """A loop of one round with its control that was never stopped."""
    out, progress = tmp_path_factory.mktemp("loop"), Progress()
    return out, loop(out, progress), progress


def weights(rounds: list[Round]) -> list[str]:
    return [Checkpoint.load(r.checkpoint).fingerprint for r in rounds]


def test_round_trains_without_with_random_and_with_mined_negatives(
    whole: tuple[Path, list[Round], Progress],
) -> None:
    out, rounds, _ = whole
    assert [(r.number, r.arm) for r in rounds] == [(0, "base"), (1, "random"), (1, "mined")]
    folders = [out / "round0", out / "round1-random", out / "round1"]
    assert [r.checkpoint for r in rounds] == [folder / "best.pt" for folder in folders]
    assert len(set(weights(rounds))) == 3
    # as many random negatives as mined ones
    assert [r.negatives for r in rounds] == [0, 6, 6]


def test_every_file_is_kept(whole: tuple[Path, list[Round], Progress]) -> None:
    out, _, _ = whole
    for folder in ("round0", "round1", "round1-random"):
        names = {p.name for p in (out / folder).iterdir()}
        assert names >= {"best.pt", "last.pt", "metrics.csv"}
    assert {p.name for p in (out / "round1").iterdir()} >= {
        "hard.parquet",
        "hard.control.parquet",
        "hard.report.json",
    }
    assert any((out / "scores").iterdir())


def test_random_rows_come_first_and_stay_and_each_arm_adds_its_own(
    whole: tuple[Path, list[Round], Progress], shared_pool: Path
) -> None:
    out, rounds, _ = whole
    mined = open_selection(out / "round1" / "hard.parquet")
    random = open_selection(out / "round1" / "hard.control.parquet")
    assert mined.digest != random.digest
    inputs = [Checkpoint.load(r.checkpoint).inputs for r in rounds]
    # all rounds keep the random rows, at one dose; what was mined is added
    always = {one["plug-in 0"] for one in inputs}
    assert len(always) == 1
    assert f"negatives of pool {open_pool(shared_pool).digest} at 0.25" in always
    added = [one.get("plug-in 1", "") for one in inputs]
    assert added[0] == ""
    assert random.digest in added[1]
    assert mined.digest in added[2]
    assert all("own cells" in one for one in added[1:])
    # the same quotas by class and kind
    for label in ("0", "1"):
        kinds = [sorted(row.kind for row in s.rows if row.label == label) for s in (mined, random)]
        assert kinds[0] == kinds[1]


def test_nothing_is_mined_from_held_out_recordings(
    whole: tuple[Path, list[Round], Progress], shared_pool: Path
) -> None:
    out, rounds, _ = whole
    held_out = set(Checkpoint.load(rounds[0].checkpoint).held_out)
    pool = open_pool(shared_pool)
    assert any(recipe.groups & held_out for recipe in pool)
    for name in ("hard.parquet", "hard.control.parquet"):
        for recipe in open_selection(out / "round1" / name).recipes(pool):
            assert not recipe.groups & held_out


def test_model_that_mined_is_the_round_befores(
    whole: tuple[Path, list[Round], Progress],
) -> None:
    out, rounds, _ = whole
    before = CheckpointScorer(Checkpoint.load(rounds[0].checkpoint), torch.device("cpu"))
    assert open_selection(out / "round1" / "hard.parquet").model == before.fingerprint


def test_arms_start_alike_and_differ_in_their_negatives_alone(
    whole: tuple[Path, list[Round], Progress],
) -> None:
    _, rounds, _ = whole
    configs = {repr(Checkpoint.load(r.checkpoint).config) for r in rounds}
    assert len(configs) == 1


def test_progress_is_told_of_each_phase(
    whole: tuple[Path, list[Round], Progress], shared_pool: Path
) -> None:
    _, _, progress = whole
    pool = open_pool(shared_pool)
    clips = len(pool) + len(pool.calls)
    assert progress.bars["round 1: mining"] == (clips, "clip")
    assert {title: bar for title, bar in progress.bars.items() if bar[1] == "step"} == {
        "round 0: random negatives": (2, "step"),
        "round 1: random": (2, "step"),
        "round 1: mined": (2, "step"),
    }
    # what a run decodes before its first step has bars of its own
    assert len(progress.bars) > 4
    assert progress.done == {title: total for title, (total, _) in progress.bars.items()}


def test_loop_stopped_in_every_phase_ends_the_same(
    loop: Callable[..., list[Round]],
    whole: tuple[Path, list[Round], Progress],
    tmp_path: Path,
) -> None:
    for phase in ("round 0", "mining", "random", "round 1: mined"):
        progress = Progress(stop_in=phase)
        with pytest.raises(KeyboardInterrupt):
            loop(tmp_path, progress)
        assert phase in list(progress.bars)[-1]
    rounds = loop(tmp_path)
    assert loop_table(rounds) == loop_table(whole[1])
    assert weights(rounds) == weights(whole[1])


def test_loop_stopped_between_its_selections_mines_again(
    loop: Callable[..., list[Round]],
    whole: tuple[Path, list[Round], Progress],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = Selection.write

    def stopped(self: Selection, path: Path) -> None:
        if path.name == "hard.parquet":
            raise KeyboardInterrupt
        write(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(Selection, "write", stopped)
        with pytest.raises(KeyboardInterrupt):
            loop(tmp_path)
    assert not (tmp_path / "round1" / "hard.parquet").exists()
    rounds = loop(tmp_path)
    assert weights(rounds) == weights(whole[1])


def test_finished_loop_is_read(
    loop: Callable[..., list[Round]], whole: tuple[Path, list[Round], Progress]
) -> None:
    out, rounds, _ = whole
    files = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    progress = Progress()
    again = loop(out, progress)
    assert loop_table(again) == loop_table(rounds)
    assert not any(progress.done.values())
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == files


def test_more_rounds_go_on_and_selections_accumulate(
    loop: Callable[..., list[Round]], tmp_path: Path
) -> None:
    first = loop(tmp_path, rounds=1, control=False)
    rounds = loop(tmp_path, rounds=2, control=False)
    assert [(r.number, r.arm) for r in rounds] == [(0, "base"), (1, "mined"), (2, "mined")]
    assert weights(rounds)[:2] == weights(first)
    assert not list(tmp_path.glob("*-random"))
    for name in ("hard.parquet", "hard.control.parquet"):
        one, two = (open_selection(tmp_path / f"round{i}" / name) for i in (1, 2))
        old = {(row.recipe, row.label) for row in one.rows}
        assert old <= {(row.recipe, row.label) for row in two.rows}
        cells = [(row.recipe, row.label) for row in two.rows]
        assert len(set(cells)) == len(cells)
        assert len(one.rows) <= len(two.rows) <= 2 * len(one.rows)
        assert two.model != one.model
    # none of them is left out in training: mining knows the fold
    assert rounds[2].negatives == len(open_selection(tmp_path / "round2" / "hard.parquet").rows)


def test_without_replay_a_round_trains_with_its_own_alone(
    loop: Callable[..., list[Round]], tmp_path: Path
) -> None:
    loop(tmp_path, rounds=2, control=False, replay=0.0)
    two = open_selection(tmp_path / "round2" / "hard.parquet")
    assert len(two.rows) == 6
    assert {row.rank for row in two.rows} == {1, 2, 3}


def test_each_round_asks_about_unlabelled_recordings_and_verdicts_are_kept(
    loop: Callable[..., list[Round]], shared_data: Data, tmp_path: Path
) -> None:
    field = open_unlabelled(shared_data.recordings)
    asking = Asking(field, AskSettings(per_class=2, strategy="top"))
    rounds = loop(tmp_path, control=True, asking=asking)
    tables = [tmp_path / f"round{i}" / "ask.csv" for i in (0, 1)]
    asked = [pd.read_csv(path, dtype=str) for path in tables]
    models = [CheckpointScorer(Checkpoint.load(r.checkpoint), torch.device("cpu")) for r in rounds]
    for table, model in zip(asked, (models[0], models[2]), strict=True):
        assert table["class"].value_counts().to_dict() == {"0": 2, "1": 2}
        assert set(table["model"]) == {model.fingerprint}
        assert table["verdict"].isna().all()
    assert not (tmp_path / "round1-random" / "ask.csv").exists()
    # what a person has filled in since stays; a table that is gone is written again
    asked[0]["verdict"] = "absent"
    asked[0].to_csv(tables[0], index=False)
    filled = tables[0].read_bytes()
    tables[1].unlink()
    loop(tmp_path, control=True, asking=asking)
    assert tables[0].read_bytes() == filled
    assert pd.read_csv(tables[1], dtype=str).equals(asked[1])
    other = Asking(field, AskSettings(per_class=1, strategy="top"))
    with pytest.raises(InputError, match=r"4 of its 4 rows have a verdict; pass it as --verdicts"):
        loop(tmp_path, control=True, asking=other)


def test_nothing_is_mined_where_somebody_heard_the_class(
    loop: Callable[..., list[Round]],
    whole: tuple[Path, list[Round], Progress],
    shared_pool: Path,
    tmp_path: Path,
) -> None:
    pool = open_pool(shared_pool)
    first = open_selection(whole[0] / "round1" / "hard.parquet").rows[0]
    source = pool.recipes[pool.recipes.row_of(first.recipe)].sources[0]
    verdict = Verdict(source.recording, first.label, Span(0.0, 60.0), "present", "", "heard.csv")
    loop(tmp_path, heard=[verdict])
    found = open_selection(tmp_path / "round1" / "hard.parquet")
    of_class = [row for row in found.rows if row.label == first.label]
    assert of_class
    for row in of_class:
        recipe = pool.recipes[pool.recipes.row_of(row.recipe)]
        assert source.recording not in {one.recording for one in recipe.sources}


def test_rounds_end_when_validation_gets_no_better(
    loop: Callable[..., list[Round]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.5, 0.6, 0.6, 0.4, 0.9])
    monkeypatch.setattr("training.schedules.loop._score", lambda checkpoint: next(scores))
    rounds = loop(tmp_path, rounds=4, control=False, stop_after=2)
    assert [r.number for r in rounds] == [0, 1, 2, 3]
    # read again, it ends in the same place
    scores = iter([0.5, 0.6, 0.6, 0.4, 0.9])
    assert loop(tmp_path, rounds=4, control=False, stop_after=2) == rounds


def test_each_round_may_have_a_page_that_says_what_changed(
    whole: tuple[Path, list[Round], Progress],
    loop: Callable[..., list[Round]],
    tmp_path: Path,
) -> None:
    assert not list(whole[0].rglob("report.html"))
    out = tmp_path / "loop"
    shutil.copytree(whole[0], out)
    loop(out, rounds=2, control=False, report=True)
    pages = [(out / f"round{i}" / "report.html").read_text() for i in (1, 2)]
    assert all("<html" in page for page in pages)
    assert [">before: model<" in page for page in pages] == [False, True]


def test_the_score_is_that_of_the_validation_fold(
    whole: tuple[Path, list[Round], Progress],
) -> None:
    from training.schedules.loop import _score

    _, rounds, _ = whole
    for found in rounds:
        assert _score(Checkpoint.load(found.checkpoint)) == found.metrics["known_ap"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_s": 0.5}, r"clips of 1 s, but this run trains on 0\.5 s"),
        ({}, "class '9' is unknown"),
    ],
)
def test_pool_that_does_not_fit_is_told_before_any_training(
    opened: Opened,
    shared_pool: Path,
    tmp_path: Path,
    changes: dict[str, object],
    message: str,
) -> None:
    annotations = opened.annotations
    if not changes:
        annotations = Annotations(annotations.boxes, ("0", "1", "9"))
    with pytest.raises(PoolError, match=message):
        run_loop(
            tiny_config(**changes),
            RunInputs(annotations, opened.recordings, tmp_path / "cache"),
            tmp_path / "rounds",
            RunContext(),
            LoopSettings(),
            Mining(open_pool(shared_pool), MineSettings()),
        )
    assert not (tmp_path / "rounds").exists()


def test_table_of_rounds() -> None:
    path = Path("round0/best.pt")
    metrics = {"epoch": 3.0, "loss": 0.123456, "known_ap": 0.98765, "neg@3": 0.5, "neg@5": np.nan}
    headers, rows = loop_table(
        [Round(0, "base", 0, path, metrics), Round(1, "mined", 42, path, {"loss": 1.0})]
    )
    assert headers == ["round", "arm", "negatives", "known_ap", "neg@3", "neg@5", "loss"]
    assert rows == [
        ["0", "base", "0", "0.988", "0.500", "nan", "0.1235"],
        ["1", "mined", "42", "-", "-", "-", "1.0000"],
    ]


def test_table_of_rounds_leaves_out_what_no_round_has() -> None:
    one_class = {"loss": 1.0, "known_ap": 0.5}
    headers, rows = loop_table([Round(0, "base", 0, Path("round0/best.pt"), one_class)])
    assert headers == ["round", "arm", "negatives", "known_ap", "loss"]
    assert rows == [["0", "base", "0", "0.500", "1.0000"]]


def test_training_tells_how_many_negatives_it_used(
    opened: Opened, whole: tuple[Path, list[Round], Progress], shared_pool: Path, tmp_path: Path
) -> None:
    progress = Progress()
    selection = whole[0] / "round1" / "hard.parquet"
    hard = HardInputs(selection, LoopHardUse(ratio=0.5))
    samples = [SampleInputs(open_pool(shared_pool), "negatives", LOOP_SAMPLES.negative_ratio)]
    trained = run_training(
        tiny_config(**STEPS),
        RunInputs(
            opened.annotations, opened.recordings, tmp_path / "cache", hard=[hard], samples=samples
        ),
        tmp_path / "run",
        RunContext(progress=progress),
        "a title",
    )
    assert trained.used == len(open_selection(selection).rows) == 6
    assert progress.done["a title"] == 2
    # the loop's own run with the same negatives is this very run
    assert trained.checkpoint.fingerprint == weights(whole[1])[2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mining": MineSettings(per_class=2)}, r"another per-class \(3, now 2\); choose another"),
        ({"mining": MineSettings(per_class=3, max_doubt=0.75)}, "another max-doubt "),
        (
            {"mining": MineSettings(per_class=2, min_distance=0.25, seed=1, strategy="spread")},
            "another per-class .*, another strategy .*, another min-distance .*, another seed",
        ),
    ],
)
def test_a_selection_of_other_settings_is_not_taken_for_one_of_these(
    whole: tuple[Path, list[Round], Progress],
    loop: Callable[..., list[Round]],
    changes: dict[str, Any],
    said: str,
) -> None:
    out, _, _ = whole
    before = (out / "round1" / "hard.parquet").read_bytes()
    with pytest.raises(InputError, match=said):
        loop(out, **changes)
    assert (out / "round1" / "hard.parquet").read_bytes() == before


def test_a_selection_that_does_not_say_how_it_was_made_is_used_with_a_word(
    whole: tuple[Path, list[Round], Progress],
    loop: Callable[..., list[Round]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = Path(shutil.copytree(whole[0], tmp_path / "loop"))
    for name in ("hard.parquet", "hard.control.parquet"):
        path = out / "round1" / name
        replace(open_selection(path), made_with=None).write(path)
    assert weights(loop(out)) == weights(whole[1])
    assert capsys.readouterr().err.count("used as it is: written by an earlier version") == 2


def test_a_damaged_selection_is_said_and_mined_again(
    loop: Callable[..., list[Round]],
    whole: tuple[Path, list[Round], Progress],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = Path(shutil.copytree(whole[0], tmp_path / "loop"))
    hard = out / "round1" / "hard.parquet"
    content = hard.read_bytes()
    hard.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    assert weights(loop(out)) == weights(whole[1])
    assert "hard.parquet: damaged, so mined again" in capsys.readouterr().err
    assert open_selection(hard).rows == open_selection(whole[0] / "round1" / "hard.parquet").rows
