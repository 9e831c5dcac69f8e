"""A folder of recordings: which file is which recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from negmine.annotations import Annotations
from negmine.audio import AudioInfo, probe_all
from negmine.csv_tables import known_name
from negmine.errors import AnnotationError, InputError
from negmine.names import clean_name
from negmine.recipe import Source
from negmine.sound_folder import SoundFolder, open_folder


@dataclass(frozen=True)
class Recordings:
    """Sound files below one folder.

    Attributes
    ----------
    root : Path
    infos : dict of str to AudioInfo
        By name: what `name_of` made of the file's path.
    skipped : tuple of str
        One line for each file that could not be read.
    groups : mapping of str to str
        The group of each that is not one by itself: see `group`.
    folder : SoundFolder, optional
        What was found below the folder, and what was left out.
    """

    root: Path
    infos: dict[str, AudioInfo]
    skipped: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    folder: SoundFolder | None = None

    def group(self, name: str) -> str:
        """What must not stand on both sides of a split: the recording, or what it belongs to."""
        return self.groups.get(name, name)

    def grouped(self, group_of: Callable[[str], str | None]) -> Recordings:
        """The same files, in other groups: given a name, its group, or None where that stays."""
        found = {name: group_of(name) for name in self.infos}
        changed = {name: group for name, group in found.items() if group is not None}
        return replace(self, groups={**self.groups, **changed})

    def source(self, name: str) -> Source:
        """The source that recipes cut from."""
        info = self.infos[name]
        inside = info.path.relative_to(self.root).as_posix()
        return Source(self.root, inside, info.fingerprint, info.duration_s, self.group(name))

    def only(self, names: Iterable[str]) -> Recordings:
        """The recordings of these names, in their order here."""
        kept = frozenset(names)
        infos = {name: info for name, info in self.infos.items() if name in kept}
        return replace(self, infos=infos)

    @property
    def durations_s(self) -> dict[str, float]:
        return {name: info.duration_s for name, info in self.infos.items()}


def index_recordings(folder: SoundFolder) -> dict[str, Path]:
    """Recordings of a folder by their file name without its suffix; a link goes by its own name.

    Tables name recordings, never paths, so that no table reaches outside the folder.

    Raises
    ------
    InputError
        If two files share a name.
    """
    found: dict[str, Path] = {}
    for path in folder.paths:
        name = clean_name(path.stem)
        if name in found:
            raise InputError(f"{path} and {found[name]} share the recording name '{name}'")
        found[name] = path
    return found


def open_annotated(
    root: Path,
    annotations: Annotations,
    *,
    skip_bad: bool = False,
    progress: Callable[[int], Callable[[], object]] = lambda total: lambda: None,
) -> tuple[Recordings, Annotations]:
    """Decode and check every recording that has an annotation.

    Parameters
    ----------
    root : Path
    annotations : Annotations
    skip_bad : bool
        Leave out unreadable recordings, with their annotations, and report them.
    progress : callable
        Given the number of files, returns what to call after each.

    Returns
    -------
    recordings : Recordings
        The annotated ones.
    annotations : Annotations
        Without those on recordings that were left out.

    Raises
    ------
    AnnotationError
        If an annotation lies on no recording or beyond its end, or a class loses its last call.
    AudioError
        If a recording is unreadable and ``skip_bad`` is off.
    """
    folder = open_folder(root)
    paths = index_recordings(folder)
    annotations.check_recordings(paths)
    wanted = {name: paths[name] for name in sorted(annotations.by_recording)}
    read, skipped = probe_all(wanted.values(), skip_bad=skip_bad, on_done=progress(len(wanted)))
    infos = {name: read[path] for name, path in wanted.items() if path in read}
    kept = annotations.without(wanted.keys() - infos.keys())
    left = {box.label for box in kept.confirmed}
    for name in annotations.classes:
        if name not in left:
            raise AnnotationError(
                f"class '{name}' has no confirmed call left after {len(skipped)} unreadable "
                f"recordings were skipped; the first: {skipped[0]}"
            )
    recordings = Recordings(folder.root, infos, tuple(skipped), folder=folder)
    kept.check_durations(recordings.durations_s)
    return recordings, kept


def open_external(
    root: Path,
    *,
    skip_bad: bool = False,
    progress: Callable[[int], Callable[[], object]] = lambda total: lambda: None,
) -> Recordings:
    """Decode and check every sound file below a folder; its group is its path with the folder."""
    folder = open_folder(root)
    read, skipped = probe_all(folder.paths, skip_bad=skip_bad, on_done=progress(len(folder.paths)))
    infos: dict[str, AudioInfo] = {}
    for path, info in read.items():
        name = clean_name(f"{folder.root.name}/{folder.name_of(path)}")
        if name in infos:
            raise InputError(f"{path} and {infos[name].path} are spelt alike; rename one")
        infos[name] = info
    return Recordings(folder.root, infos, tuple(skipped), folder=folder)


def open_unlabelled(
    root: Path,
    *,
    skip_bad: bool = False,
    progress: Callable[[int], Callable[[], object]] = lambda total: lambda: None,
) -> Recordings:
    """Decode and check every recording below a folder; its group is its name, as of annotated ones.

    Raises
    ------
    InputError
        If the folder is missing or empty, or two files share a name.
    AudioError
        If a recording is unreadable and ``skip_bad`` is off.
    """
    folder = open_folder(root)
    paths = index_recordings(folder)
    read, skipped = probe_all(paths.values(), skip_bad=skip_bad, on_done=progress(len(paths)))
    infos = {name: read[path] for name, path in paths.items() if path in read}
    return Recordings(folder.root, infos, tuple(skipped), folder=folder)


def parse_external(text: str, classes: Iterable[str]) -> tuple[Path, tuple[str, ...]]:
    """``DIR`` or ``DIR=CLASS,CLASS``: a folder, and the classes it is declared free of.

    Raises
    ------
    InputError
        If a class is unknown.
    """
    known = tuple(classes)
    folder, equals, names = text.rpartition("=")
    if not equals or Path(text).is_dir():
        return Path(text), known
    declared = tuple(clean_name(name) for name in names.split(",") if name.strip())
    for name in declared:
        known_name(f"--external {text}", "class", name, known)
    if not declared:
        raise InputError(f"--external {text}: no class after '='")
    return Path(folder), declared
