"""Text that people and tools write: read from regular files alone, in bounded time and memory."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from negmine.errors import DamageError, InputError
from negmine.storage.digests import SEAL, check_seal

# Settings and descriptions are kilobytes; a pool's description grows with its parts.
MOST_TOML = 1 << 20
MOST_JSON = 256 << 20
# Nothing that negmine reads is nested as deep, and no whole number is as long: float() fails at
# 1,024 bits, Python's own readers at 4,300 digits or some 1,000 levels.
_DEEPEST = 50
_MOST_BITS = 128
# tomllib takes time that grows with the square of a dotted key's length.
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){50}""")


def open_regular(path: Path, most_bytes: int) -> BinaryIO:
    """Open a regular file of bounded size for reading.

    Raises
    ------
    InputError
        If there is none, or it is a folder, a pipe or a device, or larger than ``most_bytes``.
    """
    try:
        # a pipe without a writer would block for ever
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {reason}") from error
    about = os.fstat(number)
    if stat.S_ISREG(about.st_mode) and about.st_size <= most_bytes:
        return os.fdopen(number, "rb")
    os.close(number)
    if stat.S_ISREG(about.st_mode):
        raise InputError(
            f"{path}: {about.st_size / 1e6:.0f} MB; at most {most_bytes / 1e6:.0f} MB are read"
        )
    what = "a folder" if stat.S_ISDIR(about.st_mode) else "a pipe or a device"
    raise InputError(f"{path}: is {what}, not a regular file; name a file")


def read_text(path: Path, most_bytes: int) -> str:
    """Read a regular file as UTF-8; leave out a byte order mark at its beginning.

    Raises
    ------
    InputError
        If `open_regular` refuses the file, or it is not UTF-8.
    """
    return _decoded(read_bytes(path, most_bytes), path)


def read_bytes(path: Path, most_bytes: int = sys.maxsize) -> bytes:
    """Read the bytes of a regular file.

    Raises
    ------
    InputError
        If `open_regular` refuses the file, or it cannot be read.
    """
    with open_regular(path, most_bytes) as file:
        try:
            return file.read()
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    InputError
        If the file cannot be read, is not TOML, or is nested deeper than any setting is.
    """
    return parse_toml(read_text(path, MOST_TOML), str(path))


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Parse TOML text; ``where`` names it in errors.

    Raises
    ------
    InputError
        If it is not TOML, or is nested deeper than any setting is.
    """
    if _LONG_KEY.search(text):
        raise InputError(f"{where}: not readable as TOML: a key of more than {_DEEPEST} parts")
    found: dict[str, Any] = _parsed(tomllib.loads, text, f"{where}: not readable as TOML")
    return found


def parse_json(text: str, where: str) -> Any:
    """Parse JSON text; ``where`` names it in errors.

    Raises
    ------
    InputError
        If it is not JSON, or is nested deeper than anything that negmine writes.
    """
    return _parsed(json.loads, text, f"{where}: not readable as JSON")


def read_json(path: Path, remedy: str = "make it again") -> Any:
    """Read a JSON file, without the seal that it was checked by.

    Parameters
    ----------
    remedy : str
        What to do where it is damaged, for the error.

    Raises
    ------
    InputError
        If the file cannot be read.
    DamageError
        If it is not JSON, is nested too deep, or is not what negmine wrote.
    """
    content = read_bytes(path, MOST_JSON)
    check_seal(content, path, f'{remedy}; if you changed it, remove its line "{SEAL}"')
    try:
        value = parse_json(_decoded(content, path), str(path))
    except InputError as error:
        raise DamageError(f"{error}; {remedy}") from error
    if isinstance(value, dict):
        value.pop(SEAL, None)
    return value


def _parsed(parse: Callable[[str], Any], text: str, failure: str) -> Any:
    try:
        found = parse(text)
    except RecursionError as error:
        raise InputError(f"{failure}: nested too deep") from error
    except ValueError as error:
        raise InputError(f"{failure}: {error}") from error
    level = [found]
    for _ in range(_DEEPEST):
        for value in level:
            if isinstance(value, int) and value.bit_length() > _MOST_BITS:
                raise InputError(f"{failure}: a whole number of {value.bit_length()} bits")
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return found
    raise InputError(f"{failure}: nested deeper than {_DEEPEST} levels")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
