"""Where a confirmed call is in its clip: the boxes of annotations, as shares of the picture."""

from __future__ import annotations

from dataclasses import dataclass

from negmine.annotations.schema import Annotations
from negmine.audio.spectrogram import hz_to_mel
from negmine.audio.windows import Span
from negmine.recipes.recipe import Recipe


@dataclass(frozen=True)
class MarkedBox:
    """A box in a spectrogram: its edges from 0 at the left and the bottom to 1."""

    left: float
    right: float
    bottom: float
    top: float


def boxes_in(recipe: Recipe, label: str, annotations: Annotations) -> tuple[MarkedBox, ...]:
    """Return the boxes of a class's confirmed calls in a clip that is a span of a recording.

    Parameters
    ----------
    recipe : Recipe
        Of a confirmed call, as a pool keeps it: its first layer is the recording's span.

    Returns
    -------
    tuple of MarkedBox
        Clipped to the picture; frequencies as places on its mel axis. Empty where the annotations
        have none there.
    """
    layer = recipe.layers[0]
    if layer.source is None or layer.source.is_synthetic:
        return ()
    clip = Span(layer.start_s, layer.start_s + recipe.duration_s)
    top = float(hz_to_mel(recipe.sample_rate / 2))
    found = []
    for one in annotations.touching(layer.source.recording, clip):
        if not one.present or one.label != label:
            continue
        times = (
            (at - clip.start_s) / recipe.duration_s for at in (one.span.start_s, one.span.end_s)
        )
        heights = (
            float(hz_to_mel(min(hz, recipe.sample_rate / 2))) / top
            for hz in (one.f_min_hz, one.f_max_hz)
        )
        found.append(MarkedBox(*(min(1.0, max(0.0, at)) for at in (*times, *heights))))
    return tuple(found)
