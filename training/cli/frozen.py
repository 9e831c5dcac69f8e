"""What ``--backbone`` means to a command where it names a network that stays as it is."""

from __future__ import annotations

from typing import TypeVar

import click

from negmine.cli.settings import given_settings
from negmine.notices import warn
from negmine.settings import first_flag
from training.backbone_kinds import kind_of, lacks
from training.cli.settings import RunSettings

Run = TypeVar("Run", bound=RunSettings)

# Of a head alone: strong decay, and crops that are drawn again, so that the network is asked once.
DEFAULTS = {"weight_decay": 10.0, "placements": 4}
_THE_NETWORKS = ("sample_rate", "clip_s", "window_s")
_MIXES = ("mix", "mix_snr_db", "mix_by")


def with_frozen_network(settings: Run) -> Run:
    """Complete the settings of a run whose network is frozen: rate, length and window are its own.

    Other runs' settings stay as they are.

    Raises
    ------
    click.UsageError
        Naming the first flag on the command line that has no meaning here.
    ModelError
        If there is no such network.
    """
    backbone = settings.backbone
    if kind_of(backbone) != "frozen":
        return settings
    mixing = False
    for one in given_settings(type(settings)):
        name, last = one.path[0], one.path[-1]
        if said := lacks(one, backbone):
            raise click.UsageError(said)
        if name in _THE_NETWORKS:
            raise click.UsageError(
                f"{first_flag(one)} is that of the network with --backbone {backbone}; leave it out"
            )
        mixing = mixing or (name == "hard" and last in _MIXES)
    from training.models.network import open_network

    network = open_network(backbone, "cpu")
    length_s = network.length / network.sample_rate
    changes: dict[str, object] = {
        "sample_rate": network.sample_rate,
        "clip_s": length_s,
        "window_s": length_s,
    }
    changes |= {k: v for k, v in DEFAULTS.items() if k not in settings.model_fields_set}
    if not mixing:
        changes["hard"] = settings.hard.replace(mix=0.0)
    return settings.replace(**changes)


def warn_of_new_sound(settings: RunSettings, hard: bool) -> None:
    """Warn of changes of sound with a frozen network: what is changed passes it each time.

    Parameters
    ----------
    settings : RunSettings
    hard : bool
        Whether hard negatives train.
    """
    augment, samples = settings.augment, settings.samples
    mixed = (hard and settings.hard.mix) or (samples.negatives and samples.negative_mix)
    changed = augment.changes_sound or augment.mixup or mixed
    if kind_of(settings.backbone) != "frozen" or not changed:
        return
    rows = (settings.tp_per_step + settings.fp_per_step) * settings.total_steps
    warn(
        f"changed and mixed sound passes the network each time it is drawn: up to {rows:,} clips "
        "and more, where unchanged crops pass it once"
    )
