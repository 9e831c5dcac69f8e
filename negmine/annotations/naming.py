"""Entries of tables under the names in use: of classes, and of recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from negmine.annotations.class_names import ClassNames
from negmine.annotations.recording_names import RecordingNames
from negmine.errors import AnnotationError, shorten
from negmine.formats.entry import EVERY_CLASS, Entry, Notes

_MOST_LISTED = 5
_BY_CLIP = "clips count as recordings, since what they were cut from is not there"


def with_classes(
    entries: Iterable[Entry],
    wanted: ClassNames | None,
    songtypes: Literal["merge", "split"],
    unmapped: Counter[str],
    notes: Notes,
) -> Iterator[Entry]:
    """Yield entries of the classes wanted, by their names; count the other labels.

    Raises
    ------
    AnnotationError
        If classes are split by songtype, and an entry has none.
    """
    for entry in entries:
        label = entry.label
        if label != EVERY_CLASS:
            if wanted is not None:
                label = wanted.find(label)
                if not label:
                    unmapped[entry.label] += 1
                    continue
            if songtypes == "split":
                label = _split(entry, label)
        yield entry if label == entry.label else replace(entry, label=label)
    if unmapped and wanted is not None:
        hints = {label: wanted.hint(label) for label in unmapped}
        # what may be a slip first
        order = sorted(unmapped, key=lambda label: (not hints[label], -unmapped[label], label))
        listed = [f"'{label}' ({unmapped[label]} rows){hints[label]}" for label in order]
        notes.say(
            f"left out {unmapped.total()} rows of {len(unmapped)} names that are no class of "
            f"--classes: {shorten(listed, _MOST_LISTED)}"
        )


def _split(entry: Entry, label: str) -> str:
    if not entry.songtype:
        raise AnnotationError(f"{entry.where}: no songtype; leave out --songtypes split")
    if "/" in entry.songtype:
        raise AnnotationError(
            f"{entry.where}: the songtype '{entry.songtype}' holds a '/'; rename it"
        )
    return f"{label}/{entry.songtype}"


def with_files(
    entries: Iterable[Entry], files: RecordingNames | None, missing: dict[str, str], notes: Notes
) -> Iterator[Entry]:
    """Yield entries with their recordings named as files are; what is not there keeps its name.

    Raises
    ------
    InputError
        If several files have a name.
    """
    if files is None:
        yield from entries
        return
    known: dict[str, str] = {}
    for entry in entries:
        text = entry.recording
        if text not in known:
            found = files.find(text)
            known[text] = found.name
            if found.guess:
                notes.repair(f"'{text}' is '{found.name}'", found.guess)
        if known[text]:
            yield entry if known[text] == text else replace(entry, recording=known[text])
        elif entry.clip and (clip := files.find(entry.clip).name):
            notes.repair(entry.where, _BY_CLIP)
            yield replace(entry, recording=clip, span=None)
        else:
            missing.setdefault(text, f"{entry.where}: '{text}'{files.hint(text)}")
            yield entry


def groups_of(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the group of each recording of which entries name one.

    Raises
    ------
    AnnotationError
        If they name two for one recording.
    """
    found: dict[str, str] = {}
    for entry in entries:
        group = found.setdefault(entry.recording, entry.group) if entry.group else ""
        if group != entry.group:
            raise AnnotationError(
                f"{entry.where}: recording '{entry.recording}' is of group '{entry.group}', and of "
                f"'{group}' further up"
            )
    return found
