"""The trainer's commands: results, JSON, exit codes, and errors of one line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from conftest import Data, Opened, make_pool, tiny_config

from negmine.cli.console import Bars
from negmine.cli.main import main
from negmine.mining.selection import Chosen, Selection, open_selection
from negmine.pool import open_pool
from training.augmentation import AUGMENT_PRESETS, AugmentSettings
from training.config import TrainConfig
from training.data.settings import HardUse, LoopHardUse
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunInputs
from training.engine.train import train
from training.models.detector import Detector
from training.models.frontend import FrontEndSettings

pytestmark = pytest.mark.usefixtures("one_thread")

# what tiny_config says, in one epoch of two steps
TINY = [
    *("--sample-rate", 8000, "--clip-s", 1, "--n-mels", 16, "--window-s", 0.5, "--folds", 4),
    *("--tp-per-step", 4, "--fp-per-step", 2, "--steps-per-epoch", 2, "--epochs", 1),
    *("--patience", 0, "--device", "cpu"),
]
SAME = {"steps_per_epoch": 2, "epochs": 1}


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def run_train(data: Data, out: Path, *more: object) -> Result:
    return call("train", *data.options, "--out", out, *TINY, *more)


def assert_one_line(result: Result, exit_code: int, *texts: str) -> None:
    """An error of one line on standard error, nothing on standard output, no traceback."""
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    # bars end with a carriage return or a line of their own; usage errors begin with the usage
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert result.stderr.rstrip().endswith(lines[0])
    assert "Traceback" not in result.stderr
    for text in texts:
        assert text in lines[0]


@pytest.fixture(scope="module")
def trained(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("cli") / "run"
    return out, run_train(shared_data, out)


@pytest.fixture(scope="module")
def truth(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The complete truth of the shared data: both classes call in every recording."""
    root = tmp_path_factory.mktemp("truth")
    names = [f"rec{i:02d}" for i in range(8)]
    pd.DataFrame({"recording_id": names, "s0": 1, "s1": 1}).to_csv(root / "truth.csv", index=False)
    events = pd.read_csv(shared_data.tp)[["recording_id", "species_id", "t_min", "t_max"]]
    events.to_csv(root / "events.csv", index=False)
    return root


