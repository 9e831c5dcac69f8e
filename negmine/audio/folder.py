"""The sound files below a folder: which are found, which are left out, and why."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from negmine.errors import InputError, shorten

# What is looked for, in any case: libsndfile then goes by the content.
_READABLE = "wav wave bwf rf64 w64 flac ogg oga opus mp3 mp2 aif aiff aifc caf au snd"
SUFFIXES = frozenset(f".{name}" for name in _READABLE.split())

# Sound that libsndfile cannot decode.
_OTHER = (
    "m4a m4b mp4 aac alac wma webm weba mka ape wv tta mpc ra amr 3gp ac3 dts dsf dff wac sph shn "
    "spx voc"
)
UNREADABLE = frozenset(f".{name}" for name in _OTHER.split())

# Where systems keep deleted files, and what is not a recording; also all that begins with a dot.
_BINS = "$recycle.bin|recycler|#recycle|system volume information|__macosx|@eadir|lost+found"
TRASH = frozenset(_BINS.split("|"))


@dataclass(frozen=True)
class SoundFolder:
    """What was found below a folder.

    Attributes
    ----------
    root : Path
        Absolute. Links in it are not followed to what they point to: a file goes by its own name.
    paths : tuple of Path
        Sound files below it, in the order of their paths.
    left_out : mapping of str to tuple of str
        Paths that a user may take for found ones, by why they are not.
    others : mapping of str to int
        Other files, by suffix.
    """

    root: Path
    paths: tuple[Path, ...]
    left_out: Mapping[str, tuple[str, ...]]
    others: Mapping[str, int]

    def name_of(self, path: Path) -> str:
        """Return a file's path inside the folder, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def summary(self, used: int | None = None, as_what: str = "used") -> str:
        """Describe in one line what was found, and what was left out and why.

        Parameters
        ----------
        used : int, optional
            How many of the files the command takes, where it does not take all.
        as_what : str
            What those are.
        """
        count = len(self.paths)
        parts = [f"{count} sound file{'s' if count != 1 else ''}"]
        if used is not None and used != count:
            parts[0] += f", {used} of them {as_what}"
        parts += [
            f"left out {why} ({len(names)}: {shorten(map(_printable, names), 3)})"
            for why, names in self.left_out.items()
        ]
        if self.others:
            suffixes = shorten(sorted(map(_printable, self.others)), 5)
            parts.append(f"{sum(self.others.values())} other files ({suffixes})")
        return f"{self.root}: {'; '.join(parts)}"


def open_folder(root: Path) -> SoundFolder:
    """Find all sound files below a folder, by suffix.

    Hidden files and folders are left out, and those of the trash. Links are followed, but for those
    that lead back to a folder they are in.

    Raises
    ------
    InputError
        If the folder is missing or holds no sound file.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    # what ".." means depends on the links before it
    root = root.resolve() if ".." in root.parts else root.absolute()
    found: list[Path] = []
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    others: Counter[str] = Counter()
    for path, why in _below(root):
        suffix = path.suffix.lower()
        if why:
            left_out[why].append(path.relative_to(root).as_posix())
        elif suffix in SUFFIXES:
            found.append(path)
        elif suffix in UNREADABLE:
            why = f"{suffix} that cannot be decoded here, convert with ffmpeg -i x{suffix} x.flac"
            left_out[why].append(path.relative_to(root).as_posix())
        else:
            others[suffix or "without suffix"] += 1
    folder = SoundFolder(
        root,
        tuple(sorted(found, key=lambda path: path.relative_to(root).as_posix())),
        {why: tuple(sorted(names)) for why, names in sorted(left_out.items())},
        dict(sorted(others.items())),
    )
    if not found:
        looked_for = shorten(sorted(SUFFIXES), len(SUFFIXES))
        raise InputError(f"no sound files ({looked_for}) in this folder; {folder.summary()}")
    return folder


def _below(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield every file below a folder, and why it is left out; of a folder left out, itself."""
    waiting = [(root, frozenset({_identity(root)}))]
    while waiting:
        folder, above = waiting.pop()
        try:
            inside = list(folder.iterdir())
            folders = {path for path in inside if path.is_dir()}
        except OSError:
            yield folder, "folders that cannot be opened"
            continue
        for path in inside:
            if path not in folders:
                yield path, _why_not(path)
            elif path.name.startswith(".") or path.name.casefold() in TRASH:
                if _holds_sound(path):
                    yield path, "hidden or trash folders"
            elif (identity := _identity(path)) in above:
                yield path, "links that lead back to a folder above them"
            else:
                waiting.append((path, above | {identity}))


def _why_not(path: Path) -> str:
    """Say why a sound file is left out; empty where it is not, or is no sound file."""
    if not _is_sound(path.name):
        return ""
    if path.name.startswith("."):
        return "hidden files"
    if not path.exists():
        return "broken links"
    return "" if path.is_file() else "entries that are not regular files"


def _is_sound(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES | UNREADABLE


def _holds_sound(folder: Path) -> bool:
    return any(any(map(_is_sound, names)) for _, _, names in os.walk(folder))


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _printable(name: str) -> str:
    """Return a name as text for a terminal; escape what it cannot show."""
    encoded = name.encode("utf-8", "backslashreplace").decode()
    return encoded if encoded.isprintable() else ascii(encoded)[1:-1]
