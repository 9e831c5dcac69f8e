"""Moves against the algebra: what each may do, and what it must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from negmine.annotations import Annotation
from negmine.audio.windows import Span
from negmine.building.sources.banded import Bands
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source, synthetic_source
from negmine.synthesis.moves import MoveRules, late, level, mix, shift, transplant

RULES = MoveRules()
BANDS = Bands({"a": (1000.0, 2000.0), "b": (1900.0, 3000.0), "c": (6000.0, 7000.0)}, ("a", "b"))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def source(name: str, duration_s: float = 10.0) -> Source:
    return Source(Path("/x"), f"{name}.wav", f"{name:>032}", duration_s, name)


def clip(name: str, kind: str = "external", start_s: float = 2.0, **absent: float) -> Recipe:
    certificate = {"external": Certificate.EXTERNAL, "fp": Certificate.VERIFIED}[kind]
    labels = PartialLabels(
        absent={k: Absence(certificate, v) for k, v in (absent or {"a": 0.9, "b": 0.8}).items()}
    )
    return Recipe(kind, (Layer(source(name), start_s),), 2.0, 8000, labels)


def claims(recipe: Recipe) -> dict[str, tuple[Certificate, float]]:
    return {name: (a.certificate, a.confidence) for name, a in recipe.labels.absent.items()}


def box(label: str, start_s: float, end_s: float, *, present: bool = False) -> Annotation:
    return Annotation("rec", label, "1", present, Span(start_s, end_s), 100.0, 200.0, "here")


def test_a_mix_is_absent_where_both_are() -> None:
    made = mix(clip("one", a=0.9, b=0.8), clip("other", b=0.5, c=0.9), RULES, rng())
    assert made is not None
    assert made.kind == "mix"
    ((name, (certificate, confidence)),) = claims(made).items()
    assert (name, certificate) == ("b", Certificate.MIXED)
    assert confidence == pytest.approx(0.4)
    assert made.layers[1].snr_db is not None
    assert RULES.snr_db[0] <= made.layers[1].snr_db <= RULES.snr_db[1]


def test_a_sound_is_not_mixed_with_itself_nor_beyond_the_most_parts() -> None:
    assert mix(clip("one"), clip("one", start_s=5.0), RULES, rng()) is None
    two = mix(clip("one"), clip("two"), RULES, rng())
    assert two is not None
    assert mix(two, clip("one", start_s=7.0), RULES, rng()) is None
    assert mix(two, clip("three"), replace(RULES, most_parts=2), rng()) is None
    three = mix(two, clip("three"), RULES, rng())
    assert three is not None
    assert len(three.components) == 3


def test_a_level_changes_a_ratio_and_no_label() -> None:
    two = mix(clip("one"), clip("two"), RULES, rng())
    assert two is not None
    made = level(two, RULES, rng(1))
    assert made is not None
    assert made.labels == two.labels
    assert made.layers[0] == two.layers[0]
    assert replace(made.layers[1], snr_db=two.layers[1].snr_db) == two.layers[1]
    assert made.layers[1].snr_db != two.layers[1].snr_db
    assert level(clip("one"), RULES, rng()) is None


def test_a_late_part_keeps_its_labels_unless_something_calls_in_it() -> None:
    two = mix(clip("one"), clip("two"), RULES, rng())
    assert two is not None
    made = late(two, RULES, rng(1))
    assert made is not None
    assert made.labels == two.labels
    assert 0 < made.layers[1].offset_s < 1.0
    calling = replace(two, labels=PartialLabels(frozenset({"d"}), two.labels.absent))
    assert late(calling, RULES, rng(1)) is None
    # a part whose band was changed is changed over the whole clip, wherever its sound stands
    banded = replace(two, layers=(*two.layers, Layer(None, op="erase", low_hz=1.0, high_hz=2.0)))
    assert late(banded, RULES, rng(1)) is None
    assert late(clip("one"), RULES, rng(1)) is None


def test_a_piece_on_a_bed_moves_inside_the_clip() -> None:
    bed = clip("bed")
    piece = Layer(source("rec"), 4.0, op="insert", offset_s=0.3, length_s=0.5)
    on_bed = replace(bed, kind="fp", layers=(*bed.layers, piece))
    for seed in range(20):
        made = late(on_bed, RULES, rng(seed))
        assert made is not None
        assert made.labels == on_bed.labels
        assert made.layers[0] == bed.layers[0]
        assert 0 <= made.layers[1].offset_s <= 1.5


def test_external_sound_shifts_inside_its_file() -> None:
    starts = set()
    for seed in range(30):
        made = shift(clip("one", start_s=7.9), RULES, rng(seed))
        if made is not None:
            assert made.labels == clip("one").labels
            assert 0 <= made.layers[0].start_s <= 8.0
            starts.add(made.layers[0].start_s)
    assert len(starts) > 10
    short = clip("one", start_s=0.0)
    short = replace(short, layers=(Layer(source("one", 2.0), 0.0),))
    assert shift(short, RULES, rng()) is None


@pytest.mark.parametrize("kind", ["near", "agreed", "tp", "fp", "mix"])
def test_what_is_certified_for_a_span_alone_does_not_shift(kind: str) -> None:
    one = replace(clip("one"), kind=kind)
    assert [shift(one, RULES, rng(seed)) for seed in range(5)] == [None] * 5


def test_external_sound_with_another_certificate_does_not_shift() -> None:
    odd = PartialLabels(absent={"a": Absence(Certificate.AGREED, 0.9)})
    assert shift(replace(clip("one"), labels=odd), RULES, rng()) is None


def test_generated_sound_gets_another_seed() -> None:
    labels = PartialLabels.certified(["a"], Certificate.SYNTHETIC)
    noise = Recipe("noise", (Layer(synthetic_source("pink"), seed=5),), 2.0, 8000, labels)
    made = shift(noise, RULES, rng())
    assert made is not None
    assert made.layers[0].seed != 5
    assert made.labels == labels


def test_a_rejected_detection_shifts_only_while_the_boxes_certify_as_much() -> None:
    boxes = {"rec": [box("a", 4.0, 5.0), box("b", 4.5, 5.5), box("d", 3.1, 3.4, present=True)]}
    rules = replace(RULES, boxes=boxes)
    # 1 s of this clip lies outside the box of a, and of b
    one = clip("rec", "fp", start_s=3.6, a=0.99, b=0.99)
    seen = set()
    for seed in range(200):
        made = shift(one, rules, rng(seed))
        if made is None:
            continue
        start_s = made.layers[0].start_s
        seen.add(start_s)
        # the whole of both boxes must still be inside
        assert start_s <= 4.0
        assert start_s + 2.0 >= 5.5
        assert made.labels.absent["a"].certificate is Certificate.VERIFIED
        assert made.labels.absent["a"].confidence == pytest.approx(0.99)
        # the clip now begins after the call, or holds less than half of it
        assert "d" not in made.labels.present
    assert len(seen) > 5
    assert shift(one, RULES, rng()) is None, "without the boxes nothing is known of another span"


def test_a_transplant_takes_the_donors_word_for_the_class() -> None:
    rules = replace(RULES, bands=BANDS, transplant_confidence=0.8)
    crop = clip("crop", "fp", b=0.9, c=0.7)
    crop = replace(crop, labels=PartialLabels(frozenset({"a"}), crop.labels.absent))
    made = transplant(crop, clip("donor", a=0.9), "a", rules, rng())
    assert made is not None
    assert made.kind == "transplant"
    # b's band is touched and the donor does not vouch for b; c's is not
    assert claims(made) == {
        "a": (Certificate.ERASED, pytest.approx(0.9 * 0.8)),
        "c": (Certificate.VERIFIED, 0.7),
    }
    assert made.labels.present == frozenset()
    added = made.layers[-1]
    assert (added.op, added.low_hz, added.high_hz) == ("band", 1000.0, 2000.0)


def test_a_transplant_is_not_made_where_nothing_vouches_for_it() -> None:
    rules = replace(RULES, bands=BANDS)
    crop, donor = clip("crop"), clip("donor")
    assert transplant(crop, clip("donor", b=0.9), "a", rules, rng()) is None
    assert transplant(crop, donor, "c", rules, rng()) is None, "its band is too wide to be used"
    assert transplant(crop, donor, "a", RULES, rng()) is None, "no bands are known"
    assert transplant(crop, clip("crop", start_s=6.0), "a", rules, rng()) is None
    mixed = mix(clip("one"), clip("two"), rules, rng())
    assert mixed is not None
    assert transplant(mixed, donor, "a", rules, rng()) is None
    assert transplant(crop, mixed, "a", rules, rng()) is None
    once = transplant(crop, donor, "a", rules, rng())
    assert once is not None
    assert transplant(once, clip("third"), "b", rules, rng()) is None
