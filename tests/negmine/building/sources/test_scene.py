"""Scenes: what their labels claim, where their calls lie, and what they are made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import SAMPLE_RATE, TONE_HZ, Data, make_pool, small_settings, tone

from negmine.annotations import Annotation, read_rfcx
from negmine.audio.silence import rms
from negmine.audio.windows import Span, to_samples
from negmine.building import build_pool
from negmine.building.sources.cuttings import unmarked_rates, widened
from negmine.pool import Pool, open_pool
from negmine.recipes.certificates import Certificate
from negmine.recipes.recipe import Recipe


def scenes(data: Data, out: Path, **settings: object) -> list[Recipe]:
    pool = open_pool(make_pool(data, out, mix=0, scene={"count": 40, **settings}))
    return [recipe for recipe in pool if recipe.kind == "scene"]


def box(label: str, start_s: float, end_s: float, *, present: bool = True) -> Annotation:
    return Annotation("rec", label, "", present, Span(start_s, end_s), 100.0, 200.0, "row 1")


def test_every_class_of_a_scene_is_known(data: Data, tmp_path: Path) -> None:
    made = scenes(data, tmp_path / "pool")
    assert len(made) == 40
    for recipe in made:
        assert recipe.labels.present
        assert recipe.labels.present | recipe.labels.absent.keys() == {"0", "1"}


def test_a_scene_of_one_call_is_an_isolated_call(data: Data, tmp_path: Path) -> None:
    made = scenes(data, tmp_path / "pool", calls=(1, 1))
    assert {len(recipe.labels.present) for recipe in made} == {1}
    assert {len(recipe.layers) for recipe in made} == {2}
    # classes are drawn evenly: of 40, neither has fewer than 8 but once in a hundred thousand draws
    assert 8 < sum("0" in recipe.labels.present for recipe in made) < 32


def test_the_call_is_heard_where_the_layer_says_and_nothing_of_the_other_class(
    data: Data, tmp_path: Path
) -> None:
    made = scenes(data, tmp_path / "pool", calls=(1, 1), margin_s=0.0, least_s=0.5, snr_db=(20, 20))
    for recipe in made[:8]:
        (label,) = recipe.labels.present
        call = recipe.layers[1]
        samples = recipe.render()
        first, last = (to_samples(s, SAMPLE_RATE) for s in (call.offset_s, call.offset_s + 0.5))
        assert energy(samples[first:last], TONE_HZ[label]) > 100 * energy(
            samples[first:last], TONE_HZ["1" if label == "0" else "0"]
        )
        outside = np.concatenate([samples[:first], samples[last:]])
        assert rms(samples[first:last]) > 5 * rms(outside)


def energy(samples: np.ndarray, hz: float) -> float:
    wave = tone(hz, len(samples) / SAMPLE_RATE + 1)[: len(samples)]
    return float(np.dot(samples, wave) ** 2) + 1e-12


def test_levels_are_those_of_the_call_over_the_bed(data: Data, tmp_path: Path) -> None:
    made = scenes(data, tmp_path / "pool", snr_db=(3.0, 6.0))
    ratios = [layer.snr_db for recipe in made for layer in recipe.layers[1:]]
    assert all(ratio is not None and -6 <= ratio <= -3 for ratio in ratios)


def test_beds_are_recorded_where_there_are_any(data: Data, tmp_path: Path) -> None:
    made = scenes(data, tmp_path / "pool")
    assert all(not recipe.layers[0].source.is_synthetic for recipe in made)  # type: ignore[union-attr]


def test_without_a_bed_that_lacks_every_class_no_scene_is_made(
    data: Data, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report = build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        tmp_path / "pool",
        external=[f"{data.external}=0"],
        settings=small_settings(scene={"count": 5}),
    )
    assert "scene" not in {recipe.kind for recipe in report.pool}
    assert report.left_out["scenes without a bed that is certified free of all classes"] == 5
    assert "no scene is made: no bed that is certified free of all classes; add" in caplog.text


def test_a_held_out_recording_enters_no_scene(data: Data, tmp_path: Path) -> None:
    report = build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        tmp_path / "pool",
        external=[str(data.external)],
        settings=small_settings(scene={"count": 60}, holdout=("rec00", "rec01")),
    )
    made = [recipe for recipe in report.pool if recipe.kind == "scene"]
    assert len(made) == 60
    assert not any(recipe.draws_on(frozenset({"rec00", "rec01"})) for recipe in made)


def test_a_call_longer_than_the_clip_is_left_out_and_counted(data: Data, tmp_path: Path) -> None:
    table = pd.read_csv(data.tp)
    table.loc[0, "t_max"] = float(table["t_min"][0]) + 1.5
    table.to_csv(data.tp, index=False)
    report = build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        tmp_path / "pool",
        external=[str(data.external)],
        settings=small_settings(scene={"count": 5}),
    )
    assert report.left_out["calls longer than a clip, for scenes"] == 1


def test_a_class_whose_call_is_in_the_margin_is_present_or_unknown_never_absent(
    data: Data, tmp_path: Path
) -> None:
    # the other class calls 0.15 s after the first one's box: a quarter of it is in the cutting
    table = pd.read_csv(data.tp)
    table.loc[table.species_id == 1, ["t_min", "t_max"]] = (1.15, 1.55)
    table.to_csv(data.tp, index=False)
    pd.read_csv(data.fp).iloc[:1].to_csv(data.fp, index=False)
    made = scenes(data, tmp_path / "pool", calls=(1, 1), margin_s=0.4)
    of_first = [recipe for recipe in made if "0" in recipe.labels.present]
    assert of_first
    assert all("1" not in recipe.labels.absent for recipe in of_first)


def test_the_same_seed_makes_the_same_scenes_and_another_seed_others(
    data: Data, tmp_path: Path
) -> None:
    first = [r.id for r in scenes(data, tmp_path / "a")]
    assert first == [r.id for r in scenes(data, tmp_path / "b")]
    other = open_pool(make_pool(data, tmp_path / "c", mix=0, scene={"count": 40}, seed=1))
    assert first != [r.id for r in other if r.kind == "scene"]


def test_the_certificate_of_what_no_box_marks_is_in_the_pool(data: Data, tmp_path: Path) -> None:
    pool: Pool = open_pool(make_pool(data, tmp_path / "pool", mix=0, scene={"count": 4}))
    kinds = {a.certificate for r in pool if r.kind == "scene" for a in r.labels.absent.values()}
    assert kinds == {Certificate.MIXED}
    assert (
        json.loads((tmp_path / "pool" / "pool.json").read_text())["settings"]["scene"]["count"] == 4
    )


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        (4.0, 4.5, (3.6, 4.9)),
        (4.0, 4.1, (3.55, 4.55)),
        (4.0, 4.01, (3.505, 4.505)),
        (0.1, 0.5, (0.0, 1.2)),
        (9.8, 10.0, (9.0, 10.0)),
        (4.0, 6.0, (4.0, 6.0)),
    ],
)
def test_a_box_is_widened_as_far_as_clip_and_recording_allow(
    start_s: float, end_s: float, expected: tuple[float, float]
) -> None:
    found = widened(Span(start_s, end_s), 0.4, 1.0, 2.0, 10.0)
    assert (found.start_s, found.end_s) == pytest.approx(expected)


def test_unmarked_rates_count_other_classes_cuttings_alone() -> None:
    spans = [Span(0, 1), Span(2, 3), Span(4, 5)]
    found = [
        [box("a", 0.2, 0.4), box("b", 0.6, 0.8)],
        [box("a", 2.2, 2.4)],
        [box("b", 4.2, 4.4), box("a", 4.5, 4.6, present=False)],
    ]
    rates = unmarked_rates(found, spans, ["a", "a", "b"], ["a", "b", "c"], 0.25)
    # a: in 0 of 1 cuttings of others; b: in 1 of 2; c: in 0 of 3; three times as many are unmarked
    assert rates == pytest.approx([0.5 / 2 * 3, 1.0, 0.5 / 4 * 3])


def test_where_every_call_is_marked_none_is_unmarked() -> None:
    assert unmarked_rates([[]], [Span(0, 1)], ["a"], ["a", "b"], 1.0).tolist() == [0.0, 0.0]
