"""The options that change a step's rows at random, and the settings they make."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import click

from negmine.cli.console import Command
from negmine.cli.goes_with import given_options
from negmine.errors import InputError, did_you_mean
from negmine.limits import MOST_CLIP_S
from training.config import AUGMENT_PRESETS, AUGMENT_PROBABILITIES, AugmentSettings

# Options' names begin with it where click keeps them.
_PREFIX = "augment_"

_SHARE = click.FloatRange(0, 1)
_DB = click.FLOAT

# Field of the settings, its option, type, help. Ranges take two values.
_OPTIONS: tuple[tuple[str, str, Any, str], ...] = (
    ("noise", "--noise", _SHARE, "Chance of Gaussian noise."),
    ("noise_snr_db", "--noise-snr", _DB, "Row over noise, dB."),
    ("pink", "--pink", _SHARE, "Chance of pink noise."),
    ("pink_snr_db", "--pink-snr", _DB, "Row over noise, dB."),
    ("pitch", "--pitch", _SHARE, "Chance of a pitch shift; 20 ms a row."),
    ("pitch_semitones", "--pitch-semitones", click.FloatRange(0, 24), "Largest pitch shift."),
    ("stretch", "--stretch", _SHARE, "Chance of a time stretch; 20 ms a row."),
    ("stretch_share", "--stretch-share", click.FloatRange(0, 3), "Largest change of tempo."),
    ("shift", "--shift", _SHARE, "Chance of a shift in time."),
    ("shift_s", "--shift-s", click.FloatRange(0, MOST_CLIP_S), "Largest shift, seconds."),
    ("gain", "--gain", _SHARE, "Chance of another volume."),
    ("gain_db", "--gain-db", click.FloatRange(0, 120), "Largest change of volume."),
    ("mixup", "--mixup", _SHARE, "Chance that another row is added, labels joined."),
    ("mixup_snr_db", "--mixup-snr", _DB, "Row over the added one, dB."),
    (
        "time_masks",
        "--time-masks",
        click.IntRange(0, 1000),
        "SpecAugment: stretches of time to blank.",
    ),
    ("time_mask_s", "--time-mask-s", click.FloatRange(0, MOST_CLIP_S), "Longest of them, seconds."),
    ("freq_masks", "--freq-masks", click.IntRange(0, 1000), "SpecAugment: bands to blank."),
    ("freq_mask_share", "--freq-mask-share", _SHARE, "Widest of them, of all mel bands."),
)
# How often a change is made; all other settings say how.
_CHANGES = (*AUGMENT_PROBABILITIES, "time_masks", "freq_masks")
_DEFAULTS = AugmentSettings().to_dict()
_RANGES = {name for name, value in _DEFAULTS.items() if isinstance(value, tuple)}


def of_type(value: Any, default: Any) -> bool:
    """Return whether a file's setting has its default's type; a whole number is a float, too."""
    if isinstance(default, tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(default)
            and all(map(of_type, value, default))
        )
    wanted = (float, int) if isinstance(default, float) else type(default)
    return isinstance(value, wanted) and isinstance(value, bool) == isinstance(default, bool)


def convert_setting(name: str, value: Any, kind: Any) -> None:
    """Check a setting that comes from elsewhere as an option of this type would.

    Raises
    ------
    InputError
        If it is out of range, or none of its choices.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} = {value!r}: not a finite number")
    try:
        kind.convert(value, None, None)
    except click.BadParameter as error:
        raise InputError(f"{name} = {value!r}: {error.message}") from error


def read_augment(table: Any) -> dict[str, Any]:
    """Read a file's changes of augmentation, checked: the settings of `AugmentSettings`.

    Raises
    ------
    InputError
        If it is not a table, or a setting is unknown, of another type or out of range.
    """
    if not isinstance(table, dict):
        raise InputError(f"augment = {table!r}: expected a table of settings, such as noise = 0.3")
    kinds = {field: kind for field, _, kind, _ in _OPTIONS}
    found: dict[str, Any] = {}
    for name, value in table.items():
        if name not in _DEFAULTS:
            raise InputError(f"augment: unknown setting '{name}'{did_you_mean(name, _DEFAULTS)}")
        default = _DEFAULTS[name]
        if not of_type(value, default):
            wanted = "range of two numbers" if name in _RANGES else type(default).__name__
            raise InputError(f"augment: {name} = {value!r}: expected a {wanted}")
        for one in value if name in _RANGES else (value,):
            if name in kinds:
                convert_setting(f"augment: {name}", one, kinds[name])
        found[name] = tuple(value) if name in _RANGES else value
        if name in _RANGES and value[0] > value[1]:
            raise InputError(f"augment: {name} = {value!r}: the lower end comes first")
    return found


def augment_options(command: Command) -> Command:
    """Add `--augment` and an option for each of its settings."""
    command = click.option(
        "--shift-roll/--shift-pad",
        f"{_PREFIX}shift_roll",
        default=None,
        help="What a shift moves out comes back at the other end (default), or silence does.",
    )(command)
    for field, name, kind, text in reversed(_OPTIONS):
        pair: dict[str, Any] = {"nargs": 2, "metavar": "LOW HIGH"} if field in _RANGES else {}
        command = click.option(
            name, _PREFIX + field, type=kind, help=text, show_default=_shown(field), **pair
        )(command)
    return click.option(
        "--augment",
        type=click.Choice(list(AUGMENT_PRESETS)),
        default="none",
        show_default=True,
        help="Random changes of every row; the options below override single settings.",
    )(command)


def _shown(field: str) -> str:
    if field in _CHANGES:
        return "by --augment"
    value = _DEFAULTS[field]
    return " ".join(f"{v:g}" for v in (value if field in _RANGES else (value,)))


def augment_settings(options: dict[str, Any]) -> AugmentSettings:
    """Take the options of `augment_options` out of all options, and make settings of them.

    A preset that is named on the command line replaces a file's settings.

    Raises
    ------
    click.UsageError
        If a range is the wrong way round, or set on the command line for a change that is never
        made.
    """
    preset = AUGMENT_PRESETS[options.pop("augment")]
    values = {name: options.pop(_PREFIX + name) for name in _DEFAULTS if _PREFIX + name in options}
    named = given_options()
    given = {name for name in values if _PREFIX + name in named}
    changed = {
        name: value
        for name, value in values.items()
        if value is not None and (name in given or "augment" not in named)
    }
    for field, name, *_ in _OPTIONS:
        if field in _RANGES and field in changed and changed[field][0] > changed[field][1]:
            low, high = changed[field]
            raise click.UsageError(f"{name} {low:g} {high:g}: the lower end comes first")
    settings = replace(preset, **changed)
    for field, name, *_ in (*_OPTIONS, ("shift_roll", "--shift-roll/--shift-pad")):
        change = next(c for c in _CHANGES if field.startswith(c.removesuffix("s")))
        if field in given - set(_CHANGES) and not getattr(settings, change):
            often = f"--{change.replace('_', '-')}"
            raise click.UsageError(
                f"{name} says how {often} is made, and it never is: add {often}, or another "
                "--augment"
            )
    return settings
