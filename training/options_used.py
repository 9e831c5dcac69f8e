"""Options that act only beside others: given without them, they are refused, not ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from training.config import TrainConfig
from training.options import given_options

if TYPE_CHECKING:
    from training.recipe import Stage

_OF_RECIPES = (
    "stage_init", "unlabelled", "pseudo_in_fold", "pseudo_per_step", "pseudo_quantile",
    "pseudo_level", "pseudo_temperature", "pseudo_hop",
)  # fmt: skip

# What they go with (any one of it): another option, and which of its values; none named: any given.
_Other = tuple[str, tuple[str, ...]]

_GO_WITH: tuple[tuple[tuple[str, ...], tuple[_Other, ...]], ...] = (
    (_OF_RECIPES, (("recipe", ()),)),
    (("hard_ratio", "hard_mix", "hard_mix_snr", "hard_mix_by"), (("hard_negatives", ()),)),
    (("lsoft", "lsoft_detach"), (("loss", ("lsoft",)),)),
    (("lsep_bce",), (("loss", ("lsep",)),)),
    (("large_loss_rate",), (("loss", ("large",)),)),
    # a shift of pitch must leave a call in its class's band
    (("band_margin", "band_table"), (("bands", ("crops", "shared")), ("pitch", ()))),
    (("lse_sharpness",), (("readout", ("lse",)),)),
)


def check_used(
    config: TrainConfig, beside: Mapping[str, Any], stages: Sequence[Stage] = ()
) -> None:
    """Check that each option given on the command line changes something.

    Parameters
    ----------
    config : TrainConfig
    beside : mapping of str to object
        Options that are no settings of the configuration, by their parameters' names.
    stages : sequence of Stage
        Of a recipe: one of them that uses it is enough.

    Raises
    ------
    click.UsageError
        Naming the first that would do nothing, and what it goes with.
    """
    given = given_options()
    base = {**asdict(config), **asdict(config.augment), **beside}
    found = [{**base, **stage.settings, **stage.augment} for stage in stages] or [base]
    for names, others in _GO_WITH:
        if any(_holds(values[other], among) for values in found for other, among in others):
            continue
        for name in (name for name in names if name in given):
            wanted = " or ".join(
                " ".join(["--" + other.replace("_", "-"), " or ".join(among)]).strip()
                for other, among in others
            )
            raise click.UsageError(f"--{name.replace('_', '-')} goes with {wanted}")


def _holds(value: Any, among: tuple[str, ...]) -> bool:
    return value in among if among else bool(value)
