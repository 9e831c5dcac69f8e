"""Settings: whole in a dictionary, and refused where they are of another version."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import click
import pytest
from pydantic import ValidationError

from negmine.errors import InputError
from negmine.settings import settings_of
from training.augmentation import AugmentSettings
from training.cli.loop import loop
from training.cli.settings import LoopRunSettings
from training.cli.train import train
from training.config import Precision, Readout, TrainConfig
from training.data.settings import LoopHardUse, LoopSampleUse
from training.schedules.settings import LoopSettings


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
        (lambda values: values.pop("lsoft"), "no 'lsoft'"),
        (lambda values: values.update(mixup=0.5), "unknown key 'mixup'"),
        (lambda values: (values.pop("seed"), values.update(zeal=1)), "no 'seed'"),
        (lambda values: values["augment"].pop("noise"), r"\[augment\]: no 'noise'"),
    ],
)
def test_missing_and_unknown_settings_are_refused_by_name(
    change: Callable[[dict[str, Any]], object], odd: str
) -> None:
    values = TrainConfig().to_dict()
    change(values)
    with pytest.raises(InputError, match=odd):
        TrainConfig.from_dict(values)


def test_total_steps_are_those_of_all_epochs() -> None:
    assert TrainConfig(steps_per_epoch=7, epochs=3).total_steps == 21


def test_settings_cannot_change_in_a_run() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainConfig().lr = 1.0  # type: ignore[misc]


def test_the_command_line_offers_every_setting() -> None:
    for command, of_stages in ((train, {("pseudo_per_step",)}), (loop, set())):
        offered = {option.name for option in command.params}
        for one in settings_of(TrainConfig):
            # a schedule sets those that have no flag
            wanted = bool(one.flag) or one.path in of_stages
            assert ("__".join(one.path) in offered) == wanted, one.path


def test_a_setting_of_other_backbones_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="--pretrained needs a timm model: --backbone is 'small'"):
        TrainConfig(pretrained=True)
    assert TrainConfig(pretrained=True, backbone="resnet18").pretrained
    masks = AugmentSettings(freq_masks=1)
    with pytest.raises(InputError, match="--freq-masks needs the backbone 'small' or a timm model"):
        TrainConfig(backbone="birdnet", augment=masks)
    assert TrainConfig(augment=masks).augment.freq_masks == 1


def test_command_line_offers_every_choice() -> None:
    kinds = {option.name: option.type for option in train.params}
    for name, choices in (("readout", get_args(Readout)), ("precision", get_args(Precision))):
        kind = kinds[name]
        assert isinstance(kind, click.Choice)
        assert tuple(kind.choices) == choices


def test_equal_settings_are_equal_and_hash_alike() -> None:
    one = TrainConfig(seed=3)
    assert one == TrainConfig().replace(seed=3)
    assert hash(one) == hash(TrainConfig().replace(seed=3))
    assert one != TrainConfig()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": 1.5}, r"noise = 1\.5: expected a number in \[0, 1\]"),
        ({"mixup": -0.1}, r"mixup = -0\.1: expected a number"),
        ({"pink_snr_db": (9.0, 1.0)}, "pink_snr_db = .*: the range is empty; swap the two"),
        ({"pitch_semitones": 30.0}, r"pitch_semitones = 30\.0: expected a number in \[0, 24\]"),
        ({"shift_s": -1.0}, r"shift_s = -1\.0: expected a number in \[0, 3600\]"),
    ],
)
def test_impossible_augmentation_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AugmentSettings(**changes)


def test_shift_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"--shift-s 2 is not shorter than --clip-s 1\.5"):
        TrainConfig(clip_s=1.5, augment=AugmentSettings(shift=0.1, shift_s=2.0))
    # a shift that is never made may be as long as it likes
    TrainConfig(clip_s=0.3)


def test_a_checkpoint_from_before_a_setting_was_there_is_read() -> None:
    values = TrainConfig(seed=3).to_dict()
    for name in ("select_by", "select_recall"):
        del values[name]
    assert TrainConfig.from_dict(values) == TrainConfig(seed=3)
    del values["seed"]
    with pytest.raises(InputError, match="no 'seed'; these are settings of another version"):
        TrainConfig.from_dict(values)


@pytest.mark.parametrize("power", [0.0, 2.0])
def test_a_checkpoint_with_a_setting_that_has_left_is_read(
    power: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it did something, a line says that it does not any more."""
    values = TrainConfig().to_dict() | {"focal": power}
    assert TrainConfig.from_dict(values, "last.pt") == TrainConfig()
    said = [record.message for record in caplog.records]
    assert said == (["last.pt: trained with focal = 2.0, which this version lacks"] * (power > 0))


def test_a_loop_draws_random_rows_of_its_pool_and_many_mined_ones_beside_scenes_alone() -> None:
    plain, frozen = (LoopRunSettings().with_doses("pool", one) for one in (False, True))
    for settings, random in ((plain, 0.25), (frozen, 1.0)):
        assert settings.samples.negatives == "pool"
        assert settings.samples.negative_ratio == random
        assert settings.hard.ratio == random / 2
        assert settings.hard.own
    beside = LoopRunSettings(samples=LoopSampleUse(scenes="pool")).with_doses("pool", True)
    assert beside.hard.ratio == 3
    said = LoopRunSettings(
        samples=LoopSampleUse(negatives="other", negative_ratio=0.5), hard=LoopHardUse(ratio=2.0)
    ).with_doses("pool", True)
    assert (said.samples.negatives, said.samples.negative_ratio) == ("other", 0.5)
    assert said.hard.ratio == 2.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ask": 3}, "--ask: name the folder of recordings to ask about by --unlabelled"),
        ({"ask_strategy": "disagreement"}, "takes two or more models; use 'negmine ask'"),
    ],
)
def test_a_loop_asks_about_something(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LoopSettings(**changes)
