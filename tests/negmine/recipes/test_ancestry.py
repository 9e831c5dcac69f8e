"""Recipes in words: every kind of layer, its span and its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.pool import open_pool
from negmine.recipes.ancestry import ancestry
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source, synthetic_source

FROG = Source(Path("/data/train"), "frog.flac", "a" * 32, 60.0, "frog")
RAIN = Source(Path("external"), "deep/rain.wav", "b" * 32, 60.0, "external/rain")


def words(*layers: Layer) -> list[str]:
    return [line.replace("\N{EN DASH}", "-") for line in recipe_words(layers)]


def recipe_words(layers: tuple[Layer, ...]) -> list[str]:
    return ancestry(Recipe("mix", layers, 2.0, 8000, PartialLabels()))


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Layer(FROG, 3.25), "train/frog.flac, 3.25-5.25 s"),
        (Layer(FROG, 43199.123456), "train/frog.flac, 43199.123-43201.123 s"),
        (
            Layer(FROG, 3.0, offset_s=0.5, length_s=1.0),
            "train/frog.flac, 3-4 s, at 0.5-1.5 s of the clip",
        ),
        (Layer(FROG, 3.0, offset_s=0.5), "train/frog.flac, 3-4.5 s, at 0.5-2 s of the clip"),
        (Layer(FROG, 3.0, length_s=0.5), "train/frog.flac, 3-3.5 s, at 0-0.5 s of the clip"),
        (Layer(synthetic_source("pink"), seed=7), "generated pink (seed 7)"),
    ],
)
def test_the_first_layer_is_named_with_its_span(layer: Layer, says: str) -> None:
    assert words(layer) == [says]


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Layer(RAIN, 1.0, 6.0), "+ external/deep/rain.wav, 1-3 s, 6 dB below the first"),
        (Layer(RAIN, 1.0, -3.5), "+ external/deep/rain.wav, 1-3 s, 3.5 dB above the first"),
        (Layer(RAIN, 1.0, 0.0), "+ external/deep/rain.wav, 1-3 s, as loud as the first"),
        (
            Layer(RAIN, 1.0, op="insert", offset_s=0.25, length_s=1.0),
            "↳ put over it: external/deep/rain.wav, 1-2 s, at 0.25-1.25 s of the clip",
        ),
        (Layer(None, op="erase", low_hz=800, high_hz=1200.5), "↳ its band 800-1200.5 Hz erased"),
        (
            Layer(RAIN, 1.0, op="band", low_hz=800, high_hz=1200),
            "↳ its band 800-1200 Hz replaced by that of external/deep/rain.wav, 1-3 s",
        ),
    ],
)
def test_each_further_layer_says_what_it_does(layer: Layer, says: str) -> None:
    assert words(Layer(FROG), layer) == ["train/frog.flac, 0-2 s", says]


def test_every_recipe_of_a_pool_has_a_line_a_layer(shared_pool: Path) -> None:
    pool = open_pool(shared_pool)
    for recipe in [*pool, *pool.calls]:
        lines = ancestry(recipe)
        assert len(lines) == len(recipe.layers)
        for line, layer in zip(lines, recipe.layers, strict=True):
            assert layer.source is not None
            assert layer.source.name in line
