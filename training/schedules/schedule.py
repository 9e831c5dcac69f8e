"""A schedule: stages of training as data, each a table of settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from negmine.errors import InputError, did_you_mean
from negmine.storage.file_names import is_file_name
from negmine.storage.text_files import parse_toml, read_toml
from training.cli.options import check_setting
from training.cli.options_augment import read_augment
from training.config import TrainConfig

# Each stage is a whole training; a schedule with more is a slip of the pen.
_MOST_STAGES = 1000

_OWN = ("name", "repeat", "init", "pseudo", "fill", "augment")

# What stages must share, or folds and draws would not fit together.
_THE_RUNS = ("folds", "fold", "seed", "first_draw")


@dataclass(frozen=True)
class Stage:
    """One round of training.

    Attributes
    ----------
    name : str
        With its number, the name of its folder.
    init : {"scratch", "previous"}
        Where its weights start.
    pseudo : bool
        Whether labels of the stage before train: in rows from anywhere in the recordings.
    fill : bool
        Whether they also fill the unknown cells of all other rows.
    settings : mapping
        What it changes in the run's configuration.
    augment : mapping
        What it changes in the run's augmentation; the rest stays.
    """

    name: str
    init: str = "scratch"
    pseudo: bool = False
    fill: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    augment: Mapping[str, Any] = field(default_factory=dict)

    def configured(self, config: TrainConfig) -> TrainConfig:
        """Derive the stage's configuration from that of its run."""
        return replace(config, **self.settings, augment=replace(config.augment, **self.augment))


@dataclass(frozen=True)
class Schedule:
    """A sequence of stages.

    Attributes
    ----------
    name : str
        As ``--recipe`` names it.
    """

    name: str
    stages: tuple[Stage, ...]

    @property
    def labels(self) -> bool:
        """Whether any stage trains on pseudo labels."""
        return any(stage.pseudo for stage in self.stages)

    def restarted(self, init: str) -> Schedule:
        """Return the same stages, all but the first of which start from ``init``."""
        first, *others = self.stages
        return replace(self, stages=(first, *(replace(stage, init=init) for stage in others)))


def _folder() -> Traversable:
    return files("training.schedules").joinpath("recipes")


def schedule_names() -> list[str]:
    """Return the schedules that come with the trainer."""
    return sorted(entry.name[:-5] for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def read_schedule(name: str) -> Schedule:
    """Read the stages in their order, repeated ones each by itself.

    Parameters
    ----------
    name : str
        Of a schedule that comes with the trainer, or the path of a TOML file with ``[[stage]]``
        tables: ``name``, ``repeat``, ``init`` ("scratch" or "previous"), ``pseudo`` and
        ``fill`` (true or false), ``augment`` (a table of settings of augmentation), and any setting
        of a run.

    Raises
    ------
    InputError
        If there is no such schedule, or it is malformed.
    """
    if name.endswith(".toml"):
        content = read_toml(Path(name))
    elif name in schedule_names():
        text = _folder().joinpath(f"{name}.toml").read_text(encoding="utf-8")
        content = parse_toml(text, name)
    else:
        raise InputError(
            f"no recipe '{name}'{did_you_mean(name, schedule_names())}; there are: "
            f"{', '.join(schedule_names())}; or name a .toml file"
        )
    tables = content.get("stage")
    if set(content) != {"stage"} or not isinstance(tables, list) or not tables:
        raise InputError(f"{name}: expected [[stage]] tables, and nothing else")
    stages = [stage for i, table in enumerate(tables, 1) for stage in _stages(table, name, i)]
    first = stages[0]
    if first.pseudo or first.init == "previous":
        raise InputError(f"{name}: the first stage has none before it to start from")
    return Schedule(name, tuple(stages))


def _stages(table: Mapping[str, Any], schedule: str, number: int) -> list[Stage]:
    where = f"{schedule}: stage {number}"
    if not isinstance(table, dict):
        raise InputError(f"{where}: {table!r} is not a table, as in [[stage]]")
    settings = {key: value for key, value in table.items() if key not in _OWN}
    known = [f.name for f in fields(TrainConfig) if f.name not in (*_THE_RUNS, "augment")]
    for key in settings:
        if key not in known:
            hint = did_you_mean(key, [*known, *_OWN])
            raise InputError(f"{where}: unknown setting '{key}'{hint}")
    try:
        for key, value in settings.items():
            check_setting(key, value)
        augment = read_augment(table.get("augment", {}))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    name, repeat, init = table.get("name", ""), table.get("repeat", 1), table.get("init", "scratch")
    if not is_file_name(name):
        raise InputError(f"{where}: name = {name!r}: expected letters and digits")
    if not isinstance(repeat, int) or isinstance(repeat, bool) or not 1 <= repeat <= _MOST_STAGES:
        raise InputError(
            f"{where}: repeat = {repeat!r}: expected a whole number from 1 to {_MOST_STAGES}"
        )
    if init not in ("scratch", "previous"):
        raise InputError(f"{where}: init = {init!r}: expected 'scratch' or 'previous'")
    pseudo, fill = table.get("pseudo", False), table.get("fill", True)
    for key, value in (("pseudo", pseudo), ("fill", fill)):
        if not isinstance(value, bool):
            raise InputError(f"{where}: {key} = {value!r}: expected true or false")
    if "fill" in table and not pseudo:
        raise InputError(f"{where}: fill goes with pseudo = true")
    return [Stage(name, init, pseudo, fill, settings, augment)] * repeat


def check_not_set(schedule: Schedule, given: Iterable[str]) -> None:
    """Check that no setting of the command line is one that a stage sets for itself.

    Raises
    ------
    InputError
        Naming the first one: it would do nothing.
    """
    for name in given:
        for stage in schedule.stages:
            own = {**stage.settings, **{f"augment_{key}": v for key, v in stage.augment.items()}}
            if name in own:
                name, value = name.removeprefix("augment_"), own[name]
                where = f"stage '{stage.name}' of recipe {schedule.name}"
                raise InputError(
                    f"--{name.replace('_', '-')}: {where} sets {name} = {value!r}; leave "
                    "the option out, or write a recipe"
                )
