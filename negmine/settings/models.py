"""How settings are declared: models, their fields, and what each needs to act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from negmine.errors import InputError, did_you_mean
from negmine.settings.kinds import Kind, kind_of, wrong

Model = TypeVar("Model", bound="Settings")


class Settings(BaseModel, frozen=True):
    """Base of all models of settings: frozen, of known fields and of finite values alone.

    Raises
    ------
    InputError
        If a value is not what its field takes.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**{name: _tupled(value) for name, value in values.items()})
        except ValidationError as error:
            raise InputError(_fault(type(self), values, error)) from error

    def replace(self, **changes: Any) -> Self:
        """Return these settings with others in some places, checked."""
        return type(self)(**{name: getattr(self, name) for name in self.model_fields_set} | changes)

    def to_dict(self) -> dict[str, Any]:
        """Return them as a pool or a checkpoint keeps them, a dictionary a section."""
        return self.model_dump()


class When:
    """What gives a setting something to act on: another setting, or an option of the command.

    Parameters
    ----------
    name : str
        A setting of the same section; with dots, one from the top on, as ``mix.count`` or
        ``.folds``; or the flag of an option that is no setting, as ``--fp``: a command that has no
        such option is taken to have what it names.
    *values
        Any one of them does; none named: any value that is not empty, zero or off.
    least : float, optional
        Only so much of it, or more, does.
    also : When, optional
        What it takes besides.
    """

    def __init__(
        self, name: str, *values: object, least: float | None = None, also: When | None = None
    ) -> None:
        self.name, self.values, self.least, self.also = name, values, least, also

    def holds(self, value: Any) -> bool:
        """Return whether such a value of it does."""
        if self.least is not None:
            return bool(value >= self.least)
        return value in self.values if self.values else bool(value)

    def path(self, beside: tuple[str, ...]) -> tuple[str, ...]:
        """Return the path of the setting that is meant, from one beside it."""
        if "." in self.name:
            return tuple(filter(None, self.name.split(".")))
        return (*beside[:-1], self.name)

    def words(self, flag: str) -> str:
        """Return it as written on the command line."""
        if self.least is not None:
            return f"{flag} {self.least:g} or more"
        return " ".join([flag, " or ".join(map(str, self.values))]).strip()


def setting(
    default: Any,
    help: str,
    *,
    flag: str | None = None,
    metavar: str | None = None,
    group: str | None = None,
    common: bool = False,
    needs: When | tuple[When, ...] = (),
    shown: str | None = None,
    joined: bool = False,
) -> Any:
    """Declare a field of a model of settings.

    Parameters
    ----------
    help : str
        For ``--help`` and the docs.
    flag : str, optional
        Such as ``--mix``, ``-b,--batch-size``, or ``--on/--off`` of a switch. By default the
        field's name, after its section's. Empty: none, for what Python and files alone set.
    group : str, optional
        Heading in ``--help``; by default the first line of the model's documentation.
    common : bool
        Whether ``--help`` has it first, among the most needed.
    needs : When or tuple of When
        Any one of them gives it an effect.
    shown : str, optional
        What ``--help`` shows as its default, where the default is found out later.
    joined : bool
        Of several values: the flag takes them joined by commas, instead of being repeated.
    """
    about: Any = {
        "flag": flag,
        "metavar": metavar,
        "group": group,
        "common": common,
        "needs": needs if isinstance(needs, tuple) else (needs,),
        "shown": shown,
        "joined": joined,
    }
    return Field(default, description=help, json_schema_extra=about)


@dataclass(frozen=True)
class Setting:
    """One field, with what is derived from it.

    Attributes
    ----------
    path : tuple of str
        The names of its sections, and its own.
    marks : tuple
        What the annotations of its field, and of its sections, say besides.
    help, flag, metavar, group, common, needs, shown, joined
        See `setting`.
    """

    path: tuple[str, ...]
    marks: tuple[object, ...]
    kind: Kind
    default: Any
    _annotation: Any
    help: str
    flag: str
    metavar: str | None
    group: str
    common: bool
    needs: tuple[When, ...]
    shown: str | None
    joined: bool

    def check(self, value: Any, said: str) -> Any:
        """Return a value as its field keeps it.

        Parameters
        ----------
        value
            As TOML, JSON or click gives it.
        said : str
            Where it was found and how it was written, for the error.

        Raises
        ------
        InputError
        """
        try:
            adapter = TypeAdapter[Any](self._annotation, config=Settings.model_config)
            return adapter.validate_python(_tupled(value))
        except ValidationError as error:
            raise InputError(wrong(said, value, error, self.kind)) from error

    def of(self, made: Any) -> Any:
        """Return its value in an instance of the model."""
        for name in self.path:
            made = getattr(made, name)
        return made


@cache
def settings_of(model: type[Settings]) -> tuple[Setting, ...]:
    """Return all settings of a model and its sections, in order."""
    return tuple(_settings(model, (), ()))


def _settings(
    model: type[Settings], path: tuple[str, ...], outer: tuple[object, ...]
) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        here, marks = (*path, name), (*outer, *field.metadata)
        if section := section_of(field):
            yield from _settings(section, here, marks)
            continue
        about: Any = field.json_schema_extra
        plain = "--" + "-".join(here).replace("_", "-")
        if field.default is True:
            plain += f"/--no-{plain[2:]}"
        heading = (model.__doc__ or "Options").split("\n")[0].strip().removesuffix(".")
        alone: Any = field.annotation
        if field.metadata:
            alone = Annotated[(alone, *field.metadata)]
        given = {
            **about,
            "flag": plain if about["flag"] is None else about["flag"],
            "group": about["group"] or heading,
            "help": field.description or "",
        }
        yield Setting(here, marks, kind_of(field), field.default, alone, **given)


def section_of(field: FieldInfo) -> type[Settings] | None:
    """Return the model of a field that is a section; None for any other."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def first_flag(one: Setting) -> str:
    """Return a setting's flag: the long one, and of a switch that which turns it on."""
    return one.flag.split(",")[-1].split("/")[0]


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _fault(model: type[Settings], values: Mapping[str, Any], error: ValidationError) -> str:
    """Return the first fault of values that a model refuses, in a line."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return unknown_key(model, name)
    if not name:
        return str(first["ctx"]["error"])
    said, field = f"{name} = {values[name]!r}", model.model_fields[name]
    if section := section_of(field):
        return f"{said}: expected {section.__name__}"
    return wrong(said, values[name], error, kind_of(field))


def unknown_key(model: type[Settings], name: str) -> str:
    """Return what is wrong with a name that no field has, in a line."""
    known = model.model_fields
    return f"unknown key '{name}'{did_you_mean(name, known)}; expected {', '.join(known) or 'none'}"
