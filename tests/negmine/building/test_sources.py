"""Sources of negatives: which clips each gives, and what each may certify."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from conftest import SAMPLE_RATE, Data, source_of

from negmine.annotations import Annotation, Annotations, read_rfcx
from negmine.annotations.recordings import Recordings, open_annotated, open_external
from negmine.audio.read import AudioInfo
from negmine.audio.windows import Span
from negmine.building.settings import ExternalSettings, MixSettings, PoolSettings
from negmine.building.sources import rows_of
from negmine.building.sources.annotated import annotated_clips
from negmine.building.sources.context import BuildContext, DeclaredFolder
from negmine.building.sources.mix import mixes as draw_mixes
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.dictionaries import Dictionaries
from negmine.recipes.labels import PartialLabels, State
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe, Recipes, blocks_of, join_recipes
from negmine.recipes.source import Source


def noise(seconds: float, level: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (level * rng.standard_normal(round(seconds * SAMPLE_RATE))).astype(np.float32)


# ---- rejected detections and confirmed calls


def box(label: str, present: bool, start_s: float, end_s: float) -> Annotation:
    return Annotation("r", label, "", present, Span(start_s, end_s), 0, 1, "row 2")


def recording(duration_s: float) -> Recordings:
    info = AudioInfo(Path("/x/r.wav"), 8000, round(8000 * duration_s), 1, "f", np.ones(1))
    return Recordings(Path("/x"), {"r": info}, ())


def cut(
    boxes: list[Annotation], present: bool, clip_s: float = 2.0, **options: Any
) -> list[Recipe]:
    annotations = Annotations(tuple(boxes), ("a", "b"))
    return list(
        annotated_clips(
            annotations,
            recording(10.0),
            present=present,
            clip_s=clip_s,
            sample_rate=8000,
            **options,
        )
    )


def test_each_rejected_detection_gives_a_clip_centred_on_it(shared_data: Data) -> None:
    recordings, annotations = open_annotated(
        shared_data.recordings, read_rfcx(shared_data.tp, shared_data.fp)
    )
    clips = list(
        annotated_clips(annotations, recordings, present=False, clip_s=1.0, sample_rate=8000)
    )
    assert len(clips) == len(annotations.rejected) == 16
    for clip, rejected in zip(clips, annotations.rejected, strict=True):
        assert clip.kind == "fp"
        assert clip.groups == {rejected.recording}
        assert clip.layers[0].start_s == pytest.approx(rejected.span.start_s - 0.25)
        # half a second of the clip lies beyond the box; the other class calls in it
        assert clip.labels.absent == {rejected.label: Absence(Certificate.VERIFIED, 0.99**0.5)}
        assert clip.labels.present == {"1" if rejected.label == "0" else "0"}


def test_confirmed_calls_are_kept_apart_with_all_that_the_boxes_say() -> None:
    boxes = [box("a", True, 4.0, 6.0), box("b", False, 4.5, 5.0)]
    (call,) = cut(boxes, present=True)
    assert (call.kind, set(call.labels.present)) == ("tp", {"a"})
    assert call.labels.absent == {"b": Absence(Certificate.VERIFIED, 0.99**1.5)}


def test_a_rejected_detection_beside_a_call_of_its_class_is_left_out() -> None:
    boxes = [box("a", False, 4.0, 5.0), box("a", True, 5.2, 8.0), box("a", False, 0.0, 1.0)]
    assert [clip.layers[0].start_s for clip in cut(boxes, present=False)] == [0.0]


def test_a_verdict_that_must_cover_the_clip_leaves_out_shorter_boxes() -> None:
    boxes = [box("a", False, 4.0, 5.0), box("a", False, 6.0, 8.5)]
    (clip,) = cut(boxes, present=False, beyond_per_s=0.0)
    assert clip.labels.absent == {"a": Absence(Certificate.VERIFIED, 1.0)}
    assert clip.layers[0].start_s == 6.25


def test_a_long_rejection_gives_a_clip_for_each_clips_length_once_for_all_classes() -> None:
    whole = [box("a", False, 0, 10), box("b", False, 0, 10), box("b", True, 4, 6)]
    clips = cut(whole, present=False)
    assert [clip.layers[0].start_s for clip in clips] == [0, 2, 4, 6, 8]
    assert [sorted(clip.labels.absent) for clip in clips] == [["a", "b"]] * 2 + [["a"]] + [
        ["a", "b"]
    ] * 2
    assert {a.confidence for clip in clips for a in clip.labels.absent.values()} == {1.0}
    # the call comes first, and its class's rejection: the clip is the other's nevertheless
    other = cut(whole[::-1], present=False)
    assert sorted(other, key=lambda clip: clip.layers[0].start_s) == clips
    # up to less than twice the clip it is one, in the middle
    assert [c.layers[0].start_s for c in cut([box("a", False, 0, 3.9)], present=False)] == [0.95]


def test_clips_at_the_ends_stay_inside_the_recording() -> None:
    boxes = [box("a", False, 0.0, 0.5), box("b", False, 9.5, 10.0)]
    assert [clip.layers[0].start_s for clip in cut(boxes, present=False)] == [0.0, 8.0]


def test_no_boxes_give_no_clips() -> None:
    assert cut([], present=False) == cut([], present=True) == []


# ---- external sound


def windows(
    folder: Path, absent: tuple[str, ...] = ("0", "1"), clip_s: float = 1.0
) -> tuple[list[Recipe], int]:
    """The windows of a folder, and how many silent ones were left out."""
    opened = open_external(folder)
    declared = DeclaredFolder(opened, dict.fromkeys(opened.infos, absent))
    context = BuildContext(
        Annotations((), ("0", "1")),
        opened,
        (declared,),
        PoolSettings(clip_s=clip_s, sample_rate=SAMPLE_RATE),
    )
    blocks = rows_of("external")(context, ExternalSettings(confidence=0.75))
    return listed(blocks, context.dictionaries), context.left_out["silent external windows"]


def listed(rows: Iterable[Recipe | Recipes], dictionaries: Dictionaries) -> list[Recipe]:
    """Rows in any form as recipes."""
    return [recipe for block in blocks_of(rows, dictionaries) for recipe in block]


@pytest.mark.parametrize(
    ("duration_s", "starts"),
    [
        (3.0, [0.0, 1.0, 2.0]),
        (3.5, [0.0, 1.0, 2.0, 2.5]),
        (1.0, [0.0]),
        (1.25, [0.0]),
        (1.5, [0.0, 0.5]),
        (0.5, [0.0]),
        (0.45, []),
    ],
)
def test_windows_lie_on_a_grid_and_the_last_ends_with_the_file(
    tmp_path: Path, duration_s: float, starts: list[float]
) -> None:
    folder = tmp_path / "pond"
    folder.mkdir()
    sf.write(folder / "a.wav", noise(duration_s), SAMPLE_RATE)
    clips, silent = windows(folder)
    assert [clip.layers[0].start_s for clip in clips] == starts
    assert silent == 0


def test_a_declaration_covers_the_named_classes_alone(shared_data: Data) -> None:
    clips, _ = windows(shared_data.external, absent=("1",))
    assert len(clips) == 9
    assert {clip.labels for clip in clips} == {
        PartialLabels.certified(["1"], Certificate.EXTERNAL, 0.75)
    }
    assert clips[0].labels.state("0") is State.UNKNOWN


def test_files_deep_in_the_folder_are_windows_of_their_own_group(shared_data: Data) -> None:
    clips, _ = windows(shared_data.external)
    assert Counter(name for clip in clips for name in clip.groups) == {
        "external/deep/other2.wav": 3,
        "external/other0.wav": 3,
        "external/other1.wav": 3,
    }
    assert {clip.sources[0].root for clip in clips} == {shared_data.external.resolve()}


def test_silent_windows_are_left_out_and_listed(tmp_path: Path) -> None:
    folder = tmp_path / "pond"
    folder.mkdir()
    samples = noise(4.0)
    samples[SAMPLE_RATE : 2 * SAMPLE_RATE] = 0
    samples[3 * SAMPLE_RATE :] *= 1e-4  # far below 16 bits of any microphone
    sf.write(folder / "a.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    clips, silent = windows(folder)
    assert [clip.layers[0].start_s for clip in clips] == [0.0, 2.0]
    assert silent == 2


# ---- mixes


def certified(name: str, classes: str, start_s: float = 0.0, confidence: float = 0.9) -> Recipe:
    labels = PartialLabels.certified(classes, Certificate.EXTERNAL, confidence)
    source = Source(Path("/x"), name, f"of {name}", 10.0, name)
    return Recipe("external", (Layer(source, start_s),), 1.0, 8000, labels)


def mixes(
    recipes: list[Recipe], count: int, seed: int = 0, classes: str = "abc", **changes: Any
) -> list[Recipe]:
    """Mixes of two whole clips, unless told otherwise."""
    wanted: dict[str, Any] = {"count": count, "parts": (2, 2), "offset": 0.0}
    settings = MixSettings(**(wanted | changes))
    d = Dictionaries(1.0, 8000)
    parts = join_recipes([Recipes.empty(d), *blocks_of(recipes, d)])
    rng = np.random.default_rng(seed)
    return listed(draw_mixes(parts, classes, settings, rng), d)


def test_mixes_are_absent_where_both_parts_are() -> None:
    free_of = {"p": "ab", "q": "bc", "r": "abc", "s": "a"}
    parts = {name: certified(name, classes) for name, classes in free_of.items()}
    found = mixes(list(parts.values()), 60)
    assert len(found) == 60
    for mix in found:
        first, second = (parts[source.name] for source in mix.sources)
        assert mix.labels == first.labels.mix(second.labels)
        common = first.labels.absent.keys() & second.labels.absent.keys()
        assert mix.labels.absent.keys() == common
        assert {a.confidence for a in mix.labels.absent.values()} == {0.9 * 0.9}


def test_a_class_with_few_certified_clips_gets_as_many_mixes() -> None:
    rare = [certified(f"rare{i}", "a") for i in range(3)]
    common = [certified(f"common{i}", "b") for i in range(100)]
    counts = Counter(name for mix in mixes(rare + common, 400) for name in mix.labels.absent)
    # a fair coin, 400 times: 4 standard deviations are 40
    assert sum(counts.values()) == 400
    assert abs(counts["a"] - 200) < 40


def test_no_sound_is_mixed_with_another_span_of_its_own_file() -> None:
    parts = [certified("p", "a", float(i)) for i in range(20)] + [certified("q", "a")]
    found = mixes(parts, 30)
    assert found
    for mix in found:
        assert {source.name for source in mix.sources} == {"p", "q"}


def test_copies_of_one_file_are_not_mixed() -> None:
    one = certified("p", "a")
    copy = replace(one.sources[0], name="copy", group="copy")
    assert mixes([one, replace(one, layers=(Layer(copy, 3.0),))], 5) == []


def test_ratios_are_spread_over_their_range() -> None:
    parts = [certified(f"p{i}", "a") for i in range(5)]
    ratios = [mix.layers[1].snr_db or 0.0 for mix in mixes(parts, 300)]
    assert all(-5.0 <= ratio <= 10.0 for ratio in ratios)
    assert np.quantile(ratios, [0.1, 0.5, 0.9]) == pytest.approx([-3.5, 2.5, 8.5], abs=1.5)


@pytest.mark.parametrize(
    "parts",
    [[], [certified("p", "a")], [certified("p", "a"), certified("q", "b")]],
    ids=["none", "one", "no class in common"],
)
def test_without_two_clips_for_a_class_there_are_no_mixes(parts: list[Recipe]) -> None:
    assert mixes(parts, 10) == []


def test_mixes_have_as_many_parts_as_asked_for_and_one_of_each_file() -> None:
    parts = [certified(f"p{i}", "ab", float(i % 3)) for i in range(12)]
    found = mixes(parts, 300, parts=(2, 4))
    assert len(found) == 300
    sizes = Counter(len(mix.layers) for mix in found)
    # a die of three faces, 300 times: 4 standard deviations are 33
    assert all(abs(sizes[size] - 100) < 33 for size in (2, 3, 4))
    for mix in found:
        assert len({source.name for source in mix.sources}) == len(mix.layers)
        confidence = mix.labels.absent["a"].confidence
        assert confidence == pytest.approx(0.9 ** len(mix.layers), rel=1e-12)


def test_too_few_files_for_the_parts_make_fewer_mixes() -> None:
    parts = [certified(f"p{i}", "a", float(j)) for i in range(3) for j in range(9)]
    sizes = Counter(len(mix.layers) for mix in mixes(parts, 60, parts=(2, 4)))
    # four of three files cannot be had; twenty draws in vain, the size is kept
    assert sizes[4] == 0
    assert sizes[2] + sizes[3] == sum(sizes.values()) < 60


def test_later_clips_of_a_mix_start_late_and_calls_stay_whole() -> None:
    parts = [certified(f"p{i}", "ab") for i in range(6)]
    calling = PartialLabels(frozenset("c"), dict(parts[0].labels.absent))
    changed = Layer(None, op="erase", low_hz=1.0, high_hz=2.0)
    parts[4] = replace(parts[4], labels=calling)
    parts[5] = replace(parts[5], layers=(*parts[5].layers, changed))
    found = mixes(parts, 200, parts=(2, 3), offset=0.25)
    late = [la for mix in found for la in mix.layers[1:] if la.offset_s]
    assert all(mix.layers[0].offset_s == 0 for mix in found)
    assert all(0 < la.offset_s < 0.25 and la.length_s is None for la in late)
    assert len({la.offset_s for la in late}) > 100
    moved = {la.source.name for la in late if la.source is not None}
    assert moved == {"p0", "p1", "p2", "p3"}
    for mix in found:
        for component in mix.components:
            expected = ["add", "erase"] if source_of(component[0]).name == "p5" else ["add"]
            assert [la.op for la in component] == expected


def test_the_generator_alone_decides_the_mixes() -> None:
    parts = [certified(f"p{i}", "ab") for i in range(6)]
    assert mixes(parts, 20, seed=1) == mixes(parts, 20, seed=1)
    assert mixes(parts, 20, seed=1) != mixes(parts, 20, seed=2)
