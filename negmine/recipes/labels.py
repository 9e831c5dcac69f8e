"""Three-state labels with certificates, and the algebra that every operation on sound obeys.

For each clip and class the label is *present*, *absent* or *unknown*. Unknown is the default and
is never zero: an absence is a claim, carried with the certificate that vouches for it and a
confidence in (0, 1] that becomes its weight in a loss.

==========================  =============================  ======================================
operation                   present                        absent
==========================  =============================  ======================================
crop (`label_clip`)         enough of a call's box inside  inside the rejected box; beyond it at a
                                                           price per second
extend (`extended`)         kept                           the same price per second
mix (`mix`)                 union                          intersection, confidences multiplied
erase band of c (`erased`)  c removed                      c added
transplant (`transplanted`) c as in the donor              c as in the donor
gain, noise, small shifts   kept                           kept
==========================  =============================  ======================================

Mixing commutes; nothing becomes absent by mixing; present and absent are disjoint; nothing turns
unknown into absent without a certificate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import repeat
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from negmine.arrays import BoolClasses, FloatEntries, FloatRows, IntEntries, IntRows, WeightClasses
from negmine.audio.windows import Span, covered_s
from negmine.recipes.confidence import (
    AGREED,
    BEYOND_BOX_PER_S,
    ERASED,
    EXTERNAL,
    SYNTHETIC,
    VERIFIED,
)

# An absence below this confidence says nothing worth a loss term; the claim is dropped.
MIN_CONFIDENCE = 1e-3

# A confirmed call counts as present in a clip that holds this share of it (or is filled by it).
MIN_CALL_SHARE = 0.5


class Certificate(StrEnum):
    """What vouches for an absence."""

    VERIFIED = "verified"
    EXTERNAL = "external"
    SYNTHETIC = "synthetic"
    ERASED = "erased"
    MIXED = "mixed"
    AGREED = "agreed"
    UNMARKED = "unmarked"


# Columns tell a certificate by its place here, and -1 where nothing vouches for an absence.
CERTIFICATES = tuple(Certificate)

DEFAULT_CONFIDENCE: Mapping[Certificate, float] = MappingProxyType(
    {
        Certificate.VERIFIED: VERIFIED,
        Certificate.EXTERNAL: EXTERNAL,
        Certificate.SYNTHETIC: SYNTHETIC,
        Certificate.ERASED: ERASED,
        Certificate.AGREED: AGREED,
    }
)


def is_confidence(value: Any) -> Any:
    """Return whether a value, or each of some, is a confidence: above 0, and 1 at most."""
    return (value > 0.0) & (value <= 1.0)


def mixed_confidence(confidence: FloatEntries, starts: IntRows) -> FloatRows:
    """Compute how sure it is that mixes lack a class: the product over the parts of each.

    Parameters
    ----------
    confidence : float64 array, shape (m,)
        Of the parts of each mix, one mix after another; 0 where a part does not certify it.
    starts : int array, shape (n,)
        Where each mix's parts start; each has one or more.

    Returns
    -------
    float64 array, shape (n,)
        0 where too little is left of the claim; one part alone is never touched.
    """
    if not len(starts):
        return np.zeros(0)
    out = np.multiply.reduceat(confidence, starts)
    low = np.flatnonzero((out < MIN_CONFIDENCE) & (out > 0))
    if len(low):
        ends = np.append(starts, len(confidence))[low + 1]
        out[low[ends - starts[low] > 1]] = 0.0
    return np.asarray(out)


def mixed_certificate(certificate: IntEntries, starts: IntRows) -> IntRows:
    """Return what certifies that mixes lack a class: places in `CERTIFICATES`; -1 for nothing.

    Parameters and shapes as in `mixed_confidence`, which says where too little is left of it.
    """
    if not len(starts):
        return np.zeros(0, dtype=np.int64)
    several = np.diff(starts, append=len(certificate)) > 1
    least = np.minimum.reduceat(certificate, starts)
    return np.where(several & (least >= 0), CERTIFICATES.index(Certificate.MIXED), least)


class State(StrEnum):
    """What is known of one class in one clip."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Absence:
    """A certified absence.

    Parameters
    ----------
    certificate : Certificate
    confidence : float
        In (0, 1]: how sure the certificate is; the weight of the known zero in a loss.

    Raises
    ------
    ValueError
        If the confidence is outside (0, 1].
    """

    certificate: Certificate
    confidence: float

    def __post_init__(self) -> None:
        if not is_confidence(self.confidence):
            raise ValueError(f"confidence {self.confidence} is outside (0, 1]")


