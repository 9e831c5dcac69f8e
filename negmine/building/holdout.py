"""Recordings and sites that must not enter a pool in any form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from negmine.errors import InputError, did_you_mean
from negmine.storage.names import clean_name
from negmine.storage.text_files import read_text

_MOST_BYTES = 64 << 20


def read_names(given: Sequence[str]) -> tuple[str, ...]:
    """Read the names that options give: each a name, or a ``.txt`` file with one a line.

    Raises
    ------
    InputError
        If a file cannot be read, or names nothing.
    """
    names: list[str] = []
    for text in given:
        if not text.endswith(".txt"):
            names.append(clean_name(text))
            continue
        try:
            lines = read_text(Path(text), _MOST_BYTES).splitlines()
        except InputError as error:
            raise InputError(f"--holdout {error}") from error
        found = [name for line in lines if (name := clean_name(line))]
        if not found:
            raise InputError(f"--holdout {text}: the file names nothing")
        names += found
    return tuple(dict.fromkeys(names))


def held_names(
    names: Sequence[str], recordings: Iterable[str], sites: Mapping[str, str]
) -> frozenset[str]:
    """Return the recordings that are held out: those named, and those from sites that are.

    Parameters
    ----------
    names : sequence of str
        Recordings, or sites.
    recordings : iterable of str
        Every recording and other file at hand.
    sites : mapping of str to str
        The site of each recording, where sites are known.

    Raises
    ------
    InputError
        If a name is neither: a misspelt one would hold nothing out.
    """
    at_hand = frozenset(recordings)
    known = {*at_hand, *sites.values()}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            what = "recording or site" if sites else "recording; sites need --sites or --site-regex"
            raise InputError(f"--holdout {name}: no such {what}{hint}")
    held = frozenset(names)
    return frozenset(name for name in at_hand if name in held or sites.get(name) in held)
