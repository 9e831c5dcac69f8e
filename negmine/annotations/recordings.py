"""A folder of recordings: which file is which recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from negmine.annotations import Annotations
from negmine.annotations.recording_names import RecordingNames
from negmine.annotations.whole import closed
from negmine.audio.folder import SoundFolder, open_folder
from negmine.audio.read import AudioInfo, probe_all
from negmine.errors import AnnotationError, InputError, shorten
from negmine.recipes.source import Source
from negmine.storage.csv_tables import known_name
from negmine.storage.names import clean_name


@dataclass(frozen=True)
class Recordings:
    """Sound files below a folder, or several.

    Attributes
    ----------
    infos : dict of str to AudioInfo
        By name: what `name_of` made of the file's path.
    skipped : tuple of str
        One line for each file that could not be read.
    groups : mapping of str to str
        The group of each that is not one by itself: see `group`.
    folders : tuple of SoundFolder
        What was found below the folder, and others, and what was left out.
    notes : tuple of str
        Warnings, one line each: what is silent, and what was left out for it.
    """

    root: Path
    infos: dict[str, AudioInfo]
    skipped: tuple[str, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[SoundFolder, ...] = ()
    notes: tuple[str, ...] = ()

    def group(self, name: str) -> str:
        """Return what must not be on both sides of a split: the recording, or its group."""
        return self.groups.get(name, name)

    def grouped(self, group_of: Callable[[str], str | None]) -> Recordings:
        """Put the same files in other groups: ``change`` gives a name's group, None to keep it."""
        found = {name: group_of(name) for name in self.infos}
        changed = {name: group for name, group in found.items() if group is not None}
        return replace(self, groups={**self.groups, **changed})

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders that the files are below, the first of them first."""
        return tuple(dict.fromkeys((self.root, *(folder.root for folder in self.folders))))

    def summaries(self, as_what: str = "used") -> list[tuple[str, bool]]:
        """Describe what was found in each folder; and whether something was left out of it."""
        roots = [self._root(info) for info in self.infos.values()]
        return [
            (folder.summary(roots.count(folder.root), as_what), bool(folder.left_out))
            for folder in self.folders
        ]

    def _root(self, info: AudioInfo) -> Path:
        return next(one for one in self.roots if info.path.is_relative_to(one))

    def source(self, name: str) -> Source:
        """Return the source that recipes cut from."""
        info = self.infos[name]
        root = self._root(info)
        inside = info.path.relative_to(root).as_posix()
        return Source(root, inside, info.fingerprint, info.duration_s, self.group(name))

    def only(self, names: Iterable[str]) -> Recordings:
        """Return the recordings of these names, in their order here."""
        kept = frozenset(names)
        infos = {name: info for name, info in self.infos.items() if name in kept}
        return replace(self, infos=infos)

    @property
    def durations_s(self) -> dict[str, float]:
        return {name: info.duration_s for name, info in self.infos.items()}


def index_recordings(folder: SoundFolder) -> dict[str, Path]:
    """Index a folder's recordings by file name without suffix; a link goes by its own name.

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
    root: Path | Sequence[Path],
    annotations: Annotations,
    *,
    beside: Path | None = None,
    skip_bad: bool = False,
    progress: Callable[[int], Callable[[], object]] = lambda total: lambda: None,
) -> tuple[Recordings, Annotations]:
    """Decode and check every recording that has an annotation.

    Parameters
    ----------
    root : Path or sequence of Path
        The folders of the recordings, see `negmine.annotations.recording_names`.
    beside : Path, optional
        Another folder, for recordings that are not in the first.
    skip_bad : bool
        Leave out unreadable recordings, with their annotations, and report them.
    progress : callable
        Given the number of files, returns what to call after each.

    Returns
    -------
    recordings : Recordings
        The annotated ones, in the groups that the annotations name.
    annotations : Annotations
        Without those on recordings that were left out, and without boxes that hold no sound: on
        silence a verdict says nothing. Boxes without an end have that of their recording: see
        `negmine.annotations.whole`.

    Raises
    ------
    AnnotationError
        If an annotation is on no recording or beyond its end, or a class loses its last call.
    InputError
        If two files share the name of an annotated recording.
    AudioError
        If a recording is unreadable and ``skip_bad`` is off.
    """
    listed = [root] if isinstance(root, Path) else [*root]
    folders = [open_folder(one) for one in (*listed, beside) if one is not None]
    names = RecordingNames(folders)
    if shared := [name for name in annotations.by_recording if name in names.shared]:
        raise InputError(names.why_shared(shared[0]))
    paths = names.paths
    annotations.check_recordings(paths, names.hint)
    wanted = {name: paths[name] for name in sorted(annotations.by_recording)}
    read, skipped = probe_all(wanted.values(), skip_bad=skip_bad, on_done=progress(len(wanted)))
    infos = {name: read[path] for name, path in wanted.items() if path in read}
    kept = annotations.without(wanted.keys() - infos.keys())
    if skipped:
        _check_calls(
            annotations, kept, f"{len(skipped)} unreadable recordings were skipped", skipped[0]
        )
    kept, ended = closed(kept, infos)
    kept.check_durations({name: info.duration_s for name, info in infos.items()})
    notes = (*silence_notes(infos.values()), *ended)
    silent = {b for b in kept.boxes if infos[b.recording].silent(b.span.start_s, b.span.end_s)}
    if silent:
        what = f"{len(silent)} of {len(kept.boxes)} boxes, which hold only silence, were left out"
        box = next(box for box in kept.boxes if box in silent)
        first = f"{box.where}, {infos[box.recording].path.name}"
        kept = replace(kept, boxes=tuple(box for box in kept.boxes if box not in silent))
        _check_calls(annotations, kept, what, "; ".join([first, *notes]))
        notes = (*notes, f"{what}; the first: {first}")
    found = Recordings(
        folders[0].root,
        infos,
        tuple(skipped),
        folders=tuple(folders),
        notes=notes,
    )
    return found.grouped(kept.groups.get), kept


