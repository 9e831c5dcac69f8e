"""Which claims of a pool or a selection an audit listens to: a stratified random sample.

A *claim* is one class certified absent in one clip. Claims are drawn at random within strata, as
many from each as the allocation says; each then stands for as many as its stratum holds over as
many as were drawn from it. Confirmed calls of the same classes are drawn too, as blind controls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from negmine.errors import InputError, PoolError, did_you_mean
from negmine.labels import Certificate
from negmine.pool import Pool
from negmine.selection import Selection

# What strata may be made of.
FIELDS = ("certificate", "kind", "hardness", "class")

# Rows of a class of a selection by score, from the top: up to which share each stratum reaches.
HARDNESS = {"top 10%": 0.1, "next 40%": 0.5, "rest": 1.0}

_CERTIFICATES = tuple(certificate.value for certificate in Certificate)


@dataclass(frozen=True)
class Claim:
    """A drawn claim, or a control.

    Attributes
    ----------
    recipe : str
        Its id in the pool; of a control, that of the confirmed call.
    label : str
        The class that is asked about.
    control : bool
    kind, certificate : str
        ``tp`` and nothing for a control.
    confidence : float
        NaN for a control.
    hardness : str
        Empty but for a selection's.
    score : float
        The model's logit; NaN but for a selection's.
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
    stratum: str = ""
    stratum_size: int = 0


@dataclass(frozen=True)
class DrawSettings:
    """How a sample is drawn.

    Attributes
    ----------
    sample : int
        Claims; controls come on top.
    by : tuple of str
        What strata are made of, see `FIELDS`; empty: the default of a selection or a pool.
    equal : bool
        As many from each stratum; else in proportion to its size.
    least : int
        From each stratum, if it has as many.
    controls : float
        Confirmed calls as a share of the sample.
    classes : tuple of str
        Ask about these alone; empty: about all.
    seed : int
    """

    sample: int = 200
    by: tuple[str, ...] = ()
    equal: bool = True
    least: int = 5
    controls: float = 0.1
    classes: tuple[str, ...] = ()
    seed: int = 0


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
        """The codes of each field of a class's claims: int arrays, shape (n,)."""
        ...

    def claim(self, label: str, number: int) -> Claim:
        """One of a class's claims, by its place in `codes`."""
        ...


class PoolFrame:
    """Every certified absence of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._certified: tuple[str, np.ndarray, np.ndarray] | None = None
        kinds, self._kinds = np.unique(pool.recipes.kinds, return_inverse=True)
        self.names: dict[str, tuple[str, ...]] = {
            "certificate": _CERTIFICATES,
            "kind": tuple(kinds.tolist()),
        }

    def _of(self, label: str) -> tuple[np.ndarray, np.ndarray]:
        """A class's certified rows and their certificates; those of the last class are kept."""
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
            "certificate": _CERTIFICATES,
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
        )


def _codes(values: Sequence[str], names: Sequence[str]) -> np.ndarray:
    number = {name: i for i, name in enumerate(names)}
    return np.array([number[value] for value in values], dtype=np.int64)


