"""What vouches for an absence, how surely, and what mixing makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np

from negmine.arrays import FloatEntries, FloatRows, IntEntries, IntRows
from negmine.recipes.confidence import AGREED, ERASED, EXTERNAL, SYNTHETIC, VERIFIED

# An absence below this confidence says nothing worth a loss term; the claim is dropped.
MIN_CONFIDENCE = 1e-3


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