@pytest.fixture(scope="module")
def hard(shared_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_selection(tmp_path_factory.mktemp("hard") / "hard.parquet", shared_pool)


def write_selection(path: Path, pool_path: Path, kind: str = "external") -> Path:
    pool = open_pool(pool_path)
    rows = [
        Chosen(recipe.id, label, 0.0, 1, recipe.kind, "external", 0.99, "", 0.0, 0.01)
        for recipe in pool
        if recipe.kind == kind
        for label in recipe.labels.absent
    ]
    Selection(tuple(rows), pool.path, pool.digest, "model").write(path)
    return path


def test_train_tells_the_best_epoch(trained: tuple[Path, Result]) -> None:
    out, result = trained
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{out / 'best.pt'}: epoch 1: loss ")
    assert result.stdout.count("\n") == 1
    # each class is confirmed in every recording: there is no zero to rank a call above
    assert "known_ap" not in result.stdout
    assert result.stderr.count("warning: validation fold 0 of 4 holds no recording in which") == 1
    assert "training" in result.stderr
    assert "reading recordings" in result.stderr


def test_train_is_the_library_call(
    trained: tuple[Path, Result], shared_opened: Opened, shared_cache: Path, tmp_path: Path
) -> None:
    o = shared_opened
    inputs = RunInputs(o.annotations, o.recordings, shared_cache)
    want = train(tiny_config(**SAME), inputs, tmp_path)
    got = Checkpoint.load(trained[0] / "best.pt")
    assert got.config == want.config
    assert got.fingerprint == want.fingerprint
    assert (trained[0] / "cache").is_dir()


@pytest.mark.parametrize(
    ("loss", "own"),
    [("large", {"large_loss_rate": 0.05}), ("lsep", {"lsep_bce": 0.7}), ("lsoft", {"lsoft": 0.4})],
)
def test_every_setting_reaches_the_run(
    shared_data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loss: str,
    own: dict[str, float],
) -> None:
    seen: list[Any] = []

    def stopped(config: Any, *_: Any, **__: Any) -> None:
        seen.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr("training.engine.run.train", stopped)
    changes: dict[str, Any] = {
        "backbone": "resnet10t",
        "sample_rate": 4000,
        "clip_s": 0.75,
        "n_mels": 20,
        "pooling": "attention",
        "bands": "shared",
        "band_margin": 0.5,
        "readout": "lse",
        "window_s": 0.25,
        "lse_sharpness": 3.0,
        "loss": loss,
        **own,
        "beyond_per_s": 0.5,
        "tp_per_step": 3,
        "placements": 2,
        "fp_per_step": 1,
        "workers": 1,
        "steps_per_epoch": 9,
        "epochs": 8,
        "patience": 7,
        "accumulate": 2,
        "ema": 0.9,
        "clip_norm": 1.5,
        "lr": 0.01,
        "weight_decay": 0.02,
        "warmup": 0.3,
        "folds": 6,
        "fold": 5,
        "select_by": "fp-per-hour",
        "select_recall": 0.6,
        "precision": "bf16",
        "seed": 11,
    }
    options: list[object] = ["--pretrained", "--compile", "--no-channels-last"]
    switches = {"pretrained": True, "compile": True, "channels_last": False}
    if loss == "lsoft":
        options.append("--no-lsoft-detach")
        switches["lsoft_detach"] = False
    for name, value in changes.items():
        option = "fp_beyond" if name == "beyond_per_s" else name
        options += ["--" + option.replace("_", "-"), value]
    call("train", *shared_data.options, "--out", tmp_path / "run", *options)
    (config,) = seen
    stages = {"pseudo_weight": 1.0, "pseudo_per_step": 0, "first_draw": 0}
    untouched = TrainConfig().to_dict()
    assert config.to_dict() == untouched | changes | switches
    # all of them are on this list, but for what goes with other losses and backbones
    others = {"large_loss_rate", "lsep_bce", "lsoft", "lsoft_detach", "hidden"}
    assert untouched.keys() == changes.keys() | switches.keys() | {"augment", *stages} | others


def augmented(options: str, data: Data, monkeypatch: pytest.MonkeyPatch) -> AugmentSettings:
    """The settings that options of augmentation reach a run with."""
    seen: list[AugmentSettings] = []

    def stopped(config: Any, *_: Any, **__: Any) -> None:
        seen.append(config.augment)
        raise KeyboardInterrupt

    monkeypatch.setattr("training.engine.run.train", stopped)
    call("train", *data.options, "--out", data.root / "unused", *options.split())
    return seen[0]


def test_every_setting_of_augmentation_reaches_the_run(
    shared_data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (
        "--noise .1 --noise-snr -1 2 --pink .2 --pink-snr 3 4 --pitch .3 --pitch-semitones 5 "
        "--stretch .4 --stretch-share .6 --shift .5 --shift-s .7 --shift-pad --gain .6 --gain-db 8 "
        "--mixup .7 --mixup-snr -9 9 --time-masks 2 --time-mask-s .3 --freq-masks 3 "
        "--freq-mask-share .2"
    )
    want = AugmentSettings(
        noise=0.1, noise_snr_db=(-1.0, 2.0), pink=0.2, pink_snr_db=(3.0, 4.0),
        pitch=0.3, pitch_semitones=5.0, stretch=0.4, stretch_share=0.6,
        shift=0.5, shift_s=0.7, shift_roll=False, gain=0.6, gain_db=8.0,
        mixup=0.7, mixup_snr_db=(-9.0, 9.0),
        time_masks=2, time_mask_s=0.3, freq_masks=3, freq_mask_share=0.2,
    )  # fmt: skip
    assert augmented(options, shared_data, monkeypatch) == want


@pytest.mark.parametrize("name", list(AUGMENT_PRESETS))
def test_preset_is_a_start_that_single_settings_override(
    shared_data: Data, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    preset = AUGMENT_PRESETS[name]
    assert augmented(f"--augment {name}", shared_data, monkeypatch) == preset
    got = augmented(f"--augment {name} --pink 0.9 --gain 0", shared_data, monkeypatch)
    assert got == preset.replace(pink=0.9, gain=0.0)


def test_augmentation_out_of_range_is_refused(shared_data: Data, tmp_path: Path) -> None:
    result = call("train", *shared_data.options, "--out", tmp_path / "run", "--noise", 1.5)
    assert result.exit_code == 2
    assert "1.5 is not in the range 0<=x<=1" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["train", "loop"])
def test_settings_of_hard_negatives_reach_the_run(
    shared_data: Data,
    shared_pool: Path,
    hard: Path,
    tmp_path: Path,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []

    def stopped(*given: Any) -> None:
        # of a run's inputs, or of a loop's mining
        seen.append(given[1].hard[0].use if command == "train" else given[5].use)
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "training.engine.run.run_training"
        if command == "train"
        else "training.schedules.loop.run_loop",
        stopped,
    )
    inputs = ["--hard-negatives", hard] if command == "train" else ["--pool", shared_pool]
    base = [command, *shared_data.options, "--out", tmp_path / "run", *inputs]
    call(*base)
    options = "--hard-ratio 0.7 --hard-mix 0.4 --hard-mix-snr -2 8 --hard-mix-by own"
    call(*base, *options.split())
    use = HardUse if command == "train" else LoopHardUse
    assert seen == [use(), use(ratio=0.7, mix=0.4, mix_snr_db=(-2.0, 8.0), mix_by="own")]
    result = call(*base, "--hard-mix-snr", 5, 1)
    assert result.exit_code == 2
    assert "--hard-mix-snr 5 1: the range is empty; swap the two" in result.stderr


def test_several_selections_share_the_rows_of_a_step(
    shared_data: Data,
    hard: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []

    def stopped(*given: Any) -> None:
        seen.append(given[1].hard)
        raise KeyboardInterrupt

    monkeypatch.setattr("training.engine.run.run_training", stopped)
    other = Path(shutil.copy(hard, tmp_path / "other.parquet"))
    base = ["train", *shared_data.options, "--out", tmp_path / "run"]
    options = ["--hard-negatives", f"{hard}:3", "--hard-negatives", other, "--hard-own-cell"]
    call(*base, *options, "--hard-ratio", 2, "--hard-mix", 0.4)
    first, second = seen[0]
    assert (first.selection, second.selection) == (hard, other)
    assert (first.use.ratio, second.use.ratio) == (1.5, 0.5)
    assert (first.use.mix, second.use.mix) == pytest.approx((0.3, 0.1))
    assert first.use.own
    for wrong, message in (
        ([f"{hard}:0"], "the share 0 is not above 0"),
        ([f"{hard}:inf"], "the share inf is not above 0"),
        ([hard, f"{hard}:2"], "given twice; add up the shares"),
    ):
        given = [part for one in wrong for part in ("--hard-negatives", one)]
        result = call(*base, *given)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


def test_scenes_and_random_negatives_of_a_pool_train(shared_data: Data, tmp_path: Path) -> None:
    pool = make_pool(shared_data, tmp_path / "pool", mix=0, scene={"count": 20})
    rows = ["--scenes", pool, "--negatives", pool, "--scene-ratio", 0.5]
    command = ["train", *shared_data.options, *TINY, "--epochs", 1, *rows]
    result = call(*command, "--out", tmp_path / "run", "--json")
    assert result.exit_code == 0, result.output
    sampled = json.loads(result.stdout)["sampled"]
    # of the fold that validates, none trains
    assert 0 < sampled["scenes"] < 20
    assert sampled["negatives"] > 0
    result = call(*command, "--out", tmp_path / "again")
    assert f"{sampled['negatives']} negatives and {sampled['scenes']} scenes of pools used" in (
        result.stdout
    )


def test_a_run_takes_hard_negatives_of_a_pool_that_was_moved(
    shared_data: Data, shared_pool: Path, tmp_path: Path
) -> None:
    pool = open_pool(shared_pool)
    rows = tuple(
        Chosen(recipe.id, min(recipe.labels.absent), 1.0, 1, "fp", "verified", 1.0, "", 0.5, 0)
        for recipe in list(pool)[:12]
    )
    hard, place = tmp_path / "hard.parquet", tmp_path / "gone"
    Selection(rows, place, pool.digest, "model").write(hard)
    command = ["train", *shared_data.options, *TINY, "--epochs", 1, "--hard-negatives", hard]
    result = call(*command, "--out", tmp_path / "run")
    assert (result.exit_code, "name its new place with --pool" in result.stderr) == (2, True)
    result = call(*command, "--out", tmp_path / "run", "--pool", shared_pool)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", ["train", "loop"])
def test_sites_are_held_out_whole(
    shared_data: Data, shared_pool: Path, tmp_path: Path, command: str
) -> None:
    table = tmp_path / "sites.csv"
    sites = {f"rec{i:02d}": f"site {i // 2}" for i in range(8)}
    lines = [f"{name},{site}" for name, site in sites.items()]
    table.write_text("\n".join(["recording_id,site", *lines]))
    found = {}
    for name, options in (
        ("table", ["--sites", table]),
        ("pattern", ["--site-regex", "rec0(.)"]),
    ):
        out = tmp_path / name
        run = run_train if command == "train" else run_loop
        data = (shared_data,) if command == "train" else (shared_data, shared_pool)
        result = run(*data, out, "--fold-by", "site", *options)
        assert result.exit_code == 0, result.stderr
        best = out / ("best.pt" if command == "train" else "round1/best.pt")
        found[name] = Checkpoint.load(best).held_out
    assert len({sites[name] for name in found["table"]}) == 1
    # each recording is a site of its own, by the other
    assert len(found["table"]) == len(found["pattern"]) == 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--fold-by", "site"], "--fold-by site takes one of --sites and --site-regex"),
        (["--fold-by", "site", "--site-regex", "x"], "'x' finds no site in recording 'rec00'"),
        (["--fold-by", "site", "--sites", "none.csv"], "none.csv: no such file"),
        (["--fold-by", "site", "--site-regex", "rec"], "4 folds of only 1 groups"),
    ],
)
def test_sites_that_are_not_named_are_misuse(
    shared_data: Data, tmp_path: Path, options: list[object], text: str
) -> None:
    assert_one_line(run_train(shared_data, tmp_path / "run", *options), 2, text)


def test_train_as_json(shared_data: Data, tmp_path: Path, hard: Path) -> None:
    result = run_train(
        shared_data, tmp_path / "run", "--hard-negatives", hard, "--hard-ratio", 0.5, "--json"
    )
    assert result.exit_code == 0
    value = json.loads(result.stdout)
    checkpoint = Checkpoint.load(tmp_path / "run" / "best.pt")
    assert value["checkpoint"] == str(tmp_path / "run" / "best.pt")
    assert value["fingerprint"] == checkpoint.fingerprint
    assert value["steps"] == 2
    assert value["held_out"] == 2
    assert value["hard_negatives"] == 18
    assert value["hard_negatives_left_out"] == 0
    assert value["loss"] == checkpoint.history[-1]["loss"]
    assert "at 0.5" in checkpoint.inputs["plug-in 0"]


def test_train_tells_how_many_hard_negatives(shared_data: Data, tmp_path: Path, hard: Path) -> None:
    result = run_train(shared_data, tmp_path / "run", "--hard-negatives", hard)
    assert result.stdout.splitlines()[-1] == "18 hard negatives used"


def test_train_tells_how_many_it_left_out(
    shared_data: Data, shared_pool: Path, tmp_path: Path
) -> None:
    path = write_selection(tmp_path / "fp.parquet", shared_pool, kind="fp")
    result = run_train(shared_data, tmp_path / "run", "--hard-negatives", path)
    total = len(open_selection(path).rows)
    # a rejected box a class in each of eight recordings, two of which validate
    told = (
        f"{total * 3 // 4} hard negatives used; {total // 4} left out, of recordings that validate"
    )
    assert result.stdout.splitlines()[-1] == told


def test_quiet_is_silent(shared_data: Data, tmp_path: Path) -> None:
    result = run_train(shared_data, tmp_path / "run", "--quiet")
    assert (result.exit_code, result.stdout) == (0, "")
    # but for what is wrong with the data
    assert [line[:24] for line in result.stderr.splitlines()] == ["warning: validation fold"]
    assert (tmp_path / "run" / "best.pt").is_file()


def test_cache_can_be_shared(shared_data: Data, tmp_path: Path) -> None:
    result = run_train(shared_data, tmp_path / "run", "--cache", tmp_path / "clips")
    assert result.exit_code == 0
    assert list((tmp_path / "clips").glob("*.i16"))
    assert not (tmp_path / "run" / "cache").exists()


def test_rerun_of_a_finished_run_tells_the_same(
    trained: tuple[Path, Result], shared_data: Data
) -> None:
    again = run_train(shared_data, trained[0])
    assert (again.exit_code, again.stdout) == (0, trained[1].stdout)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--fold", 4], "--fold 4: the last of --folds 4 is 3"),
        (["--fold", -1], "Invalid value for '--fold'"),
        (["--folds", 20, "--fold", 19], "20 folds of only 8 recordings"),
        (["--window-s", 2], "--window-s 2 is longer than --clip-s 1"),
        (["--pretrained"], "--pretrained needs a timm model"),
        (["--seed", -1], "Invalid value for '--seed'"),
        (["--seed", 2**40], "Invalid value for '--seed'"),
        (["--lr", 0], "Invalid value for '--lr'"),
        (["--lsoft", 1.5], "Invalid value for '--lsoft'"),
        (["--readout", "median"], "Invalid value for '--readout'"),
        (["--device", "nonsense"], "device 'nonsense' is not available"),
        (["--init", "none.pt"], "none.pt: no such checkpoint"),
        (["--hard-negatives", "none.parquet"], "none.parquet: no such file"),
        (["--hard-ratio", 0], "Invalid value for '--hard-ratio'"),
        (["--lsft", 0], "No such option"),
        (["--batch-size", 8], "A step's rows are --tp-per-step and --fp-per-step"),
    ],
)
def test_misuse_of_train_is_told_in_one_line(
    shared_data: Data, tmp_path: Path, options: list[object], text: str
) -> None:
    assert_one_line(run_train(shared_data, tmp_path / "run", *options), 2, text)
    assert not (tmp_path / "run" / "last.pt").exists()


