"""Which file is meant by a recording's name in a table: with or without folders and suffix."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from negmine.audio.folder import SUFFIXES, UNREADABLE, SoundFolder
from negmine.errors import InputError, did_you_mean, shorten
from negmine.storage.names import clean_name

# Given a file's stem, its folder and its path, a name.
_Way = Callable[[str, SoundFolder, Path], str]

_KNOWN = SUFFIXES | UNREADABLE
_SHORTENED = re.compile(r"[0-9][.,][0-9]+E\+?[0-9]+", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{1,4}[/.][0-9]{1,2}[/.][0-9]{1,4}|[0-9]{1,2}[-./ ][A-Za-z]{3}[a-z.]*.*")


def without_suffix(name: str) -> str:
    """Return a file's name without its suffix, if that is one of sound files.

    Examples
    --------
    >>> without_suffix("dawn.WAV"), without_suffix("site.3")
    ('dawn', 'site.3')
    """
    suffix = PurePosixPath(name).suffix
    return name[: -len(suffix)] if suffix.lower() in _KNOWN else name


@dataclass(frozen=True)
class FoundName:
    """What a name in a table led to.

    Attributes
    ----------
    name : str
        The recording's name; empty where there is none.
    guess : str
        By what else than its own name it was found; empty where by its name.
    """

    name: str = ""
    guess: str = ""


class RecordingNames:
    """The names of all sound files below some folders.

    A file goes by its name without suffix. Where several share that, each goes by its path inside
    its folder, without suffix, and with the folder's own name before it where that is shared, too.

    Parameters
    ----------
    folders : sequence of SoundFolder

    Attributes
    ----------
    paths : dict of str to Path
        By name.
    shared : dict of str to tuple of str
        The names of files that share one without folders, by that.
    left_out : dict of str to str
        Why files were not taken, by their names.

    Raises
    ------
    InputError
        If two files cannot be told apart by that: they differ in their suffix alone.
    """

    def __init__(self, folders: Sequence[SoundFolder]) -> None:
        files: dict[Path, tuple[SoundFolder, Path]] = {}
        for folder in folders:
            for path in folder.paths:
                files.setdefault(path.resolve(), (folder, path))
        self.paths: dict[str, Path] = {}
        self.shared: dict[str, tuple[str, ...]] = {}
        self._by_stem: defaultdict[str, list[str]] = defaultdict(list)
        waiting = [(clean_name(path.stem), folder, path) for folder, path in files.values()]
        named = _named(waiting, [_stem, _inside, _with_folder])
        for (stem, _, path), name in zip(waiting, named, strict=True):
            self.paths[name] = path
            self._by_stem[stem].append(name)
        self.shared = {s: tuple(names) for s, names in self._by_stem.items() if len(names) > 1}
        self.left_out = {
            clean_name(Path(name).stem): f"{name} is left out: {why}"
            for folder in folders
            for why, listed in folder.left_out.items()
            for name in listed
        }
        self._by_path = {str(path): name for name, path in self.paths.items()}
        self._parts = {name: _parts(path) for name, path in self.paths.items()}
        self._folded = _groups(self._by_stem, str.casefold)
        self._numbers = _groups(self._by_stem, _number)

    def find(self, text: str) -> FoundName:
        """Find the recording that a table's cell names.

        Raises
        ------
        InputError
            If several have that name.
        """
        if name := self._by_path.get(text, text if text in self.paths else ""):
            return FoundName(name)
        parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
        if not parts:
            return FoundName()
        last = clean_name(parts[-1])
        for stem in dict.fromkeys((without_suffix(last), last)):
            if stem in self._by_stem:
                return FoundName(self._one_of(stem, [*parts[:-1], stem]))
        stem = without_suffix(last)
        for how, known in (
            ("in other capitals", self._folded.get(stem.casefold(), [])),
            ("with other zeros, as spreadsheets change them", self._numbers.get(_number(stem), [])),
        ):
            if len(known) == 1 and len(self._by_stem[known[0]]) == 1:
                return FoundName(self._by_stem[known[0]][0], f"recordings found {how}")
        return FoundName()

    def _one_of(self, stem: str, parts: list[str]) -> str:
        """Choose by the folders that a name is written with."""
        names = self._by_stem[stem]
        if len(names) == 1:
            return names[0]
        ends = [name for name in names if self._parts[name][-len(parts) :] == tuple(parts)]
        if len(ends) == 1:
            return ends[0]
        raise InputError(self.why_shared(stem))

    def why_shared(self, stem: str) -> str:
        """Say which files share a name, and what to do."""
        files = [str(self.paths[name]) for name in self._by_stem[stem]]
        return (
            f"{shorten(files, 3)} share the recording name '{stem}', which is annotated; "
            "rename them, or name them in the table with their folders, as in "
            f"'{'/'.join(_parts(self.paths[self._by_stem[stem][0]])[-2:])}'"
        )

    def hint(self, text: str) -> str:
        """Return what a name that leads to no file may be, for a message."""
        if text in self.left_out:
            return f" ({self.left_out[text]})"
        if _SHORTENED.fullmatch(text):
            return " (a long number that a spreadsheet shortened? write it out)"
        if _DATE.fullmatch(text):
            return " (a date that a spreadsheet made of a name?)"
        last = without_suffix(text.replace("\\", "/").rpartition("/")[2])
        return did_you_mean(last, self._by_stem)


def _named(files: Sequence[tuple[str, SoundFolder, Path]], ways: Sequence[_Way]) -> list[str]:
    """Name files by the first way that gives them a name of their own."""
    names: list[str | None] = [None] * len(files)
    said: dict[int, str] = {}
    taken: set[str] = set()
    for way in ways:
        left = [place for place, name in enumerate(names) if name is None]
        said = {place: way(*files[place]) for place in left}
        count: defaultdict[str, int] = defaultdict(int)
        for name in said.values():
            count[name] += 1
        for place, name in said.items():
            if count[name] == 1 and name not in taken:
                names[place] = name
        taken |= {name for name in names if name is not None}
    if None in names:
        place = names.index(None)
        stem, _, path = files[place]
        other = next(files[i][2] for i in said if i != place and said[i] == said[place])
        raise InputError(f"{path} and {other} share the recording name '{stem}'; rename one")
    return [name for name in names if name is not None]


def _stem(stem: str, folder: SoundFolder, path: Path) -> str:
    return stem


def _inside(stem: str, folder: SoundFolder, path: Path) -> str:
    inside = path.relative_to(folder.root)
    # what is in the folder itself would be its name again, which is shared
    nested = len(inside.parts) > 1
    return (
        clean_name(inside.with_suffix("").as_posix())
        if nested
        else _with_folder(stem, folder, path)
    )


def _with_folder(stem: str, folder: SoundFolder, path: Path) -> str:
    inside = path.relative_to(folder.root).with_suffix("").as_posix()
    return f"{clean_name(folder.root.name)}/{clean_name(inside)}"


def _parts(path: Path) -> tuple[str, ...]:
    return tuple(map(clean_name, (*path.parts[:-1], path.stem)))


def _groups(names: Iterable[str], folded: Callable[[str], str]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        found[folded(name)].append(name)
    return found


def _number(name: str) -> str:
    """Return what a spreadsheet leaves of a number: without zeros before it, or behind a point."""
    plain = re.fullmatch(r"0*([0-9]+?)(?:\.0+)?", name, re.ASCII)
    return plain[1].lstrip("0") or "0" if plain else name
