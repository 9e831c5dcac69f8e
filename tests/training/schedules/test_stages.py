"""Recipes: stages as data, each from the labels of the one before, resumed anywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from conftest import Data, Opened, tiny_config

from negmine.annotations import Annotations
from negmine.cli.main import main
from negmine.errors import InputError
from negmine.progress import Progress, no_progress
from training.augmentation import AugmentSettings
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunContext, RunInputs
from training.models.detector import weights_fingerprint
from training.schedules import stages as stages_module
from training.schedules.pseudo import PseudoLabels
from training.schedules.schedule import Schedule, Stage, read_schedule, schedule_names
from training.schedules.settings import PseudoSettings
from training.schedules.stages import Labelling, StageResult, run_stages

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_rfcx_recipe_is_lsoft_then_pseudo_labels_then_ranking() -> None:
    assert schedule_names() == ["pseudo-rows", "rfcx"]
    assert [s.fill for s in read_schedule("pseudo-rows").stages if s.pseudo] == [False]
    stages = read_schedule("rfcx").stages
    assert [s.settings["loss"] for s in stages] == ["lsoft", *["bce"] * 3, *["lsep"] * 2]
    assert [s.pseudo for s in stages] == [False, *[True] * 5]
    assert [s.init for s in stages] == ["scratch", *["previous"] * 5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[[stage]]\nname = 'a'\nlos = 'bce'",
            r"stage 1: unknown setting 'los' \(did you",
        ),
        ("[[stage]]\nname = 'a'\nlr = 'high'", "lr = 'high': expected a number > 0"),
        ("[[stage]]\nname = 'a'\nseed = 3", "unknown setting 'seed'"),
        ("[[stage]]\nname = 'a'\nfirst_draw = 3", "unknown setting 'first_draw'"),
        (
            "[[stage]]\nname = 'a'\nepochs = true",
            "epochs = True: expected a whole number",
        ),
        ("[[stage]]\nname = 'a'\nepochs = 0", r"stage 1: epochs = 0: expected a whole number in"),
        (
            "[[stage]]\nname = 'a'\nloss = 'bec'",
            r"stage 1: loss = 'bec' .did you mean bce.*expected one of bce, ",
        ),
        ("[[stage]]\nname = '../a'", "expected letters and digits"),
        ("[[stage]]\nname = 'a'\nrepeat = 0", "expected a whole number in"),
        ("[[stage]]\nname = 'a'\ninit = 'last'", "expected one of scratch, previous"),
        ("[[stage]]\nname = 'a'\npseudo = 1", "expected true or false"),
        ("[[stage]]\nname = 'a'\nfill = 0", "fill = 0: expected true or false"),
        ("[[stage]]\nname = 'a'\nfill = false", "fill goes with pseudo = true"),
        ("[[stage]]\nname = 'a'\npseudo = true", "the first stage has none before it"),
        ("stage = [false]", "stage 1: False is not a table"),
        ("stages = 3", "expected .*stage.* tables"),
        ("[[stage]", "not readable as TOML"),
    ],
)
def test_a_malformed_recipe_is_misuse(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_schedule(str(file))


def test_a_recipe_that_is_not_there_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no recipe 'rfxc' \(did you mean rfcx\?\)"):
        read_schedule("rfxc")
    with pytest.raises(InputError, match="no such file"):
        read_schedule(str(tmp_path / "none.toml"))


def schedule(*stages: Stage) -> Schedule:
    return Schedule("a test's", stages)


SCHEDULE = schedule(
    Stage("first", settings={"loss": "lsoft"}),
    Stage("pseudo", "previous", True, settings={"loss": "bce"}),
    Stage("rank", "scratch", True, settings={"loss": "lsep"}),
)
FIRST = SCHEDULE.stages[0]
CONTEXT = RunContext()


def run(
    opened: Opened, out: Path, cache: Path, progress: Progress = no_progress
) -> list[StageResult]:
    config = tiny_config(folds=2, epochs=1, pseudo_per_step=2)
    inputs = RunInputs(opened.annotations, opened.recordings, cache)
    return run_stages(SCHEDULE, config, inputs, out, RunContext(progress=progress))


@pytest.fixture(scope="module")
def whole(
    shared_opened: Opened, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[StageResult]]:
    out = tmp_path_factory.mktemp("stages")
    return out, run(shared_opened, out, shared_cache)


def fingerprints(results: list[StageResult]) -> list[str]:
    return [Checkpoint.load(found.checkpoint).fingerprint for found in results]


def test_every_stage_trains_every_fold_from_where_it_says(
    whole: tuple[Path, list[StageResult]],
) -> None:
    out, results = whole
    assert [(r.stage, r.fold) for r in results] == [
        (name, fold) for name in ("1-first", "2-pseudo", "3-rank") for fold in (0, 1)
    ]
    for number, found in enumerate(results):
        checkpoint = Checkpoint.load(found.checkpoint)
        if found.stage == "2-pseudo":
            first = Checkpoint.load(results[number - 2].checkpoint)
            assert checkpoint.inputs["init"] == first.fingerprint
            assert set(checkpoint.held_out) == set(first.held_out)
        else:
            assert "init" not in checkpoint.inputs
        assert ("pseudo labels" in checkpoint.inputs) == (found.stage != "1-first")
    assert len(set(fingerprints(results))) == 6
    assert (out / "2-pseudo" / "pseudo.parquet").exists()
    assert not (out / "3-rank" / "pseudo.parquet").exists()
    assert len(pd.read_csv(out / "stages.csv")) == 6
    # later stages see other rows of the same recordings
    draws = {Checkpoint.load(r.checkpoint).config.first_draw for r in results}
    assert draws == {0, 3, 6}


def test_labels_that_fill_nothing_train_in_rows_of_their_own(
    shared_opened: Opened, shared_cache: Path, tmp_path: Path
) -> None:
    o, beside = shared_opened, Stage("beside", "previous", pseudo=True, fill=False)
    # of confirmed calls alone, each crop leaves the other class unknown
    confirmed = Annotations(tuple(b for b in o.annotations.boxes if b.present), ("0", "1"))
    config = tiny_config(folds=2, epochs=1, pseudo_per_step=2, fp_per_step=0)
    found = {}
    for name, stage in (("beside", beside), ("everywhere", replace(beside, fill=True))):
        results = run_stages(
            schedule(FIRST, stage), config, RunInputs(confirmed, o.recordings, shared_cache),
            tmp_path / name, CONTEXT,
        )  # fmt: skip
        found[name] = [Checkpoint.load(result.checkpoint) for result in results]
    first, last = (found["beside"][i] for i in (0, -1))
    assert "pseudo labels" not in last.inputs
    assert last.inputs["plug-in 0"].startswith("pseudo rows")
    assert last.fingerprint != found["everywhere"][-1].fingerprint
    assert first.fingerprint == found["everywhere"][0].fingerprint
    with pytest.raises(InputError, match=r"stage 2, 'beside': .* pseudo_per_step is 0"):
        run_stages(
            schedule(FIRST, beside), tiny_config(folds=2),
            RunInputs(o.annotations, o.recordings, shared_cache), tmp_path / "no", CONTEXT,
        )  # fmt: skip


@pytest.mark.parametrize("at", [2, 4, 7, 14])
def test_a_recipe_stopped_anywhere_ends_as_if_it_had_not(
    whole: tuple[Path, list[StageResult]],
    shared_opened: Opened,
    shared_cache: Path,
    tmp_path: Path,
    at: int,
) -> None:
    steps = 0

    def progress(what: str, total: int, unit: str = "file", /) -> Any:
        def advance(count: int = 1, /, **shown: object) -> None:
            nonlocal steps
            steps += unit == "step"
            if steps == at:
                raise KeyboardInterrupt

        return advance

    with pytest.raises(KeyboardInterrupt):
        run(shared_opened, tmp_path, shared_cache, progress)
    results = run(shared_opened, tmp_path, shared_cache)
    assert fingerprints(results) == fingerprints(whole[1])


def test_labels_made_in_another_way_are_made_again(
    whole: tuple[Path, list[StageResult]], shared_opened: Opened, shared_cache: Path
) -> None:
    out, results = whole
    models = [Checkpoint.load(r.checkpoint) for r in results[:2]]
    path = out / "1-first" / "pseudo.parquet"
    before = path.read_bytes()

    def labels(settings: PseudoSettings) -> PseudoLabels:
        o = shared_opened
        inputs = RunInputs(o.annotations, o.recordings, shared_cache)
        return stages_module._labels(path, models, inputs, CONTEXT, Labelling(settings), ())

    usual = PseudoSettings()
    assert labels(usual).settings == PseudoSettings()
    assert path.read_bytes() == before
    softer = labels(PseudoSettings(temperature=5.0))
    assert softer.settings.temperature == 5.0
    assert path.read_bytes() != before
    assert labels(usual).settings == PseudoSettings()
    assert path.read_bytes() == before
    # nor are they those of another file of the same name
    infos = shared_opened.recordings.infos
    first = next(iter(infos))
    other = {**infos, first: replace(infos[first], fingerprint="00" * 16)}
    found = PseudoLabels.read(path, shared_opened.annotations.classes)
    changed = replace(shared_opened.recordings, infos=other)
    assert found.given == stages_module._given(
        shared_opened.annotations, shared_opened.recordings, ()
    )
    assert found.given != stages_module._given(shared_opened.annotations, changed, ())


def test_one_fold_alone_must_be_told_to_label_itself(
    shared_opened: Opened, shared_cache: Path, tmp_path: Path
) -> None:
    o = shared_opened
    config = tiny_config(folds=1, epochs=1)
    inputs = RunInputs(o.annotations, o.recordings, shared_cache)
    with pytest.raises(InputError, match="none may label what it trained on"):
        run_stages(SCHEDULE, config, inputs, tmp_path, CONTEXT)
    in_fold = Labelling(in_fold=True)
    results = run_stages(SCHEDULE, config, inputs, tmp_path, CONTEXT, in_fold)
    assert [r.fold for r in results] == [0, 0, 0]
    assert weights_fingerprint(Checkpoint.load(results[0].checkpoint).model)


def test_a_stage_of_another_network_cannot_start_from_the_one_before(
    shared_opened: Opened, tmp_path: Path
) -> None:
    other = schedule(Stage("a"), Stage("b", "previous", settings={"pooling": "mean"}))
    inputs = RunInputs(shared_opened.annotations, shared_opened.recordings, tmp_path / "cache")
    with pytest.raises(InputError, match=r"stage 2, 'b': pooling = 'mean', but .* 'positive'"):
        run_stages(other, tiny_config(), inputs, tmp_path, CONTEXT)
    assert list(tmp_path.iterdir()) == []


def test_stages_started_afresh() -> None:
    scratch, previous = (SCHEDULE.restarted(init).stages for init in ("scratch", "previous"))
    assert [s.init for s in scratch] == ["scratch"] * 3
    assert [s.init for s in previous] == ["scratch", *["previous"] * 2]
    assert [s.settings for s in scratch] == [s.settings for s in SCHEDULE.stages]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_trains_a_recipe_of_a_file(shared_data: Data, tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text("[[stage]]\nname='a'\n[[stage]]\nname='b'\npseudo=true\nloss='bce'\n")
    result = call(
        "train", *shared_data.options, "--out", tmp_path / "run", "--recipe", file, "--json",
        "--sample-rate", 8000, "--clip-s", 1, "--n-mels", 16, "--window-s", 0.5, "--folds", 2,
        "--tp-per-step", 3, "--fp-per-step", 2, "--steps-per-epoch", 2, "--epochs", 1,
        "--pseudo-per-step", 1, "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["stages"]
    assert [(f["stage"], f["fold"], f["objective"]) for f in found] == [
        ("1-a", 0, "lsoft"), ("1-a", 1, "lsoft"), ("2-b", 0, "bce"), ("2-b", 1, "bce")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--recipe", "rfcx", "--init", "x.pt"], "start from one another"),
        (["--recipe", "rfxc"], "no recipe 'rfxc'"),
        (["--recipe", "rfcx", "--loss", "hill"], "--loss: stage 'lsoft' of recipe rfcx sets"),
    ],
)
def test_misuse_of_recipes_is_told(
    shared_data: Data, tmp_path: Path, options: list[str], message: str
) -> None:
    result = call("train", *shared_data.options, "--out", tmp_path / "run", *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_stage_changes_the_augmentation_it_names_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "[[stage]]\nname = 'a'\n[[stage]]\nname = 'b'\nlr = 1\n"
        "[stage.augment]\nnoise = 0.5\nnoise_snr_db = [0, 10]\n"
    )
    first, second = read_schedule(str(file)).stages
    config = tiny_config(augment=AugmentSettings(noise=0.25, gain=0.75))
    assert Schedule("a test's", (first,)).configured(config) == [config]
    changed = Schedule("a test's", (second,)).configured(config)[0].augment
    assert changed == AugmentSettings(noise=0.5, noise_snr_db=(0, 10), gain=0.75)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("augment = 3", "augment = 3: expected a table"),
        ("augment = {noisy = 1}", r"unknown key 'noisy' \(did you mean noise\?\)"),
        ("augment = {noise = 'much'}", r"noise = 'much': expected a number in \[0, 1\]"),
        ("augment = {noise = 2.0}", r"noise = 2.0: expected a number in \[0, 1\]"),
        ("augment = {noise_snr_db = 3}", "noise_snr_db = 3: expected a list of 2"),
        ("augment = {noise_snr_db = [9, 3]}", "the range is empty; swap the two"),
        ("augment = {shift_roll = 1}", "shift_roll = 1: expected true or false"),
    ],
)
def test_malformed_augmentation_of_a_stage_is_misuse(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f"[[stage]]\nname = 'a'\n{text}\n")
    with pytest.raises(InputError, match=f"stage 1.*: .*{message}"):
        read_schedule(str(file))


def test_an_option_of_augmentation_that_a_stage_sets_would_do_nothing(
    shared_data: Data, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[[stage]]\nname = 'a'\naugment = {noise = 0.5}\n")
    result = call(
        "train", *shared_data.options, "--out", tmp_path / "run", "--recipe", file, "--noise", 1
    )
    assert result.exit_code == 2
    assert "--noise: stage 'a'" in result.stderr


def test_settings_of_stages_that_do_not_fit_are_told_before_any_training(
    shared_opened: Opened, tmp_path: Path
) -> None:
    inputs = RunInputs(shared_opened.annotations, shared_opened.recordings, tmp_path / "cache")
    other = schedule(Stage("a"), Stage("b", settings={"augment": {"shift": 1.0, "shift_s": 2.0}}))
    with pytest.raises(InputError, match=r"stage 2, 'b': --shift-s 2 is not shorter than"):
        run_stages(other, tiny_config(), inputs, tmp_path, CONTEXT)
    assert list(tmp_path.iterdir()) == []
