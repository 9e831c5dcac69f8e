"""Settings from tables, as TOML and JSON give them, and from records of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from negmine.errors import InputError
from negmine.settings.models import Model, Settings, section_of, settings_of, unknown_key


def settings_from(base: Model, table: Mapping[str, Any], where: str) -> Model:
    """Make settings from nested mappings, as TOML and JSON give them.

    Parameters
    ----------
    base : Settings
        What holds where the table says nothing.
    where : str
        What names the table in errors.

    Raises
    ------
    InputError
        If a key is unknown, a value is none of its setting's, or two contradict each other.
    """
    values = checked_table(type(base), table, where)
    try:
        return updated(base, values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def checked_table(model: type[Settings], table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check each key and value of a table by itself, and return it as settings keep it.

    Raises
    ------
    InputError
        If a key is unknown, or a value is none of its setting's.
    """
    return dict(_checked(model, table, where))


def _checked(
    model: type[Settings], table: Mapping[str, Any], where: str
) -> Iterator[tuple[str, Any]]:
    known = {one.path: one for one in settings_of(model)}
    for name, value in table.items():
        if name not in model.model_fields:
            raise InputError(f"{where}: {unknown_key(model, name)}")
        if section := section_of(model.model_fields[name]):
            below = _mapping(value, where, name)
            yield name, dict(_checked(section, below, f"{where} [{name}]"))
        else:
            yield name, known[(name,)].check(value, f"{where}: {name} = {value!r}")


def _mapping(value: Any, where: str, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: {name} = {value!r}: expected a table, as in [{name}]")
    return value


def updated(base: Model, values: Mapping[str, Any]) -> Model:
    """Return settings with others in some places, which nested mappings name.

    Raises
    ------
    InputError
        If two contradict each other.
    """
    return base.replace(
        **{
            name: updated(getattr(base, name), value) if isinstance(value, Mapping) else value
            for name, value in values.items()
        }
    )


def read_record(model: type[Model], values: Mapping[str, Any], where: str = "settings") -> Model:
    """Read what `Settings.to_dict` gave, whose tuples may be lists by now.

    Raises
    ------
    InputError
        If a setting is unknown or not valid; if one is missing, its value then is not known.
    """
    for name, field in model.model_fields.items():
        if name not in values:
            raise InputError(f"{where}: no '{name}'; these are settings of another version")
        if section := section_of(field):
            read_record(section, _mapping(values[name], where, name), f"{where} [{name}]")
    return settings_from(model(), values, where)