@pytest.mark.parametrize("backbone", ["no_such_model", "vit_tiny_patch16_224"])
def test_backbone_that_cannot_be_used_is_misuse(
    shared_data: Data, tmp_path: Path, backbone: str
) -> None:
    result = run_train(shared_data, tmp_path / "run", "--backbone", backbone)
    assert_one_line(result, 2, backbone)


def test_missing_column_is_misuse(data: Data, tmp_path: Path) -> None:
    table = pd.read_csv(data.tp).rename(columns={"species_id": "specie_id"})
    table.to_csv(data.tp, index=False)
    result = run_train(data, tmp_path / "run")
    assert_one_line(result, 2, "unknown column 'specie_id'", "did you mean species_id?")


def test_other_settings_in_the_same_folder_are_misuse(
    trained: tuple[Path, Result], shared_data: Data
) -> None:
    result = run_train(shared_data, trained[0], "--lr", 0.5)
    assert_one_line(result, 2, "another lr (0.002, now 0.5)", "--out")


def test_missing_recording_is_misuse(data: Data, tmp_path: Path) -> None:
    (data.recordings / "rec03.flac").unlink()
    assert_one_line(run_train(data, tmp_path / "run"), 2, "no sound file for recording 'rec03'")


def test_initial_weights_of_other_classes_are_misuse(shared_data: Data, tmp_path: Path) -> None:
    config = tiny_config()
    front_end = FrontEndSettings.for_mels(config.sample_rate, config.n_mels)
    state = Detector(2, front_end, "small").state_dict()
    init = tmp_path / "init.pt"
    Checkpoint(config, front_end, ("0", "7"), state, {}, 0, [], [], ()).save(init)
    result = run_train(shared_data, tmp_path / "run", "--init", init)
    assert_one_line(result, 2, "init.pt: class '7' is unknown there")


