"""``scene``: confirmed calls cut out and laid on certified beds: clips that are known whole.

Of a clip cut out of a recording only the classes of its boxes are known. A scene is made: one to
three calls are mixed into a bed that is certified free of every class, so that their classes are
present and all others absent. In training, such a clip ranks calls against calls and all else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from negmine.annotations import Annotations
from negmine.annotations.class_bands import class_bands
from negmine.audio.windows import to_microseconds
from negmine.building.settings import SceneSettings
from negmine.building.sources.context import BuildContext
from negmine.building.sources.cuttings import Cutting, cut_calls
from negmine.notices import warn
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe

# Of the other classes, those whose bands overlap a call's most: its look-alikes.
_ALIKE = 3


def rows(context: BuildContext, settings: SceneSettings) -> Iterator[Recipe]:
    """Yield scenes; classes are drawn evenly."""
    if not settings.count:
        return
    calls = cut_calls(context, settings.margin_s, settings.least_s, settings.marked)
    beds = _beds(context)
    if not calls or not beds:
        what = "bed that is certified free of all classes" if calls else "call"
        context.left_out[f"scenes without a {what}"] += settings.count
        warn(f"no scene is made: no {what}{'; add --external or --noise' if calls else ''}")
        return
    by_class = _by_class(calls)
    names = sorted(by_class)
    alike = _look_alikes(context, names)
    rng = context.rng("scene")
    for _ in range(settings.count):
        number = int(rng.integers(*settings.calls, endpoint=True))
        chosen = _classes(rng, names, alike, number, settings.alike)
        parts = [by_class[name][rng.integers(len(by_class[name]))] for name in chosen]
        yield _scene(beds[rng.integers(len(beds))], parts, settings, rng)


def _by_class(calls: Sequence[Cutting]) -> dict[str, list[Cutting]]:
    found: dict[str, list[Cutting]] = {}
    for call in calls:
        found.setdefault(call.label, []).append(call)
    return found


def _beds(context: BuildContext) -> list[Recipe]:
    """Return plain clips that are certified free of all classes: recorded ones where there are."""
    d, found = context.dictionaries, context.certified
    found = found[found.plain_rows & context.audible(found)]
    every = set(context.classes)
    free = np.array([every <= labels.absent.keys() for labels in d.labels], dtype=bool)
    found = found[free[found.of_first("label")]]
    recorded = ~d.synthetic[found.of_first("source")]
    return list(found[recorded] if recorded.any() else found)


def _look_alikes(context: BuildContext, names: Sequence[str]) -> dict[str, list[str]]:
    """Return, by class, the others whose frequency bands overlap its own most.

    The overlap of two bands is the width they share over the width they cover together.
    """
    bands = class_bands(Annotations(context.annotations.boxes, tuple(names)), margin=0)
    low, high = (np.array([bands[name][end] for name in names]) for end in (0, 1))
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    covered = np.maximum(high[:, None], high) - np.minimum(low[:, None], low)
    overlap = np.maximum(shared, 0) / np.maximum(covered, 1e-9)
    np.fill_diagonal(overlap, -1)
    order = np.argsort(-overlap, axis=1, kind="stable")[:, :_ALIKE]
    return {
        name: [names[i] for i in order[row] if overlap[row, i] > 0]
        for row, name in enumerate(names)
    }


def _classes(
    rng: np.random.Generator,
    names: list[str],
    alike: dict[str, list[str]],
    number: int,
    chance: float,
) -> list[str]:
    """Draw the classes of a scene's calls: each a different one."""
    chosen = [names[rng.integers(len(names))]]
    while len(chosen) < min(number, len(names)):
        close = [name for name in alike[chosen[0]] if name not in chosen]
        if not close or rng.random() >= chance:
            close = [name for name in names if name not in chosen]
        chosen.append(close[rng.integers(len(close))])
    return chosen


def _scene(
    bed: Recipe, calls: Sequence[Cutting], settings: SceneSettings, rng: np.random.Generator
) -> Recipe:
    """Lay calls on a bed, each at its own time and level."""
    layers, labels = list(bed.layers), bed.labels
    for call in calls:
        room = bed.duration_s - call.span.duration_s
        layers.append(
            Layer(
                call.source,
                call.span.start_s,
                snr_db=-round(rng.uniform(*settings.snr_db), 3),
                offset_s=to_microseconds(rng.uniform(0, max(room, 0.0))),
                length_s=to_microseconds(call.span.duration_s),
            )
        )
        labels = labels.mix(call.labels)
    return Recipe("scene", tuple(layers), bed.duration_s, bed.sample_rate, labels)
