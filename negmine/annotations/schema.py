"""The schema that every reader of annotations returns, and its check against the recordings.

Readers of tables yield entries (`negmine.formats`), and `negmine.annotations.assemble` makes
`Annotations` of them, which hold to this:

- ``classes`` are the labels of confirmed calls, by `negmine.storage.names.sorted_names`; a rejected
  class without a confirmed call is an error, or left out;
- each box once, by `without_duplicates`; ``notes`` say how many were not, and which names
  `negmine.storage.names.look_alikes` finds;
- every box has ``0 <= start < end`` and ``0 <= f_min < f_max``. Infinite ends are those of the
  recording, and are finite once it is opened. A class whose boxes have no band is too wide to be
  erased or transplanted, unless ``--band-table`` names its band;
- what is wrong is a `negmine.errors.AnnotationError` with file and line. Whether recordings exist,
  and are long enough, is checked later, by the methods below.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from negmine.audio.windows import Span
from negmine.errors import AnnotationError, did_you_mean
from negmine.storage.digests import text_fingerprint

# Times in tables are rounded; a box may reach this much past the end of its recording.
END_TOLERANCE_S = 0.1
# Edges of two boxes that differ by no more than this share of the box are one edge, rounded twice.
_ROUNDED = 0.02


@dataclass(frozen=True, slots=True)
class Annotation:
    """A person's verdict on one class in one box of a recording.

    Attributes
    ----------
    recording : str
        The recording's file name without its suffix.
    label : str
        The class.
    songtype : str
        The kind of call, as the table gives it; empty where it does not.
    present : bool
        True for a confirmed call (TP), False for a rejected detection (FP).
    span : Span
        Seconds in the recording.
    where : str
        Table and row, for messages.
    confidence : float
        In (0, 1]: how sure a rejection is.
    """

    recording: str
    label: str
    songtype: str
    present: bool
    span: Span
    f_min_hz: float
    f_max_hz: float
    where: str
    confidence: float = 1.0


@dataclass(frozen=True)
class Annotations:
    """All verdicts of a data set, in the order of its tables.

    Attributes
    ----------
    classes : tuple of str
        Classes with a confirmed call, by number where all are numbers, else by name.
    notes : tuple of str
        What a person should know of the tables, one line each: rows that are left out, names that
        look alike.
    groups : mapping of str to str
        The group of recordings of which the tables name one, such as their site.
    past_end_s : float
        How far boxes may reach past the end of their recording: times in tables are rounded.
    """

    boxes: tuple[Annotation, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)
    groups: Mapping[str, str] = field(default_factory=dict, compare=False)
    past_end_s: float = field(default=END_TOLERANCE_S, compare=False)

    @cached_property
    def by_recording(self) -> Mapping[str, tuple[Annotation, ...]]:
        groups: defaultdict[str, list[Annotation]] = defaultdict(list)
        for box in self.boxes:
            groups[box.recording].append(box)
        return {name: tuple(found) for name, found in groups.items()}

    @cached_property
    def _edges(self) -> dict[str, NDArray[np.float64]]:
        """Beginnings and ends of each recording's boxes, in seconds: shape (2, N)."""
        return {
            name: np.array([(box.span.start_s, box.span.end_s) for box in boxes]).T
            for name, boxes in self.by_recording.items()
        }

    def touching(self, recording: str, clip: Span) -> list[Annotation]:
        """Return the boxes of a recording that reach into a clip of it, in their order."""
        if recording not in self.by_recording:
            return []
        boxes, (start_s, end_s) = self.by_recording[recording], self._edges[recording]
        inside = (start_s < clip.end_s) & (end_s > clip.start_s)
        return [boxes[place] for place in np.flatnonzero(inside)]

    @property
    def confirmed(self) -> tuple[Annotation, ...]:
        return tuple(box for box in self.boxes if box.present)

    @property
    def rejected(self) -> tuple[Annotation, ...]:
        return tuple(box for box in self.boxes if not box.present)

    def without(self, recordings: Iterable[str]) -> Annotations:
        """Return the annotations of all other recordings; keep the classes."""
        left_out = frozenset(recordings)
        boxes = tuple(box for box in self.boxes if box.recording not in left_out)
        return replace(self, boxes=boxes, notes=())

    def only(self, recordings: Iterable[str]) -> Annotations:
        """Return the annotations of these recordings; keep the classes."""
        kept = frozenset(recordings)
        boxes = tuple(box for box in self.boxes if box.recording in kept)
        return replace(self, boxes=boxes, notes=())

    def present_only(self, known: Collection[str], what: str) -> Annotations:
        """Return those of recordings that are there; note how many of what are not."""
        missing = [name for name in self.by_recording if name not in known]
        if not missing:
            return self
        kept = self.without(missing)
        count = len(self.boxes) - len(kept.boxes)
        line = (
            f"{len(missing)} recordings of {what} are not there; their {count} rows are left out; "
            f"the first: {self.by_recording[missing[0]][0].where}: '{missing[0]}'"
        )
        return kept.noting([*self.notes, line])

    def noting(self, notes: Iterable[str]) -> Annotations:
        """Return the same, with more to know of them before what is known already."""
        return replace(self, notes=(*notes, *self.notes))

    @cached_property
    def digest(self) -> str:
        """Hash of classes and verdicts, whatever the tables were called."""
        digest = self._hash_of("recording", "label", "songtype", "present", "span")
        edges = repr([(float(b.f_min_hz), float(b.f_max_hz)) for b in self.boxes])
        doubted = {i: b.confidence for i, b in enumerate(self.boxes) if b.confidence < 1}
        return text_fingerprint(digest + edges + (repr(doubted) if doubted else ""))

    @property
    def digest_without_bands(self) -> str:
        """The same, as earlier versions made it: it leaves out the lowest and highest frequency."""
        return self._hash_of("recording", "label", "songtype", "present", "span")

    def _hash_of(self, *names: str) -> str:
        digest = hashlib.blake2b(repr(self.classes).encode(), digest_size=16)
        for box in self.boxes:
            digest.update(repr(tuple(getattr(box, name) for name in names)).encode())
        return digest.hexdigest()

    def check_recordings(
        self, known: Collection[str], hint: Callable[[str], str] | None = None
    ) -> None:
        """Check that every annotated recording exists.

        Parameters
        ----------
        hint : callable, optional
            Given a name, what it may be instead, for the message.

        Raises
        ------
        AnnotationError
            Naming the first row whose recording does not, and how many more there are.
        """
        missing = [name for name in self.by_recording if name not in known]
        if missing:
            box = self.by_recording[missing[0]][0]
            said = hint(box.recording) if hint else did_you_mean(box.recording, known)
            raise AnnotationError(
                f"{box.where}: no sound file for recording '{box.recording}'{said}; {len(missing)} "
                f"of {len(self.by_recording)} recordings are missing; is this the right folder? "
                "--present-only goes on without them"
            )

    def check_durations(self, durations_s: Mapping[str, float]) -> None:
        """Check that every box is inside its recording.

        Raises
        ------
        AnnotationError
            Naming the first row that does not.
        """
        for box in self.boxes:
            end_s = durations_s[box.recording]
            check_end(box.where, "box", box.recording, box.span.end_s, end_s)


