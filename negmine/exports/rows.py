"""What is exported: clips, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from negmine.audio.windows import Span
from negmine.errors import PoolError
from negmine.recipes.certificates import Absence
from negmine.recipes.labels import PartialLabels
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source
from negmine.storage.file_names import is_file_name

Band = tuple[float, float]


@dataclass(frozen=True)
class ClipRow:
    """A clip, and what is exported of it.

    Attributes
    ----------
    recipe : Recipe
        Its sound.
    labels : PartialLabels
        What is known of it; with ``cells="own"``, of the classes that it is there for alone.
    own : tuple of str
        The classes that it was mined for; empty for other rows.
    scores : mapping of str to float
        Logits of a selection, by class.
    bands : mapping of str to (float, float)
        Lowest and highest frequency in Hz of what the labels are about, where that is known.
    songtype : str
        Of an annotation.
    """

    recipe: Recipe
    labels: PartialLabels
    own: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    bands: Mapping[str, Band] = field(default_factory=dict)
    songtype: str = ""

    @property
    def name(self) -> str:
        """The name of its clip's file, without suffix.

        Raises
        ------
        PoolError
            If the row's kind would lead to another folder.
        """
        if not is_file_name(self.recipe.kind):
            raise PoolError(f"kind {self.recipe.kind[:60]!r} cannot name a file: damaged")
        return f"{self.recipe.kind}-{self.recipe.id}"

    def record(self) -> dict[str, object]:
        """Return what is known as plain values: of a format that takes any."""
        absent = sorted(self.labels.absent.items())
        place = place_of(self.recipe)
        return {
            "id": self.recipe.id,
            "kind": self.recipe.kind,
            "present": sorted(self.labels.present),
            "absent": [name for name, _ in absent],
            "confidence": [round(absence.confidence, 6) for _, absence in absent],
            "certificate": [absence.certificate.value for _, absence in absent],
            "mined_for": list(self.own),
            "scores": [round(self.scores[name], 6) for name in self.own if name in self.scores],
            "recording": place.source.name if place else None,
            "start_s": place.span.start_s if place else None,
        }


@dataclass(frozen=True)
class Place:
    """Where in which recording a clip is.

    Attributes
    ----------
    span : Span
        Seconds in the recording, not beyond its end.
    """

    source: Source
    span: Span


def place_of(recipe: Recipe) -> Place | None:
    """Return the place of a clip that is a span of one recording, as it is; None of others."""
    first, *others = recipe.layers
    source = first.source
    if others or source is None or source.is_synthetic or first.offset_s:
        return None
    if first.length_s is not None and first.length_s < recipe.duration_s - 1e-6:
        return None
    end_s = min(first.start_s + recipe.duration_s, source.duration_s)
    return Place(source, Span(first.start_s, round(end_s, 6))) if end_s > first.start_s else None


@dataclass(frozen=True)
class PlacedRow:
    """A row as a span of a sound file.

    Attributes
    ----------
    root, name : Path, str
        The folder, and the file's path in it with forward slashes.
    span : Span
        Seconds in the file.
    duration_s : float
        Of the file.
    """

    row: ClipRow
    root: Path
    name: str
    span: Span
    duration_s: float

    @property
    def path(self) -> Path:
        return self.root / self.name

    @property
    def stem(self) -> str:
        """The file's name without folders and suffix."""
        return self.name.rpartition("/")[2].rpartition(".")[0]


@dataclass(frozen=True)
class Statement:
    """What is said of one class in one span of a file.

    Attributes
    ----------
    confidence : float
        Of an absence; 1 of a presence.
    """

    placed: PlacedRow
    label: str
    present: bool
    confidence: float


def statements(placed: Iterable[PlacedRow]) -> list[Statement]:
    """Return what is said, by file, time and class."""
    found = []
    for one in placed:
        labels = one.row.labels
        found += [Statement(one, name, True, 1.0) for name in labels.present]
        found += [Statement(one, name, False, a.confidence) for name, a in labels.absent.items()]
    return sorted(found, key=lambda s: (str(s.placed.path), s.placed.span, s.label, not s.present))


def once(rows: Iterable[ClipRow]) -> tuple[list[ClipRow], int]:
    """Join rows of the same sound; a class that one has present and another absent is unknown.

    Returns
    -------
    rows : list of ClipRow
        In the order of their first.
    contradictions : int
        Cells that are unknown for that reason.
    """
    found: dict[str, list[ClipRow]] = {}
    for row in rows:
        found.setdefault(row.recipe.id, []).append(row)
    joined, lost = [], 0
    for first, *others in found.values():
        labels, contradictions = joined_labels([first.labels, *(row.labels for row in others)])
        lost += contradictions
        own = tuple(dict.fromkeys(name for row in (first, *others) for name in row.own))
        scores = {name: s for row in (first, *others) for name, s in row.scores.items()}
        bands = {name: band for row in (first, *others) for name, band in row.bands.items()}
        joined.append(replace(first, labels=labels, own=own, scores=scores, bands=bands))
    return joined, lost


def joined_labels(parts: Sequence[PartialLabels]) -> tuple[PartialLabels, int]:
    """Join what is known of one and the same sound; count the classes that it contradicts."""
    if len(parts) == 1:
        return parts[0], 0
    present = frozenset().union(*(labels.present for labels in parts))
    absent: dict[str, Absence] = {}
    for labels in parts:
        for name, absence in labels.absent.items():
            if name not in absent or absence.confidence > absent[name].confidence:
                absent[name] = absence
    both = present & absent.keys()
    kept = {name: absence for name, absence in absent.items() if name not in both}
    return PartialLabels(present - both, kept), len(both)
