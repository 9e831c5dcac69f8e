"""Which clips are judged, and in what order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from negmine.errors import InputError, did_you_mean, shorten
from negmine.report.read_report import report_path
from negmine.review.review_clips import ReviewClip, ReviewClips
from negmine.review.settings import ReviewSettings
from negmine.storage.text_files import read_json


def in_order(found: ReviewClips, settings: ReviewSettings, path: Path) -> list[ReviewClip]:
    """Choose the clips asked for, and put them in the order asked for.

    Raises
    ------
    InputError
        If a class or certificate is not there, nothing is left to judge, or no clip has what the
        order goes by.
    """
    clips = _filtered(list(found.clips), settings, path)
    if not clips:
        why = f": {'; '.join(found.notes)}" if found.notes else ""
        raise InputError(f"{path}: nothing to judge{why}")
    if settings.order == "file":
        return clips
    if settings.order == "random":
        order = np.random.default_rng(settings.seed).permutation(len(clips)).tolist()
        return [clips[place] for place in order]
    if settings.order == "threshold":
        at = _thresholds(path, sorted({clip.label for clip in clips}), settings.threshold)
        values = np.array([-abs(clip.score - at[clip.label]) for clip in clips])
    else:
        values = np.array([c.score if settings.order == "hardest" else c.doubt for c in clips])
    if np.isnan(values).all():
        what = "doubt" if settings.order == "doubt" else "score"
        raise InputError(f"{path}: --order {settings.order}: no clip has a {what}")
    # what is not known sorts last
    return [clips[place] for place in np.argsort(-values, kind="stable").tolist()]


def _filtered(clips: list[ReviewClip], settings: ReviewSettings, path: Path) -> list[ReviewClip]:
    known = sorted({clip.label for clip in clips})
    for name in settings.classes:
        if name not in known:
            raise InputError(
                f"{path}: no clip to judge for class '{name}'{did_you_mean(name, known)}"
            )
    there = sorted({clip.certificate for clip in clips} - {""})
    for name in settings.certificates:
        if name not in there:
            raise InputError(
                f"{path}: no clip to judge is certified by '{name}'{did_you_mean(name, there)}; "
                f"there {'is' if len(there) == 1 else 'are'} {shorten(there, 7) or 'none'}"
            )
    low, high = settings.min_doubt, settings.max_doubt
    if low > high:
        raise InputError(f"--min-doubt {low:g} is above --max-doubt {high:g}")
    chosen = [
        clip
        for clip in clips
        if (not settings.classes or clip.label in settings.classes)
        and (not settings.certificates or clip.certificate in settings.certificates)
        and (low <= clip.doubt <= high or (low, high) == (0.0, 1.0))
    ]
    if clips and not chosen:
        raise InputError(f"{path}: no clip passes --class, --certificate and the bounds of doubt")
    return chosen


def _thresholds(path: Path, labels: Sequence[str], given: float | None) -> dict[str, float]:
    """Return each class's operating threshold: what is given, or what the report says."""
    if given is not None:
        return dict.fromkeys(labels, given)
    report = report_path(path)
    if not report.exists():
        raise InputError(
            f"--order threshold: {report} is not there, which would say the classes' thresholds; "
            "give one by --threshold"
        )
    said = read_json(report, "make the file again")
    classes = said.get("classes") if isinstance(said, dict) else None
    found = {name: _threshold(classes, name) for name in labels}
    if lacking := [name for name, value in found.items() if math.isnan(value)]:
        raise InputError(
            f"--order threshold: {report} says no threshold of {len(lacking)} classes "
            f"({shorten(lacking, 5)}); give one by --threshold"
        )
    return found


def _threshold(classes: object, name: str) -> float:
    """Return what a report of mining or asking says of a class; NaN where nothing."""
    said = classes.get(name) if isinstance(classes, dict) else None
    if not isinstance(said, dict):
        return math.nan
    asked = said.get("threshold")
    value = asked.get("score") if isinstance(asked, dict) else said.get("calls")
    return float(value) if isinstance(value, int | float) else math.nan
