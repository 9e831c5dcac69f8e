"""``fp``: clips round rejected detections, in their own surroundings or on a certified bed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from negmine.annotations import Annotation
from negmine.audio.dsp.generators import RMS
from negmine.audio.windows import Span, to_microseconds
from negmine.building.settings import FpSettings
from negmine.building.sources.annotated import annotated_clips
from negmine.building.sources.context import BuildContext
from negmine.building.sources.partners import Certified
from negmine.pool.audible import files_of
from negmine.recipes.clip_labels import label_clip
from negmine.recipes.layer import INSERT
from negmine.recipes.recipe import Recipe, Recipes
from negmine.recipes.recipe_columns import millionths

# Beds to choose the one from whose level is nearest.
_BEDS = 8


def rows(context: BuildContext, settings: FpSettings) -> Iterator[Recipe | Recipes]:
    """Yield clips of every rejected detection that certify its class absent."""
    missed: list[Annotation] = []
    # a box longer than the clip needs no bed: then only what is inside it is cut
    beyond_per_s = 0.0 if settings.pad == "bed" else settings.beyond_per_s
    yield from annotated_clips(
        context.annotations,
        context.recordings,
        present=False,
        clip_s=context.settings.clip_s,
        sample_rate=context.sample_rate,
        beyond_per_s=beyond_per_s,
        placements=settings.placements,
        missed=missed,
    )
    if settings.pad != "bed":
        what = "rejected detections whose verdict does not cover the clip"
        for box in missed:
            context.left_out.of(box.recording, what)
    if settings.pad != "beyond":
        yield from _on_beds(context, settings)


def _on_beds(context: BuildContext, settings: FpSettings) -> Iterator[Recipes]:
    """Yield the box's own span on a clip that is certified free of its class.

    Nothing of the recording is heard outside the box, so no doubt about its surroundings remains:
    the label is the mix of the box's and the bed's.
    """
    clip_s, rng, beds = context.settings.clip_s, context.rng("fp"), _Beds.of(context)
    if not len(beds.recipes) and settings.pad == "both":
        return
    d, under = context.dictionaries, beds.recipes.of_first("label")
    # of each row: the bed, the label set, and of what is put over the bed source and times
    found: list[tuple[int, int, int, float, float, float]] = []
    for box in context.annotations.rejected:
        info = context.recordings.infos[box.recording]
        span = Span(to_microseconds(box.span.start_s), min(box.span.end_s, info.duration_s))
        if span.duration_s >= clip_s:
            continue
        free = beds.free_of(box.label)
        if free is None:
            context.left_out.of(box.recording, "rejected detections without a certified bed")
            continue
        level = info.rms(span.start_s, span.end_s)
        inside = label_clip(
            context.annotations.by_recording[box.recording],
            span,
            beyond_per_s=settings.beyond_per_s,
        )
        if box.label not in inside.absent:
            context.left_out.of(box.recording, "rejected detections that a call overlaps")
            continue
        source = d.sources.number(context.recordings.source(box.recording))
        number = np.array([beds.classes.index(box.label)])
        for offset_s in _offsets(span, clip_s, settings.placements):
            drawn = free.draw(number, rng.random((1, _BEDS)))[0]
            # a jump of level at the box's ends would tell the network where it is
            bed = int(drawn[np.argmin(np.abs(np.log(beds.levels[drawn] / level)))])
            label = d.labels.number(inside.mix(d.labels[int(under[bed])]))
            found.append((bed, label, source, span.start_s, offset_s, span.duration_s))
    if found:
        rows, labels, sources, *times = map(np.array, zip(*found, strict=True))
        start_us, offset_us, length_us = map(millionths, times)
        yield beds.recipes[rows].changed(
            "fp",
            labels,
            INSERT,
            source=sources,
            start_us=start_us,
            offset_us=offset_us,
            length_us=length_us,
        )


@dataclass(frozen=True)
class _Beds:
    """Plain certified clips, recorded ones first: generated sound serves where there are none."""

    recipes: Recipes
    levels: np.ndarray
    """RMS of each row: float64, shape (n,)."""
    classes: tuple[str, ...]
    recorded: Certified
    every: Certified

    @classmethod
    def of(cls, context: BuildContext) -> _Beds:
        every = context.certified
        every = every[every.plain_rows & context.audible(every)]
        numbers = files_of(every, context.levels)[every.of_first("source")]
        lengths_s = np.full(len(every), context.settings.clip_s)
        levels = context.levels.rms(numbers, every.of_first("start_us") / 1e6, lengths_s)
        # generated sound has no file, and a level of its own
        every = every[order := np.argsort(numbers < 0, kind="stable")]
        levels = np.where(np.isnan(levels), RMS, levels)[order]
        recorded = every[: int((numbers >= 0).sum())]
        made = [Certified.of(some, context.classes) for some in (recorded, every)]
        return cls(every, levels, context.classes, *made)

    def free_of(self, name: str) -> Certified | None:
        """Return what to draw a bed free of a class from; None where there is none."""
        column = self.classes.index(name)
        for some in (self.recorded, self.every):
            if some.first[column] < some.first[column + 1]:
                return some
        return None


def _offsets(span: Span, clip_s: float, placements: int) -> list[float]:
    """Place a span in a clip: in its middle, or evenly from its beginning to its end."""
    room = clip_s - span.duration_s
    shares = [0.5] if placements == 1 else [i / (placements - 1) for i in range(placements)]
    return [to_microseconds(room * share) for share in shares]
