"""Settings: each is declared once, as a field of a frozen model; all else is derived from it.

A model is a class of `Settings` whose fields are made by `setting`; a field that is itself a model
is a section, which is also a table of a TOML file::

    class MixSettings(Settings, frozen=True):
        \"\"\"Mixes: sums of certified clips.\"\"\"

        count: Rows = setting(0, "How many mixes.", flag="--mix")
        snr_db: Ascending[Decibels] = setting((-5.0, 10.0), "Their range.", needs=When("count"))

The flags of a command (`negmine.cli.settings`), the reading of a file (`settings_from`), the check
of values, what a pool or a checkpoint keeps (`Settings.to_dict`) and the tables of the docs
(`negmine.settings_docs`) come from these fields. A section's first line of documentation is its
heading in ``--help`` and in the docs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from negmine.errors import InputError, did_you_mean

Model = TypeVar("Model", bound="Settings")
_T = TypeVar("_T")


def _no_folder(name: str) -> str:
    if Path(name).is_dir():
        raise ValueError("is a folder; a file is expected")
    return name


def _no_file(name: str) -> str:
    if Path(name).is_file():
        raise ValueError("is a file; a folder is expected")
    return name


def _ascending(pair: Any) -> Any:
    if pair[1] < pair[0]:
        raise ValueError("the range is empty; swap the two")
    return pair


FileName = Annotated[str, AfterValidator(_no_folder)]
FolderName = Annotated[str, AfterValidator(_no_file)]
Share = Annotated[float, Field(ge=0, le=1)]
# Of something that is never certain not to be.
Confidence = Annotated[float, Field(gt=0, le=1)]
Ascending = Annotated[tuple[_T, _T], AfterValidator(_ascending)]


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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "settings") -> Self:
        """Read what `to_dict` gave, whose tuples may be lists by now.

        Raises
        ------
        InputError
            If a setting is unknown or not valid; if one is missing, its value then is not known.
        """
        for name, field in cls.model_fields.items():
            if name not in values:
                raise InputError(f"{where}: no '{name}'; these are settings of another version")
            if section := _section(field):
                section.from_dict(_mapping(values[name], where, name), f"{where} [{name}]")
        return settings_from(cls(), values, where)


class When:
    """What gives a setting something to act on: another setting, or an option of the command.

    Parameters
    ----------
    name : str
        A setting of the same section; with dots, one from the top on, as ``mix.count`` or
        ``.folds``; or the flag of an option that is no setting, as ``--fp``.
    *values
        Any one of them does; none named: any value that is not empty, zero or off.
    least : float, optional
        Only so much of it, or more, does.
    """

    def __init__(self, name: str, *values: object, least: float | None = None) -> None:
        self.name, self.values, self.least = name, values, least

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


@dataclass(frozen=True)
class Kind:
    """What a setting takes, as its annotation says.

    Attributes
    ----------
    type : type
        bool, int, float or str, of each value.
    low_open, high_open : bool
        Whether the end itself is left out.
    place : {"file", "folder"}, optional
    count : int
        How many values; 0: any number.
    """

    type: type
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    place: Literal["file", "folder"] | None = None
    count: int = 1

    def words(self) -> str:
        """Return it in words."""
        if self.count == 1:
            return self._words_of_one()
        return f"a list{f' of {self.count}' if self.count else ''}, each {self._words_of_one()}"

    def _words_of_one(self) -> str:
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.type is bool:
            return "true or false"
        if self.type is str:
            return f"the path of a {self.place}" if self.place else "a text"
        name = "a whole number" if self.type is int else "a number"
        if self.low is not None and self.high is not None:
            left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
            return f"{name} in {left}{self.low:.10g}, {self.high:.10g}{right}"
        if self.low is not None:
            return f"{name} {'>' if self.low_open else '>='} {self.low:.10g}"
        if self.high is not None:
            return f"{name} {'<' if self.high_open else '<='} {self.high:.10g}"
        return name


@dataclass(frozen=True)
class _About:
    flag: str | None
    metavar: str | None
    group: str | None
    common: bool
    needs: tuple[When, ...]
    shown: str | None
    joined: bool


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
        field's name, after its section's.
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
    wanted = needs if isinstance(needs, tuple) else (needs,)
    about: Any = {"about": _About(flag, metavar, group, common, wanted, shown, joined)}
    return Field(default, description=help, json_schema_extra=about)


@dataclass(frozen=True)
class Setting:
    """One field, with what is derived from it.

    Attributes
    ----------
    path : tuple of str
        The names of its sections, and its own.
    help, flag, metavar, group, common, needs, shown, joined
        See `setting`.
    """

    path: tuple[str, ...]
    kind: Kind
    default: Any
    help: str
    flag: str
    metavar: str | None
    group: str
    common: bool
    needs: tuple[When, ...]
    shown: str | None
    joined: bool
    _adapter: TypeAdapter[Any]

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
            return self._adapter.validate_python(_tupled(value))
        except ValidationError as error:
            raise InputError(_wrong(said, value, error, self.kind)) from error

    def of(self, made: Any) -> Any:
        """Return its value in an instance of the model."""
        for name in self.path:
            made = getattr(made, name)
        return made


@cache
def settings_of(model: type[Settings]) -> tuple[Setting, ...]:
    """Return all settings of a model and its sections, in order."""
    return tuple(_settings(model, ()))


def _settings(model: type[Settings], path: tuple[str, ...]) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        here = (*path, name)
        if section := _section(field):
            yield from _settings(section, here)
            continue
        extra: Any = field.json_schema_extra
        about: _About = extra["about"]
        plain = "--" + "-".join(here).replace("_", "-")
        if field.default is True:
            plain += f"/--no-{plain[2:]}"
        heading = (model.__doc__ or "Options").split("\n")[0].strip().removesuffix(".")
        alone: Any = field.annotation
        if field.metadata:
            alone = Annotated[(alone, *field.metadata)]
        yield Setting(
            path=here,
            kind=_kind(field),
            default=field.default,
            help=field.description or "",
            flag=about.flag or plain,
            metavar=about.metavar,
            group=about.group or heading,
            common=about.common,
            needs=about.needs,
            shown=about.shown,
            joined=about.joined,
            _adapter=TypeAdapter(alone, config=Settings.model_config),
        )


def _section(field: FieldInfo) -> type[Settings] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def _kind(field: FieldInfo) -> Kind:
    kind: Any = field.annotation
    if NoneType in get_args(kind):
        inner = [one for one in get_args(kind) if one is not NoneType]
        return _kind(FieldInfo.from_annotation(inner[0]))
    if get_origin(kind) is tuple:
        items = get_args(kind)
        one = _kind(FieldInfo.from_annotation(items[0]))
        many = 0 if items[-1] is Ellipsis else len(items)
        return Kind(**{**vars(one), "count": many})
    if get_origin(kind) is Literal:
        return Kind(str, choices=get_args(kind))
    about: dict[str, Any] = {}
    for rule in field.metadata:
        for name, to in (("ge", "low"), ("gt", "low"), ("le", "high"), ("lt", "high")):
            if (end := getattr(rule, name, None)) is not None:
                about |= {to: end, f"{to}_open": name in ("gt", "lt")}
        if isinstance(rule, AfterValidator) and rule.func in _PLACES:
            about["place"] = _PLACES[rule.func]
    if kind not in (bool, int, float, str):
        raise TypeError(f"a setting of {kind}: neither a file nor a flag can give it")
    return Kind(kind, **about)


_PLACES: dict[Any, str] = {_no_folder: "file", _no_file: "folder"}


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _wrong(said: str, value: Any, error: ValidationError, kind: Kind) -> str:
    """Return what is wrong with a value, as pydantic found it, in a line."""
    first = error.errors()[0]
    if first["type"] == "value_error":
        return f"{said}: {first['ctx']['error']}"
    near = did_you_mean(value, kind.choices) if isinstance(value, str) else ""
    return f"{said}{near}: expected {kind.words()}"


def _fault(model: type[Settings], values: Mapping[str, Any], error: ValidationError) -> str:
    """Return the first fault of values that a model refuses, in a line."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return _unknown(model, name)
    if not name:
        return str(first["ctx"]["error"])
    said, field = f"{name} = {values[name]!r}", model.model_fields[name]
    if section := _section(field):
        return f"{said}: expected {section.__name__}"
    return _wrong(said, values[name], error, _kind(field))


