"""Recipes: what their ids depend on, and how they join."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.labels import Certificate, PartialLabels
from negmine.recipe import Layer, Recipe, Source

NOTHING_KNOWN = PartialLabels()


def source(name: str = "a", **changes: object) -> Source:
    made = Source(Path("/sound"), f"{name}.wav", f"{name}{name}", 60.0, name)
    return replace(made, **changes)  # type: ignore[arg-type]


def clip(name: str = "a", start_s: float = 1.5, labels: PartialLabels = NOTHING_KNOWN) -> Recipe:
    return Recipe("fp", (Layer(source(name), start_s),), 2.0, 32_000, labels)


MIX = clip("a").mix(clip("b"), 3.0)


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (clip(), '[2.0, [["aa", 1.5, null]]]'),
        (MIX, '[2.0, [["aa", 1.5, null], ["bb", 1.5, 3.0]]]'),
    ],
)
def test_an_id_is_the_same_in_every_version(recipe: Recipe, text: str) -> None:
    # pools and selections on disk name recipes by them
    assert recipe.id == hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


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
                    source=replace(la.source, root=Path("/moved"), name="c.wav", group="site"),
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
    ],
    ids=["fingerprint", "start", "snr", "order", "layers", "duration"],
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
    assert [la.source.group for la in mix.layers] == ["a", "b", "c", "d"]
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
        ((Layer(source(), 0.0), Layer(source("b"), 0.0)), "every layer after the first needs"),
    ],
)
def test_layers_that_make_no_sound_are_refused(layers: tuple[Layer, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe("fp", layers, 2.0, 32_000, NOTHING_KNOWN)


def test_recipes_are_values() -> None:
    assert clip() == clip()
    assert len({clip(), clip(), clip("b")}) == 2
    assert pickle.loads(pickle.dumps(MIX)) == MIX
