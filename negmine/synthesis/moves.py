"""Moves of the synthesis: from recipes to another one, its labels by the algebra.

Each is a pure function of its parents and a generator, and gives None where it cannot be made, or
where its certificates would not be true:

- ``mix``: the sum of two; absent where both are.
- ``level``: a mix with another ratio of one part; what is absent does not depend on it.
- ``late``: a part, or a piece put into a clip, elsewhere in time.
- ``shift``: another start of the same file. Only of sound declared free of classes as a whole file
  (kind ``external``), of generated sound (another seed), and, where the annotations are at hand, of
  rejected detections: their labels are then what the boxes say of the new span.
- ``transplant``: the band of a class from another clip that is certified free of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from negmine.annotations import Annotation
from negmine.audio.windows import Span, to_microseconds
from negmine.building.sources.banded import Bands, sure_gone
from negmine.recipes.certificates import Certificate
from negmine.recipes.clip_labels import label_clip
from negmine.recipes.confidence import BEYOND_BOX_PER_S, ERASED
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe


@dataclass(frozen=True)
class MoveRules:
    """What moves may do, and what they must know.

    Attributes
    ----------
    most_parts : int
        Components of a mix.
    snr_db : (float, float)
        Range of a mix's first component over each other.
    boxes : mapping of str to sequence of Annotation
        By recording: what lets rejected detections shift. Empty: they stay where they are.
    beyond_per_s : float
        See `negmine.recipes.clip_labels.label_clip`.
    bands : Bands, optional
        What lets bands be transplanted.
    transplant_confidence : float
        As in `negmine.building.settings.TransplantSettings`.
    """

    most_parts: int = 4
    snr_db: tuple[float, float] = (-6.0, 6.0)
    boxes: Mapping[str, Sequence[Annotation]] = field(default_factory=dict)
    beyond_per_s: float = BEYOND_BOX_PER_S
    bands: Bands | None = None
    transplant_confidence: float = ERASED


def mix(one: Recipe, other: Recipe, rules: MoveRules, rng: np.random.Generator) -> Recipe | None:
    """Mix two clips of different sounds at a random ratio."""
    if len(one.components) + len(other.components) > rules.most_parts:
        return None
    if {source.key for source in one.sources} & {source.key for source in other.sources}:
        # one sound twice is a comb filter, not another sound
        return None
    return one.mix(other, _rounded(rng.uniform(*rules.snr_db)))


def level(parent: Recipe, rules: MoveRules, rng: np.random.Generator) -> Recipe | None:
    """Change the ratio of one of a mix's later parts by a few decibels."""
    later = [i for i, la in enumerate(parent.layers) if la.snr_db is not None]
    if not later:
        return None
    at = int(rng.choice(later))
    before = parent.layers[at].snr_db or 0.0
    changed = float(np.clip(before + rng.normal(0.0, _STEP_DB), -_MOST_DB, _MOST_DB))
    return _with_layer(parent, at, snr_db=_rounded(changed))


def late(parent: Recipe, rules: MoveRules, rng: np.random.Generator) -> Recipe | None:
    """Move a later part of a mix, or a piece put into a clip, to another time in it.

    What is cut off at the clip's end is no longer heard, so absences stay. A call may lose what
    makes it one, so clips in which something calls stay as they are.
    """
    if parent.labels.present:
        return None
    movable = [
        i
        for i, la in enumerate(parent.layers)
        if la.op == "insert" or (la.snr_db is not None and la.length_s is None)
    ]
    # what changes a part acts on the whole clip, wherever the part is in it: plain parts alone
    changed = {i - 1 for i, la in enumerate(parent.layers) if la.op != "add"}
    movable = [i for i in movable if parent.layers[i].op == "insert" or i not in changed]
    if not movable:
        return None
    at = int(rng.choice(movable))
    layer = parent.layers[at]
    latest_s = parent.duration_s - layer.length_s if layer.length_s else parent.duration_s / 2
    offset_s = np.floor(rng.uniform(0.0, max(0.0, latest_s)) * 1000) / 1000
    return _with_layer(parent, at, offset_s=float(offset_s))


def shift(parent: Recipe, rules: MoveRules, rng: np.random.Generator) -> Recipe | None:
    """Move the start in the same source, as far as its certificate reaches."""
    layer = parent.layers[0]
    if len(parent.layers) > 1 or layer.source is None or layer.offset_s or layer.length_s:
        return None
    if layer.source.is_synthetic:
        return _with_layer(parent, 0, seed=int(rng.integers(0, 2**63)))
    latest_s = layer.source.duration_s - parent.duration_s
    if latest_s <= 0:
        return None
    start_s = float(np.clip(layer.start_s + rng.normal(0.0, parent.duration_s / 4), 0.0, latest_s))
    start_s = to_microseconds(np.floor(start_s * 1000) / 1000)
    moved = _with_layer(parent, 0, start_s=start_s)
    if moved is None:
        return None
    if parent.kind == "external":
        whole_file = all(
            a.certificate is Certificate.EXTERNAL for a in parent.labels.absent.values()
        )
        return moved if whole_file and not parent.labels.present else None
    names = layer.source.names
    boxes = next((rules.boxes[name] for name in names if name in rules.boxes), None)
    if parent.kind != "fp" or boxes is None:
        return None
    span = Span(start_s, start_s + parent.duration_s)
    labels = label_clip(boxes, span, beyond_per_s=rules.beyond_per_s)
    for name, absence in parent.labels.absent.items():
        after = labels.absent.get(name)
        if after is None or after.confidence < absence.confidence - 1e-9:
            # a search for high scores would walk out of the box, to the call beside it
            return None
    return replace(moved, labels=labels)


def transplant(
    crop: Recipe, donor: Recipe, name: str, rules: MoveRules, rng: np.random.Generator
) -> Recipe | None:
    """Replace the band of a class by that of another clip that is certified free of it."""
    bands = rules.bands
    if bands is None or name not in bands.names or name not in donor.labels.absent:
        return None
    given = donor.layers[0]
    if len(donor.layers) > 1 or given.offset_s or given.length_s is not None:
        return None
    if len(crop.components) > 1 or any(la.low_hz is not None for la in crop.layers):
        return None
    first = crop.layers[0].source
    if first is None or first.is_synthetic or given.source is None:
        return None
    if given.source.key in {source.key for source in crop.sources}:
        # a band of the same recording could bring the call back
        return None
    low_hz, high_hz = bands.edges[name]
    added = replace(given, op="band", low_hz=low_hz, high_hz=high_hz)
    before = crop.labels
    sure = sure_gone(before, name, rules.transplant_confidence)
    touched = bands.touched(name, sorted({*before.present, *before.absent}))
    labels = before.transplanted(name, donor.labels, sure, touched)
    return replace(crop, kind="transplant", layers=(*crop.layers, added), labels=labels)


# A change of level that is heard, and what a part may differ from the first at most.
_STEP_DB = 4.0
_MOST_DB = 30.0


def _with_layer(parent: Recipe, at: int, **changes: object) -> Recipe | None:
    """Change one layer of a recipe; None where nothing changes."""
    layer: Layer = replace(parent.layers[at], **changes)  # type: ignore[arg-type]
    if layer == parent.layers[at]:
        return None
    return replace(parent, layers=(*parent.layers[:at], layer, *parent.layers[at + 1 :]))


def _rounded(value: float) -> float:
    return round(float(value), 3)