def test_selection_of_other_classes_is_misuse(data: Data, tmp_path: Path, hard: Path) -> None:
    for path in (data.tp, data.fp):
        table = pd.read_csv(path)
        table["species_id"] = table.species_id.replace({1: 5})
        table.to_csv(path, index=False)
    result = run_train(data, tmp_path / "run", "--hard-negatives", hard)
    assert_one_line(result, 2, "class '5' is unknown there")


def test_selection_whose_pool_is_gone_is_misuse(data: Data, tmp_path: Path) -> None:
    pool = make_pool(data, tmp_path / "pool", mix=0)
    hard = write_selection(tmp_path / "hard.parquet", pool)
    shutil.rmtree(pool)
    result = run_train(data, tmp_path / "run", "--hard-negatives", hard)
    assert_one_line(result, 2, "no such folder; make one with 'negmine build-pool'")


def test_selection_of_other_clips_is_misuse(shared_data: Data, tmp_path: Path, hard: Path) -> None:
    result = run_train(shared_data, tmp_path / "run", "--hard-negatives", hard, "--clip-s", 0.5)
    assert_one_line(result, 2, "clips of 1 s, but this run trains on 0.5 s")


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_truncated_recording_is_a_failure(data: Data, tmp_path: Path) -> None:
    truncate(data.recordings / "rec02.flac")
    assert_one_line(run_train(data, tmp_path / "run"), 1, "rec02.flac", "--skip-bad")


