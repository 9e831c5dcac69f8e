"""Recipes: what their ids depend on, and how they join."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import source_of
from hypothesis import given
from hypothesis import strategies as st

from negmine.recipes.certificates import Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source, synthetic_source

NOTHING_KNOWN = PartialLabels()


def source(name: str = "a", **changes: object) -> Source:
    made = Source(Path("/sound"), f"{name}.wav", f"{name}{name}", 60.0, name)
    return replace(made, **changes)  # type: ignore[arg-type]


def clip(name: str = "a", start_s: float = 1.5, labels: PartialLabels = NOTHING_KNOWN) -> Recipe:
    return Recipe("fp", (Layer(source(name), start_s),), 2.0, 32_000, labels)


MIX = clip("a").mix(clip("b"), 3.0)


EVERY_OP = Recipe(
    "transplant",
    (
        Layer(source("a"), 1.5, length_s=0.5, offset_s=0.25),
        Layer(source("b"), 2.0, op="insert", offset_s=0.125, length_s=1.0),
        Layer(None, op="erase", low_hz=900.0, high_hz=1100.5),
        Layer(synthetic_source("pink"), 0.0, -3.25, seed=7),
        Layer(source("c"), 0.75, op="band", low_hz=2000.0, high_hz=2500.0),
    ),
    2.0,
    32_000,
    NOTHING_KNOWN,
)
NO = -(2**63)


@pytest.mark.parametrize(
    ("recipe", "layers"),
    [
        (clip(), [("aa", 0, 1_500_000, NO, 0, NO, NO, NO, NO)]),
        (
            MIX,
            [
                ("aa", 0, 1_500_000, NO, 0, NO, NO, NO, NO),
                ("bb", 0, 1_500_000, 3_000_000, 0, NO, NO, NO, NO),
            ],
        ),
        (
            EVERY_OP,
            [
                ("aa", 0, 1_500_000, NO, 250_000, 500_000, NO, NO, NO),
                ("bb", 1, 2_000_000, NO, 125_000, 1_000_000, NO, NO, NO),
                (None, 2, 0, NO, 0, NO, 900_000_000, 1_100_500_000, NO),
                (synthetic_source("pink").fingerprint, 0, 0, -3_250_000, 0, NO, NO, NO, 7),
                ("cc", 3, 750_000, NO, 0, NO, 2_000_000_000, 2_500_000_000, NO),
            ],
        ),
    ],
    ids=["clip", "mix", "every op"],
)
def test_an_id_is_the_same_in_every_version(recipe: Recipe, layers: list[tuple[Any, ...]]) -> None:
    # pools and selections on disk name recipes by them
    text = (2_000_000).to_bytes(8, "little")
    for fingerprint, op, *numbers in layers:
        key = bytes(16)
        if fingerprint is not None:
            key = hashlib.blake2b(fingerprint.encode(), digest_size=16).digest()
        text += key + bytes([op])
        text += b"".join(number.to_bytes(8, "little", signed=True) for number in numbers)
    assert recipe.id == hashlib.blake2b(text, digest_size=12).hexdigest()


@pytest.mark.parametrize(
    "same",
    [
        replace(MIX, labels=PartialLabels.certified(["x"], Certificate.SYNTHETIC)),
        replace(MIX, kind="external"),
        replace(MIX, sample_rate=8000),
        replace(
            MIX,
            layers=tuple(
                replace(
                    la,
                    source=replace(source_of(la), root=Path("/moved"), name="c.wav", group="site"),
                )
                for la in MIX.layers
            ),
        ),
        pickle.loads(pickle.dumps(MIX)),
    ],
    ids=["labels", "kind", "sample rate", "path", "pickled"],
)
def test_an_id_does_not_depend_on_what_is_not_heard(same: Recipe) -> None:
    assert same.id == MIX.id


@pytest.mark.parametrize(
    "other",
    [
        clip("a").mix(clip("c"), 3.0),
        clip("a").mix(clip("b", start_s=1.500001), 3.0),
        clip("a").mix(clip("b"), 3.001),
        clip("b").mix(clip("a"), 3.0),
        clip("a"),
        replace(MIX, duration_s=2.1),
        replace(MIX, layers=(*MIX.layers, Layer(None, op="erase", low_hz=1.0, high_hz=2.0))),
        replace(MIX, layers=(replace(MIX.layers[0], offset_s=0.5), MIX.layers[1])),
        replace(MIX, layers=(replace(MIX.layers[0], length_s=2.0), MIX.layers[1])),
    ],
    ids=[
        "fingerprint",
        "start",
        "snr",
        "order",
        "layers",
        "duration",
        "change",
        "offset",
        "length",
    ],
)
def test_an_id_depends_on_what_is_heard(other: Recipe) -> None:
    assert other.id != MIX.id


@pytest.mark.parametrize("snr_db", [3, 0])
def test_whole_numbers_and_floats_give_the_same_id(snr_db: int) -> None:
    layers = Layer(source(), 1), Layer(source("b"), 0, snr_db)
    whole = Recipe("fp", layers, 2, 8000, NOTHING_KNOWN)
    layers = Layer(source(), 1.0), Layer(source("b"), 0.0, float(snr_db))
    exact = Recipe("fp", layers, 2.0, 8000, NOTHING_KNOWN)
    assert whole == exact
    assert whole.id == exact.id


def test_a_source_lies_at_its_name_below_its_root() -> None:
    assert replace(source(), name="deep/er/a.wav").path == Path("/sound/deep/er/a.wav")


snrs = st.floats(-60, 60).map(lambda x: round(x, 3))


@given(snrs, snrs, snrs)
def test_a_mix_of_mixes_is_flat_with_all_ratios_to_its_first_layer(
    one: float, other: float, between: float
) -> None:
    left, right = clip("a").mix(clip("b"), one), clip("c").mix(clip("d"), other)
    mix = left.mix(right, between)
    assert mix.kind == "mix"
    assert [source_of(la).group for la in mix.layers] == ["a", "b", "c", "d"]
    # d is `other` below c, and c is `between` below a
    ratios = [la.snr_db for la in mix.layers]
    assert ratios[0] is None
    assert ratios[1:] == pytest.approx([one, between, between + other], abs=1e-6)
    assert (mix.duration_s, mix.sample_rate) == (2.0, 32_000)
    assert mix.groups == {"a", "b", "c", "d"}


def test_a_mix_is_labelled_by_the_algebra() -> None:
    a = PartialLabels.certified(["x", "y"], Certificate.VERIFIED, 0.9)
    b = PartialLabels.certified(["y", "z"], Certificate.EXTERNAL, 0.8)
    assert clip("a", labels=a).mix(clip("b", labels=b), 0.0).labels == a.mix(b)


def test_clips_of_different_lengths_or_rates_cannot_be_mixed() -> None:
    for other in (replace(clip("b"), duration_s=3.0), replace(clip("b"), sample_rate=8000)):
        with pytest.raises(ValueError, match=r"cannot mix clips of \(2\.0, 32000\) and \("):
            clip("a").mix(other, 0.0)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "needs layers"),
        ((Layer(source(), 0.0, 1.0),), "the first has no snr_db"),
        ((Layer(source(), 0.0), Layer(source("b"), 0.0)), "every 'add' after the first needs"),
    ],
)
def test_layers_that_make_no_sound_are_refused(layers: tuple[Layer, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe("fp", layers, 2.0, 32_000, NOTHING_KNOWN)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            (Layer(None, op="erase", low_hz=1.0, high_hz=2.0),),
            "starts with 'add', not with 'erase'",
        ),
        ((Layer(source(), offset_s=2.0),), "from 2 to 2 s reaches beyond the clip of 2 s"),
        ((Layer(source(), offset_s=1.5, length_s=0.6),), "from 1.5 to 2.1 s reaches beyond"),
    ],
)
def test_layers_that_do_not_fit_the_clip_are_refused(
    layers: tuple[Layer, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe("fp", layers, 2.0, 32_000, NOTHING_KNOWN)


BAND = {"low_hz": 100.0, "high_hz": 200.0}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"op": "subtract"}, "unknown op 'subtract'; the ops are add, insert, erase, band"),
        ({"source": None}, "every layer has a source, but for 'erase'"),
        ({"op": "erase", **BAND}, "every layer has a source, but for 'erase'"),
        ({"op": "band", "snr_db": 1.0, **BAND}, "'band' takes no snr_db"),
        ({"start_s": -1.0}, "start_s -1 or offset_s 0 is negative"),
        ({"offset_s": -0.5}, "offset_s -0.5 is negative"),
        ({"op": "band", "offset_s": 0.5, **BAND}, "'band' acts on the whole clip"),
        ({"length_s": 0.0}, "length_s 0 is not above 0"),
        ({"op": "insert"}, "'insert' needs a length_s"),
        ({"op": "band"}, "'erase' and 'band' need low_hz and high_hz"),
        ({"low_hz": 1.0, "high_hz": 2.0}, "'erase' and 'band' need low_hz and high_hz"),
        ({"op": "band", "low_hz": 1.0}, "need low_hz and high_hz"),
        ({"op": "band", "low_hz": 2.0, "high_hz": 2.0}, "no band from 2 to 2 Hz"),
        ({"seed": 1}, "generated sound has a seed, and nothing else"),
        ({"source": synthetic_source("pink")}, "generated sound has a seed, and nothing else"),
        ({"source": synthetic_source("pink"), "seed": -1}, "seed -1 is outside"),
        ({"source": synthetic_source("pink"), "seed": 1, "start_s": 1.0}, "starts at 0"),
        ({"snr_db": float("nan")}, "a layer's snr_db is nan"),
        ({"start_s": float("inf")}, "a layer's start_s is inf"),
    ],
)
def test_layers_of_no_meaning_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Layer(**{"source": source(), **fields})


def test_times_are_whole_microseconds() -> None:
    layer = Layer(source(), 1 / 3, -0.0)
    assert (layer.start_s, layer.snr_db) == (0.333333, 0.0)
    assert str(layer.snr_db) == "0.0"
    assert layer == Layer(source(), 0.333333, 0.0)


def test_what_changes_a_component_stays_with_it_in_a_mix() -> None:
    erased = replace(
        clip("a"), layers=(*clip("a").layers, Layer(None, op="erase", low_hz=1.0, high_hz=2.0))
    )
    mix = clip("b").mix(erased.mix(clip("c"), 2.0), 1.0)
    assert [la.op for la in mix.layers] == ["add", "add", "erase", "add"]
    assert [la.snr_db for la in mix.layers] == [None, 1.0, None, 3.0]
    assert [[la.op for la in part] for part in mix.components] == [
        ["add"],
        ["add", "erase"],
        ["add"],
    ]


def test_generated_sound_belongs_to_no_group() -> None:
    assert EVERY_OP.groups == {"a", "b", "c"}
    assert [s.group for s in EVERY_OP.sources] == ["a", "b", "", "c"]
    assert synthetic_source("pink").key != synthetic_source("white").key


def test_recipes_are_values() -> None:
    assert clip() == clip()
    assert len({clip(), clip(), clip("b")}) == 2
    assert pickle.loads(pickle.dumps(MIX)) == MIX
