"""A selection as one page that opens offline: what was chosen, to be seen and heard."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from negmine.annotations.schema import Annotations
from negmine.audio.spectrogram import frequency_ticks, time_ticks
from negmine.errors import PoolError, did_you_mean
from negmine.mining.selection import Chosen, Selection
from negmine.pool import Pool
from negmine.report.boxes import MarkedBox, boxes_in
from negmine.report.changes import (
    SelectionChange,
    by_class,
    compare_classes,
    median_score,
    scores_of,
)
from negmine.report.clips import LOUDNESS_DB, Picture, PlayedClip, hear, pictures, svg_uri
from negmine.report.page_template import render_page
from negmine.report.plots.doubt_plot import draw_doubt, max_doubt
from negmine.report.plots.folders_plot import draw_folders
from negmine.report.plots.reliability_plot import bins_of, draw_reliability
from negmine.report.plots.scores_plot import HALF, draw_scores
from negmine.report.read_report import (
    Histogram,
    RuleCount,
    class_report,
    doubt_levels,
    histogram_of,
    number,
    rules_of,
)
from negmine.report.settings import PageSettings
from negmine.report.source_folders import count_folders
from negmine.storage.files import writing

# Clips that are rendered at a time; the page is the same whatever their number.
_THREADS = 2

# Folders that the page counts, at most.
_MOST_FOLDERS = 15


@dataclass(frozen=True)
class Earlier:
    """The older of two selections, and its report if there is one."""

    selection: Selection
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Beside:
    """What a page shows beside the selection and its report.

    Attributes
    ----------
    name : str
        The selection's file, as it was named: 'negmine review' takes it.
    annotations : Annotations, optional
        Whose boxes are marked in the confirmed calls.
    thresholds : mapping of str to float
        Logits at which the classes are detected, of those that have one.
    """

    name: str = "hard.parquet"
    annotations: Annotations | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class WrittenReport:
    """What was written: how large the page is, and what it shows."""

    path: Path
    size_bytes: int
    classes: int
    negatives: int
    calls: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "report": str(self.path),
            "bytes": self.size_bytes,
            "classes": self.classes,
            "negatives": self.negatives,
            "calls": self.calls,
        }


@dataclass(frozen=True)
class _Card:
    """A negative as the page shows it, beside the confirmed call nearest to it."""

    row: Chosen
    clip: PlayedClip
    picture: Picture
    call: PlayedClip | None
    call_picture: Picture | None
    boxes: tuple[MarkedBox, ...]
    then: float
    replayed: bool


@dataclass(frozen=True)
class _Section:
    """A class as the page shows it; `chosen` are all its rows, `cards` the hardest of them."""

    name: str
    chosen: int
    median: float
    highest: float
    certified: float
    calls_median: float
    threshold: float
    above: tuple[int, int] | None
    cards: Sequence[_Card]
    figure: str
    histogram: Histogram | None
    rules: Sequence[RuleCount]
    change: SelectionChange | None

    @property
    def sampled(self) -> bool:
        """Whether the histogram counts but a part of the certified negatives."""
        return self.histogram is not None and self.histogram.negatives.sum() < self.certified


def write_report(
    path: Path,
    selection: Selection,
    pool: Pool,
    report: Mapping[str, Any] | None = None,
    *,
    before: Earlier | None = None,
    beside: Beside | None = None,
    settings: PageSettings | None = None,
    on_clip: Callable[[int], object] = lambda clips: None,
) -> WrittenReport:
    """Write a page of the hardest negatives of each class, with sound, pictures and numbers.

    The page names no other file and no address: it opens anywhere, without a network. The same
    inputs give the same bytes.

    Parameters
    ----------
    pool : Pool
        The one it was chosen from.
    report : mapping, optional
        The mining run's own, of `negmine.mining.mine_report`. The page says what it lacks.
    before : Earlier, optional
        An older selection, to tell what changed.
    beside : Beside, optional
    on_clip : callable
        Called with a number of clips as they are rendered; in all `clips_to_render`.

    Raises
    ------
    PoolError
        If a class is unknown, the pool lacks a chosen row, or the report is malformed.
    AudioError
        If the sound of a clip is missing or was changed.
    OutputError
        If the page cannot be written.
    """
    shown = _shown(selection, pool, settings)
    names = list(shown)
    heard = _hear(pool, shown, on_clip)
    whole, changes = compare_classes(selection, before.selection, names) if before else (None, {})
    rows = by_class(selection)
    old_rows = by_class(before.selection) if before else {}
    old_scores = scores_of(before.selection.rows) if before else {}
    other_model = before is not None and before.selection.model != selection.model
    given = beside or Beside()
    sections = [
        _section(
            name,
            rows.get(name, []),
            [
                _card(row, heard, old_scores, other_model, _boxes(row, pool, given.annotations))
                for row in shown[name]
            ],
            class_report(report, name),
            class_report(before.report, name) if before else {},
            old_rows.get(name, []),
            changes.get(name),
            given.thresholds.get(name, math.nan),
        )
        for name in names
    ]
    chosen = [row for name in names for row in rows.get(name, [])]
    folders = count_folders(pool, chosen)
    content = render_page(
        sections=sections,
        selection=selection,
        pool=pool,
        report=report or {},
        before=before,
        beside=given,
        whole=whole,
        per_class=(settings or PageSettings()).per_class,
        missing=_missing(sections, report, before, given),
        frequency_ticks=frequency_ticks(pool.sample_rate),
        time_ticks=time_ticks(pool.clip_s),
        doubt_auc=number(report or {}, "doubt_auc"),
        doubt_levels=doubt_levels(report),
        doubt_figure=svg_uri(draw_doubt(chosen, max_doubt(selection, report))),
        reliability=svg_uri(draw_reliability(bins_of(report))),
        folders=folders[:_MOST_FOLDERS],
        more_folders=max(0, len(folders) - _MOST_FOLDERS),
        folders_figure=svg_uri(draw_folders(folders[:_MOST_FOLDERS])) if chosen else "",
        loudness_db=LOUDNESS_DB,
    )
    with writing(path) as temporary:
        temporary.write_bytes(content)
    return WrittenReport(
        path=path,
        size_bytes=len(content),
        classes=len(sections),
        negatives=sum(len(section.cards) for section in sections),
        calls=len({c.call.id for s in sections for c in s.cards if c.call}),
    )


def clips_to_render(selection: Selection, pool: Pool, settings: PageSettings | None = None) -> int:
    """Count the clips that `write_report` renders."""
    return len(_recipes_of(_shown(selection, pool, settings)))


def _shown(
    selection: Selection, pool: Pool, settings: PageSettings | None
) -> dict[str, list[Chosen]]:
    """Return the rows that the page shows, by class, in the pool's order."""
    wanted = settings or PageSettings()
    for name in wanted.classes:
        if name not in pool.classes:
            raise PoolError(f"{pool.path}: no class '{name}'{did_you_mean(name, pool.classes)}")
    names = [name for name in pool.classes if not wanted.classes or name in wanted.classes]
    rows = by_class(selection)
    return {name: rows.get(name, [])[: wanted.per_class] for name in names}


