"""With one class alone, random negatives are mixed into rows by default."""

from __future__ import annotations

from typing import Any

import pytest

from training.cli.data import with_one_class
from training.cli.settings import TrainSettings
from training.data.settings import ONE_CLASS_MIX, SampleUse

POOL: dict[str, Any] = {"negatives": "pool"}


@pytest.mark.parametrize(
    ("classes", "backbone", "samples", "share"),
    [
        (["a"], "small", POOL, ONE_CLASS_MIX),
        (["a"], "small", POOL | {"negative_mix": 0.0}, 0.0),
        (["a"], "small", POOL | {"negative_mix": 0.25}, 0.25),
        (["a"], "small", {}, 0.0),
        (["a"], "birdnet", POOL, 0.0),
        (["a", "b"], "small", POOL, 0.0),
    ],
)
def test_negatives_are_mixed_with_one_class_unless_settings_say_otherwise(
    classes: list[str],
    backbone: str,
    samples: dict[str, Any],
    share: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = TrainSettings(backbone=backbone, samples=SampleUse(**samples))
    found = with_one_class(settings, classes, quiet=False)
    assert found.samples.negative_mix == share
    assert ("one class: 50%" in capsys.readouterr().out) == (found is not settings)


def test_a_level_without_mixing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    settings = TrainSettings(samples=SampleUse(**POOL, negative_mix_snr_db=(0.0, 5.0)))
    assert with_one_class(settings, ["a", "b"], quiet=True) is settings
    assert "--negative-mix-snr has no effect without --negative-mix" in caplog.text
    mixed = with_one_class(settings, ["a"], quiet=True).samples
    assert (mixed.negative_mix, mixed.negative_mix_snr_db) == (ONE_CLASS_MIX, (0.0, 5.0))
