"""From what tables say, entry by entry, to annotations of recordings.

Names of classes and recordings become those in use; what stands for all classes is written out;
what contradicts itself says nothing. A row without times is of the whole recording, and one without
a band of all its sound: their ends are infinite here, and become those of the file when it is
opened (`negmine.annotations.whole`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from negmine.annotations.class_names import ClassNames
from negmine.annotations.recording_names import RecordingNames
from negmine.annotations.schema import Annotation, Annotations, without_duplicates
from negmine.annotations.uncalled import without_uncalled
from negmine.audio.windows import Span
from negmine.errors import AnnotationError, shorten
from negmine.formats.entry import EVERY_CLASS, Entry, Notes
from negmine.recipes.clip_labels import MIN_CALL_SHARE
from negmine.storage.names import look_alikes, sorted_names

WHOLE = Span(0.0, float("inf"))
# What is left of an absence between calls, in seconds: less is no clip.
_LEAST_S = 0.1
_MOST_LISTED = 5
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
class Assembled:
    """What tables come to.

    Attributes
    ----------
    entries : tuple of Entry
        With names of classes and recordings as they are in use; of those that are there.
    annotations : Annotations
    unmapped : Counter of str
        Entries by their label, where it is no class wanted.
    missing : mapping of str to str
        Recordings that are not there, and the first row of each.
    contradictions : tuple of (str, str)
        Pairs of rows that contradict each other.
    """

    entries: tuple[Entry, ...]
    annotations: Annotations
    unmapped: Counter[str] = field(default_factory=Counter)
    missing: Mapping[str, str] = field(default_factory=dict)
    contradictions: tuple[tuple[str, str], ...] = ()


def assemble(entries: Iterable[Entry], how: Assembly | None = None) -> Assembled:
    """Make annotations of entries.

    Returns
    -------
    Assembled
        Its annotations' notes are one line each on what was left out, and why.

    Raises
    ------
    AnnotationError
        If no class has a confirmed call; if classes have rejections alone, all named at once; if a
        recording is of two groups.
    InputError
        If a table's name of a recording is that of several files.
    """
    how, notes = how or Assembly(), Notes()
    unmapped: Counter[str] = Counter()
    missing: dict[str, str] = {}
    named = list(_with_files(_with_classes(entries, how, unmapped, notes), how, missing, notes))
    found = [entry for entry in named if entry.recording not in missing]
    kept = found if how.present_only else named
    classes = sorted_names(e.label for e in kept if e.verdict == "present")
    boxes, contradictions = _boxes(list(_written_out(kept, classes, notes)))
    boxes = without_uncalled(boxes, how.skip_uncalled, notes)
    # what contradicts itself may have been a class's last call
    classes = sorted_names(box.label for box in boxes if box.present)
    if not classes:
        raise AnnotationError(_nothing(kept, missing, unmapped, len(contradictions)))
    unique, repeated = without_duplicates(boxes)
    if repeated:
        notes.say(
            f"left out {len(repeated)} of {len(boxes)} verdicts: each repeats another row's "
            f"recording, class, span and band; the first: {repeated[0].where}"
        )
    unknown = sum(entry.verdict == "unknown" for entry in kept)
    if unknown:
        notes.say(f"{unknown} of {len(kept)} rows are not judged, or unsure: they say nothing")
    if contradictions:
        first, second = contradictions[0]
        notes.say(
            f"{len(contradictions)} pairs of rows contradict each other, and count as unknown; the "
            f"first: {first} and {second}"
        )
    if missing and how.present_only:
        notes.say(
            f"{len(missing)} of {len({e.recording for e in named})} recordings are not there; "
            f"their {len(named) - len(found)} rows are left out; the first: "
            f"{next(iter(missing.values()))}"
        )
    groups = _groups(kept)
    if groups:
        notes.say(
            f"the tables name {len(set(groups.values()))} groups of {len(groups)} recordings: what "
            "is of one stays together in folds and splits"
        )
    for what, names in (
        ("classes", Counter(box.label for box in boxes)),
        ("recordings", Counter(box.recording for box in boxes)),
    ):
        for line in look_alikes(names, what, "the tables"):
            notes.say(line)
    made = Annotations(tuple(unique), classes, notes.text(), groups, WINDOW_S)
    return Assembled(tuple(found), made, unmapped, missing, tuple(contradictions))


def _nothing(
    kept: Sequence[Entry], missing: Mapping[str, str], unmapped: Counter[str], contradictions: int
) -> str:
    count = Counter(entry.verdict for entry in kept)
    line = (
        f"no confirmed call: of {len(kept)} rows {count['present']} are present, "
        f"{count['absent']} absent and {count['unknown']} not judged"
    )
    if contradictions:
        line += f"; {contradictions} pairs of rows contradict each other, and count as unknown"
    if missing:
        line += f"; {len(missing)} recordings are not there, the first: {next(iter(missing))}"
    if unmapped:
        line += f"; no class wanted is called {shorten(unmapped, 5)}"
    return line


def _with_classes(
    entries: Iterable[Entry], how: Assembly, unmapped: Counter[str], notes: Notes
) -> Iterator[Entry]:
    for entry in entries:
        label = entry.label
        if label != EVERY_CLASS:
            if how.classes is not None:
                label = how.classes.find(label)
                if not label:
                    unmapped[entry.label] += 1
                    continue
            if how.songtypes == "split":
                label = _split(entry, label)
        yield entry if label == entry.label else replace(entry, label=label)
    if unmapped and how.classes is not None:
        hints = {label: how.classes.hint(label) for label in unmapped}
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


def _with_files(
    entries: Iterable[Entry], how: Assembly, missing: dict[str, str], notes: Notes
) -> Iterator[Entry]:
    """Name recordings as their files; those that are not there keep their names."""
    if how.recordings is None:
        yield from entries
        return
    known: dict[str, str] = {}
    for entry in entries:
        text = entry.recording
        if text not in known:
            found = how.recordings.find(text)
            known[text] = found.name
            if found.guess:
                notes.repair(f"'{text}' is '{found.name}'", found.guess)
        if known[text]:
            yield entry if known[text] == text else replace(entry, recording=known[text])
        elif entry.clip and (clip := how.recordings.find(entry.clip).name):
            notes.repair(
                entry.where, "clips count as recordings, as what they were cut from is not there"
            )
            yield replace(entry, recording=clip, span=None)
        else:
            missing.setdefault(text, f"{entry.where}: '{text}'{how.recordings.hint(text)}")
            yield entry


def _groups(entries: Iterable[Entry]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        group = found.setdefault(entry.recording, entry.group) if entry.group else ""
        if group != entry.group:
            raise AnnotationError(
                f"{entry.where}: recording '{entry.recording}' is of group '{entry.group}', and of "
                f"'{group}' further up"
            )
    return found


def _written_out(entries: Sequence[Entry], classes: Sequence[str], notes: Notes) -> Iterator[Entry]:
    """Yield entries; those of all classes once a class, where nothing else is said of it."""
    said: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
    for entry in entries:
        if entry.label != EVERY_CLASS and entry.verdict != "absent":
            said[entry.recording, entry.label].append(entry.span or WHOLE)
    made = 0
    for entry in entries:
        if entry.label != EVERY_CLASS:
            yield entry
            continue
        if entry.verdict == "unknown":
            continue
        made += 1
        for name in classes:
            for span in _without(entry.span or WHOLE, said[entry.recording, name]):
                yield replace(entry, label=name, span=None if span == WHOLE else span)
    if made:
        notes.say(f"{made} rows reject all {len(classes)} classes, but for what other rows say")


def _without(span: Span, others: Iterable[Span]) -> Iterator[Span]:
    """Yield what is left of a span between others."""
    start_s = span.start_s
    for other in sorted(others):
        if other.end_s <= start_s or other.start_s >= span.end_s:
            continue
        if other.start_s - start_s >= _LEAST_S:
            yield Span(start_s, other.start_s)
        start_s = max(start_s, other.end_s)
    if span.end_s - start_s >= _LEAST_S:
        yield Span(start_s, span.end_s)


def _boxes(entries: Sequence[Entry]) -> tuple[list[Annotation], list[tuple[str, str]]]:
    """Make boxes of verdicts; those that contradict each other are left out, and their places told.

    A span with both verdicts says nothing, whatever its bands; nor does an absence that holds half
    of a call, which stays one. Where a class is present in a whole recording, and absent in part of
    it, where it calls is unknown: the presence is left out.
    """
    groups: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.verdict != "unknown":
            groups[entry.recording, entry.label].append(entry)
    left_out: set[int] = set()
    pairs: list[tuple[str, str]] = []
    for group in groups.values():
        absent = [entry for entry in group if entry.verdict == "absent"]
        for call in (entry for entry in group if entry.verdict == "present"):
            for other in absent:
                if call.span is None:
                    left_out |= {id(call), *([id(other)] if other.span is None else [])}
                elif _near(call.span, other.span or WHOLE):
                    left_out |= {id(call), id(other)}
                elif _holds(other.span or WHOLE, call.span):
                    left_out.add(id(other))
                else:
                    continue
                pairs.append((call.where, other.where))
    return [
        _box(entry) for entry in entries if entry.verdict != "unknown" and id(entry) not in left_out
    ], pairs


def _near(one: Span, other: Span) -> bool:
    """Return whether two spans are one, to rounding."""
    near_s = 0.02 * one.duration_s
    return abs(one.start_s - other.start_s) <= near_s and abs(one.end_s - other.end_s) <= near_s


def _holds(window: Span, call: Span) -> bool:
    shorter = min(window.duration_s, call.duration_s)
    return window.overlap_s(call) >= MIN_CALL_SHARE * shorter


def _box(entry: Entry) -> Annotation:
    low, high = entry.band_hz or (0.0, float("inf"))
    return Annotation(
        entry.recording,
        entry.label,
        entry.songtype,
        entry.verdict == "present",
        entry.span or WHOLE,
        low,
        high,
        entry.where,
    )
