"""Blind controls: confirmed calls and rejections of a pool, mixed in among what is judged.

A control stands in for a clip that is judged, its host: it is of the same class, comes right behind
it in any order, and passes the same filters. So nothing tells it from the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from negmine.annotations.verdict_rows import ABSENT, PRESENT
from negmine.pool import Pool
from negmine.pool.recipe_table import RecipeTable
from negmine.review.review_clips import ReviewClip, heard_place, shared_recordings

# Sharing sound with a clip that is judged, a control would not be of known answer.
_Taken = dict[tuple[str, str], list[tuple[float, float]]]


def with_controls(
    clips: Sequence[ReviewClip],
    every: Sequence[ReviewClip],
    pool: Pool,
    share: float,
    seed: int,
) -> tuple[list[ReviewClip], list[ReviewClip]]:
    """Mix controls in: as many calls as rejections, where the pool has both.

    Parameters
    ----------
    clips : sequence of ReviewClip
        Those that are judged.
    every : sequence of ReviewClip
        All that the file asks about: no control shares sound with one of its class.
    share : float
        Controls, as a share of the clips.

    Returns
    -------
    clips : list of ReviewClip
        Each control behind its host.
    controls : list of ReviewClip
        Fewer than the share where the pool has no more.
    """
    rng = np.random.default_rng([seed, 1])
    taken: _Taken = defaultdict(list)
    for clip in every:
        taken[clip.recording, clip.label].append((clip.span.start_s, clip.span.end_s))
    labels = sorted({clip.label for clip in clips})
    found = {
        (label, known): _candidates(pool, label, known, rng, taken)
        for label in labels
        for known in (PRESENT, ABSENT)
    }
    wanted, behind = round(share * len(clips)), dict[int, ReviewClip]()
    words = (PRESENT, ABSENT)
    for host in rng.permutation(len(clips)).tolist():
        if len(behind) == wanted:
            break
        turn = len(behind) % 2
        for known in (words[turn], words[1 - turn]):
            control = next(found[clips[host].label, known], None)
            if control is not None:
                behind[host] = _beside(clips[host], control, pool, rng)
                break
    mixed = []
    for i, clip in enumerate(clips):
        mixed += [clip, behind[i]] if i in behind else [clip]
    return mixed, [behind[i] for i in sorted(behind)]


def _candidates(
    pool: Pool, label: str, known: str, rng: np.random.Generator, taken: _Taken
) -> Iterator[ReviewClip]:
    """Yield a class's controls of one answer in random order, none that shares sound with taken."""
    table: RecipeTable
    if known == PRESENT:
        table, rows = pool.calls, pool.calls_of(label)
    else:
        table = pool.recipes
        rows = np.flatnonzero(table.of_kind("fp") & (table.certificates(label) >= 0))
    shared = shared_recordings(pool)
    for row in rng.permutation(rows).tolist():
        recipe = table[row]
        place = heard_place(recipe)
        if place is None or place.source.recording in shared:
            continue
        spans = taken[place.source.recording, label]
        start_s, end_s = place.span.start_s, place.span.end_s
        if any(first < end_s and start_s < last for first, last in spans):
            continue
        spans.append((start_s, end_s))
        yield ReviewClip(
            place.source.recording, label, place.span, place.source.path,
            place.source.fingerprint, nearest_call=recipe.id, known=known,
        )  # fmt: skip


def _beside(
    host: ReviewClip, control: ReviewClip, pool: Pool, rng: np.random.Generator
) -> ReviewClip:
    """Give a control what its host shows; the call that is played beside it is never itself."""
    nearest = host.nearest_call
    if nearest and nearest == control.nearest_call:
        ids = [str(pool.calls.ids[row]) for row in pool.calls_of(control.label)]
        others = [one for one in ids if one != nearest]
        nearest = others[int(rng.integers(len(others)))] if others else ""
    return replace(
        control, score=host.score, doubt=host.doubt, certificate=host.certificate,
        nearest_call=nearest,
    )  # fmt: skip