@dataclass(frozen=True)
class PartialLabels:
    """What is known of a clip: classes present, classes certified absent, all others unknown.

    Parameters
    ----------
    present : frozenset of str
    absent : mapping of str to Absence

    Raises
    ------
    ValueError
        If a class is in both.

    Examples
    --------
    >>> frog = PartialLabels(present=frozenset({"frog"}))
    >>> rain = PartialLabels.certified(["frog", "owl"], Certificate.EXTERNAL, 0.99)
    >>> frog.mix(rain).state("owl"), frog.mix(rain).state("frog")
    (<State.UNKNOWN: 'unknown'>, <State.PRESENT: 'present'>)
    """

    present: frozenset[str] = frozenset()
    absent: Mapping[str, Absence] = field(default_factory=dict)

    def __post_init__(self) -> None:
        both = self.present & self.absent.keys()
        if both:
            raise ValueError(f"classes both present and absent: {sorted(both)}")
        object.__setattr__(self, "absent", MappingProxyType(dict(self.absent)))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # kept: a pool's writer asks it of every row, and there may be 10,000 classes
        return hash((self.present, frozenset(self.absent.items())))

    def __reduce__(self) -> tuple[type[PartialLabels], tuple[frozenset[str], dict[str, Absence]]]:
        return PartialLabels, (self.present, dict(self.absent))

    @classmethod
    def certified(
        cls, classes: Iterable[str], certificate: Certificate, confidence: float | None = None
    ) -> PartialLabels:
        """Make labels that certify each of the classes absent, and say nothing else."""
        if confidence is None:
            confidence = DEFAULT_CONFIDENCE[certificate]
        absence = Absence(certificate, confidence)
        return cls(absent=dict.fromkeys(classes, absence))

    def state(self, name: str) -> State:
        """Return the state of one class."""
        if name in self.present:
            return State.PRESENT
        return State.ABSENT if name in self.absent else State.UNKNOWN

    def mix(self, other: PartialLabels) -> PartialLabels:
        """Join labels of two mixed sounds: present in either, absent only where both certify it."""
        return PartialLabels.mixed([self, other])

    @classmethod
    def mixed(cls, parts: Sequence[PartialLabels]) -> PartialLabels:
        """Join labels of several mixed sounds: see `mix`. One sound alone stays as it is."""
        first, *others = parts
        if not others:
            return first
        present = first.present.union(*(other.present for other in others))
        # a class certified by one part and present in another is in `present`, never here
        # in an order that is the same in every process, which that of a set is not
        names = list(first.absent)
        for other in others:
            names = [name for name in names if name in other.absent]
        sure = np.array([[part.absent[name].confidence for name in names] for part in parts])
        starts = np.arange(len(names)) * len(parts)
        mixed = mixed_confidence(sure.T.reshape(-1), starts).tolist()
        # classes come with few distinct confidences, and there may be 10,000 of them
        joined = {one: Absence(Certificate.MIXED, one) for one in set(mixed) if one}
        return cls(present, {n: joined[one] for n, one in zip(names, mixed, strict=True) if one})

    def extended(self, seconds: float, beyond_per_s: float = BEYOND_BOX_PER_S) -> PartialLabels:
        """Extend labels to the same sound with more of its surroundings.

        Parameters
        ----------
        seconds : float
            How much longer the clip became.
        beyond_per_s : float
            Share of confidence that an absence keeps per second outside its certified span; with 0
            every absence is lost by any extension.

        Raises
        ------
        ValueError
            If ``seconds`` is negative or ``beyond_per_s`` outside [0, 1].
        """
        kept = _beyond(seconds, beyond_per_s)
        absent = {
            name: Absence(a.certificate, a.confidence * kept)
            for name, a in self.absent.items()
            if a.confidence * kept >= MIN_CONFIDENCE
        }
        return PartialLabels(self.present, absent)

    def declared(
        self, names: Iterable[str], certificate: Certificate, confidence: float
    ) -> PartialLabels:
        """Add classes certified absent to the labels; keep the surer certificate of two.

        Raises
        ------
        ValueError
            If one of the classes is present.
        """
        added = Absence(certificate, confidence)
        absent = dict(self.absent)
        for name in names:
            before = absent.get(name, added)
            absent[name] = before if before.confidence >= confidence else added
        return PartialLabels(self.present, absent)

    def erased(
        self,
        name: str,
        confidence: float = ERASED,
        touched: Collection[str] = (),
    ) -> PartialLabels:
        """Return labels after the frequency band of one class was removed: that class is absent.

        Parameters
        ----------
        name : str
        confidence : float
        touched : collection of str
            Classes whose bands the removed one overlaps: of those that were present too little may
            be left to know them by, so they become unknown.
        """
        absence = Absence(Certificate.ERASED, confidence)
        before = self.absent.get(name, absence)
        surer = before if before.confidence >= confidence else absence
        present = self.present.difference({name}, touched)
        return PartialLabels(present, {**self.absent, name: surer})

    def transplanted(
        self,
        name: str,
        donor: PartialLabels,
        confidence: float = ERASED,
        touched: Collection[str] = (),
    ) -> PartialLabels:
        """Return labels after the band of one class was replaced by the donor's: as in the donor.

        Parameters
        ----------
        name : str
        donor : PartialLabels
        confidence : float
            That nothing of the class's calls is left outside its band; the donor's confidence is
            multiplied with it.
        touched : collection of str
            Classes whose bands the replaced one overlaps: part of their sound is now the donor's.
            They are absent only where both are certified, and otherwise unknown.
        """
        others = {k: v for k, v in self.absent.items() if k != name and k not in touched}
        of_both = self.mix(donor).absent
        absent = others | {k: v for k, v in of_both.items() if k in touched and k != name}
        if name in donor.absent:
            sure = donor.absent[name].confidence * confidence
            absent[name] = Absence(Certificate.ERASED, sure)
        present = self.present.difference({name}, touched) | ({name} & donor.present)
        return PartialLabels(present, absent)

    def to_arrays(self, classes: Sequence[str]) -> tuple[WeightClasses, BoolClasses, WeightClasses]:
        """Return targets, mask and weights in the order of ``classes``, which are distinct.

        Returns
        -------
        target : float32 array, shape (C,)
            1 where present, else 0. Meaningless where ``known`` is False.
        known : bool array, shape (C,)
        confidence : float32 array, shape (C,)
            1 where present, the certificate's confidence where absent, 0 where unknown.
        """
        # one place more: what no class asked for is written there
        target, confidence = np.zeros((2, len(classes) + 1), dtype=np.float32)
        present, absent = (places(names, classes) for names in (self.present, self.absent))
        sure = map(attrgetter("confidence"), self.absent.values())
        confidence[absent] = np.fromiter(sure, np.float32, len(self.absent))
        target[present] = confidence[present] = 1.0
        return target[:-1], confidence[:-1] > 0, confidence[:-1]


