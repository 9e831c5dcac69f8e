"""Fields of JSON that other tools write: what is missing, or of another kind, is named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from negmine.errors import AnnotationError
from negmine.storage.text_files import MOST_JSON, parse_json, read_text

_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}


def read_json_text(path: Path) -> Any:
    """Read a JSON file of another tool.

    Raises
    ------
    InputError
        If it cannot be read, or is not JSON.
    """
    return parse_json(read_text(path, MOST_JSON), str(path))


def objects(where: str, holder: Mapping[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return a field's objects, each with its place; none where the field is missing.

    Raises
    ------
    AnnotationError
        If it is no list of objects.
    """
    values = holder.get(name)
    if values is None:
        return []
    if not isinstance(values, list):
        raise _not(where, name, list)
    found = []
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise _not(f"{where} {name} {number}", "it", dict)
        found.append((f"{where} {name} {number}", value))
    return found


def text(where: str, holder: Mapping[str, Any], name: str) -> str:
    """Return a field that must be a text, or a number as one.

    Raises
    ------
    AnnotationError
        If it is missing, or neither.
    """
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _not(where, name, str)
    return str(value)


def number(where: str, holder: Mapping[str, Any], name: str) -> float:
    """Return a field that must be a finite number.

    Raises
    ------
    AnnotationError
        If it is missing, or none.
    """
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise AnnotationError(f"{where}: {name} {value!r:.40} is not a number")
    return float(value)


def _not(where: str, name: str, kind: type) -> AnnotationError:
    return AnnotationError(f"{where}: {name} is not {_KINDS[kind]}")