def _unknown(model: type[Settings], name: str) -> str:
    known = model.model_fields
    return f"unknown key '{name}'{did_you_mean(name, known)}; expected {', '.join(known)}"


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
    return dict(_checked(model, (), table, where))


def _checked(
    model: type[Settings], path: tuple[str, ...], table: Mapping[str, Any], where: str
) -> Iterator[tuple[str, Any]]:
    section = _within(model, path)
    known = {one.path: one for one in settings_of(model)}
    for name, value in table.items():
        if name not in section.model_fields:
            raise InputError(f"{where}: {_unknown(section, name)}")
        if _section(section.model_fields[name]):
            below = _mapping(value, where, name)
            yield name, dict(_checked(model, (*path, name), below, f"{where} [{name}]"))
        else:
            yield name, known[(*path, name)].check(value, f"{where}: {name} = {value!r}")


def _within(model: type[Settings], path: tuple[str, ...]) -> type[Settings]:
    for name in path:
        model = _section(model.model_fields[name]) or model
    return model


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


def no_effect(
    given: Iterable[Setting], *made: Settings, beside: Mapping[str, object] | None = None
) -> Iterator[str]:
    """Yield a line for each setting that changes nothing, with what would make it act.

    Parameters
    ----------
    given : iterable of Setting
        Those that were set on purpose.
    *made : Settings
        Of several, such as the stages of a recipe, one that uses a setting is enough.
    beside : mapping of str to object, optional
        The command's other options, by their flags.
    """
    for one in given:
        missing = [_missing(one, settings, beside or {}) for settings in made]
        if all(missing):
            yield f"{first_flag(one)} has no effect without {missing[0]}"


def _missing(one: Setting, made: Settings, beside: Mapping[str, object]) -> str:
    """Return what a setting lacks to act; nothing if it acts.

    What it needs must act itself.
    """
    missing = []
    for when in one.needs:
        other = _needed(type(made), one, when)
        if other is None and when.holds(beside.get(when.name)):
            return ""
        if other and when.holds(other.of(made)):
            missing.append(_missing(other, made, beside))
    # the empty one comes first
    return min(missing, default=needs_text(type(made), one))


def _needed(model: type[Settings], one: Setting, when: When) -> Setting | None:
    """Return the setting that another needs; None for an option that is no setting."""
    if when.name.startswith("--"):
        return None
    path = when.path(one.path)
    return next(other for other in settings_of(model) if other.path == path)


def needs_text(model: type[Settings], one: Setting) -> str:
    """Return what a setting of a model needs to act, as flags; nothing if it always acts."""
    others = ((when, _needed(model, one, when)) for when in one.needs)
    return " or ".join(
        when.words(first_flag(other) if other else when.name) for when, other in others
    )


def first_flag(one: Setting) -> str:
    """Return a setting's flag: the long one, and of a switch that which turns it on."""
    return one.flag.split(",")[-1].split("/")[0]