def test_truncated_recording_can_be_skipped(data: Data, tmp_path: Path) -> None:
    truncate(data.recordings / "rec02.flac")
    result = run_train(data, tmp_path / "run", "--skip-bad", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["steps"] == 2
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert ["rec02.flac" in line for line in warnings] == [True, False]
    assert warnings[1].startswith("warning: validation fold")


@pytest.mark.parametrize("steps", [1, 2])
def test_divergence_is_a_failure(shared_data: Data, tmp_path: Path, steps: int) -> None:
    result = run_train(shared_data, tmp_path / "run", "--lr", 1e30, "--steps-per-epoch", steps)
    assert_one_line(result, 1, "lower --lr")


def test_folder_that_cannot_be_written_is_a_failure(shared_data: Data, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = run_train(shared_data, tmp_path / "file" / "run")
    assert_one_line(result, 1, "cannot be written")


def press_ctrl_c(patch: pytest.MonkeyPatch, title: str, at: int) -> None:
    """Stop after so many steps of the bar of this title."""
    original = Bars.__call__

    def bars(self: Bars, what: str, total: int, unit: str = "file") -> Callable[..., Any]:
        advance, done = original(self, what, total, unit), 0

        def counted(count: int = 1, **shown: object) -> None:
            nonlocal done
            advance(count, **shown)
            done += count
            if title in what and done >= at:
                raise KeyboardInterrupt

        return counted

    patch.setattr(Bars, "__call__", bars)


@pytest.mark.parametrize("at", [1, 2])
def test_ctrl_c_gives_130_and_the_rerun_goes_on(
    shared_data: Data,
    trained: tuple[Path, Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
) -> None:
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, "training", at)
        stopped = run_train(shared_data, tmp_path / "run")
    assert_one_line(stopped, 130, "stopped; the same command resumes from here")
    assert Checkpoint.load(tmp_path / "run" / "last.pt").step == at
    again = run_train(shared_data, tmp_path / "run", "--json")
    assert again.exit_code == 0
    want = Checkpoint.load(trained[0] / "best.pt").fingerprint
    assert json.loads(again.stdout)["fingerprint"] == want


def test_ctrl_c_while_reading_gives_130(
    shared_data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    press_ctrl_c(monkeypatch, "reading", 3)
    assert_one_line(run_train(shared_data, tmp_path / "run"), 130, "stopped")


def test_train_selects_by_false_positives(
    shared_data: Data, shared_pool: Path, tmp_path: Path
) -> None:
    by = ("--select-by", "fp-per-hour")
    result = run_train(shared_data, tmp_path / "run", *by, "--select-negatives", shared_pool)
    assert result.exit_code == 0
    assert "fp/h@0.7 " in result.stdout
    assert 'select_by = "fp-per-hour"' in (tmp_path / "run" / "config.toml").read_text()
    assert list(pd.read_csv(tmp_path / "run" / "metrics.csv"))[-1] == "fp/h@0.7"
    alone = run_train(shared_data, tmp_path / "alone", *by, "--folds", 1, "--fold", 0)
    assert_one_line(alone, 2, "--folds 1 holds no recording out")
    idle = run_train(shared_data, tmp_path / "idle", "--select-recall", 0.5)
    assert "--select-recall has no effect without --select-by fp-per-hour" in idle.stderr


def run_evaluate(data: Data, model: Path, truth: Path, *more: object) -> Result:
    return call(
        "evaluate", data.recordings, "--model", model, "--truth", truth, "--device", "cpu", *more
    )


def test_evaluate_prints_a_table(
    shared_data: Data, shared_checkpoint: Path, truth: Path, tmp_path: Path
) -> None:
    result = run_evaluate(
        shared_data,
        shared_checkpoint,
        truth / "truth.csv",
        "--events",
        truth / "events.csv",
        "--scores-out",
        tmp_path / "scores.csv",
        "--classes-out",
        tmp_path / "classes.csv",
    )
    assert result.exit_code == 0
    of_clips, of_classes, about = result.stdout.split("\n\n")
    *table, left_out = of_clips.splitlines()
    # both classes call in every recording: no ranking can be wrong
    assert [line.split()[0] for line in table] == [
        "metric", "-------------", "fp/h@0.7", "fp/h@0.7:bed", "precision@0.7", "fp/h@0.9",
        "fp/h@0.9:bed", "precision@0.9", "recall@1fp/h", "recall@10fp/h",
    ]  # fmt: skip
    assert about == (
        "8 recordings, 0.00889 h; calls against windows of 0.512 s side by side; "
        "intervals: bootstrap over recordings, 1000 resamples\n"
    )
    assert left_out == (
        "left out, the same for any model by this truth: lwlrap, macro_ap, neg@1, neg@3, neg@5"
    )
    assert [line.split()[:3] for line in of_classes.splitlines()[2:]] == [
        ["0", "8", "1.000"],
        ["1", "8", "1.000"],
    ]
    classes = pd.read_csv(tmp_path / "classes.csv", dtype={"class": str})
    assert classes["class"].tolist() == ["0", "1"]
    assert classes["ap"].tolist() == [1.0, 1.0]
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert list(scores.columns) == ["recording_id", "s0", "s1"]
    assert len(scores) == 8


def test_evaluate_as_json(shared_data: Data, shared_checkpoint: Path, truth: Path) -> None:
    result = run_evaluate(shared_data, shared_checkpoint, truth / "truth.csv", "--json")
    assert result.exit_code == 0
    value = json.loads(result.stdout)
    assert set(value) == {"classes", "recordings", "hours", "window_s", "hop_s", "intervals"}
    assert (value["recordings"], value["window_s"], value["intervals"]) == (8, 0.512, {})
    assert [row["ap"] for row in value["classes"]] == [1.0, 1.0]


def test_evaluate_compares_several_models(
    shared_data: Data, shared_checkpoint: Path, truth: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pt"
    shutil.copy(shared_checkpoint, other)
    more = ("--events", truth / "events.csv", "--model", other, "--resamples", 50)
    table = truth / "truth.csv"
    result = run_evaluate(shared_data, shared_checkpoint, table, *more)
    assert result.exit_code == 0
    of_first, of_second, compared, *classes, about = result.stdout.split("\n\n")
    assert of_first.splitlines()[0] == classes[0].splitlines()[0] == str(shared_checkpoint)
    assert of_second.splitlines()[0] == classes[1].splitlines()[0] == str(other)
    assert compared.splitlines()[0] == f"{other} against {shared_checkpoint}, in pairs"
    rows = {line.split()[0]: line.split()[1:] for line in compared.splitlines()[3:]}
    assert rows["precision@0.7"] == ["+0.0000", "+0.0000..+0.0000"]
    assert "50 resamples" in about
    assert "recall@1fp/h allows no false positive in a test of 0.0089 h" in result.stderr

    value = json.loads(run_evaluate(shared_data, shared_checkpoint, table, *more, "--json").stdout)
    first, second = value["models"]
    assert (first.pop("model"), second.pop("model")) == (str(shared_checkpoint), str(other))
    assert first == second
    (difference,) = value["differences"]
    assert (difference["model"], difference["against"]) == (str(other), str(shared_checkpoint))
    assert difference["metrics"]["recall@10fp/h"]["value"] == 0
    alone = json.loads(run_evaluate(shared_data, other, table, *more[:2], "--json").stdout)
    assert {k: v for k, v in alone.items() if k != "intervals"}.keys() <= first.keys()
    assert alone["fp/h@0.7"] == first["fp/h@0.7"]

    kept = ("--model", other, "--scores-out", tmp_path / "scores.csv")
    assert_one_line(run_evaluate(shared_data, shared_checkpoint, table, *kept), 2, "give one")
    again = run_evaluate(shared_data, other, table, "--model", other)
    assert_one_line(again, 2, "the same checkpoint twice")


def test_evaluate_quietly(shared_data: Data, shared_checkpoint: Path, truth: Path) -> None:
    result = run_evaluate(shared_data, shared_checkpoint, truth / "truth.csv", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_evaluate_with_another_readout(
    shared_data: Data, shared_checkpoint: Path, truth: Path, tmp_path: Path
) -> None:
    tables = []
    for readout in ("max", "mean", "power"):
        path = tmp_path / f"{readout}.csv"
        more = ("--readout", readout, "--scores-out", path, "--quiet")
        assert (
            run_evaluate(shared_data, shared_checkpoint, truth / "truth.csv", *more).exit_code == 0
        )
        tables.append(path.read_text())
    assert len(set(tables)) == 3
    run_evaluate(shared_data, shared_checkpoint, truth / "truth.csv", "--scores-out", path)
    assert path.read_text() == tables[0]


def test_misuse_of_evaluate_is_told_in_one_line(
    shared_data: Data, shared_checkpoint: Path, truth: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(truth / "truth.csv")

    def with_truth(changed: pd.DataFrame) -> Result:
        changed.to_csv(tmp_path / "t.csv", index=False)
        return run_evaluate(shared_data, shared_checkpoint, tmp_path / "t.csv")

    assert_one_line(with_truth(table.drop(columns="s1")), 2, "no column '1' or 's1'")
    assert_one_line(with_truth(table.assign(s1=2)), 2, "is 2, not 0, 1 or empty")
    assert_one_line(with_truth(table.replace("rec03", "rec3")), 2, "no sound file", "'rec3'")
    assert_one_line(
        run_evaluate(shared_data, tmp_path / "none.pt", truth / "truth.csv"),
        2,
        "no such checkpoint",
    )
    assert_one_line(run_evaluate(shared_data, shared_checkpoint, tmp_path / "none.csv"), 2, "none")


def test_evaluate_on_a_truncated_recording_is_a_failure(
    data: Data, shared_checkpoint: Path, truth: Path
) -> None:
    truncate(data.recordings / "rec05.flac")
    result = run_evaluate(data, shared_checkpoint, truth / "truth.csv")
    assert_one_line(result, 1, "rec05.flac")


def run_loop(data: Data, pool: Path, out: Path, *more: object) -> Result:
    options = ["--pool", pool, "--out", out, "--rounds", 1, "--per-class", 3, *TINY, *more]
    return call("loop", *data.options, *options)


def test_loop_prints_a_table_and_goes_on_after_ctrl_c(
    shared_data: Data, shared_pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, "random", 1)
        stopped = run_loop(shared_data, shared_pool, tmp_path / "rounds", "--control")
    assert_one_line(stopped, 130, "stopped; the same command resumes from here")
    result = run_loop(shared_data, shared_pool, tmp_path / "rounds", "--control")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["round", "arm", "negatives", "loss"]
    assert [line[:3] for line in lines[2:]] == [
        ["0", "base", "0"],
        ["1", "random", "6"],
        ["1", "mined", "6"],
    ]
    as_json = run_loop(shared_data, shared_pool, tmp_path / "rounds", "--control", "--json")
    rounds = json.loads(as_json.stdout)["rounds"]
    assert set(rounds[1]) == {"round", "arm", "negatives", "loss"}
    assert (rounds[1]["round"], rounds[1]["arm"], rounds[1]["negatives"]) == (1, "random", 6)
    assert f"{rounds[1]['loss']:.4f}" == lines[3][3]
    quiet = run_loop(shared_data, shared_pool, tmp_path / "rounds", "--control", "--quiet")
    assert (quiet.exit_code, quiet.stdout) == (0, "")
    # of three runs on one fold, once
    assert quiet.stderr.count("\n") == quiet.stderr.count("warning: validation fold") == 1


def test_loop_mines_from_the_cache_of_the_pool(
    shared_data: Data, shared_pool: Path, tmp_path: Path
) -> None:
    for rate, heard in ((8000, "cache8000"), (4000, "")):
        pool = Path(shutil.copytree(shared_pool, tmp_path / f"pool{rate}"))
        assert call("cache", pool, "--sample-rate", rate).exit_code == 0
        out = tmp_path / str(rate)
        result = run_loop(shared_data, pool, out)
        assert result.exit_code == 0, result.output
        stores = [store.name.partition("-")[2] for store in (out / "scores").iterdir()]
        assert stores == [heard]
        # a cache of another rate is not read, and that is said
        assert ("mining reads the sound files: " in result.stderr) == (not heard)


def test_misuse_of_loop_is_told_in_one_line(
    shared_data: Data, shared_pool: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rounds"
    assert_one_line(
        run_loop(shared_data, tmp_path / "none", out), 2, "no such folder; make one with"
    )
    assert_one_line(run_loop(shared_data, shared_pool, out, "--fold", 9), 2, "--fold 9")
    assert_one_line(run_loop(shared_data, shared_pool, out, "--rounds", 0), 2, "'--rounds'")
    assert not out.exists()


def test_pool_that_does_not_fit_is_told_before_any_training(
    shared_data: Data, shared_pool: Path, tmp_path: Path, data: Data
) -> None:
    out = tmp_path / "rounds"
    result = run_loop(shared_data, shared_pool, out, "--clip-s", 0.5)
    assert_one_line(result, 2, "clips of 1 s, but")
    for path in (data.tp, data.fp):
        table = pd.read_csv(path)
        table["species_id"] = table.species_id.replace({1: 5})
        table.to_csv(path, index=False)
    assert_one_line(run_loop(data, shared_pool, out), 2, "class '5'")
    assert not (out / "round0").exists()


@pytest.mark.parametrize("command", ["train", "evaluate", "loop", "demo"])
def test_commands_have_help_and_an_example(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert f"negmine {command}" in result.stdout
    assert "Example:" in result.stdout
    assert command in call("--help").stdout


def test_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "training", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0
    assert result.stderr == ""
    for name in ("train", "evaluate", "loop", "demo"):
        assert f"\n  {name} " in result.stdout


def test_settings_of_a_run_are_read_again_and_options_win(
    shared_data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def stopped(config: Any, *_: Any, **__: Any) -> None:
        seen.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr("training.engine.run.train", stopped)
    file = tmp_path / "config.toml"
    file.write_text(
        'loss = "hill"\nlr = 0.5\ncompile = true\nfirst_draw = 40\npseudo_weight = 0.5\n'
        "[augment]\nnoise = 0.25\n"
    )
    common = [*shared_data.options, "--out", tmp_path / "run", "--config", file]
    call("train", *common, "--lr", "0.25", "--gain", "0.5")
    (config,) = seen
    assert (config.loss, config.lr, config.compile) == ("hill", 0.25, True)
    assert (config.augment.noise, config.augment.gain) == (0.25, 0.5)
    # a stage's, which have no options
    assert (config.first_draw, config.pseudo_weight) == (40, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", r"unknown key 'epoch' \(did you mean epochs\?\)"),
        ("[augment]\nnoisy = 1", r"unknown key 'noisy' \(did you mean noise\?\)"),
        ("augment = 3", "expected a table"),
        ("noise = 0.3", "unknown key 'noise'"),
        ("[augment]\nlr = 0.1", "unknown key 'lr'"),
        ("accumulate = inf", "accumulate = inf: expected a whole number"),
        ("accumulate = true", "accumulate = True: expected a whole number"),
        ("epochs = 1.7", "epochs = 1.7: expected a whole number"),
        ("lr = []", r"lr = \[\]: expected a number > 0"),
        ("first_draw = -1", "first_draw = -1: expected a whole number >= 0"),
        ("first_draw = 1.5", "first_draw = 1.5: expected a whole number"),
        ("epochs =", "not readable as TOML"),
        (None, "no such file"),
    ],
)
def test_a_file_of_settings_that_is_wrong_is_misuse(
    shared_data: Data, tmp_path: Path, text: str | None, message: str
) -> None:
    file = tmp_path / "config.toml"
    if text:
        file.write_text(text)
    result = call("train", *shared_data.options, "--out", tmp_path / "run", "--config", file)
    assert result.exit_code == 2
    assert re.search(message, result.stderr)


def test_events_for_tensorboard_are_written(shared_data: Data, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = call("train", *shared_data.options, "--out", out, *TINY, "--tensorboard")
    assert result.exit_code == 0, result.output
    assert list((out / "tensorboard").glob("events.*"))