def _check_calls(before: Annotations, after: Annotations, why: str, first: str) -> None:
    called, left = ({box.label for box in one.confirmed} for one in (before, after))
    for name in before.classes:
        if name in called - left:
            raise AnnotationError(
                f"class '{name}' has no confirmed call left after {why}; the first: {first}"
            )


def silence_notes(infos: Iterable[AudioInfo]) -> tuple[str, ...]:
    """Return warnings of files without sound, and of those whose channels cancel: a line each."""
    listed = list(infos)
    cancel = [info.path.name for info in listed if info.cancelled]
    silent = [info.path.name for info in listed if info.silent_throughout and not info.cancelled]
    notes = []
    if cancel:
        seconds = sum(info.cancelled_s for info in listed)
        notes.append(
            f"the channels of {_files(cancel)} cancel (one is the other inverted) for "
            f"{seconds:.1f} s, which count as silence; write the files with one channel, or with "
            "one inverted back"
        )
    if silent:
        notes.append(f"no sound in {_files(silent)}: below -90 dBFS throughout")
    return tuple(notes)


def short_note(infos: Iterable[AudioInfo], clip_s: float) -> str | None:
    """Describe files that are shorter than a clip; None where none is."""
    lengths = {info.path.name: info.duration_s for info in infos}
    short = [name for name, duration_s in lengths.items() if duration_s < clip_s - 1e-6]
    if not short:
        return None
    return (
        f"{len(short)} of {len(lengths)} recordings are shorter than --clip-s {clip_s:g} "
        f"({shorten(short, 3)}): the rest of their clips is silence, which counts for nothing"
    )


def _files(names: list[str]) -> str:
    return f"{len(names)} {'file' if len(names) == 1 else 'files'} ({shorten(names, 3)})"


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
    notes = silence_notes(infos.values())
    return Recordings(folder.root, infos, tuple(skipped), folders=(folder,), notes=notes)


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
    notes = silence_notes(infos.values())
    return Recordings(folder.root, infos, tuple(skipped), folders=(folder,), notes=notes)


def parse_external(text: str, classes: Iterable[str]) -> tuple[Path, tuple[str, ...]]:
    """Parse ``DIR`` or ``DIR=CLASS,CLASS``: a folder, and the classes it is declared free of.

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
