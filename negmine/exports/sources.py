"""What may be exported: a selection, a pool, annotations; each as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from negmine.annotations import Annotation, Annotations
from negmine.annotations.rates import own_rate
from negmine.annotations.recordings import Recordings, open_annotated
from negmine.errors import InputError, PoolError, did_you_mean
from negmine.exports.export import Rows
from negmine.exports.rows import ClipRow
from negmine.mining.selection import Chosen, open_selection
from negmine.pool import Pool, open_pool
from negmine.pool.render_files import choose_rows
from negmine.pool.settings import RowChoice
from negmine.progress import Progress, no_progress
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.clip_labels import label_clip
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe

_T = TypeVar("_T")


def rows_of_pool(path: Path, choice: RowChoice | None = None, *, calls: bool = False) -> Rows:
    """Return rows of a pool, with all that is known of them.

    Parameters
    ----------
    calls : bool
        Its confirmed calls, too, each sound once.
    """
    pool = open_pool(path)
    table = pool.recipes[np.array(choose_rows(pool, choice or RowChoice()))]
    rows = [ClipRow(recipe, recipe.labels) for recipe in table]
    notes = _add_calls(rows, pool, choice, own=False) if calls else ()
    return Rows(rows, pool.classes, str(path), pool.sample_rate, notes, pool.sources)


def rows_of_selection(
    path: Path,
    choice: RowChoice | None = None,
    *,
    calls: bool = False,
    own: bool = True,
    pool: Path | None = None,
) -> Rows:
    """Return the rows of a selection, each sound once.

    Parameters
    ----------
    calls : bool
        The confirmed calls of its pool, too, each sound once.
    own : bool
        Of each, the classes alone that it was mined for.
    pool : Path, optional
        Where its pool is now.
    """
    selection = open_selection(path, pool)
    opened = selection.open_pool()
    mined: dict[str, list[Chosen]] = {}
    for one in _chosen(selection.rows, choice or RowChoice(), path, opened.classes):
        mined.setdefault(one.recipe, []).append(one)
    numbers = np.array([opened.recipes.row_of(name) for name in mined], dtype=np.int64)
    rows = []
    for recipe, found in zip(opened.recipes[numbers], mined.values(), strict=True):
        names = tuple(one.label for one in found)
        if lost := [name for name in names if name not in recipe.labels.absent]:
            raise PoolError(
                f"{path}: recipe {recipe.id} is not certified free of class '{lost[0]}': damaged; "
                "run 'negmine mine' again"
            )
        kept = {name: recipe.labels.absent[name] for name in names}
        labels = PartialLabels(absent=kept) if own else recipe.labels
        rows.append(ClipRow(recipe, labels, names, {one.label: one.score for one in found}))
    notes = _add_calls(rows, opened, choice, own=own) if calls else ()
    return Rows(rows, opened.classes, str(path), opened.sample_rate, notes, opened.sources)


def _chosen(
    rows: Sequence[Chosen], choice: RowChoice, path: Path, classes: Sequence[str]
) -> list[Chosen]:
    """Return those rows of a selection that a choice names."""
    if choice.label is not None and choice.label not in classes:
        raise PoolError(f"{path}: no class '{choice.label}'{did_you_mean(choice.label, classes)}")
    kinds = {row.kind for row in rows}
    if choice.kind is not None and choice.kind not in kinds:
        raise PoolError(
            f"{path}: no rows of kind '{choice.kind}'{did_you_mean(choice.kind, kinds)}; kinds: "
            f"{', '.join(sorted(kinds))}"
        )
    if lost := set(choice.ids) - {row.recipe for row in rows}:
        raise PoolError(f"{path}: no row of recipe '{min(lost)}'")
    found = [
        row
        for row in rows
        if (not choice.ids or row.recipe in choice.ids)
        and choice.kind in (None, row.kind)
        and choice.label in (None, row.label)
    ]
    if not found:
        raise PoolError(f"{path}: no row meets all conditions")
    return _sampled(found, choice)


def _sampled(rows: Sequence[_T], choice: RowChoice) -> list[_T]:
    if choice.sample is None or choice.sample >= len(rows):
        return list(rows)
    rng = np.random.default_rng(choice.seed)
    kept = np.sort(rng.choice(len(rows), choice.sample, replace=False))
    return [rows[place] for place in kept]


def _add_calls(
    rows: list[ClipRow], pool: Pool, choice: RowChoice | None, *, own: bool
) -> tuple[str, ...]:
    """Add the confirmed calls of a pool, of the class chosen if one is; return what to know."""
    label = choice.label if choice else None
    numbers = pool.distinct_calls if label is None else pool.calls_of(label)
    for recipe in pool.calls[numbers]:
        labels = PartialLabels(recipe.labels.present) if own else recipe.labels
        rows.append(ClipRow(recipe, labels))
    return (
        f"{len(numbers)} confirmed calls are clips of {pool.clip_s:g} s that hold them, not their "
        "boxes, which a pool does not keep",
    )


def rows_of_annotations(
    annotations: Annotations,
    recordings: Path | Sequence[Path],
    choice: RowChoice | None = None,
    *,
    own: bool = True,
    source: str = "annotations",
    progress: Progress = no_progress,
) -> Rows:
    """Return a row for each box of annotations: its span in its recording.

    Parameters
    ----------
    recordings : Path or sequence of Path
        Their folders.
    own : bool
        Of each, what its box says alone; else what all boxes say of its span.
    """
    choice = choice or RowChoice()
    found, kept = open_annotated(
        recordings,
        annotations,
        progress=lambda total: progress("checking", total),
    )
    rate = own_rate(found.infos.values())
    boxes = [box for box in kept.boxes if choice.label in (None, box.label)]
    if choice.kind is not None:
        boxes = [box for box in boxes if _kind(box) == choice.kind]
    if choice.ids:
        raise InputError("--ids names recipes, which annotations have none of; leave it out")
    if not boxes:
        raise InputError(f"{source}: no box meets all conditions")
    rows = []
    for box in _sampled(boxes, choice):
        layer = Layer(found.source(box.recording), box.span.start_s)
        near = [box] if own else kept.touching(box.recording, box.span)
        recipe = Recipe(_kind(box), (layer,), box.span.duration_s, rate, _labels(box, near))
        bands = {box.label: (box.f_min_hz, box.f_max_hz)}
        rows.append(
            ClipRow(recipe, recipe.labels, (box.label,), bands=bands, songtype=box.songtype)
        )
    sources = [found.source(name) for name in found.infos]
    notes = (*found.notes, *_folder_notes(found))
    return Rows(rows, kept.classes, source, rate, notes, sources)


def _folder_notes(found: Recordings) -> tuple[str, ...]:
    """Say what of the folder was left out."""
    return tuple(line for line, left_out in found.summaries() if left_out)


def _kind(box: Annotation) -> str:
    return "tp" if box.present else "fp"


def _labels(box: Annotation, near: Iterable[Annotation]) -> PartialLabels:
    """Return what boxes say of one's span: of its own class what it says itself."""
    labels = label_clip(near, box.span)
    if box.present:
        absent = {name: a for name, a in labels.absent.items() if name != box.label}
        return PartialLabels(labels.present | {box.label}, absent)
    own = {box.label: Absence(Certificate.VERIFIED, box.confidence)}
    return PartialLabels(labels.present - {box.label}, {**labels.absent, **own})
