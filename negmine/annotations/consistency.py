"""What entries say together: absences of all classes written out, contradictions left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from negmine.annotations.schema import Annotation
from negmine.audio.windows import Span
from negmine.formats.entry import EVERY_CLASS, Entry, Notes
from negmine.recipes.clip_labels import MIN_CALL_SHARE

WHOLE = Span(0.0, float("inf"))
# What is left of an absence between calls, in seconds: less is no clip.
_LEAST_S = 0.1
# Edges that differ by no more than this share of a span are one edge, rounded twice.
_ROUNDED = 0.02


def written_out(entries: Sequence[Entry], classes: Sequence[str], notes: Notes) -> Iterator[Entry]:
    """Yield entries; those of all classes once a class, where nothing else is said of it.

    Between a class's calls, and between what is not judged of it, its absence stays.
    """
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
        notes.say(
            f"{made} rows reject every class ({len(classes)}), except what other rows confirm "
            "or leave open there"
        )


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


def agreed(entries: Sequence[Entry]) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Return the verdicts that no other contradicts, and the places of pairs that do.

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
                silenced = _silenced(call, other)
                if silenced:
                    left_out |= set(map(id, silenced))
                    pairs.append((call.where, other.where))
    kept = [one for one in entries if one.verdict != "unknown" and id(one) not in left_out]
    return kept, pairs


def _silenced(call: Entry, other: Entry) -> list[Entry]:
    """Return which of a presence and an absence the other makes unknown."""
    if call.span is None:
        return [call, other] if other.span is None else [call]
    span = other.span or WHOLE
    near_s = _ROUNDED * call.span.duration_s
    edges = (call.span.start_s - span.start_s, call.span.end_s - span.end_s)
    if all(abs(edge) <= near_s for edge in edges):
        return [call, other]
    shorter_s = min(call.span.duration_s, span.duration_s)
    return [other] if span.overlap_s(call.span) >= MIN_CALL_SHARE * shorter_s else []


def box_of(entry: Entry) -> Annotation:
    """Return the box of a verdict; what it does not give ends with the recording."""
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
