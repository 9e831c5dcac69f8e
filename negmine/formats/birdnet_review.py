"""BirdNET-Analyzer's review: clips of one class, sorted into ``Positive/`` and ``Negative/``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from negmine.audio.windows import Span
from negmine.formats.entry import Entry, Notes, Verdict
from negmine.formats.folders import folders_in, of_folder
from negmine.formats.format import Format, Head, Options
from negmine.storage.names import clean_name

REVIEWED: dict[str, Verdict] = {"positive": "present", "negative": "absent"}
# confidence_number_stem_start_end: how the clips are named that are cut for review
_CLIP = re.compile(
    r"(?P<score>[01]\.[0-9]+)_[0-9]+_(?P<stem>.+)_(?P<start>[0-9.]+)s_(?P<end>[0-9.]+)s"
)


def _is_review(head: Head) -> bool:
    """Return whether a folder holds the folders of a review."""
    return not {name.casefold() for name in head.folders}.isdisjoint(REVIEWED)


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    """Yield a span of a recording for each clip.

    The class is the name of the folder that holds the two. A clip that does not say where it was
    cut, or whose recording is not at hand, counts as a recording by itself.
    """
    label = options.label or clean_name(path.absolute().name)
    if not options.label:
        notes.say(f"{path}: by the folder's name, the class is '{label}'; --label names another")
    for name, folder in folders_in(path, notes):
        for clip in of_folder(folder, [label], REVIEWED.get(name.casefold(), "unknown")):
            yield _where_it_was_cut(clip)


def _where_it_was_cut(clip: Entry) -> Entry:
    found = _CLIP.fullmatch(Path(clip.recording).stem)
    if not found:
        return clip
    try:
        span = Span(float(found["start"]), float(found["end"]))
    except ValueError:
        return clip
    if span.duration_s <= 0:
        return clip
    return Entry(
        clean_name(found["stem"]),
        clip.label,
        clip.verdict,
        clip.where,
        span,
        score=float(found["score"]),
        clip=clip.recording,
    )


FORMAT = Format("BirdNET's review: Positive/ and Negative/", _is_review, _read)
