"""What is judged: spans of recordings, of a selection's rows or of a table to fill in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from negmine.annotations.recordings import index_recordings
from negmine.annotations.verdicts import verdict_rows
from negmine.audio.folder import open_folder
from negmine.audio.windows import Span, to_microseconds
from negmine.errors import InputError, did_you_mean, shorten
from negmine.exports.rows import Place, place_of
from negmine.mining.selection import open_selection
from negmine.pool import Pool
from negmine.recipes.recipe import Recipe
from negmine.review.settings import ReviewSettings
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
    """

    recording: str
    label: str
    span: Span
    path: Path
    fingerprint: str = ""
    score: float = float("nan")
    doubt: float = float("nan")
    nearest_call: str = ""

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
    files: dict[str, set[Path]] = {}
    for source in opened.sources:
        if not source.is_synthetic:
            files.setdefault(source.recording, set()).add(source.path)
    found: dict[Key, ReviewClip] = {}
    left_out, boxes, again, shared = Counter[str](), 0, 0, 0
    for row, recipe in zip(selection.rows, selection.recipes(opened), strict=True):
        place = place_of(recipe)
        if place is None and (place := _box_on_bed(recipe)) is not None:
            boxes += 1
        if place is None:
            left_out[row.kind] += 1
            continue
        recording = place.source.recording
        if len(files[recording]) > 1:
            shared += 1
            continue
        clip = ReviewClip(
            recording, row.label, place.span, place.source.path, place.source.fingerprint,
            row.score, row.doubt, row.nearest_call,
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


def _box_on_bed(recipe: Recipe) -> Place | None:
    """Return the place of a rejected detection that was put on a bed: see `building.sources.fp`."""
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


def in_order(found: ReviewClips, settings: ReviewSettings, path: Path) -> list[ReviewClip]:
    """Choose the classes asked for, and put their clips in the order asked for.

    Raises
    ------
    InputError
        If a class is not there, nothing is left to judge, or no clip has what the order goes by.
    """
    clips = list(found.clips)
    known = sorted({clip.label for clip in clips})
    for name in settings.classes:
        if name not in known:
            raise InputError(
                f"{path}: no clip to judge for class '{name}'{did_you_mean(name, known)}"
            )
    if settings.classes:
        clips = [clip for clip in clips if clip.label in settings.classes]
    if not clips:
        why = f": {'; '.join(found.notes)}" if found.notes else ""
        raise InputError(f"{path}: nothing to judge{why}")
    if settings.order == "file":
        return clips
    if settings.order == "random":
        order = np.random.default_rng(settings.seed).permutation(len(clips)).tolist()
        return [clips[place] for place in order]
    values = np.array([c.score if settings.order == "hardest" else c.doubt for c in clips])
    if np.isnan(values).all():
        what = "score" if settings.order == "hardest" else "doubt"
        raise InputError(f"{path}: --order {settings.order}: no clip has a {what}")
    # what is not known sorts last
    return [clips[place] for place in np.argsort(-values, kind="stable").tolist()]
