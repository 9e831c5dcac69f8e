"""The options of a run on the command line, and the configuration they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from negmine.cli.console import Command
from negmine.cli.scoring_options import device_option
from negmine.errors import InputError, did_you_mean
from negmine.limits import LAST_SEED, MOST_BATCH, MOST_CLIP_S, MOST_HZ, MOST_ROWS, MOST_WORKERS
from negmine.storage.text_files import read_toml
from training.cli.options_augment import (
    augment_options,
    augment_settings,
    convert_setting,
    of_type,
    read_augment,
)
from training.config import BAND_MODES, LOSSES, POOLINGS, PRECISIONS, READOUTS, TrainConfig

# Field of the configuration (its default is the option's), type, help; fp_beyond is the one option
# that is not called as its field.
_OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("backbone", str, "'small', the fast CNN, or any timm model's name."),
    ("pretrained", bool, "Start the timm backbone from its published weights."),
    (
        "sample_rate",
        click.IntRange(1000, MOST_HZ),
        "Hz.  [default: that of the model or pool that is given; else that of most "
        "recordings, at most 32000]",
    ),
    ("clip_s", click.FloatRange(0.1, MOST_CLIP_S), "Length of a training crop."),
    ("n_mels", click.IntRange(8, 256), "Mel bands."),
    (
        "pooling",
        click.Choice(POOLINGS),
        "From a feature map to an embedding: the mean of its positive values, of all values, or "
        "weighted by learned attention.",
    ),
    (
        "bands",
        click.Choice(BAND_MODES),
        "Read each class from its own frequency band: crops of the spectrogram, each through the "
        "network, or crops of one shared feature map.",
    ),
    ("band_margin", click.FloatRange(0, 100), "Added to a band on both sides, as a share of it."),
    ("compile", bool, "Compile the backbone; the first steps take minutes."),
    (
        "channels_last",
        bool,
        "Layout of the convolutions' tensors; off where a backbone is slower in it.",
    ),
    (
        "readout",
        click.Choice(READOUTS),
        "How a whole clip is read out: the maximum or the log-sum-exp over windows of its feature "
        "map, the pooling of the whole map, or the power-weighted mean of its positive values.",
    ),
    ("window_s", click.FloatRange(0.05, MOST_CLIP_S), "Window of the maximum and the log-sum-exp."),
    ("lse_sharpness", click.FloatRange(0, min_open=True), "Of the log-sum-exp."),
    ("loss", click.Choice(LOSSES), "Loss to minimise; see docs/training.md."),
    ("lsep_bce", click.FloatRange(0), "Weight of the masked BCE added to LSEP."),
    (
        "large_loss_rate",
        click.FloatRange(0, 1),
        "Share of the assumed zeros that 'large' leaves out: those of the largest loss.",
    ),
    ("lsoft_detach", bool, "Whether the prediction in LSoft's target is a constant."),
    (
        "lsoft",
        click.FloatRange(0, 1),
        "Softness of a TP row's unknown cells: 0 makes them zeros, 1 leaves them out.",
    ),
    (
        "beyond_per_s",
        click.FloatRange(0, 1),
        "Confidence a rejected box keeps per second that a crop reaches beyond it.",
    ),
    ("tp_per_step", click.IntRange(1, MOST_BATCH), "Rows round confirmed calls in a step."),
    ("fp_per_step", click.IntRange(0, MOST_BATCH), "Rows round rejected detections in a step."),
    (
        "workers",
        click.IntRange(0, MOST_WORKERS),
        "Processes that prepare steps; 0: none but the trainer's own. Changes no result.",
    ),
    (
        "steps_per_epoch",
        click.IntRange(1, MOST_ROWS),
        "Steps from one validation and checkpoint to the next.",
    ),
    ("epochs", click.IntRange(1, MOST_ROWS), "At most."),
    (
        "patience",
        click.IntRange(0),
        "Epochs without a better validation score before stopping; 0: never.",
    ),
    ("accumulate", click.IntRange(1, MOST_BATCH), "Parts that a step's rows pass the network in."),
    (
        "ema",
        click.FloatRange(0, 1, max_open=True),
        "Decay of a moving average of the weights, which validates and is kept; 0: none.",
    ),
    ("clip_norm", click.FloatRange(0), "Largest norm of a step's gradient; 0: any."),
    ("lr", click.FloatRange(0, min_open=True), "Highest learning rate."),
    ("weight_decay", click.FloatRange(0), "Of AdamW."),
    ("warmup", click.FloatRange(0, 1), "Share of the steps over which the rate rises."),
    ("folds", click.IntRange(1, MOST_BATCH), "Folds, stratified over classes; 1 trains on all."),
    ("fold", click.IntRange(0, MOST_BATCH), "The fold to validate on."),
    (
        "precision",
        click.Choice(PRECISIONS),
        "Precision of the convolutions; bf16 where the processor has it, fp16 on GPUs.",
    ),
    ("seed", click.IntRange(0, LAST_SEED), "Seed of weights, folds and draws."),
)
_NAMES = {"beyond_per_s": "fp_beyond"}

# Settings of a recipe's stages: no options, but a stage's config.toml has them.
_OF_STAGES: dict[str, Any] = {
    "first_draw": click.IntRange(0),
    "pseudo_per_step": click.IntRange(0, MOST_BATCH),
    "pseudo_weight": click.FloatRange(0),
}
_KEPT = "training.cli.options"


def check_setting(name: str, value: Any) -> None:
    """Check a setting that comes from elsewhere as its option would.

    Raises
    ------
    InputError
        If it is of another type, out of range, or none of its choices.
    """
    default = TrainConfig().to_dict()[name]
    if not of_type(value, default):
        raise InputError(f"{name} = {value!r}: expected a {type(default).__name__}")
    kinds = {field: kind for field, kind, _ in _OPTIONS} | _OF_STAGES
    if isinstance(kind := kinds[name], click.ParamType):
        convert_setting(name, value, kind)


def _from_file(context: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
    """Take a file's settings as defaults: options on the command line win.

    Raises
    ------
    InputError
        If the file is not TOML, or names no setting.
    """
    if path is None:
        return None
    content = read_toml(path)
    augment = content.pop("augment", {})
    known = {parameter.name for parameter in context.command.params}
    settings = TrainConfig().to_dict()
    try:
        for name, value in content.items():
            if name not in settings:
                hint = did_you_mean(name, [*settings, *settings["augment"]])
                raise InputError(f"unknown setting '{name}'{hint}")
            check_setting(name, value)
        augment = read_augment(augment)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    values = {**content, **{f"augment_{name}": value for name, value in augment.items()}}
    context.default_map = {name: value for name, value in values.items() if name in known}
    context.meta[_KEPT] = {name: content[name] for name in _OF_STAGES if name in content}
    return path


band_table_option = click.option(
    "--band-table",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV of the classes' frequency bands, for --bands and --pitch: class, f_min, "
    "f_max in Hz.  "
    "[default: those of the confirmed boxes]",
)


def run_options(command: Command) -> Command:
    """Add the settings of a run, the device, and what to do about unreadable files."""
    command = click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_from_file,
        is_eager=True,
        expose_value=False,
        help="Settings from a file, such as a run's config.toml; options given here win.",
    )(command)
    command = click.option(
        "--skip-bad", is_flag=True, help="Report unreadable recordings and continue without them."
    )(command)
    command = device_option(command)
    command = augment_options(command)
    defaults = TrainConfig().to_dict()
    for field, kind, text in reversed(_OPTIONS):
        name = "--" + _NAMES.get(field, field).replace("_", "-")
        if kind is bool:
            # what is on by default can be switched off
            switch = f"{name}/--no-{name[2:]}" if defaults[field] else name
            command = click.option(switch, field, default=defaults[field], is_flag=True, help=text)(
                command
            )
        else:
            # the rate is the recordings' own unless another is named
            default = None if field == "sample_rate" else defaults[field]
            command = click.option(
                name, field, type=kind, default=default, show_default=True, help=text
            )(command)
    return command


def run_config(options: dict[str, Any]) -> TrainConfig:
    """Make the configuration from options of `run_options`.

    A sample rate that is not named is left at its default: see `training.cli.data.at_own_rate`.

    Raises
    ------
    click.UsageError
        If two of them contradict each other.
    """
    augment = augment_settings(options)
    if options["sample_rate"] is None:
        options = {name: value for name, value in options.items() if name != "sample_rate"}
    if augment.shift and augment.shift_s >= options["clip_s"]:
        raise click.UsageError(
            f"--shift-s {augment.shift_s:g} is not shorter than --clip-s {options['clip_s']:g}"
        )
    kept = click.get_current_context().meta.get(_KEPT, {})
    config = TrainConfig(**kept, **options, augment=augment)
    if config.fold >= config.folds:
        raise click.UsageError(
            f"--fold {config.fold}: the last of --folds {config.folds} is {config.folds - 1}"
        )
    if config.window_s > config.clip_s:
        raise click.UsageError(
            f"--window-s {config.window_s:g} is longer than --clip-s {config.clip_s:g}"
        )
    if config.pretrained and config.backbone == "small":
        raise click.UsageError("--pretrained needs a timm model: 'small' has no published weights")
    return config
