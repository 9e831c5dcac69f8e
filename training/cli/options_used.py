"""What options of training go with: see `negmine.cli.goes_with`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from negmine.cli.goes_with import Beside, GoesWith, check_goes_with, flag, given_options
from training.config import TrainConfig

if TYPE_CHECKING:
    from training.schedules.schedule import Schedule, Stage

_OF_LABELS = (
    "unlabelled", "pseudo_per_step", "pseudo_quantile", "pseudo_level", "pseudo_temperature",
    "pseudo_hop",
)  # fmt: skip

GO_WITH: GoesWith = (
    (("stage_init", "pseudo_in_fold", *_OF_LABELS), (Beside("recipe"),)),
    # one fold holds nothing out: there is no score to stop by, and no site to keep together
    (("patience", "fold_by", "sites", "site_regex"), (Beside("folds", least=2),)),
    (
        ("pool", "hard_ratio", "hard_mix", "hard_mix_snr", "hard_mix_by"),
        (Beside("hard_negatives"),),
    ),
    (("hard_mix_snr", "hard_mix_by"), (Beside("hard_mix"),)),
    (("fp_per_step", "beyond_per_s"), (Beside("fp"),)),
    (("lsoft", "lsoft_detach"), (Beside("loss", ("lsoft",)),)),
    (("lsep_bce",), (Beside("loss", ("lsep",)),)),
    (("large_loss_rate",), (Beside("loss", ("large",)),)),
    (("band_margin",), (Beside("bands", ("crops", "shared")),)),
    # a shift of pitch must leave a call in its class's band
    (("band_table",), (Beside("bands", ("crops", "shared")), Beside("augment_pitch"))),
    (("lse_sharpness",), (Beside("readout", ("lse",)),)),
)


def check_used(
    config: TrainConfig, beside: Mapping[str, Any], stages: Sequence[Stage] = ()
) -> None:
    """Check that each option given on the command line changes something.

    Parameters
    ----------
    config : TrainConfig
    beside : mapping of str to object
        What the command is given besides, where it is no option of its own.
    stages : sequence of Stage
        Of a recipe: one of them that uses it is enough.

    Raises
    ------
    click.UsageError
        Naming the first that would do nothing, and what it goes with.
    """
    base = {**asdict(config), **_augment(asdict(config.augment)), **beside}
    found = [{**base, **stage.settings, **_augment(stage.augment)} for stage in stages]
    check_goes_with(GO_WITH, *(found or [base]))


def check_labels_used(schedule: Schedule) -> None:
    """Check that options of pseudo labels have a stage of the schedule that trains on some.

    Raises
    ------
    click.UsageError
        Naming the first that would do nothing.
    """
    if schedule.labels:
        return
    for name in (name for name in given_options() if name in _OF_LABELS):
        raise click.UsageError(
            f"{flag(name)} sets pseudo labels, but no stage of recipe {schedule.name} has "
            "pseudo = true"
        )


def _augment(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of augmentation by the names of their options' parameters."""
    return {f"augment_{name}": value for name, value in settings.items()}
