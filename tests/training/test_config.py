"""Settings: whole in a dictionary, and refused where they are of another version."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import click
import pytest

from training.cli import main as cli
from training.config import PRECISIONS, READOUTS, AugmentSettings, TrainConfig


def test_round_trip_through_json() -> None:
    config = TrainConfig(backbone="resnet10t", lr=1e-4, epochs=3, readout="power", seed=7)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_round_trip_of_augmentation_keeps_ranges() -> None:
    augment = AugmentSettings(noise=0.5, noise_snr_db=(1.0, 2.0), shift_roll=False, time_masks=2)
    config = TrainConfig(augment=augment)
    again = TrainConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert hash(again) == hash(config)


@pytest.mark.parametrize(
    ("change", "odd"),
    [
        (lambda values: values.pop("lsoft"), "lsoft"),
        (lambda values: values.update(mixup=0.5), "mixup"),
        (lambda values: (values.pop("seed"), values.update(zeal=1)), "seed, zeal"),
        (lambda values: values["augment"].pop("noise"), "noise"),
    ],
)
def test_missing_and_unknown_settings_are_refused_by_name(
    change: Callable[[dict[str, Any]], object], odd: str
) -> None:
    values = TrainConfig().to_dict()
    change(values)
    with pytest.raises(ValueError, match=f"another version: {odd}$"):
        TrainConfig.from_dict(values)


def test_total_steps_are_those_of_all_epochs() -> None:
    assert TrainConfig(steps_per_epoch=7, epochs=3).total_steps == 21


def test_settings_cannot_change_in_a_run() -> None:
    with pytest.raises(FrozenInstanceError):
        TrainConfig().lr = 1.0


def test_command_line_offers_every_setting_with_its_default() -> None:
    defaults = TrainConfig().to_dict()
    del defaults["augment"]
    # those of stages, which a recipe sets
    for name in ("pseudo_weight", "pseudo_per_step", "first_draw"):
        del defaults[name]
    for command in (cli.train, cli.loop):
        context = click.Context(command)
        options = {option.name: option.get_default(context) for option in command.params}
        # the rate is the recordings' own where none is named
        assert {name: options[name] for name in defaults} == defaults | {"sample_rate": None}


def test_command_line_offers_every_choice() -> None:
    kinds = {option.name: option.type for option in cli.train.params}
    for name, choices in (("readout", READOUTS), ("precision", PRECISIONS)):
        kind = kinds[name]
        assert isinstance(kind, click.Choice)
        assert tuple(kind.choices) == choices


def test_equal_settings_are_equal_and_hash_alike() -> None:
    one = TrainConfig(seed=3)
    assert one == replace(TrainConfig(), seed=3)
    assert hash(one) == hash(replace(TrainConfig(), seed=3))
    assert one != TrainConfig()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": 1.5}, r"noise 1\.5 is outside \[0, 1\]"),
        ({"mixup": -0.1}, r"mixup -0\.1 is outside"),
        ({"pink_snr_db": (9.0, 1.0)}, "pink_snr_db .* expected its lower end, then its upper"),
        ({"pitch_semitones": 30.0}, r"pitch_semitones 30\.0 is outside \[0, 24\]"),
        ({"shift_s": -1.0}, r"shift_s -1\.0 is outside \[0, inf\]"),
    ],
)
def test_impossible_augmentation_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AugmentSettings(**changes)


def test_shift_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shift of 2 s leaves nothing of a clip of 1\.5 s"):
        TrainConfig(clip_s=1.5, augment=AugmentSettings(shift=0.1, shift_s=2.0))
    # a shift that is never made may be as long as it likes
    TrainConfig(clip_s=0.3)
