"""``mix``: sums of two certified clips, absent only where both are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from negmine.recipe import Recipe

# Draws per mix before a class with too few partners is given up.
_TRIES = 20


def mixed_clips(
    certified: Sequence[Recipe],
    classes: Sequence[str],
    count: int,
    snr_db: tuple[float, float],
    rng: np.random.Generator,
) -> Iterator[Recipe]:
    """Mixes of two clips of different sources that certify a class in common.

    A class is drawn first, evenly, then two clips certified for it, so that classes with few
    certified clips get as many mixes as others.

    Parameters
    ----------
    certified : sequence of Recipe
        What may be mixed; none of it silent.
    classes : sequence of str
    count : int
        How many; fewer where there are not enough distinct pairs.
    snr_db : (float, float)
        Least and greatest ratio of the first clip over the second, drawn evenly.
    rng : numpy.random.Generator
    """
    per_class = {
        name: rows
        for name in classes
        if len(rows := [i for i, recipe in enumerate(certified) if name in recipe.labels.absent])
        > 1
    }
    if not per_class:
        return
    names = list(per_class)
    for _ in range(count):
        for _ in range(_TRIES):
            rows = per_class[names[rng.integers(len(names))]]
            first, second = (certified[rows[i]] for i in rng.choice(len(rows), 2, replace=False))
            ratio = float(np.round(rng.uniform(*snr_db), 3))
            if first.sources[0].fingerprint != second.sources[0].fingerprint:
                yield first.mix(second, ratio)
                break
