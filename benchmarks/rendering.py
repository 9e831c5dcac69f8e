"""Clips rendered a second on one core: from a cache, from the files, and by audiomentations.

    python -m benchmarks.rendering POOL CACHE

CACHE is made by ``negmine cache POOL --sample-rate HZ``; its rate is the one rendered at. Clips of
each kind are drawn from the pool; all ways render the same ones, in turn, in one thread. What
``training`` makes of plain clips with an augmentation preset is compared with audiomentations' own
chain of the same changes, as likely and as large.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np

from negmine.pool import open_pool
from negmine.recipes.cache import CachedReader
from negmine.recipes.reader import DIRECT, Reader
from negmine.recipes.recipe import Recipe
from negmine.recipes.render import render
from training.augmentation import AUGMENT_PRESETS
from training.data.augment import Augmenter
from training.data.rows import Row, RowKind


def per_second(
    make: Callable[[Recipe], object], recipes: Sequence[Recipe], least_s: float
) -> float:
    """Measure clips a second of processor time, after one round that warms caches of files."""
    for recipe in recipes:
        make(recipe)
    count, started = 0, time.process_time()
    while (spent := time.process_time() - started) < least_s:
        for recipe in recipes:
            make(recipe)
        count += len(recipes)
    return count / spent


def by_audiomentations(folder: Path, rate: int) -> Callable[[Recipe], object]:
    """Cut a clip from its file, and add other files of a folder at a random ratio."""
    from audiomentations import AddBackgroundNoise

    add = AddBackgroundNoise(str(folder), min_snr_db=0, max_snr_db=10, p=1.0)

    def make(recipe: Recipe) -> object:
        first = recipe.layers[0]
        assert first.source is not None
        clip = DIRECT.read(first.source, first.start_s, recipe.duration_s, rate)
        return add(clip, sample_rate=rate)

    return make


def augmented(preset: str, rate: int, reader: Reader) -> Callable[[Recipe], object]:
    """Render a clip, and change it at random as training does."""
    augmenter = Augmenter(AUGMENT_PRESETS[preset], rate, {})
    rng = np.random.default_rng(0)

    def make(recipe: Recipe) -> object:
        clip = render(recipe, rate, reader)
        return augmenter(Row(clip, recipe.labels, RowKind.POOL), rng)

    return make


def chain(preset: str, rate: int) -> Callable[[Recipe], object]:
    """Cut a clip from its file, and apply audiomentations' own chain of the same changes."""
    import audiomentations as am

    s = AUGMENT_PRESETS[preset]
    pink, tempo = (-3.01, -3.01), 1 + s.stretch_share
    compose = am.Compose(
        [
            am.PitchShift(-s.pitch_semitones, s.pitch_semitones, p=s.pitch),
            am.TimeStretch(1 / tempo, tempo, p=s.stretch),
            am.Shift(-s.shift_s, s.shift_s, "seconds", rollover=s.shift_roll, p=s.shift),
            am.AddGaussianSNR(*s.noise_snr_db, p=s.noise),
            am.AddColorNoise(*s.pink_snr_db, *pink, p=s.pink),
            am.Gain(-s.gain_db, s.gain_db, p=s.gain),
        ]
    )

    def make(recipe: Recipe) -> object:
        first = recipe.layers[0]
        assert first.source is not None
        clip = DIRECT.read(first.source, first.start_s, recipe.duration_s, rate)
        return compose(clip, sample_rate=rate)

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
    rate = reader.sample_rates[0]
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
    plain: list[Recipe] = []
    for kind in ("external", "mix", "erase", "transplant"):
        rows = np.flatnonzero(kinds == kind)
        if not len(rows):
            continue
        drawn = list(opened.recipes[rng.permutation(rows)[: 10 * clips]])
        # of mixes those of two plain recordings: the rest is the cost of what they are made of
        if kind == "mix":
            drawn = [r for r in drawn if len(r.layers) == 2]
        drawn = [r for r in drawn if not any(s.is_synthetic for s in r.sources)][:clips]
        plain = plain or drawn
        ways: list[Callable[[Recipe], object]] = [
            lambda r: render(r, rate, reader),
            lambda r: render(r, rate),
        ]
        if kind == "mix":
            ways.append(by_audiomentations(folder, rate))
        print_row(kind, ways, drawn, least)
    for preset in ("light", "full"):
        ways = [augmented(preset, rate, reader), augmented(preset, rate, DIRECT)]
        print_row(f"external, augmented '{preset}'", [*ways, chain(preset, rate)], plain, least)


def print_row(
    name: str, ways: Sequence[Callable[[Recipe], object]], drawn: Sequence[Recipe], least: float
) -> None:
    """Print a table line: from the cache, from the files and, perhaps, by another tool."""
    fast, slow, *others = (per_second(make, drawn, least) for make in ways)
    other = f"{others[0]:,.0f}" if others else ""
    print(f"| {name} | {fast:,.0f} | {slow:,.0f} | {fast / slow:.1f} | {other} |", flush=True)


if __name__ == "__main__":
    main()