def places(names: Collection[str], classes: Sequence[str]) -> NDArray[np.intp]:
    """Return each name's place among distinct classes, -1 where it is none: shape (len(names),)."""
    found = map(_places(tuple(classes)).get, names, repeat(-1))
    return np.fromiter(found, np.intp, len(names))


@lru_cache(maxsize=8)
def _places(classes: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(classes, range(len(classes)), strict=True))


class Box(Protocol):
    """A verdict on one class in one span of a recording: confirmed (TP) or rejected (FP)."""

    @property
    def label(self) -> str: ...
    @property
    def present(self) -> bool: ...
    @property
    def span(self) -> Span: ...


def label_clip(
    boxes: Iterable[Box],
    clip: Span,
    *,
    beyond_per_s: float = BEYOND_BOX_PER_S,
    min_call_share: float = MIN_CALL_SHARE,
) -> PartialLabels:
    """Label one clip of a recording by the recording's boxes.

    A class is present if the clip holds ``min_call_share`` of a confirmed call, or is itself that
    full of one. A class whose call is only grazed is unknown, whatever else was rejected. A class
    is absent if the clip touches a box in which it was rejected: with confidence 1 inside such
    boxes, times ``beyond_per_s`` for each second of the clip outside them.

    Parameters
    ----------
    boxes : iterable of Box
        All verdicts on the recording, in any order.
    clip : Span
    beyond_per_s : float
        In [0, 1]; 0 certifies only clips that are inside rejected boxes.
    min_call_share : float
        In (0, 1].
    """
    present, grazed = set(), set()
    rejected: defaultdict[str, list[Span]] = defaultdict(list)
    start_s, end_s = clip.start_s, clip.end_s
    for box in boxes:
        span = box.span
        # most boxes of a long recording are elsewhere
        if span.end_s <= start_s or span.start_s >= end_s:
            continue
        shared = clip.overlap_s(span)
        if shared <= 0:
            continue
        if not box.present:
            rejected[box.label].append(box.span)
        elif shared >= min_call_share * min(box.span.duration_s, clip.duration_s):
            present.add(box.label)
        else:
            grazed.add(box.label)
    absent = {}
    for name, spans in rejected.items():
        if name in present or name in grazed:
            continue
        outside = max(0.0, clip.duration_s - covered_s(clip, spans))
        # nanoseconds of rounding are not a second thought about the verdict
        confidence = _beyond(outside if outside > 1e-9 else 0.0, beyond_per_s)
        if confidence >= MIN_CONFIDENCE:
            absent[name] = Absence(Certificate.VERIFIED, confidence)
    return PartialLabels(frozenset(present), absent)


def _beyond(seconds: float, beyond_per_s: float) -> float:
    if seconds < 0:
        raise ValueError(f"cannot extend by {seconds} s; a crop needs the boxes: use label_clip")
    if not 0.0 <= beyond_per_s <= 1.0:
        raise ValueError(f"beyond_per_s {beyond_per_s} is outside [0, 1]")
    return float(beyond_per_s**seconds)
