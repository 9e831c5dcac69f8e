"""One setting: a field of a frozen dataclass that is also a flag and a key of a TOML file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from negmine.cli.console import Command
from negmine.errors import InputError, did_you_mean
from negmine.storage.text_files import read_toml

Settings = TypeVar("Settings")


def setting(default: Any, flag: str, kind: Any, help: str, *, metavar: str | None = None) -> Any:
    """Declare a field with a flag.

    Parameters
    ----------
    default
        A tuple of strings makes a flag that may be repeated, any other tuple one of several values,
        a bool a switch.
    flag : str
        Such as ``--mix-snr``.
    kind
        click's type of the flag, or of each of its values.
    help : str
    metavar : str, optional
    """
    about = {"flag": flag, "kind": kind, "help": help, "metavar": metavar}
    return field(default=default, metadata=about)


def check_range(name: str, pair: tuple[float, float]) -> None:
    """Check that a setting's low end is not above its high end.

    Raises
    ------
    InputError
    """
    if pair[1] < pair[0]:
        raise InputError(f"{name} {pair[0]:g} {pair[1]:g}: the range is empty; swap the two")


def settings_of(
    made: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Yield every setting below an instance: its path of field names, the field, its value."""
    for one in fields(made):
        value = getattr(made, one.name)
        if is_dataclass(value):
            yield from settings_of(value, (*path, one.name))
        else:
            yield (*path, one.name), one, value


def setting_options(defaults: Any) -> Callable[[Command], Command]:
    """Return a decorator that adds the flags of all settings below an instance to a command."""

    def decorate(command: Command) -> Command:
        for path, one, value in reversed(list(settings_of(defaults))):
            command = _option(path, one, value)(command)
        return command

    return decorate


def _option(path: tuple[str, ...], one: Field[Any], value: Any) -> Any:
    about = one.metadata
    if isinstance(value, bool):
        extra: dict[str, Any] = {"is_flag": True}
    elif _repeated(value):
        extra = {"multiple": True, "type": about["kind"]}
    elif isinstance(value, tuple):
        extra = {"type": (about["kind"],) * len(value), "show_default": True}
    else:
        extra = {"type": about["kind"], "show_default": value is not None}
    return click.option(
        about["flag"],
        _parameter(path),
        default=value,
        help=about["help"],
        metavar=about["metavar"],
        **extra,
    )


def _repeated(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, str) for item in value)


def _parameter(path: tuple[str, ...]) -> str:
    return "__".join(path)


def take_settings(
    defaults: Settings, configs: Sequence[Path], parameters: dict[str, Any]
) -> Settings:
    """Take settings from defaults, TOML files (later ones win) and the command's flags.

    Parameters
    ----------
    defaults
        An instance whose flags `setting_options` added to the command.
    configs : sequence of Path
        The files; their keys are fields, their tables sections.
    parameters : dict
        The command's keyword arguments; those of the flags are taken out.

    Raises
    ------
    InputError
        If a file is no TOML, or holds an unknown key or a value of the wrong kind.
    """
    context = click.get_current_context()
    made = defaults
    for config in configs:
        made = _from_file(made, config)
    for path, _, _ in list(settings_of(defaults)):
        value = parameters.pop(_parameter(path))
        source = context.get_parameter_source(_parameter(path))
        if source not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP):
            made = _with(made, path, value)
    return made


def flag_values(made: Any) -> dict[str, Any]:
    """Return the values of all settings below an instance, by their flags' parameters."""
    return {_parameter(path): value for path, _, value in settings_of(made)}


def _with(made: Any, path: tuple[str, ...], value: Any) -> Any:
    name, *below = path
    return replace(
        made, **{name: _with(getattr(made, name), tuple(below), value) if below else value}
    )


def _from_file(defaults: Settings, path: Path) -> Settings:
    try:
        found = read_toml(path)
    except InputError as error:
        raise InputError(f"--config {error}") from error
    made: Settings = settings_from(defaults, found, str(path))
    return made


def settings_from(defaults: Any, found: Mapping[str, Any], where: str) -> Any:
    """Make settings from nested mappings, as TOML and JSON give them.

    Raises
    ------
    InputError
        If a key is unknown or a value of the wrong kind.
    """
    known = {one.name: one for one in fields(defaults)}
    changes: dict[str, Any] = {}
    for name, value in found.items():
        if name not in known:
            raise InputError(
                f"{where}: unknown key '{name}'{did_you_mean(name, known)}; "
                f"expected {', '.join(known)}"
            )
        before, here = getattr(defaults, name), f"{where}: {name}"
        if is_dataclass(before):
            if not isinstance(value, Mapping):
                raise InputError(f"{here}: a table is expected, as in [{name}]")
            changes[name] = settings_from(before, value, f"{where} [{name}]")
        else:
            changes[name] = _checked(before, value, known[name].metadata["kind"], here)
    return replace(defaults, **changes)


def _checked(before: Any, value: Any, kind: Any, here: str) -> Any:
    """Check a value of a file against the same limits as the flag's."""
    if isinstance(before, tuple):
        if not isinstance(value, list | tuple) or (
            not _repeated(before) and len(value) != len(before)
        ):
            many = "a list" if _repeated(before) else f"a list of {len(before)}"
            raise InputError(f"{here}: {value!r} is not {many}")
        return tuple(_checked(None, item, kind, here) for item in value)
    wanted = click.types.convert_type(kind)
    numeric = isinstance(wanted, click.types.IntParamType | click.types.FloatParamType)
    expected = bool if isinstance(before, bool) else int | float if numeric else str
    if not isinstance(value, expected) or isinstance(value, bool) != isinstance(before, bool):
        raise InputError(f"{here}: {value!r} is not {_name(before, wanted)}")
    if isinstance(before, bool):
        return value
    if isinstance(value, float) and isinstance(wanted, click.types.IntParamType):
        raise InputError(f"{here}: {value!r} is not a whole number")
    try:
        converted = wanted.convert(value, None, None)
        if isinstance(converted, float) and not math.isfinite(converted):
            raise click.BadParameter(f"{converted} is not a finite number")
        return converted
    except click.BadParameter as error:
        raise InputError(f"{here}: {error.message}") from error


def _name(before: Any, wanted: Any) -> str:
    if isinstance(before, bool):
        return "true or false"
    names = {"integer": "a number", "float": "a number"}
    return names.get(wanted.name.removesuffix(" range"), "a text")
