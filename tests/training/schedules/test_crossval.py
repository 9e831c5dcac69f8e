"""Folds and seeds: who scores what, what is kept, and that a stopped run goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import Data, Opened, open_data, tiny_config

from negmine.annotations import Annotations
from negmine.cli.main import main
from negmine.errors import InputError
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunContext, RunInputs
from training.engine.run import run_training
from training.engine.validate import ClipScorer, Verdicts
from training.evaluation.ensemble import mean
from training.evaluation.members import compare, open_members
from training.evaluation.score_tables import read_scores, read_truth
from training.metrics import known_ap
from training.models.model import FeatureMap
from training.schedules import crossval
from training.schedules.schedule import Schedule, Stage

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def opened(shared_data: Data) -> Opened:
    """Recordings of which each knows one class present and the other absent."""
    return open_data(shared_data, alternating=True)


def run(o: Opened, out: Path, cache: Path, seeds: int = 2, **changes: Any) -> list[dict[str, Any]]:
    config = tiny_config(folds=2, epochs=1, steps_per_epoch=2, seed=3)
    inputs, context = RunInputs(o.annotations, o.recordings, cache), RunContext()
    return crossval.run_seeds(config, inputs, out, context, seeds=seeds, **changes)


@pytest.fixture(scope="module")
def done(
    one_thread: None, opened: Opened, shared_cache: Path, tmp_path_factory: Any
) -> tuple[Path, list[dict[str, Any]]]:
    out = tmp_path_factory.mktemp("seeds")
    return out, run(opened, out, shared_cache)


def test_every_fold_trains_with_every_seed(done: tuple[Path, list[dict[str, Any]]]) -> None:
    out, rows = done
    assert [(row["seed"], row["fold"]) for row in rows] == [
        ("3", "0"), ("3", "1"), ("3", "all"), ("4", "0"), ("4", "1"), ("4", "all"), ("mean", "all")
    ]  # fmt: skip
    configs = [Checkpoint.load(Path(r["checkpoint"])).config for r in rows if "checkpoint" in r]
    assert [(c.seed, c.fold, c.folds) for c in configs] == [
        (3, 0, 2), (3, 1, 2), (4, 0, 2), (4, 1, 2)
    ]  # fmt: skip
    assert len((out / "members.csv").read_text().splitlines()) == 8


def test_scores_are_of_the_model_that_held_the_recording_out(
    done: tuple[Path, list[dict[str, Any]]], opened: Opened
) -> None:
    out, rows = done
    o = opened
    whole, judged = (
        read_scores(out / "seed3" / "oof.csv"),
        read_scores(out / "seed3/oof.verdicts.csv"),
    )
    truth, known = read_truth(out / "known.csv", whole.classes)
    assert whole.recordings == truth.recordings == tuple(o.recordings.infos)
    seen: list[str] = []
    for fold in range(2):
        checkpoint = Checkpoint.load(out / "seed3" / f"fold{fold}" / "best.pt")
        seen += checkpoint.held_out
        held = o.recordings.only(checkpoint.held_out)
        scorer = ClipScorer(checkpoint.detector(CPU), checkpoint.config, CPU)
        want = Verdicts(held, o.annotations.only(checkpoint.held_out), 8000).scores(scorer)
        at = [whole.recordings.index(name) for name in held.infos]
        assert (known[at] == want.known).all()
        assert (truth.scores[at][want.known] == want.truth[want.known]).all()
        probabilities = 1 / (1 + np.exp(-want.scores.astype(float)))
        assert judged.scores[at][want.known] == pytest.approx(probabilities[want.known], abs=1e-6)
        assert (judged.scores[at][~want.known] == whole.scores[at][~want.known]).all()
    assert sorted(seen) == sorted(o.recordings.infos)
    as_one = known_ap(truth.scores, judged.scores, known)
    assert rows[2]["known_ap"] == as_one


class Spy(ClipScorer):
    """Notes which recording, by its samples, each model was asked about."""

    asked: ClassVar[list[tuple[str, bytes]]] = []

    def __init__(self, detector: Any, config: Any, device: Any) -> None:
        super().__init__(detector, config, device)
        self.fold = f"fold{config.fold}"

    def features(self, samples: np.ndarray) -> FeatureMap:
        Spy.asked.append((self.fold, samples.tobytes()))
        return super().features(samples)


def test_no_model_is_asked_about_what_it_trained_on(
    done: tuple[Path, list[dict[str, Any]]], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.engine.validate import read_recordings

    monkeypatch.setattr(crossval, "ClipScorer", Spy)
    monkeypatch.setattr(Spy, "asked", [])
    o = opened
    checkpoints = [Checkpoint.load(done[0] / "seed4" / f"fold{k}" / "best.pt") for k in (0, 1)]
    crossval.out_of_fold(checkpoints, o.annotations, o.recordings, RunContext())
    name = {samples.tobytes(): name for name, samples in read_recordings(o.recordings, 8000)}
    asked = {(fold, name[sound]) for fold, sound in Spy.asked}
    assert asked == {(f"fold{k}", n) for k in (0, 1) for n in checkpoints[k].held_out}
    assert len(Spy.asked) == len(o.recordings.infos)


def test_models_that_are_not_the_folds_of_one_run(
    done: tuple[Path, list[dict[str, Any]]], opened: Opened
) -> None:
    o = opened
    one = Checkpoint.load(done[0] / "seed3" / "fold0" / "best.pt")
    with pytest.raises(InputError, match=r"is held out by 0 of 1 models"):
        crossval.out_of_fold([one], o.annotations, o.recordings, RunContext())
    with pytest.raises(InputError, match=r"is held out by (0|2) of 2 models"):
        crossval.out_of_fold([one, one], o.annotations, o.recordings, RunContext())


def test_a_recording_with_the_only_call_of_a_class_has_no_scores(
    opened: Opened, shared_cache: Path, tmp_path: Path
) -> None:
    o = opened
    (only, *rest) = [box for box in o.annotations.confirmed if box.label == "1"]
    kept = [box for box in o.annotations.boxes if box not in rest]
    names = {box.recording for box in kept}
    few = Opened(Annotations(tuple(kept), o.annotations.classes), o.recordings.only(names))
    rows = run(few, tmp_path, shared_cache, seeds=1)
    assert [row["fold"] for row in rows] == ["0", "1", "all"]
    scored = set(read_scores(tmp_path / "oof.csv").recordings)
    assert scored == names - {only.recording}
    assert set(read_truth(tmp_path / "known.csv", ("0", "1"))[0].recordings) == scored


def test_the_mean_over_seeds_and_the_ensemble_agree(
    done: tuple[Path, list[dict[str, Any]]],
) -> None:
    out, rows = done
    tables = [read_scores(out / f"seed{seed}" / "oof.csv").scores for seed in (3, 4)]
    assert read_scores(out / "oof.csv").scores == pytest.approx(mean(tables), abs=1e-8)
    # the folder's own mean is no member beside its seeds: each seed is named
    members = [out / "seed3", out / "seed4"]
    found = {row["name"]: row for row in compare(open_members(members))}
    assert found[str(out / "seed3")]["known_ap"] == rows[2]["known_ap"]
    assert found["mean of all"]["known_ap"] == pytest.approx(rows[-1]["known_ap"], abs=1e-6)


def test_a_run_folder_is_its_seeds(done: tuple[Path, list[dict[str, Any]]]) -> None:
    assert [Path(m.name).name for m in open_members([done[0]])] == ["seed3", "seed4"]


def files(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*.csv"))}


def test_a_stopped_run_goes_on_and_ends_the_same(
    done: tuple[Path, list[dict[str, Any]]],
    opened: Opened,
    shared_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def stopped(config: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append((config.seed, config.fold))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return run_training(config, *args, **kwargs)

    monkeypatch.setattr(crossval, "run_training", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(opened, tmp_path, shared_cache)
    assert not (tmp_path / "members.csv").exists()
    scored: list[object] = []
    score = crossval.out_of_fold

    def counted(*given: Any) -> Any:
        scored.append(given)
        return score(*given)

    monkeypatch.setattr(crossval, "out_of_fold", counted)
    run(opened, tmp_path, shared_cache)
    assert len(scored) == 1  # the first seed's scores are there already
    got, want = files(tmp_path), files(done[0])
    assert got.keys() == want.keys()
    for name in want.keys() - {"members.csv"}:  # which holds the paths of the folder
        assert got[name] == want[name], name


def test_recipes_are_scored_by_their_last_stage(
    opened: Opened, shared_cache: Path, tmp_path: Path
) -> None:
    stages = Stage("one"), Stage("two", pseudo=True, settings={"loss": "bce"})
    rows = run(opened, tmp_path, shared_cache, seeds=1, schedule=Schedule("two stages", stages))
    assert [(row["seed"], row["fold"]) for row in rows] == [("3", "0"), ("3", "1"), ("3", "all")]
    paths = [Path(row["checkpoint"]) for row in rows[:2]]
    assert paths == [tmp_path / "seed3" / "2-two" / f"fold{k}" / "best.pt" for k in (0, 1)]
    assert Checkpoint.load(paths[0]).config.loss == "bce"


TINY = {
    "sample-rate": 8000, "clip-s": 1, "n-mels": 16, "window-s": 0.5, "tp-per-step": 4,
    "fp-per-step": 2, "steps-per-epoch": 2, "epochs": 1, "patience": 0, "folds": 2, "device": "cpu",
}  # fmt: skip


def test_the_command(
    one_thread: None, shared_data: Data, shared_cache: Path, tmp_path: Path
) -> None:
    command = ["train", *shared_data.options, "--out", str(tmp_path / "run"), "--quiet"]
    command += [text for name, value in TINY.items() for text in (f"--{name}", str(value))]
    command += ["--seeds", "1", "--json", "--cache", str(shared_cache)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [row["fold"] for row in found["members"]] == ["0", "1", "all"]
    assert Path(found["out_of_fold"]).exists()
    for wrong, message in (
        (["--folds", "1"], "holds anything out"),
        (["--init", "x.pt"], "--init: with --seeds"),
        (["--seed", str(2**32 - 1), "--seeds", "2"], "there are no 2 seeds"),
    ):
        result = CliRunner().invoke(main, [*command, *wrong])
        assert (result.exit_code, message in result.stderr) == (2, True), result.output
