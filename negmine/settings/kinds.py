"""What a setting takes, read from the annotation of its field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import AfterValidator, Field, ValidationError
from pydantic.fields import FieldInfo

from negmine.errors import did_you_mean
from negmine.limits import LAST_SEED, MOST_ROWS

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
Seed = Annotated[int, Field(ge=0, le=LAST_SEED)]
# Of something that there is.
Count = Annotated[int, Field(ge=1, le=MOST_ROWS)]
Ascending = Annotated[tuple[_T, _T], AfterValidator(_ascending)]


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


def kind_of(field: FieldInfo) -> Kind:
    """Return what a field takes.

    Raises
    ------
    TypeError
        If neither a file nor a flag can give it.
    """
    kind: Any = field.annotation
    if NoneType in get_args(kind):
        inner = [one for one in get_args(kind) if one is not NoneType]
        return kind_of(FieldInfo.from_annotation(inner[0]))
    if get_origin(kind) is tuple:
        items = get_args(kind)
        one = kind_of(FieldInfo.from_annotation(items[0]))
        many = 0 if items[-1] is Ellipsis else len(items)
        return replace(one, count=many)
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


def wrong(said: str, value: Any, error: ValidationError, kind: Kind) -> str:
    """Return what is wrong with a value, as pydantic found it, in a line."""
    first = error.errors()[0]
    if first["type"] == "value_error":
        return f"{said}: {first['ctx']['error']}"
    if first["type"] == "finite_number":
        return f"{said}: expected a finite number"
    near = did_you_mean(value, kind.choices) if isinstance(value, str) else ""
    return f"{said}{near}: expected {kind.words()}"
