"""The flags of settings: options of a command, made from the models that declare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from negmine.cli.console import Command, GroupedOption
from negmine.errors import InputError
from negmine.notices import warn_each
from negmine.settings import (
    Kind,
    Model,
    Setting,
    Settings,
    checked_table,
    first_flag,
    no_effect,
    settings_of,
    updated,
)
from negmine.storage.text_files import read_toml

config_option = click.option(
    "--config",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings from a TOML file; flags win. Repeatable: later files win.",
)


def with_settings(
    model: type[Settings], name: str = "settings", *, warn: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds a model's flags to a command, and hands it what they set.

    Parameters
    ----------
    model : type of Settings
    name : str
        The keyword of the command that takes them. Those of its ``--config`` files, where it has
        such an option, are among them.
    warn : bool
        See `take_settings`.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def run(*arguments: Any, **options: Any) -> Any:
            configs = options.pop("config", ())
            options[name] = take_settings(model(), configs, options, warn=warn)
            return command(*arguments, **options)

        return settings_options(model)(run)

    return decorate


def settings_options(model: type[Settings]) -> Callable[[Command], Command]:
    """Return a decorator that adds the flags of a model's settings to a command."""

    def decorate(command: Command) -> Command:
        for one in reversed(settings_of(model)):
            command = _option(one)(command) if one.flag else command
        return command

    return decorate


def _option(one: Setting) -> Callable[[Command], Command]:
    extra: dict[str, Any]
    if one.kind.type is bool:
        extra = {"is_flag": True}
    elif one.joined:
        extra = {"type": _Joined(_type(one.kind))}
    elif one.kind.count == 0:
        extra = {"multiple": True, "type": _type(one.kind)}
    else:
        kind = _type(one.kind)
        many = (kind,) * one.kind.count
        shown = one.shown or one.default is not None
        extra = {"type": many if one.kind.count > 1 else kind, "show_default": shown}
    return click.option(
        *one.flag.split(","),
        parameter(one),
        cls=SettingOption,
        setting=one,
        default=one.default,
        help=one.help,
        metavar=one.metavar,
        **extra,
    )


class SettingOption(GroupedOption):
    """The flag of a setting."""

    def __init__(self, *arguments: Any, setting: Setting, **options: Any) -> None:
        super().__init__(*arguments, group=None if setting.common else setting.group, **options)
        self.setting = setting


class _Joined(click.ParamType):  # type: ignore[type-arg]
    """Several values, joined by commas."""

    name = "text"

    def __init__(self, kind: click.ParamType) -> None:  # type: ignore[type-arg]
        self._kind = kind

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        words = filter(None, (word.strip() for word in value.split(",")))
        return tuple(self._kind.convert(word, param, ctx) for word in words)


def _type(kind: Kind) -> Any:
    """Return click's type of one value."""
    if kind.choices:
        return click.Choice(kind.choices)
    if kind.place:
        return click.Path(file_okay=kind.place == "file", dir_okay=kind.place == "folder")
    if kind.type is str:
        return click.STRING
    ends: dict[str, Any] = {
        "min": kind.low, "max": kind.high, "min_open": kind.low_open, "max_open": kind.high_open
    }  # fmt: skip
    return click.IntRange(**ends) if kind.type is int else click.FloatRange(**ends)


def parameter(one: Setting) -> str:
    """Return the name under which click keeps a setting."""
    return "__".join(one.path)


def take_settings(
    base: Model,
    configs: Sequence[Path],
    parameters: dict[str, Any],
    *,
    tables: Sequence[Mapping[str, Any]] = (),
    warn: bool = True,
) -> Model:
    """Take settings from defaults, TOML files (later ones win) and the command's flags.

    Parameters
    ----------
    base : Settings
        What holds where neither says anything; `settings_options` added its flags to the command.
    configs : sequence of Path
        The files; their keys are fields, their tables sections.
    parameters : dict
        The command's keyword arguments; those of the flags are taken out.
    tables : sequence of mapping
        What wins over the files, and flags win over: named presets.
    warn : bool
        Warn of flags that have no effect, see `warn_no_effect`.

    Raises
    ------
    InputError
        If a file is no TOML, a key is unknown, a value is none of its setting's, or two contradict
        each other.
    """
    made = type(base)
    found: dict[str, Any] = {}
    for config in configs:
        try:
            _merge(found, checked_table(made, read_toml(config), str(config)))
        except InputError as error:
            raise InputError(f"--config {error}") from error
    for table in tables:
        _merge(found, checked_table(made, table, "preset"))
    given = given_settings(made)
    for one in settings_of(made):
        value = parameters.pop(parameter(one), None)
        if one in given:
            _merge(found, _nested(one.path, one.check(value, _written(one, value))))
    taken = updated(base, found)
    if warn:
        warn_no_effect(taken)
    return taken


def given_settings(model: type[Settings]) -> list[Setting]:
    """Return the settings of a model that are given as flags to the running command."""
    source = click.get_current_context().get_parameter_source
    unset = (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
    return [one for one in settings_of(model) if source(parameter(one)) not in unset]


def unused(*made: Settings, beside: Mapping[str, object] | None = None) -> list[str]:
    """Return a line for each flag of the running command that changes nothing.

    Parameters
    ----------
    *made : Settings
        Of one model; of several, such as the stages of a recipe, one that uses it is enough.
    beside : mapping of str to object, optional
        By flag, what holds in the place of the command's other options.
    """
    context = click.get_current_context()
    others = {
        flag: context.params.get(one.name or "") for one in context.command.params
        for flag in one.opts
    } | dict(beside or {})  # fmt: skip
    return list(no_effect(given_settings(type(made[0])), *made, beside=others))


def warn_no_effect(*made: Settings, beside: Mapping[str, object] | None = None) -> None:
    """Warn of each flag of the running command that changes nothing, see `unused`."""
    warn_each(unused(*made, beside=beside))


def _written(one: Setting, value: Any) -> str:
    """Return a flag as it was given."""
    if isinstance(value, bool):
        return first_flag(one)
    many = value if isinstance(value, tuple) else (value,)
    texts = [f"{item:g}" if isinstance(item, float) else str(item) for item in many]
    return " ".join([first_flag(one), *texts])


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    name, *below = path
    return {name: _nested(tuple(below), value) if below else value}


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict) and name in into:
            _merge(into[name], value)
        else:
            into[name] = value