def _recipes_of(shown: Mapping[str, Sequence[Chosen]]) -> list[tuple[bool, str]]:
    """List what the page renders, each once: whether it is a confirmed call, and its id."""
    wanted: dict[tuple[bool, str], None] = {}
    for rows in shown.values():
        for row in rows:
            wanted[False, row.recipe] = None
            if row.nearest_call:
                wanted[True, row.nearest_call] = None
    return list(wanted)


def _hear(
    pool: Pool, shown: Mapping[str, Sequence[Chosen]], on_clip: Callable[[int], object]
) -> dict[tuple[bool, str], PlayedClip]:
    wanted = _recipes_of(shown)
    recipes = []
    for is_call, recipe_id in wanted:
        table = pool.calls if is_call else pool.recipes
        recipes.append(table[table.row_of(recipe_id)])
    heard = {}
    with ThreadPoolExecutor(_THREADS) as threads:
        jobs = [threads.submit(hear, recipe) for recipe in recipes]
        try:
            for key, job in zip(wanted, jobs, strict=True):
                heard[key] = job.result()
                on_clip(1)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return heard


def _boxes(row: Chosen, pool: Pool, annotations: Annotations | None) -> tuple[MarkedBox, ...]:
    """Return where the call is in the clip of the nearest one."""
    if annotations is None or not row.nearest_call:
        return ()
    call = pool.calls[pool.calls.row_of(row.nearest_call)]
    return boxes_in(call, row.label, annotations)


