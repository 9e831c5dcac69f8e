"""All claims of a pool or a selection that an audit may listen to.

A *claim* is one class certified absent in one clip. Claims are given by codes, class by
class, so that a pool of a million rows is counted without a recipe being made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from negmine.mining.selection import Selection
from negmine.pool import Pool
from negmine.recipes.certificates import CERTIFICATES

# What strata may be made of.
FIELDS = ("certificate", "kind", "hardness", "class")

# Rows of a class of a selection by score, from the top: up to which share each stratum reaches.
HARDNESS = {"top 10%": 0.1, "next 40%": 0.5, "rest": 1.0}


@dataclass(frozen=True)
class Claim:
    """A drawn claim, or a control.

    Attributes
    ----------
    recipe : str
        Its id in the pool; of a control, that of the confirmed call.
    label : str
        The class that is asked about.
    kind, certificate : str
        ``tp`` and nothing for a control.
    confidence : float
        NaN for a control.
    hardness : str
        Empty but for a selection's.
    score, doubt : float
        The model's logit, and what mining took for the probability that the class is there; NaN but
        for a selection's.
    stratum : str
        Empty for a control.
    stratum_size : int
        Claims in the stratum, drawn or not.
    """

    recipe: str
    label: str
    control: bool = False
    kind: str = ""
    certificate: str = ""
    confidence: float = np.nan
    hardness: str = ""
    score: float = np.nan
    doubt: float = np.nan
    stratum: str = ""
    stratum_size: int = 0


class Frame(Protocol):
    """All claims that may be drawn, class by class.

    Attributes
    ----------
    names : mapping of str to tuple of str
        The values of each field, in the order of its codes.
    """

    @property
    def names(self) -> Mapping[str, Sequence[str]]: ...

    def codes(self, label: str) -> dict[str, np.ndarray]:
        """Return the codes of each field of a class's claims: int arrays, shape (n,)."""
        ...

    def claim(self, label: str, number: int) -> Claim:
        """Return one of a class's claims, by its place in `codes`."""
        ...


class PoolFrame:
    """Every certified absence of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._certified: tuple[str, np.ndarray, np.ndarray] | None = None
        kinds, self._kinds = np.unique(pool.recipes.kinds, return_inverse=True)
        self.names: dict[str, tuple[str, ...]] = {
            "certificate": CERTIFICATES,
            "kind": tuple(kinds.tolist()),
        }

    def _of(self, label: str) -> tuple[np.ndarray, np.ndarray]:
        """Return a class's certified rows and their certificates; keep those of the last class."""
        if self._certified is None or self._certified[0] != label:
            certificates = self._pool.recipes.certificates(label)
            rows = np.flatnonzero(certificates >= 0)
            self._certified = (label, rows, certificates[rows])
        return self._certified[1:]

    def codes(self, label: str) -> dict[str, np.ndarray]:
        rows, certificates = self._of(label)
        return {"certificate": certificates, "kind": self._kinds[rows]}

    def claim(self, label: str, number: int) -> Claim:
        rows, _ = self._of(label)
        recipe = self._pool.recipes[int(rows[number])]
        absence = recipe.labels.absent[label]
        return Claim(
            recipe=recipe.id,
            label=label,
            kind=recipe.kind,
            certificate=absence.certificate.value,
            confidence=absence.confidence,
        )


class SelectionFrame:
    """The rows of a selection."""

    def __init__(self, selection: Selection) -> None:
        kinds = sorted({row.kind for row in selection.rows})
        self.names: dict[str, tuple[str, ...]] = {
            "certificate": CERTIFICATES,
            "kind": tuple(kinds),
            "hardness": tuple(HARDNESS),
        }
        self._rows = defaultdict(list)
        for row in selection.rows:
            self._rows[row.label].append(row)

    def codes(self, label: str) -> dict[str, np.ndarray]:
        rows = self._rows[label]
        order = np.argsort([-row.score for row in rows], kind="stable")
        share = np.empty(len(rows))
        share[order] = np.arange(len(rows)) / max(len(rows), 1)
        bounds = list(HARDNESS.values())
        return {
            "certificate": _codes([row.certificate for row in rows], self.names["certificate"]),
            "kind": _codes([row.kind for row in rows], self.names["kind"]),
            "hardness": np.searchsorted(bounds, share, side="right"),
        }

    def claim(self, label: str, number: int) -> Claim:
        row = self._rows[label][number]
        return Claim(
            recipe=row.recipe,
            label=label,
            kind=row.kind,
            certificate=row.certificate,
            confidence=row.confidence,
            hardness=self.names["hardness"][int(self.codes(label)["hardness"][number])],
            score=row.score,
            doubt=row.doubt,
        )


def _codes(values: Sequence[str], names: Sequence[str]) -> np.ndarray:
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[value] for value in values], dtype=np.int64)
