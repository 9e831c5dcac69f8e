"""``fp``: clips round rejected detections, in their own surroundings or on a certified bed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from negmine.annotations import Annotation
from negmine.audio import SILENCE_RMS
from negmine.blocks import RecipeBlock
from negmine.build_context import BuildContext
from negmine.dsp.noise import RMS
from negmine.labels import PartialLabels, label_clip
from negmine.recipe import Layer, Recipe
from negmine.sources.annotated import annotated_clips
from negmine.sources.partners import Certified
from negmine.sources.settings import FpSettings
from negmine.windows import Span, to_microseconds

# Beds to choose the one from whose level is nearest.
_BEDS = 8


def rows(context: BuildContext, settings: FpSettings) -> Iterator[Recipe]:
    """Clips of every rejected detection that certify its class absent."""
    missed: list[Annotation] = []
    # a box longer than the clip needs no bed: then only what lies inside it is cut
    beyond_per_s = 0.0 if settings.pad == "bed" else settings.beyond_per_s
    yield from annotated_clips(
        context.annotations,
        context.recordings,
        present=False,
        clip_s=context.settings.clip_s,
        sample_rate=context.settings.sample_rate,
        beyond_per_s=beyond_per_s,
        placements=settings.placements,
        missed=missed,
    )
    if settings.pad != "bed":
        what = "rejected detections whose verdict does not cover the clip"
        context.left_out[what] += len(missed)
    if settings.pad != "beyond":
        yield from _on_beds(context, settings)


def _on_beds(context: BuildContext, settings: FpSettings) -> Iterator[Recipe]:
    """The box's own span on a clip that is certified free of its class.

    Nothing of the recording is heard outside the box, so no doubt about its surroundings remains:
    the label is the mix of the box's and the bed's.
    """
    clip_s, rng = context.settings.clip_s, context.rng("fp")
    beds = context.certified
    beds = beds.take(np.flatnonzero((beds.layer_counts == 1) & context.audible(beds)))
    if not len(beds) and settings.pad == "both":
        return
    free = Certified.of(beds, context.tables, context.classes)
    column = {name: i for i, name in enumerate(context.classes)}
    files = np.array([context.levels.file_of(s) for s in context.tables.sources.items], dtype=int)
    levels = context.levels.rms(files[beds.source], beds.start_s, np.full(len(beds), clip_s))
    levels = np.where(np.isnan(levels), RMS, levels)
    for box in context.annotations.rejected:
        info = context.recordings.infos[box.recording]
        span = Span(to_microseconds(box.span.start_s), min(box.span.end_s, info.duration_s))
        if span.duration_s >= clip_s:
            continue
        number = column.get(box.label)
        if number is None or free.first[number] == free.first[number + 1]:
            context.left_out["rejected detections without a certified bed"] += 1
            continue
        level = info.rms(span.start_s, span.end_s)
        inside = label_clip(
            context.annotations.by_recording[box.recording],
            span,
            beyond_per_s=settings.beyond_per_s,
        )
        if box.label not in inside.absent or level < SILENCE_RMS:
            context.left_out["rejected detections that a call overlaps, or silent ones"] += 1
            continue
        for offset_s in _offsets(span, clip_s, settings.placements):
            drawn = free.draw(np.array([number]), rng.random((1, _BEDS)))[0]
            # a jump of level at the box's ends would tell the network where it lies
            bed = int(drawn[np.argmin(np.abs(np.log(levels[drawn] / level)))])
            yield _laid(context, box, span, offset_s, inside, bed, beds)


def _laid(
    context: BuildContext,
    box: Annotation,
    span: Span,
    offset_s: float,
    inside: PartialLabels,
    bed: int,
    beds: RecipeBlock,
) -> Recipe:
    under = beds.recipe(bed, context.tables, context.settings.clip_s, context.settings.sample_rate)
    piece = Layer(
        context.recordings.source(box.recording),
        span.start_s,
        op="insert",
        offset_s=offset_s,
        length_s=span.duration_s,
    )
    labels = inside.mix(under.labels)
    return replace(under, kind="fp", layers=(*under.layers, piece), labels=labels)


def _offsets(span: Span, clip_s: float, placements: int) -> list[float]:
    """Where a span stands in a clip: in its middle, or evenly from its beginning to its end."""
    room = clip_s - span.duration_s
    shares = [0.5] if placements == 1 else [i / (placements - 1) for i in range(placements)]
    return [to_microseconds(room * share) for share in shares]
