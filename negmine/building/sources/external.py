"""``external``: windows of sound that the user declares free of classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from negmine.audio.read import AudioInfo
from negmine.audio.silence import LEVEL_BLOCK_S, SILENCE_RMS
from negmine.building.settings import ExternalSettings
from negmine.building.sources.context import BuildContext, DeclaredFolder
from negmine.recipes.certificates import Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.recipe import Recipes
from negmine.recipes.recipe_columns import rounded

# What fills less of a window than this makes none: a file so short would be mostly padding, and the
# window moved back for the end of a longer one mostly a copy of its neighbour.
_MIN_FILL = 0.5

# By energy, windows this far below the loudest of their file are left out.
_QUIETEST_DB = -20.0


def rows(context: BuildContext, settings: ExternalSettings) -> Iterator[Recipes]:
    """Yield windows of declared files; skip and count silent, short and undeclared ones."""
    for folder in context.external:
        yield from external_windows(context, folder, settings)


def external_windows(
    context: BuildContext, folder: DeclaredFolder, settings: ExternalSettings
) -> Iterator[Recipes]:
    """Yield the windows of one folder, a block a declaration."""
    numbers: dict[tuple[str, ...], int] = {}
    clip_s, d = context.settings.clip_s, context.dictionaries
    for name, info in folder.opened.infos.items():
        absent = folder.absent.get(name)
        if absent is None:
            context.left_out.of(name, "external files that the table does not declare")
            continue
        if absent not in numbers:
            labels = PartialLabels.certified(absent, Certificate.EXTERNAL, settings.confidence)
            numbers[absent] = d.labels.number(labels)
        source = d.sources.number(folder.opened.source(name))
        starts = window_starts(info.duration_s, clip_s)
        if not len(starts):
            context.left_out.of(name, "external files shorter than half a clip")
            continue
        file = np.full(len(starts), context.levels.file_of(info.path))
        level = context.levels.rms(file, starts, np.full(len(starts), clip_s))
        heard = starts[level >= SILENCE_RMS]
        if settings.windows == "energy":
            heard = loud_starts(info, clip_s)
            context.left_out.of(name, "silent external files", int(not len(heard)))
            starts = heard
        context.left_out.of(name, "silent external windows", len(starts) - len(heard))
        n = len(heard)
        yield Recipes.plain(d, "external", np.full(n, source), heard, np.full(n, numbers[absent]))


def window_starts(duration_s: float, clip_s: float) -> np.ndarray:
    """Return the starts of the windows of a file: float64, in order.

    A last window, moved back to end with the file, takes up a rest of half a clip or more.
    """
    whole, rest = divmod(duration_s, clip_s)
    starts = np.arange(int(whole)) * clip_s
    if rest >= clip_s * _MIN_FILL:
        starts = np.append(starts, max(0.0, duration_s - clip_s))
    return rounded(starts.astype(np.float64))


def loud_starts(info: AudioInfo, clip_s: float) -> np.ndarray:
    """Find the loudest windows of a file that do not overlap; return starts: float64, in order.

    The loudest comes first, then the loudest of what is left, down to `_QUIETEST_DB` below it or to
    silence; equally loud ones by their time.
    """
    blocks = max(1, round(clip_s / LEVEL_BLOCK_S))
    total = np.concatenate([[0.0], np.cumsum(info.power, dtype=np.float64)])
    latest = max(0.0, info.duration_s - clip_s)
    starts = np.minimum(np.arange(len(info.power)) * LEVEL_BLOCK_S, latest)
    starts = np.unique(rounded(starts))
    first = np.floor(starts / LEVEL_BLOCK_S + 1e-6).astype(int)
    power = (total[np.minimum(first + blocks, len(info.power))] - total[first]) / blocks
    floor = max(SILENCE_RMS**2, power.max() * 10 ** (_QUIETEST_DB / 10))
    chosen: list[float] = []
    for at in np.argsort(-power, kind="stable"):
        if power[at] < floor:
            break
        if all(abs(starts[at] - start) >= clip_s - 1e-6 for start in chosen):
            chosen.append(float(starts[at]))
    return np.array(sorted(chosen))
