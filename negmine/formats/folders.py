"""Sound files that were sorted into folders: all of a folder are of one class, or of none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from negmine.audio.folder import SUFFIXES, UNREADABLE, open_folder
from negmine.errors import AnnotationError
from negmine.formats.entry import Entry, Notes, Verdict
from negmine.storage.names import clean_name


def of_folder(folder: Path, labels: Sequence[str], verdict: Verdict) -> Iterator[Entry]:
    """Yield an entry for each sound file below a folder and each class, of the whole file.

    Raises
    ------
    InputError
        If the folder is missing or holds no sound file.
    """
    for path in open_folder(folder).paths:
        for label in labels:
            yield Entry(str(path), label, verdict, str(path))


def folders_in(path: Path, notes: Notes) -> Iterator[tuple[str, Path]]:
    """Yield the folders in a folder that hold sound, and their names; note what is left out.

    Raises
    ------
    AnnotationError
        If it is no folder.
    """
    if not path.is_dir():
        raise AnnotationError(f"{path}: is no folder; name the one that holds a folder a class")
    loose = 0
    for one in sorted(path.iterdir(), key=lambda one: one.name):
        if not one.is_dir():
            loose += _is_sound(one)
        elif not one.name.startswith("."):
            if any(map(_is_sound, one.rglob("*"))):
                yield clean_name(one.name), one
            else:
                notes.say(f"{one}: no sound file in it; left out")
    if loose:
        notes.say(f"{path}: left out {loose} sound files that are in no folder of a class")


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES | UNREADABLE and not path.name.startswith(".")
