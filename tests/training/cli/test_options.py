"""A run's config.toml is read again as the settings it was written from, whatever they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
import tomli_w
from click.testing import CliRunner
from conftest import Data, tiny_config
from hypothesis import given
from hypothesis import strategies as st

from negmine.cli.main import main
from negmine.settings import Setting, Settings, settings_of
from training.augmentation import AUGMENT_PRESETS, AUGMENT_PROBABILITIES, AugmentSettings
from training.cli.settings import RunSettings, with_run_settings
from training.config import TrainConfig


def read_again(path: Path, *options: str) -> TrainConfig:
    """What a command makes of the file."""
    found: list[TrainConfig] = []

    @click.command()
    @with_run_settings(RunSettings)
    def command(settings: RunSettings) -> None:
        found.append(settings.config)

    result = CliRunner().invoke(command, ["--config", str(path), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found[0]


def of_kind(one: Setting) -> st.SearchStrategy[Any]:
    """Values that a setting may have."""
    default = one.default
    if one.kind.choices:
        return st.sampled_from(one.kind.choices)
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, tuple):
        ends = st.floats(-60, 60)
        return st.tuples(ends, ends).map(lambda pair: tuple(sorted(pair)))
    if isinstance(default, int):
        return st.integers(default, default + 40)
    if isinstance(default, float):
        return st.floats(0.01 if one.kind.low_open else 0, 0.99)
    return st.just(default)


def any_of(kind: type[Settings], **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds = {one.path[0]: of_kind(one) for one in settings_of(kind) if len(one.path) == 1}
    return st.fixed_dictionaries(kinds | fixed).map(lambda values: kind(**values))


configs = any_of(
    TrainConfig,
    augment=any_of(AugmentSettings, shift_s=st.floats(0, 0.9)),
    pretrained=st.just(False),
    hidden=st.just(0),
    clip_s=st.floats(1, 60),
    window_s=st.floats(0.05, 1),
    lse_sharpness=st.floats(0.1, 10),
    lr=st.floats(1e-6, 1),
    sample_rate=st.integers(1000, 200_000),
    n_mels=st.integers(8, 256),
    folds=st.integers(5, 9),
    fold=st.integers(0, 4),
)


def write(path: Path, config: TrainConfig) -> Path:
    path.write_text(tomli_w.dumps(config.to_dict()), encoding="utf-8")
    return path


@given(config=configs)
def test_any_settings_come_back(config: TrainConfig, tmp_path_factory: Any) -> None:
    file = write(tmp_path_factory.mktemp("run") / "config.toml", config)
    assert read_again(file) == config


@pytest.mark.parametrize("preset", AUGMENT_PRESETS)
def test_the_settings_of_presets_come_back_and_one_that_is_named_wins(
    preset: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "config.toml", tiny_config(augment=AUGMENT_PRESETS[preset]))
    assert read_again(file).augment == AUGMENT_PRESETS[preset]
    for other, settings in AUGMENT_PRESETS.items():
        assert read_again(file, "--augment", other).augment == settings
    found = read_again(file, "--noise", "0.75").augment.to_dict()
    assert found == AUGMENT_PRESETS[preset].to_dict() | {"noise": 0.75}
    assert set(found) > set(AUGMENT_PROBABILITIES)


def test_a_table_of_bands_goes_with_pitch_alone(
    shared_data: Data, tmp_path: Path, one_thread: None
) -> None:
    table, run = tmp_path / "bands.csv", tmp_path / "run"
    table.write_text("class,f_min,f_max\n0,500,3000\n1,500,3000\n")
    options = ["--sample-rate", 8000, "--clip-s", 1, "--n-mels", 16, "--window-s", 0.5]
    options += ["--steps-per-epoch", 1, "--epochs", 1, "--tp-per-step", 2, "--fp-per-step", 1]
    command = ["train", *shared_data.options, "-o", run, *options, "--device", "cpu"]
    command += ["--pitch", 0.5, "--band-table", table]
    result = CliRunner().invoke(main, [str(word) for word in command])
    assert result.exit_code == 0, result.output
    assert "no effect" not in result.stderr
    # the bands are an input of the run
    table.write_text("class,f_min,f_max\n0,500,3000\n1,600,3000\n")
    result = CliRunner().invoke(main, [str(word) for word in command])
    assert result.exit_code == 2
    assert "holds a run with another bands of pitch" in result.stderr
    # with neither, a warning says that the table has no effect, and the run goes on without
    alone = [word if word != run else tmp_path / "alone" for word in command]
    alone[alone.index("--pitch") : alone.index("--pitch") + 2] = []
    result = CliRunner().invoke(main, [str(word) for word in alone])
    assert result.exit_code == 0, result.output
    assert "--band-table has no effect without --bands crops or shared or --pitch" in result.stderr
    # a margin beside a table of all classes
    banded = [word if word != run else tmp_path / "banded" for word in command]
    banded += ["--bands", "shared", "--band-margin", 0.5]
    result = CliRunner().invoke(main, [str(word) for word in banded])
    assert result.exit_code == 0, result.output
    assert f"--band-margin has no effect: {table} names every class" in result.stderr
