"""What BirdNET-Analyzer trains on: a folder a class, ``-Class`` for what is none, and noise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from negmine.formats.entry import EVERY_CLASS, Entry, Notes
from negmine.formats.folders import folders_in, of_folder
from negmine.formats.format import Format, Head, Options
from negmine.storage.names import clean_name

# Folders that hold none of the classes.
NOTHING = frozenset(("noise", "other", "background", "silence"))


def _recognises(head: Head) -> bool:
    return bool(head.folders)


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    for name, folder in folders_in(path, notes):
        if name.casefold() in NOTHING:
            yield from of_folder(folder, [EVERY_CLASS], "absent")
            continue
        labels = [clean_name(one) for one in name.removeprefix("-").split(",") if one.strip()]
        yield from of_folder(folder, labels, "absent" if name.startswith("-") else "present")


FORMAT = Format("BirdNET's training folders: Class/, -Class/, noise/", _recognises, _read)
