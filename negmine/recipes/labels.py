"""Three-state labels with certificates, and the algebra that every operation on sound obeys.

For each clip and class the label is *present*, *absent* or *unknown*. Unknown is the default and
is never zero: an absence is a claim, carried with the certificate that vouches for it and a
confidence in (0, 1] that becomes its weight in a loss.

==========================  =============================  ======================================
operation                   present                        absent
==========================  =============================  ======================================
crop (`clip_labels`)        enough of a call's box inside  inside the rejected box; beyond it at a
                                                           price per second
mix (`mix`)                 union                          intersection, confidences multiplied
erase band of c (`erased`)  c removed                      c added
transplant (`transplanted`) c as in the donor              c as in the donor
gain, noise, small shifts   kept                           kept
==========================  =============================  ======================================

Mixing commutes; nothing becomes absent by mixing; present and absent are disjoint; nothing turns
unknown into absent without a certificate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import repeat
from operator import attrgetter
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from negmine.arrays import BoolClasses, WeightClasses
from negmine.recipes.certificates import (
    DEFAULT_CONFIDENCE,
    Absence,
    Certificate,
    mixed_confidence,
)
from negmine.recipes.confidence import ERASED


class State(StrEnum):
    """What is known of one class in one clip."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


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
