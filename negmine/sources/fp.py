"""``fp``: clips round rejected detections."""

from __future__ import annotations

from collections.abc import Iterator

from negmine.build_context import BuildContext
from negmine.recipe import Recipe
from negmine.sources.annotated import annotated_clips
from negmine.sources.settings import FpSettings


def rows(context: BuildContext, settings: FpSettings) -> Iterator[Recipe]:
    """One clip a rejected detection whose verdict reaches over it."""
    found = 0
    for recipe in annotated_clips(
        context.annotations,
        context.recordings,
        present=False,
        clip_s=context.settings.clip_s,
        sample_rate=context.settings.sample_rate,
        beyond_per_s=settings.beyond_per_s,
    ):
        found += 1
        yield recipe
    context.left_out["rejected detections whose verdict does not cover the clip"] += (
        len(context.annotations.rejected) - found
    )