def check_end(where: str, what: str, recording: str, end_s: float, duration_s: float) -> None:
    """Check that a span of a table is inside its recording.

    Raises
    ------
    AnnotationError
        If it reaches further than times in tables are rounded.
    """
    if end_s > duration_s + END_TOLERANCE_S:
        raise AnnotationError(
            f"{where}: the {what} ends at {end_s:g} s but recording '{recording}' at "
            f"{duration_s:.2f} s; are the times in seconds?"
        )


def without_duplicates(boxes: Iterable[Annotation]) -> tuple[list[Annotation], list[Annotation]]:
    """Return boxes that say the same once, in their order, and those that are left out.

    The same are verdicts on one class in the same span and band of a recording, such as one
    selection in two views of Raven, or the rows of a table that was joined to itself; also where
    one of the two tables was rounded, and their edges differ by a fiftieth of the box or less.

    Raises
    ------
    AnnotationError
        If one box is both confirmed and rejected.
    """
    # of one class in one recording, by their beginning
    groups: defaultdict[tuple[str, str], list[Annotation]] = defaultdict(list)
    kept, left_out = [], []
    for box in boxes:
        group = groups[box.recording, box.label]
        known = _same(box, group)
        if known is None:
            insort(group, box, key=_start)
            kept.append(box)
            continue
        if known.present != box.present:
            raise AnnotationError(
                f"{box.where}: rejects class '{box.label}' in the very box that {known.where} "
                "confirms; remove one of the two rows"
            )
        left_out.append(box)
    return kept, left_out


def _same(box: Annotation, group: Sequence[Annotation]) -> Annotation | None:
    """Return the first of some boxes, sorted by their beginnings, that has the same edges."""
    near_s, near_hz = _rounded(box.span.duration_s), _rounded(box.f_max_hz - box.f_min_hz)
    for number in range(bisect_left(group, box.span.start_s - near_s, key=_start), len(group)):
        other = group[number]
        if other.span.start_s > box.span.start_s + near_s:
            break
        if (
            _near(other.span.end_s, box.span.end_s, near_s)
            and _near(other.f_min_hz, box.f_min_hz, near_hz)
            and _near(other.f_max_hz, box.f_max_hz, near_hz)
        ):
            return other
    return None


def _rounded(length: float) -> float:
    """Return by how much the edges of one box may differ; not at all where it has no end."""
    return _ROUNDED * length if math.isfinite(length) else 0.0


def _near(one: float, other: float, most: float) -> bool:
    return one == other or abs(one - other) <= most


def _start(box: Annotation) -> float:
    return box.span.start_s
