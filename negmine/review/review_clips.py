"""What is judged: spans of recordings, of a selection's rows or of a table to fill in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from negmine.annotations.recordings import index_recordings
from negmine.annotations.verdict_rows import verdict_rows
from negmine.audio.folder import open_folder
from negmine.audio.windows import Span, to_microseconds
from negmine.errors import InputError, shorten
from negmine.exports.rows import Place, place_of
from negmine.mining.selection import open_selection
from negmine.pool import Pool
from negmine.recipes.recipe import Recipe
from negmine.storage.csv_tables import number_in, read_rows

Key = tuple[str, str, Span]


@dataclass(frozen=True)
class ReviewClip:
    """A span of a recording, and the class to listen for.

    Attributes
    ----------
    path : Path
        The recording's file.
    fingerprint : str
        Of its bytes when the pool was built; empty where that is not known.
    score, doubt : float
        NaN where there is none.
    nearest_call : str
        Id of the confirmed call in the pool that is most like it; empty where there is none.
    certificate : str
        What says that the class is absent; empty where nothing does.
    known : str
        ``present`` or ``absent`` of a control, whose answer is known; else empty.
    example : Path or None
        A file with a confirmed call of the class, where no call of a pool is named.
    """

    recording: str
    label: str
    span: Span
    path: Path
    fingerprint: str = ""
    score: float = float("nan")
    doubt: float = float("nan")
    nearest_call: str = ""
    certificate: str = ""
    known: str = ""
    example: Path | None = None

    @property
    def key(self) -> Key:
        """What its verdict is about."""
        return self.recording, self.label, self.span


@dataclass(frozen=True)
class ReviewClips:
    """What a file asks to be judged.

    Attributes
    ----------
    notes : tuple of str
        What is left out, and what is heard otherwise than it was mined, a line each.
    pool : Pool or None
        That of a selection.
    """

    clips: tuple[ReviewClip, ...]
    notes: tuple[str, ...]
    pool: Pool | None = None


def clips_of_selection(path: Path, pool: Path | None = None) -> ReviewClips:
    """Return the rows of a selection that are spans of recordings, each span and class once.

    Raises
    ------
    PoolError
        If it is no selection, or its pool is gone.
    """
    selection = open_selection(path, pool)
    opened = selection.open_pool()
    ambiguous = shared_recordings(opened)
    found: dict[Key, ReviewClip] = {}
    left_out, boxes, again, shared = Counter[str](), 0, 0, 0
    for row, recipe in zip(selection.rows, selection.recipes(opened), strict=True):
        place = heard_place(recipe)
        if place is None:
            left_out[row.kind] += 1
            continue
        boxes += len(recipe.layers) > 1
        recording = place.source.recording
        if recording in ambiguous:
            shared += 1
            continue
        clip = ReviewClip(
            recording, row.label, place.span, place.source.path, place.source.fingerprint,
            row.score, row.doubt, row.nearest_call, row.certificate,
        )  # fmt: skip
        again += clip.key in found
        found.setdefault(clip.key, clip)
    notes = []
    if left_out:
        kinds = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(left_out.items()))
        notes.append(
            f"{left_out.total()} of {len(selection.rows)} rows are left out: they are no spans of "
            f"a recording, so that no verdict on one can be given ({kinds})"
        )
    if boxes:
        notes.append(
            f"{boxes} rejected detections that were mined on another background are heard in their "
            "recording"
        )
    if shared:
        notes.append(
            f"{shared} rows are left out: several sound files of the pool have their recording's "
            "name, and a table of verdicts could not tell which is meant"
        )
    if again:
        notes.append(f"{again} rows are of the same span and class as another, and shown once")
    return ReviewClips(tuple(found.values()), tuple(notes), opened)


def shared_recordings(pool: Pool) -> frozenset[str]:
    """Return names of recordings that several sound files of a pool have."""
    files: dict[str, set[Path]] = {}
    for source in pool.sources:
        if not source.is_synthetic:
            files.setdefault(source.recording, set()).add(source.path)
    return frozenset(name for name, paths in files.items() if len(paths) > 1)


def heard_place(recipe: Recipe) -> Place | None:
    """Return the span of a recording in which a clip is judged; None where there is none.

    That of a rejected detection which was put on a bed (`building.sources.fp`) is its own.
    """
    if (place := place_of(recipe)) is not None:
        return place
    last = recipe.layers[-1]
    if recipe.kind != "fp" or last.op != "insert" or last.source is None or last.length_s is None:
        return None
    if last.source.is_synthetic:
        return None
    end_s = to_microseconds(min(last.start_s + last.length_s, last.source.duration_s))
    return Place(last.source, Span(last.start_s, end_s)) if end_s > last.start_s else None


def clips_of_table(path: Path, folders: Sequence[Path]) -> ReviewClips:
    """Return the rows of a table of ``negmine ask`` without a verdict, each window and class once.

    Parameters
    ----------
    folders : sequence of Path
        Where its recordings are looked for.

    Raises
    ------
    InputError
        If it is no such table, two recordings share a name, or none of its recordings is there.
    """
    rows = verdict_rows(path)
    scores = [
        number_in(where, "score", text) if text else float("nan")
        for where, (text,) in read_rows(path, ("score",), optional=("score",))
    ]
    files: dict[str, Path] = {}
    for folder in folders:
        for name, file in index_recordings(open_folder(folder)).items():
            if name in files:
                raise InputError(f"{file} and {files[name]} share the recording name '{name}'")
            files[name] = file
    lost = sorted({row.recording for row in rows} - files.keys())
    if len(lost) == len({row.recording for row in rows}):
        raise InputError(
            f"{path}: none of its {len(lost)} recordings ({shorten(lost, 3)}) is in "
            f"{', '.join(map(str, folders))}; name their folder by --recordings"
        )
    found: dict[Key, ReviewClip] = {}
    heard = again = missing = 0
    for row, score in zip(rows, scores, strict=True):
        if row.recording not in files:
            missing += 1
            continue
        if row.word:
            heard += 1
            continue
        clip = ReviewClip(row.recording, row.label, row.span, files[row.recording], score=score)
        again += clip.key in found
        found.setdefault(clip.key, clip)
    notes = []
    if missing:
        notes.append(
            f"{missing} of {len(rows)} rows are left out: their recordings are not in "
            f"{', '.join(map(str, folders))} ({shorten(lost, 3)})"
        )
    if heard:
        notes.append(f"{heard} of {len(rows)} rows have a verdict in {path}, and are not shown")
    if again:
        notes.append(f"{again} rows are of the same window and class as another, and shown once")
    return ReviewClips(tuple(found.values()), tuple(notes))


def with_calls(found: ReviewClips, pool: Pool) -> ReviewClips:
    """Give the windows of a table a confirmed call of their class each, and their pool."""
    calls = {label: pool.calls_of(label) for label in pool.classes}
    first = {label: str(pool.calls.ids[rows[0]]) for label, rows in calls.items() if len(rows)}
    clips = [replace(clip, nearest_call=first.get(clip.label, "")) for clip in found.clips]
    return replace(found, clips=tuple(clips), pool=pool)
