"""From what tables say, entry by entry, to annotations of recordings.

Names of classes and recordings become those in use; what stands for all classes is written out;
what contradicts itself says nothing. A row without times is of the whole recording, and one without
a band of all its sound: their ends are infinite here, and become those of the file when it is
opened (`negmine.annotations.whole`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from negmine.annotations.class_names import ClassNames
from negmine.annotations.consistency import agreed, box_of, written_out
from negmine.annotations.naming import groups_of, with_classes, with_files
from negmine.annotations.recording_names import RecordingNames
from negmine.annotations.schema import Annotations, without_duplicates
from negmine.annotations.uncalled import without_uncalled
from negmine.errors import AnnotationError, shorten
from negmine.formats.entry import Entry, Notes
from negmine.storage.names import look_alikes, sorted_names

# How far a detector's last window may reach past the end of its file.
WINDOW_S = 5.0


@dataclass(frozen=True)
class Assembly:
    """How entries become annotations.

    Attributes
    ----------
    classes : ClassNames, optional
        The classes wanted; other labels are left out. By default all labels are classes.
    recordings : RecordingNames, optional
        The files there are; by default names are taken as they are.
    songtypes : {"merge", "split"}
        ``split`` makes a class of each kind of call.
    present_only : bool
        Leave out recordings that are not there, instead of failing later.
    skip_uncalled : bool
        Leave out classes with rejections and no confirmed call, instead of failing.
    """

    classes: ClassNames | None = None
    recordings: RecordingNames | None = None
    songtypes: Literal["merge", "split"] = "merge"
    present_only: bool = False
    skip_uncalled: bool = False


@dataclass(frozen=True)
class Resolved:
    """What entries come to, before any is found to be too few.

    Attributes
    ----------
    entries : tuple of Entry
        By the names in use, of the recordings that count.
    agreed : tuple of Entry
        The verdicts among them that nothing contradicts, once a class.
    groups : mapping of str to str
        Of the recordings of which a table names one.
    unmapped : Counter of str
        Entries by their label, where it is no class wanted.
    missing : mapping of str to str
        Recordings that are not there, and the first row of each.
    contradictions : tuple of (str, str)
        Pairs of rows that contradict each other.
    notes : Notes
    """

    entries: tuple[Entry, ...]
    agreed: tuple[Entry, ...]
    groups: Mapping[str, str] = field(default_factory=dict)
    unmapped: Counter[str] = field(default_factory=Counter)
    missing: Mapping[str, str] = field(default_factory=dict)
    contradictions: tuple[tuple[str, str], ...] = ()
    notes: Notes = field(default_factory=Notes)


def resolve(entries: Iterable[Entry], how: Assembly | None = None) -> Resolved:
    """Name classes and recordings as they are in use, and find what contradicts itself.

    Raises
    ------
    AnnotationError
        If a recording is of two groups.
    InputError
        If a table's name of a recording is that of several files.
    """
    how, notes = how or Assembly(), Notes()
    unmapped: Counter[str] = Counter()
    missing: dict[str, str] = {}
    wanted = with_classes(entries, how.classes, how.songtypes, unmapped, notes)
    kept = list(with_files(wanted, how.recordings, missing, notes))
    if missing and how.present_only:
        found = [entry for entry in kept if entry.recording not in missing]
        notes.say(
            f"{len(missing)} of {len({entry.recording for entry in kept})} recordings are not "
            f"there; their {len(kept) - len(found)} rows are left out; the first: "
            f"{next(iter(missing.values()))}"
        )
        kept = found
    called = sorted_names(entry.label for entry in kept if entry.verdict == "present")
    verdicts, pairs = agreed(list(written_out(kept, called, notes)))
    unknown = sum(entry.verdict == "unknown" for entry in kept)
    if unknown:
        notes.say(f"{unknown} of {len(kept)} rows are not judged, or unsure: they say nothing")
    if pairs:
        notes.say(
            f"{len(pairs)} pairs of rows contradict each other, and count as unknown; the first: "
            f"{pairs[0][0]} and {pairs[0][1]}"
        )
    groups = groups_of(kept)
    if len(set(groups.values())) == 1 and len(groups) == len({one.recording for one in kept}):
        notes.say(
            f"the tables name one group of all recordings, '{next(iter(groups.values()))}': each "
            "recording counts by itself"
        )
        groups = {}
    elif groups:
        notes.say(
            f"the tables name {len(set(groups.values()))} groups of {len(groups)} recordings: what "
            "is of one stays together in folds and splits"
        )
    return Resolved(tuple(kept), tuple(verdicts), groups, unmapped, missing, tuple(pairs), notes)


def assemble(entries: Iterable[Entry], how: Assembly | None = None) -> Annotations:
    """Make annotations of entries; their notes are one line each on what was left out, and why.

    Raises
    ------
    AnnotationError
        If no class has a confirmed call, or classes have rejections alone, all named at once; and
        as `resolve` does.
    InputError
        As `resolve` does.
    """
    how = how or Assembly()
    return annotations_of(resolve(entries, how), skip_uncalled=how.skip_uncalled)


def annotations_of(
    found: Resolved, *, skip_uncalled: bool = False, keep_uncalled: bool = False
) -> Annotations:
    """Make annotations of what entries come to: see `assemble`.

    Parameters
    ----------
    keep_uncalled : bool
        Whether classes without a confirmed call are classes, too: of annotations that are handed
        on, from which nothing is learnt.
    """
    notes = found.notes
    every = [box_of(entry) for entry in found.agreed]
    kept = keep_uncalled and not skip_uncalled
    boxes = every if kept else without_uncalled(every, skip_uncalled, notes)
    classes = sorted_names(box.label for box in boxes if box.present or kept)
    if not classes:
        raise AnnotationError(_nothing(found))
    unique, repeated = without_duplicates(boxes)
    if repeated:
        notes.say(
            f"left out {len(repeated)} of {len(boxes)} verdicts: each repeats another row's "
            f"recording, class, span and band; the first: {repeated[0].where}"
        )
    counts = {
        "classes": Counter(box.label for box in boxes),
        "recordings": Counter(box.recording for box in boxes),
    }
    alike = [look_alikes(names, what, "the tables") for what, names in counts.items()]
    for line in (line for lines in alike for line in lines):
        notes.say(line)
    return Annotations(tuple(unique), classes, notes.text(), found.groups, WINDOW_S)


def _nothing(found: Resolved) -> str:
    count = Counter(entry.verdict for entry in found.entries)
    line = (
        f"no confirmed call: of {len(found.entries)} rows {count['present']} are present, "
        f"{count['absent']} absent and {count['unknown']} not judged"
    )
    if found.contradictions:
        line += f"; {len(found.contradictions)} pairs of rows contradict each other"
    if found.missing:
        first = next(iter(found.missing))
        line += f"; {len(found.missing)} recordings are not there, the first: {first}"
    if found.unmapped:
        line += f"; no class wanted is called {shorten(found.unmapped, 5)}"
    return line
