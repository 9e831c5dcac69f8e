"""A schedule: stages of training as data, each a table of settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from negmine.errors import InputError, did_you_mean
from negmine.settings import (
    Model,
    Setting,
    Settings,
    checked_table,
    first_flag,
    setting,
    settings_from,
    updated,
)
from negmine.storage.file_names import is_file_name
from negmine.storage.text_files import parse_toml, read_toml
from training.config import TrainConfig
from training.schedules.settings import Init

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
        What it changes in the run's configuration; of a section, such as the augmentation, the rest
        stays.
    """

    name: str
    init: Init = "scratch"
    pseudo: bool = False
    fill: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


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

    def draws(self, config: TrainConfig) -> bool:
        """Return whether any stage draws rows of its own for pseudo labels."""
        changed = zip(self.stages, self.configured(config), strict=True)
        return any(stage.pseudo and found.pseudo_per_step for stage, found in changed)

    def configured(self, config: Model) -> list[Model]:
        """Derive each stage's settings from those of the run, or of the command around it.

        Raises
        ------
        InputError
            If a stage's settings do not fit together.
        """
        found = []
        for number, stage in enumerate(self.stages, start=1):
            try:
                found.append(updated(config, stage.settings))
            except InputError as error:
                raise InputError(f"stage {number}, '{stage.name}': {error}") from error
        return found

    def restarted(self, init: Init) -> Schedule:
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


class _Table(Settings, frozen=True):
    """What a ``[[stage]]`` table says of the stage itself."""

    name: str = setting("", "Of its folder, behind its number.")
    # each stage is a whole training; a schedule with more is a slip of the pen
    repeat: Annotated[int, Field(ge=1, le=1000)] = setting(1, "So many such stages in a row.")
    init: Init = setting("scratch", "Where its weights start.")
    pseudo: bool = setting(False, "Labels of the stage before train.")
    fill: bool = setting(True, "They fill the unknown cells of all other rows, too.")


def _stages(table: Mapping[str, Any], schedule: str, number: int) -> list[Stage]:
    where = f"{schedule}: stage {number}"
    if not isinstance(table, dict):
        raise InputError(f"{where}: {table!r} is not a table, as in [[stage]]")
    own = {key: table[key] for key in table.keys() & _Table.model_fields.keys()}
    changes = {key: value for key, value in table.items() if key not in own}
    known = [name for name in TrainConfig.model_fields if name not in _THE_RUNS]
    for key in changes:
        if key not in known:
            hint = did_you_mean(key, [*known, *_Table.model_fields])
            raise InputError(f"{where}: unknown setting '{key}'{hint}")
    settings = checked_table(TrainConfig, changes, where)
    stage = settings_from(_Table(), own, where)
    if not is_file_name(stage.name):
        raise InputError(f"{where}: name = {stage.name!r}: expected letters and digits")
    if "fill" in own and not stage.pseudo:
        raise InputError(f"{where}: fill goes with pseudo = true")
    return [Stage(stage.name, stage.init, stage.pseudo, stage.fill, settings)] * stage.repeat


def check_not_set(schedule: Schedule, given: Iterable[Setting]) -> None:
    """Check that no setting of the command line is one that a stage sets for itself.

    Raises
    ------
    InputError
        Naming the first one: they contradict each other.
    """
    for one in given:
        for stage in schedule.stages:
            found: Any = stage.settings
            for name in one.path:
                found = found.get(name) if isinstance(found, Mapping) else None
            if found is not None:
                raise InputError(
                    f"{first_flag(one)}: stage '{stage.name}' of recipe {schedule.name} sets "
                    f"{one.path[-1]} = {found!r}; leave the option out, or write a recipe"
                )