def draw_claims(
    frame: Frame, classes: Sequence[str], by: Sequence[str], settings: DrawSettings
) -> list[Claim]:
    """Draw a stratified sample, the strata in turn.

    Parameters
    ----------
    frame : Frame
    classes : sequence of str
    by : sequence of str
        Fields of the frame, or ``class``.
    settings : DrawSettings

    Raises
    ------
    InputError
        If the frame has no such field, or the sample is too small for so many strata.
    PoolError
        If there is no claim.
    """
    names = {**frame.names, "class": tuple(classes)}
    for name in by:
        if name not in names:
            where = "; a pool has no scores" if name == "hardness" else did_you_mean(name, names)
            raise InputError(
                f"--by {name}: no such stratum here{where}; choose from {', '.join(names)}"
            )
    sizes = [len(names[name]) for name in by]

    def strata(number: int) -> np.ndarray:
        codes = frame.codes(classes[number])
        count = len(next(iter(codes.values())))
        codes["class"] = np.full(count, number)
        if not by:
            return np.zeros(count, dtype=np.int64)
        return np.ravel_multi_index([codes[name] for name in by], sizes)

    total = int(np.prod(sizes, dtype=np.int64))
    counts = np.array([np.bincount(strata(i), minlength=total) for i in range(len(classes))])
    sizes_of = counts.sum(axis=0) if len(classes) else np.zeros(0, dtype=np.int64)
    used = np.flatnonzero(sizes_of)
    if not len(used):
        raise PoolError("nothing to audit: no class is certified absent in any row")
    wanted = allocate(sizes_of[used], settings.sample, equal=settings.equal, least=settings.least)
    rng = np.random.default_rng([settings.seed, 1])
    picked: dict[int, dict[int, np.ndarray]] = defaultdict(dict)
    for one, n in zip(used.tolist(), wanted.tolist(), strict=True):
        bounds = np.concatenate([[0], np.cumsum(counts[:, one])])
        places = np.sort(rng.choice(bounds[-1], n, replace=False, shuffle=False))
        of_class = np.searchsorted(bounds, places, side="right") - 1
        for number in np.unique(of_class).tolist():
            picked[number][one] = places[of_class == number] - bounds[number]
    out = []
    for number, chosen in sorted(picked.items()):
        here = strata(number)
        for one, places in chosen.items():
            at = np.unravel_index(one, sizes) if by else ()
            label = ", ".join(names[name][int(i)] for name, i in zip(by, at, strict=True)) or "all"
            for place in np.flatnonzero(here == one)[places].tolist():
                claim = frame.claim(classes[number], place)
                out.append(replace(claim, stratum=label, stratum_size=int(sizes_of[one])))
    return out


def allocate(sizes: np.ndarray, sample: int, *, equal: bool, least: int) -> np.ndarray:
    """How many to draw from each stratum.

    Each gets the least, or all it has. The rest is shared equally or in proportion to the sizes;
    what a stratum cannot give goes to the others.

    Parameters
    ----------
    sizes : int array, shape (S,)
        All above 0.
    sample, least : int
    equal : bool

    Returns
    -------
    int array, shape (S,)

    Raises
    ------
    InputError
        If the sample is smaller than the least of all strata.
    """
    if sample >= sizes.sum():
        return np.asarray(sizes.copy())
    floor = np.minimum(sizes, least)
    if floor.sum() > sample:
        raise InputError(
            f"--sample {sample}: {len(sizes)} strata of at least {least} need {floor.sum()}; raise "
            "--sample, lower --least, or name fewer things in --by"
        )
    # the level at which all strata, cut to between their floor and their size, sum to the sample
    shares = np.ones(len(sizes)) if equal else sizes / sizes.sum()
    low, high = 0.0, float((sizes / shares).max())
    for _ in range(100):
        level = (low + high) / 2
        if np.clip(level * shares, floor, sizes).sum() > sample:
            high = level
        else:
            low = level
    exact = np.clip(low * shares, floor, sizes)
    out = np.floor(exact + 1e-9).astype(np.int64)
    # the largest remainders make the sum whole
    open_ = np.flatnonzero(out < sizes)
    order = open_[np.argsort(-(exact - out)[open_], kind="stable")]
    out[order[: sample - int(out.sum())]] += 1
    return out


def draw_controls(pool: Pool, claims: Sequence[Claim], settings: DrawSettings) -> list[Claim]:
    """Confirmed calls to hide among the claims: classes as often as among those, no call twice.

    Fewer come where classes have too few calls.
    """
    rng = np.random.default_rng([settings.seed, 2])
    wanted = round(settings.controls * len(claims))
    calls: dict[str, list[int]] = {}
    out: list[Claim] = []
    # a class may come again while others have run out of calls
    for i in rng.permutation(np.repeat(np.arange(len(claims)), 2 if wanted else 0)).tolist():
        if len(out) == wanted:
            break
        label = claims[i].label
        if label not in calls:
            rows = np.flatnonzero(pool.calls.present(label))
            calls[label] = rng.permutation(rows).tolist()
        if calls[label]:
            call = pool.calls[calls[label].pop()]
            out.append(Claim(call.id, label, control=True, kind=call.kind))
    return out
