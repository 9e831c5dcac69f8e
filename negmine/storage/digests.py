"""Whether bytes are still those that were written.

A digest here finds damage: a bit that flipped, a file that was cut. It does not tell who wrote a
file. What things *are* (sound files, weights, recipes) is named by BLAKE2b instead.

A file that can hold a text carries its digest as its *seal*: ``negmine-xxh3:`` and 32 digits,
wherever its format puts the text. The digest is of the whole file with zeros in the digits' place.
So every format is sealed and checked in one way, before anything of it is parsed. A file without a
seal is of an earlier version, or not negmine's.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from pathlib import Path
from typing import TypeAlias

import xxhash

from negmine.errors import DamageError

Bytes: TypeAlias = bytes | memoryview | mmap.mmap

_MARK = b"negmine-xxh3:"
_ZEROS = b"0" * 32
# What a file is written with; `seal` puts the digest in the zeros' place.
UNSEALED = (_MARK + _ZEROS).decode()
# Where a file's format has names: the key of JSON, or of a table's metadata.
SEAL = "seal"
# Of long files, seals are looked for so near to their beginning and end: headers and footers.
_ENDS = 1 << 22


def digest(content: Bytes) -> str:
    """Compute XXH3 of bytes, 128 bits, in hexadecimal: about 10 GB a second."""
    return xxhash.xxh3_128_hexdigest(content)


def text_fingerprint(text: str) -> str:
    """Compute BLAKE2b of a text, 128 bits, in hexadecimal: the name of what the text describes."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """Compute the digest of a file's bytes, read in pieces.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    found = xxhash.xxh3_128()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def seal(path: Path) -> None:
    """Put the digest of a file into it, in the place of `UNSEALED`.

    Raises
    ------
    ValueError
        If the file does not hold it.
    OSError
        If it cannot be written.
    """
    with path.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            places = _places(content)
            value = _digest(content, places).encode()
        if not places:
            raise ValueError(f"{path}: no place for a seal")
        for place in places:
            os.pwrite(file.fileno(), value, place)


def check_seal(content: Bytes, where: str | Path, remedy: str) -> bool:
    """Check a file's bytes against its seal.

    Parameters
    ----------
    where : str or Path
        The file, for the error.
    remedy : str
        What to do, for the error.

    Returns
    -------
    bool
        Whether there is a seal.

    Raises
    ------
    DamageError
        If the bytes are not those that were sealed.
    """
    places = _places(content)
    if not places:
        return False
    value = _digest(content, places).encode()
    if any(bytes(content[place : place + len(_ZEROS)]) != value for place in places):
        raise DamageError(f"{where}: damaged: its bytes do not match its digest; {remedy}")
    return True


def _places(content: Bytes) -> list[int]:
    """Find where the digits of seals begin."""
    size = len(content)
    pieces = [(0, size)] if size <= 2 * _ENDS else [(0, _ENDS), (size - _ENDS, size)]
    found = []
    for first, end in pieces:
        piece = bytes(content[first:end])
        at = piece.find(_MARK)
        while at >= 0:
            digits = first + at + len(_MARK)
            if digits + len(_ZEROS) <= size:
                found.append(digits)
            at = piece.find(_MARK, at + len(_MARK))
    return found


def _digest(content: Bytes, places: list[int]) -> str:
    found, done = xxhash.xxh3_128(), 0
    with memoryview(content) as view:
        for place in places:
            with view[done:place] as part:
                found.update(part)
            found.update(_ZEROS)
            done = place + len(_ZEROS)
        with view[done:] as part:
            found.update(part)
    return found.hexdigest()