def _card(
    row: Chosen,
    heard: Mapping[tuple[bool, str], PlayedClip],
    old_scores: Mapping[tuple[str, str], float],
    other_model: bool,
    boxes: tuple[MarkedBox, ...],
) -> _Card:
    clip = heard[False, row.recipe]
    call = heard[True, row.nearest_call] if row.nearest_call else None
    drawn = pictures([clip, call] if call else [clip])
    then = old_scores.get((row.recipe, row.label), math.nan)
    return _Card(
        row=row,
        clip=clip,
        picture=drawn[0],
        call=call,
        call_picture=drawn[1] if call else None,
        boxes=boxes,
        then=then,
        replayed=other_model and then == row.score,
    )


def _section(
    name: str,
    rows: Sequence[Chosen],
    cards: Sequence[_Card],
    entry: Mapping[str, Any],
    old_entry: Mapping[str, Any],
    old_rows: Sequence[Chosen],
    change: SelectionChange | None,
    threshold: float,
) -> _Section:
    now, then = histogram_of(entry, name), histogram_of(old_entry, name)
    calls_median = number(entry, "calls")
    drawn = draw_scores(
        now,
        [row.score for row in rows],
        then,
        [row.score for row in old_rows],
        marks={"threshold": threshold, HALF: calls_median},
    )
    return _Section(
        name=name,
        chosen=len(rows),
        median=median_score(rows),
        highest=rows[0].score if rows else math.nan,
        certified=number(entry, "certified"),
        calls_median=calls_median,
        threshold=threshold,
        above=_above(now, calls_median if math.isnan(threshold) else threshold),
        cards=cards,
        figure=svg_uri(drawn),
        histogram=now,
        rules=rules_of(entry, name),
        change=change,
    )


def _above(histogram: Histogram | None, threshold: float) -> tuple[int, int] | None:
    """Count the certified negatives in bins that are wholly above a threshold, and all of them.

    Returns
    -------
    (int, int) or None
        Those at least, and all that the histogram counts; None where either is not known.
    """
    if histogram is None or math.isnan(threshold):
        return None
    above = histogram.negatives[histogram.edges[:-1] >= threshold].sum()
    return int(above), int(histogram.negatives.sum())


def _missing(
    sections: Sequence[_Section],
    report: Mapping[str, Any] | None,
    before: Earlier | None,
    beside: Beside,
) -> list[str]:
    """List what the page cannot show, and why."""
    found = []
    if report is None:
        found.append(
            "There is no mining report beside the selection: how many rows were certified, what "
            "each rule rejected and how all scores are distributed is not known here. 'negmine "
            "mine' writes it."
        )
    elif not any(section.histogram for section in sections):
        found.append(
            "The mining report holds no histograms of scores: the plots show chosen rows alone."
        )
    cards = [card for section in sections for card in section.cards]
    if cards and all(math.isnan(card.row.doubt) for card in cards):
        found.append(
            "The selection has no doubts (estimated probabilities that the class is present)."
        )
    if beside.annotations and any(card.call and not card.boxes for card in cards):
        found.append(
            "In some confirmed calls no box is marked: the tables of annotations have none there."
        )
    if before and before.report is None:
        found.append("There is no mining report beside the older selection: no scores before.")
    return found
