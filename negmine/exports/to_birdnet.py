"""Training folders of BirdNET-Analyzer: ``Class/`` of calls, ``-Class/`` of its negatives.

How its trainer reads them: a folder's name is one class, or several joined by commas; a class with
a minus before it is absent; ``background`` and its synonyms are free of all classes; every class
that a folder does not name is taken for absent.
"""

from __future__ import annotations

from negmine.errors import InputError
from negmine.exports.clip_files import write_clips
from negmine.exports.job import Job, Writer
from negmine.exports.rows import ClipRow

BACKGROUND = "background"
_FREE = ("noise", "other", "background", "silence")
_FORBIDDEN = '/\\,:*?"<>|'


def _write(job: Job) -> int:
    names = folder_names(job.classes)
    folders: dict[str, list[ClipRow]] = {}
    guessed = 0
    for row in job.distinct():
        labels = row.labels
        known = set(labels.present) | set(labels.absent)
        guessed += bool(set(job.classes) - known)
        if labels.present:
            found = [",".join(names[name] for name in sorted(labels.present))]
        elif len(labels.absent) == len(job.classes) > 1:
            found = [BACKGROUND]
        else:
            found = [f"-{names[name]}" for name in sorted(labels.absent)]
        for folder in found:
            folders.setdefault(folder, []).append(row)
    into = {job.folder / folder: folders[folder] for folder in sorted(folders)}
    write_clips(into, job.sample_rate, job.progress)
    _say(job, folders, names, guessed)
    return sum(map(len, folders.values()))


def _say(job: Job, folders: dict[str, list[ClipRow]], names: dict[str, str], guessed: int) -> None:
    changed = [f"'{name}' as '{names[name]}'" for name in job.classes if names[name] != name]
    if changed:
        job.notes.append(f"classes that cannot name a folder of BirdNET's: {', '.join(changed)}")
    if guessed:
        job.notes.append(
            f"BirdNET takes every class that a folder does not name for absent: {guessed} clips "
            "have classes of which nothing is known"
        )
    called = {name for folder in folders if folder[0] != "-" for name in folder.split(",")}
    lone = [folder for folder in sorted(folders) if folder[0] == "-" and folder[1:] not in called]
    if lone:
        job.notes.append(
            f"BirdNET uses {lone[0]}/ only beside a folder {lone[0][1:]}/ of calls ({len(lone)} "
            "such folders): --calls adds those of the pool"
        )


def folder_names(classes: tuple[str, ...]) -> dict[str, str]:
    """Return the folder of each class: its name, with what a folder or BirdNET cannot take as _.

    Raises
    ------
    InputError
        If two classes would share a folder.
    """
    names: dict[str, str] = {}
    for name in classes:
        plain = "".join("_" if letter in _FORBIDDEN else letter for letter in name)
        if plain[:1] in ("-", "."):
            plain = f"_{plain[1:]}"
        if plain.lower() in _FREE:
            plain += "_"
        names[name] = plain
    taken: dict[str, str] = {}
    for name, plain in names.items():
        # as file systems that do not tell cases apart see them
        other = taken.setdefault(plain.casefold(), name)
        if other != name:
            raise InputError(
                f"classes '{other}' and '{name}' would share the folder '{plain}' in BirdNET's "
                "training folders; rename one of them in the tables"
            )
    return names


WRITER = Writer(_write, "own", "clips", lacks=("confidence", "score"))
