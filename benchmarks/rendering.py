"""Clips rendered a second on one core: from a cache, from the files, and by audiomentations.

    python -m benchmarks.rendering POOL CACHE

CACHE is made by ``negmine cache POOL --sample-rate HZ``; its rate is the one rendered at. Clips of
each kind are drawn from the pool; all ways render the same ones, in turn, in one thread.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np

from negmine.cache import CachedReader
from negmine.pool import open_pool
from negmine.reader import DIRECT
from negmine.recipe import Recipe
from negmine.render import render


def per_second(
    make: Callable[[Recipe], object], recipes: Sequence[Recipe], least_s: float
) -> float:
    """Clips a second of processor time, after one round that warms caches of files."""
    for recipe in recipes:
        make(recipe)
    count, started = 0, time.process_time()
    while (spent := time.process_time() - started) < least_s:
        for recipe in recipes:
            make(recipe)
        count += len(recipes)
    return count / spent


def by_audiomentations(folder: Path, rate: int) -> Callable[[Recipe], object]:
    """A clip cut from its file, and other files of a folder added at a random ratio."""
    from audiomentations import AddBackgroundNoise

    add = AddBackgroundNoise(str(folder), min_snr_db=0, max_snr_db=10, p=1.0)

    def make(recipe: Recipe) -> object:
        first = recipe.layers[0]
        assert first.source is not None
        clip = DIRECT.read(first.source, first.start_s, recipe.duration_s, rate)
        return add(clip, sample_rate=rate)

    return make


@click.command()
@click.argument("pool", type=click.Path(path_type=Path))
@click.argument("cache", type=click.Path(path_type=Path))
@click.option("--clips", default=100, show_default=True, help="Of each kind.")
@click.option("--least", default=2.0, show_default=True, help="Seconds that each is timed for.")
@click.option("--seed", default=0, show_default=True)
def main(pool: Path, cache: Path, clips: int, least: float, seed: int) -> None:
    """Print the table."""
    # audiomentations says of each file that it was resampled
    warnings.filterwarnings("ignore", module="audiomentations")
    opened, reader = open_pool(pool), CachedReader(cache)
    rate = reader.sample_rate
    rng = np.random.default_rng(seed)
    folder = next(source.root for source in opened.sources if not source.is_synthetic)
    for recipe in opened.recipes[:1000]:
        if recipe.kind == "external" and recipe.sources:
            folder = recipe.sources[0].root
            break
    print(f"clips of {opened.clip_s:g} s at {rate} Hz; clips a second of one core\n")
    print(
        "| kind | from the cache | from the files | times | audiomentations |\n"
        "|---|--:|--:|--:|--:|"
    )
    kinds = opened.recipes.kinds
    for kind in ("external", "mix", "erase", "transplant"):
        rows = np.flatnonzero(kinds == kind)
        if not len(rows):
            continue
        drawn = [opened.recipes[int(row)] for row in rng.permutation(rows)]
        # of mixes those of two plain recordings: the rest is the cost of what they are made of
        if kind == "mix":
            drawn = [r for r in drawn if len(r.layers) == 2]
        drawn = [r for r in drawn if not any(s.is_synthetic for s in r.sources)][:clips]
        fast = per_second(lambda r: render(r, rate, reader), drawn, least)
        slow = per_second(lambda r: render(r, rate), drawn, least)
        other = ""
        if kind == "mix":
            other = f"{per_second(by_audiomentations(folder, rate), drawn, least):,.0f}"
        print(f"| {kind} | {fast:,.0f} | {slow:,.0f} | {fast / slow:.1f} | {other} |", flush=True)


if __name__ == "__main__":
    main()
