"""Which claims an audit listens to: a stratified random sample, with confirmed calls beside it.

Claims are drawn at random within strata, as many from each as the allocation says; each then stands
for as many as its stratum holds over as many as were heard of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from negmine.audit.frames import Claim, Frame
from negmine.audit.settings import DrawSettings
from negmine.errors import InputError, PoolError, did_you_mean
from negmine.pool import Pool


def draw_claims(
    frame: Frame, classes: Sequence[str], by: Sequence[str], settings: DrawSettings
) -> list[Claim]:
    """Draw a stratified sample, the strata in turn.

    Parameters
    ----------
    by : sequence of str
        Fields of the frame, or ``class``.

    Raises
    ------
    InputError
        If the frame has no such field, certificate or kind, or the sample is too small for its
        strata.
    PoolError
        If there is no claim.
    """
    names = {**frame.names, "class": tuple(classes)}
    asked = {"certificate": settings.certificates, "kind": settings.kinds}
    for field, values in asked.items():
        for value in values:
            if value not in names[field]:
                hint = did_you_mean(value, names[field])
                raise InputError(f"--{field} {value}: not here{hint}")
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
        wanted = np.ones(count, dtype=bool)
        for field, values in asked.items():
            if values:
                wanted &= np.isin(codes[field], [names[field].index(value) for value in values])
        out = np.ravel_multi_index([codes[name] for name in by], sizes) if by else 0
        return np.where(wanted, out, total)

    total = int(np.prod(sizes, dtype=np.int64))
    counts = np.array([np.bincount(strata(i), minlength=total + 1) for i in range(len(classes))])
    counts = counts[:, :total]
    sizes_of = counts.sum(axis=0) if len(classes) else np.zeros(0, dtype=np.int64)
    used = np.flatnonzero(sizes_of)
    if not len(used):
        raise PoolError("nothing to audit: no row is certified so of any of these classes")
    equal, least = settings.allocate == "equal", settings.least
    wanted = allocate(sizes_of[used], settings.sample, equal=equal, least=least)
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
    """Decide how many to draw from each stratum.

    Each gets the least, or all it has. The rest is shared equally or in proportion to the sizes;
    what a stratum cannot give goes to the others.

    Parameters
    ----------
    sizes : int array, shape (S,)
        All above 0.

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


def draw_calls(
    pool: Pool, claims: Sequence[Claim], settings: DrawSettings
) -> tuple[list[Claim], dict[str, list[str]]]:
    """Draw confirmed calls to hide among the claims, and others to show as examples.

    Returns
    -------
    controls : list of Claim
        Of the claims' classes, as often as those; no call twice. Fewer where there are too few.
    examples : dict of str to list of str
        For each class of the claims, ids of calls that are no controls.
    """
    rng = np.random.default_rng([settings.seed, 2])
    wanted = round(settings.controls * len(claims))
    labels = sorted({claim.label for claim in claims})
    calls = {label: rng.permutation(pool.calls_of(label)).tolist() for label in labels}
    used: set[int] = set()

    def next_call(label: str) -> int | None:
        # a clip with calls of two classes serves once
        while calls[label]:
            row = int(calls[label].pop())
            if row not in used:
                used.add(row)
                return row
        return None

    controls: list[Claim] = []
    # a class may come again while others have run out of calls
    for i in rng.permutation(np.repeat(np.arange(len(claims)), 2)).tolist():
        if len(controls) == wanted:
            break
        row = next_call(claims[i].label)
        if row is not None:
            call = pool.calls[row]
            controls.append(Claim(call.id, claims[i].label, control=True, kind=call.kind))
    examples = {}
    for label in labels:
        rows = (next_call(label) for _ in range(settings.examples))
        examples[label] = [str(pool.calls.ids[row]) for row in rows if row is not None]
    return controls, examples


def draw_sample(
    frame: Frame, pool: Pool, by: Sequence[str], settings: DrawSettings
) -> tuple[list[Claim], dict[str, list[str]]]:
    """Draw claims and controls in random order, and examples: see `draw_claims`, `draw_calls`."""
    claims = draw_claims(frame, settings.classes or pool.classes, by, settings)
    controls, examples = draw_calls(pool, claims, settings)
    both = claims + controls
    order = np.random.default_rng([settings.seed, 3]).permutation(len(both))
    return [both[i] for i in order], examples
