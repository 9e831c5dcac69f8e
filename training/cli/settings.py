"""The settings of the commands that train: those of a run, and of what is around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Self

import click
from pydantic import Field, model_validator

from negmine.cli.console import CleanCommand, given
from negmine.cli.settings import config_option, settings_options, take_settings, warn_no_effect
from negmine.limits import LAST_SEED
from negmine.notices import warn
from negmine.settings import FileName, FolderName, When, setting
from training.augmentation import AUGMENT_PRESETS
from training.config import Rows, TrainConfig
from training.data.settings import (
    FROZEN_NEGATIVE_RATIO,
    MINED_BESIDE_SCENES,
    MINED_TO_RANDOM,
    Grouping,
    HardUse,
    LoopHardUse,
    LoopSampleUse,
    SampleUse,
)
from training.schedules.settings import PSEUDO_PER_STEP, LoopSettings, PseudoSettings, StageSettings

_RECIPE = When("stages.schedule")


class RunSettings(TrainConfig, frozen=True):
    """Run."""

    band_table: FileName | None = setting(
        None,
        "CSV of the classes' frequency bands, for --bands and --pitch: class, f_min, f_max in Hz.",
        group="Model",
        shown="those of the confirmed boxes",
        needs=(When("bands", "crops", "shared"), When("augment.pitch")),
    )
    select_negatives: FolderName | None = setting(
        None,
        "Pool whose rows of held-out recordings count as negatives, too.",
        group="Folds",
        needs=When("select_by", "fp-per-hour"),
    )
    hard: HardUse = HardUse()
    samples: SampleUse = SampleUse()
    grouping: Grouping = Grouping()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.fold >= self.folds:
            raise ValueError(
                f"--fold {self.fold}: the last of --folds {self.folds} is {self.folds - 1}"
            )
        if self.window_s > self.clip_s:
            raise ValueError(
                f"--window-s {self.window_s:g} is longer than --clip-s {self.clip_s:g}"
            )
        return self

    @property
    def config(self) -> TrainConfig:
        """The settings of the run itself."""
        given = self.model_fields_set & TrainConfig.model_fields.keys()
        return TrainConfig(**{name: getattr(self, name) for name in given})

    @property
    def named_rate(self) -> int | None:
        """The rate, if it was set: else it is that of the data."""
        return self.sample_rate if "sample_rate" in self.model_fields_set else None


class TrainSettings(RunSettings, frozen=True):
    """Run."""

    init: FileName | None = setting(None, "Checkpoint whose weights to start from.", group="Model")
    pool: FolderName | None = setting(
        None,
        "Where the selection's pool is now.",
        group="Hard negatives",
        shown="where it was, or as it was beside the selection",
        needs=When("--hard-negatives"),
    )
    seeds: Annotated[int, Field(ge=1, le=1000)] | None = setting(
        None,
        "Train every fold with this many seeds, from --seed on, and score each recording by the "
        "models that held it out: OUT/seed0/fold0/, ..., OUT/oof.csv.",
        group="Folds",
    )
    stages: StageSettings = StageSettings()
    pseudo_per_step: Rows = setting(
        0,
        "Rows a step from anywhere in the recordings, with pseudo labels.",
        group="Stages and pseudo labels",
        shown=str(PSEUDO_PER_STEP),
        needs=_RECIPE,
    )
    pseudo: PseudoSettings = PseudoSettings()
    cache: FolderName | None = setting(
        None, "Folder of decoded sound; runs and 'negmine cache' may share it.", shown="OUT/cache"
    )
    tensorboard: bool = setting(False, "Write events for TensorBoard to OUT/tensorboard.")

    @model_validator(mode="after")
    def _starts_once(self) -> Self:
        if self.init and self.pretrained:
            raise ValueError("--pretrained and --init both say where weights start; choose one")
        if self.init and self.stages.schedule is not None:
            raise ValueError("--init: the stages of a --recipe start from one another")
        return self

    @model_validator(mode="after")
    def _holds_out_what_it_scores(self) -> Self:
        if self.seeds is None:
            return self
        if self.folds < 2:
            raise ValueError("--seeds: with --folds 1 no model holds anything out to score")
        if self.seed + self.seeds - 1 > LAST_SEED:
            raise ValueError(f"--seed {self.seed}: there are no {self.seeds} seeds from there on")
        if self.init or self.stages.in_fold:
            flag = "--init" if self.init else "--pseudo-in-fold"
            raise ValueError(f"{flag}: with --seeds no model may have seen what it holds out")
        return self


class LoopRunSettings(RunSettings, frozen=True):
    """Run."""

    hard: LoopHardUse = LoopHardUse()
    samples: LoopSampleUse = LoopSampleUse()
    loop: LoopSettings = LoopSettings()

    def with_doses(self, pool: str, frozen: bool) -> Self:
        """Complete where random rows are from, and how many of them and of mined rows there are.

        Parameters
        ----------
        pool : str
            The loop's.
        frozen : bool
            Whether a pretrained network stays as it is.
        """
        samples, hard = self.samples, self.hard
        if samples.negatives is None:
            samples = samples.replace(negatives=pool)
        if frozen and "negative_ratio" not in samples.model_fields_set:
            samples = samples.replace(negative_ratio=FROZEN_NEGATIVE_RATIO)
        if "ratio" not in hard.model_fields_set:
            times = MINED_BESIDE_SCENES if samples.scenes else MINED_TO_RANDOM
            hard = hard.replace(ratio=times * samples.negative_ratio)
        return self.replace(samples=samples, hard=hard)


def warn_unused(*made: RunSettings) -> None:
    """Warn of each flag of the running command that changes nothing.

    Parameters
    ----------
    *made : RunSettings
        Of the stages of a schedule, if there are any: one that uses a flag is enough.
    """
    warn_no_effect(*made)
    # after the last epoch but one there is only one left to save
    late = all(one.patience > one.epochs - 2 for one in made)
    if given("patience") and late and all(one.patience and one.folds > 1 for one in made):
        epochs = max(one.epochs for one in made)
        warn(f"--patience has no effect without more epochs: there are --epochs {epochs}")


class RunCommand(CleanCommand):
    """A command that trains: it has many options."""

    headings = (
        "Data",
        "Model",
        "Loss",
        "Rows of a step",
        "Augmentation",
        "Which negatives are chosen",
        "Rows of pools",
        "Hard negatives",
        "Rounds",
        "Folds",
        "Stages and pseudo labels",
        "Optimiser",
        "Run",
    )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options; say what is here what other trainers call --batch-size."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name != "--batch-size":
                raise
            meant = f"{error.message} A step's rows are --tp-per-step and --fp-per-step."
            raise click.NoSuchOption(error.option_name, meant, ctx=ctx) from error


def with_run_settings(model: type[RunSettings]) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that adds the flags of a command that trains.

    The command gets what they and ``--config`` set as ``settings``. A preset of ``--augment``
    replaces a file's augmentation; single flags win over both.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def run(*, config: Any, augment: str, **options: Any) -> Any:
            preset = {"augment": AUGMENT_PRESETS[augment].to_dict()}
            tables = [preset] if given("augment") else []
            settings = take_settings(model(), config, options, tables=tables, warn=False)
            return command(settings=settings, **options)

        preset = click.option(
            "--augment",
            type=click.Choice(list(AUGMENT_PRESETS)),
            default="none",
            show_default=True,
            help="Random changes of every row: a preset, whose settings further options override.",
        )
        return config_option(preset(settings_options(model)(run)))

    return decorate
