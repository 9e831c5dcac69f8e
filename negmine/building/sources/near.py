"""``near``: other classes' confirmed calls, where a table says that classes exclude each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from negmine.building.settings import NearSettings
from negmine.building.sources.context import BuildContext
from negmine.building.sources.exclusive import read_exclusive
from negmine.recipes.certificates import Certificate
from negmine.recipes.recipe import Recipe


def rows(context: BuildContext, settings: NearSettings) -> Iterator[Recipe]:
    """Yield clips round confirmed calls, each certified free of what its class excludes.

    What vouches for the absence is the user's declaration, as for external sound: the certificate
    is ``external``. Nothing is ever excluded because a clip holds another call.
    """
    if settings.exclusive is None:
        return
    excludes = read_exclusive(Path(settings.exclusive), context.classes)
    for clip in context.confirmed_clips(settings.placements):
        excluded = {other for name in clip.labels.present for other in excludes.get(name, ())}
        if excluded & clip.labels.present:
            context.left_out.of(
                clip.sources[0].recording, "clips with two confirmed calls that exclude each other"
            )
        elif excluded:
            labels = clip.labels.declared(
                sorted(excluded), Certificate.EXTERNAL, settings.confidence
            )
            yield replace(clip, kind="near", labels=labels)
