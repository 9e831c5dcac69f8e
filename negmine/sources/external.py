"""``external``: windows of sound that the user declares free of classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from negmine.audio import SILENCE_RMS
from negmine.blocks import RecipeBlock, plain_block, rounded
from negmine.build_context import BuildContext, DeclaredFolder
from negmine.labels import Certificate, PartialLabels
from negmine.sources.settings import ExternalSettings

# What fills less of a window than this makes none: a file so short would be mostly padding, and the
# window moved back for the end of a longer one mostly a copy of its neighbour.
_MIN_FILL = 0.5


def rows(context: BuildContext, settings: ExternalSettings) -> Iterator[RecipeBlock]:
    """Windows on a grid of the clip's length; silent ones are skipped and counted."""
    for folder in context.external:
        yield from external_windows(context, folder, settings.confidence)


def external_windows(
    context: BuildContext, folder: DeclaredFolder, confidence: float
) -> Iterator[RecipeBlock]:
    """The windows of one folder, a block a declaration."""
    numbers: dict[tuple[str, ...], int] = {}
    clip_s = context.settings.clip_s
    for name, info in folder.opened.infos.items():
        absent = folder.absent[name]
        if absent not in numbers:
            labels = PartialLabels.certified(absent, Certificate.EXTERNAL, confidence)
            numbers[absent] = context.tables.labels.number(labels)
        source = context.tables.sources.number(folder.opened.source(name))
        starts = window_starts(info.duration_s, clip_s)
        levels = [info.rms(start_s, start_s + clip_s) for start_s in starts]
        heard = starts[np.array(levels, dtype=np.float64) >= SILENCE_RMS]
        context.left_out["silent external windows"] += len(starts) - len(heard)
        yield plain_block(
            "external",
            np.full(len(heard), source),
            heard,
            np.full(len(heard), numbers[absent]),
        )


def window_starts(duration_s: float, clip_s: float) -> np.ndarray:
    """Starts of the windows of a file: float64, in order.

    A last window, moved back to end with the file, takes up a rest of half a clip or more.
    """
    whole, rest = divmod(duration_s, clip_s)
    starts = np.arange(int(whole)) * clip_s
    if rest >= clip_s * _MIN_FILL:
        starts = np.append(starts, max(0.0, duration_s - clip_s))
    return rounded(starts)
