"""Every source of negatives in a pool: counts, labels, what is heard, what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from conftest import SAMPLE_RATE, TONE_HZ, Data, small_settings
from placeholder import PlaceholderScorer

from negmine.annotations import Annotation, Annotations, read_rfcx
from negmine.annotations.recordings import Recordings
from negmine.audio.dsp.generators import GENERATORS
from negmine.audio.windows import Span
from negmine.building import BuildReport, build_pool
from negmine.building.settings import NOISES
from negmine.building.sources import agreed
from negmine.building.sources.banded import usable_bands
from negmine.building.sources.context import BuildContext
from negmine.errors import InputError, ModelError, NegmineError, PoolError
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.labels import State
from negmine.recipes.recipe import Recipe


def build(data: Data, out: Path, outside: bool = True, **sections: Any) -> BuildReport:
    return build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        out,
        external=[str(data.external)] if outside else [],
        settings=small_settings(**sections),
    )


def of_kind(report: BuildReport, kind: str) -> list[Recipe]:
    return [recipe for recipe in report.pool if recipe.kind == kind]


def tone_level_db(samples: np.ndarray, label: str) -> float:
    """Energy within 150 Hz of a class's tone, in dB."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    at = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return float(10 * np.log10(power[np.abs(at - TONE_HZ[label]) < 150].sum() + 1e-20))


# ---- noise


def test_noise_is_certified_for_every_class_and_no_two_clips_are_the_same(
    shared_data: Data, tmp_path: Path
) -> None:
    report = build(shared_data, tmp_path / "pool", noise={"count": 15})
    clips = of_kind(report, "noise")
    names = Counter(clip.sources[0].name for clip in clips)
    assert set(names) == set(GENERATORS)
    assert max(names.values()) - min(names.values()) <= 1
    sure = Absence(Certificate.SYNTHETIC, 1.0)
    assert all(clip.labels.absent == {"0": sure, "1": sure} for clip in clips)
    assert all(not clip.groups for clip in clips)
    assert len({clip.render().tobytes() for clip in clips}) == 15


def test_the_command_line_names_the_generators() -> None:
    assert tuple(GENERATORS) == NOISES


def test_one_kind_of_noise_alone(shared_data: Data, tmp_path: Path) -> None:
    report = build(shared_data, tmp_path / "pool", noise={"count": 4, "kinds": ("rain",)})
    assert {clip.sources[0].name for clip in of_kind(report, "noise")} == {"rain"}


# ---- erase


def test_erased_clips_lack_the_class_and_keep_the_rest(shared_data: Data, tmp_path: Path) -> None:
    report = build(shared_data, tmp_path / "pool", erase={"count": 60})
    clips = of_kind(report, "erase")
    # in these data a rejected detection is cut where a call is
    same = report.left_out["rows of 'erase' that repeat another row of this build"]
    short = report.left_out["erasures that no further crop was found for"]
    assert len(clips) + same + short == 60
    assert len(clips) == 16
    calls = {(call.layers[0], name) for call in report.pool.calls for name in call.labels.present}
    own = 0
    for clip in clips:
        first, erased = clip.layers[0], clip.layers[-1]
        assert erased.op == "erase"
        label = "0" if (erased.low_hz or 0) < 1000 else "1"
        other = "1" if label == "0" else "0"
        # the boxes reach 200 Hz to both sides, the margin is a quarter of their width
        assert (erased.low_hz, erased.high_hz) == (TONE_HZ[label] - 300, TONE_HZ[label] + 300)
        known = (first, label) in calls
        own += known
        expected = 0.87 if known else 0.987
        assert clip.labels.absent[label].certificate is Certificate.ERASED
        assert clip.labels.absent[label].confidence == pytest.approx(expected)
        whole = Recipe("tp", (first,), 1.0, SAMPLE_RATE, clip.labels).render()
        samples = clip.render()
        assert tone_level_db(samples, label) < tone_level_db(whole, label) - 40
        assert tone_level_db(samples, other) == pytest.approx(tone_level_db(whole, other), abs=0.2)
    assert own == 16


def test_no_clip_is_erased_that_is_free_of_the_class_already(
    shared_data: Data, tmp_path: Path
) -> None:
    report = build(shared_data, tmp_path / "pool", erase={"count": 30, "own": 0.0})
    assert {clip.sources[0].root.name for clip in of_kind(report, "erase")} == {"train"}


def test_unlabelled_windows_are_erased_too(data: Data, tmp_path: Path) -> None:
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    rng = np.random.default_rng(100)
    sf.write(folder / "night.flac", rng.normal(0, 0.05, 6 * SAMPLE_RATE), SAMPLE_RATE)
    report = build(data, tmp_path / "pool", unlabelled=str(folder), erase={"count": 60, "own": 0.2})
    night = [clip for clip in of_kind(report, "erase") if clip.groups == {"night"}]
    assert len(night) > 3
    # no call is known there: what an erased band might leave of one is a tenth of the doubt
    assert {a.confidence for clip in night for a in clip.labels.absent.values()} == {1 - 0.13 / 10}
    assert all(len(clip.labels.absent) == 1 and not clip.labels.present for clip in night)


def test_a_call_of_a_class_whose_band_is_touched_becomes_unknown(
    data: Data, tmp_path: Path
) -> None:
    table = tmp_path / "bands.csv"
    table.write_text("class,f_min,f_max\n0,700,2450\n1,2200,2800\n")
    report = build(data, tmp_path / "pool", bands={"table": str(table)}, erase={"count": 40})
    clips = of_kind(report, "erase")
    assert clips
    assert all(not clip.labels.present for clip in clips)


def test_bands_too_wide_are_left_out_and_counted(data: Data, tmp_path: Path) -> None:
    table = tmp_path / "bands.csv"
    table.write_text("class,f_min,f_max\n0,100,3900\n")
    report = build(data, tmp_path / "pool", bands={"table": str(table)}, erase={"count": 20})
    assert report.left_out["classes whose band is too wide to be erased"] == 1
    erased = of_kind(report, "erase")
    assert {clip.layers[-1].low_hz for clip in erased} == {2200.0}
    table.write_text("class,f_min,f_max\n0,100,3900\n1,0,4000\n")
    with pytest.raises(InputError, match=r"no band can be erased: .* class '0', reaches from 100"):
        build(data, tmp_path / "none", bands={"table": str(table)}, erase={"count": 20})
    assert not (tmp_path / "none").exists()


# ---- transplant


def test_transplants_have_everything_but_the_call(shared_data: Data, tmp_path: Path) -> None:
    report = build(shared_data, tmp_path / "pool", transplant={"count": 40, "own": 1.0})
    clips = of_kind(report, "transplant")
    assert len(clips) > 30
    for clip in clips:
        first, band = clip.layers
        assert band.op == "band"
        label = "0" if (band.low_hz or 0) < 1000 else "1"
        donor = band.source
        assert donor is not None
        assert donor.fingerprint != first.source.fingerprint  # type: ignore[union-attr]
        state = clip.labels.absent[label]
        assert state.certificate is Certificate.ERASED
        sure = 0.99 if donor.root.name == "external" else 0.99**0.5
        assert state.confidence == pytest.approx(0.87 * sure)
        assert clip.labels.state(label) is State.ABSENT
        whole = Recipe("tp", (first,), 1.0, SAMPLE_RATE, clip.labels).render()
        # the tone stood 30 dB over the background that the donor's band now has the level of
        assert tone_level_db(clip.render(), label) < tone_level_db(whole, label) - 15


def test_without_a_certified_donor_there_are_no_transplants(data: Data, tmp_path: Path) -> None:
    data.fp.write_text("\n".join(data.fp.read_text().splitlines()[:2]))
    report = build(data, tmp_path / "pool", outside=False, transplant={"count": 10, "own": 1.0})
    found = of_kind(report, "transplant")
    # one rejected detection certifies one class: its own recording cannot have it back
    assert len({clip.layers[-1].source for clip in found}) <= 1
    assert report.left_out["transplants without a crop or a donor"] >= 1


def test_changed_clips_are_the_same_for_the_same_seed(shared_data: Data, tmp_path: Path) -> None:
    made = [
        build(
            shared_data,
            tmp_path / f"pool{i}",
            seed=seed,
            noise={"count": 9},
            fp={"pad": "both"},
            erase={"count": 20},
            transplant={"count": 20},
            mix=20,
        ).pool
        for i, seed in enumerate((1, 1, 2))
    ]
    assert made[0].digest == made[1].digest != made[2].digest


# ---- rejected detections


def test_a_box_on_a_bed_is_certified_without_doubt_about_its_surroundings(
    shared_data: Data, tmp_path: Path
) -> None:
    report = build(shared_data, tmp_path / "pool", fp={"pad": "bed"})
    clips = of_kind(report, "fp")
    assert len(clips) == 16
    for clip in clips:
        bed, piece = clip.layers
        assert (bed.source.root.name, piece.op) == ("external", "insert")  # type: ignore[union-attr]
        assert (piece.offset_s, piece.length_s) == (0.25, 0.5)
        label = "0" if piece.start_s == 2.5 else "1"
        assert clip.labels.absent[label] == Absence(Certificate.MIXED, 0.99)
        samples = clip.render()
        tone = TONE_HZ["1" if label == "0" else "0"]
        at = np.arange(len(samples)) / SAMPLE_RATE
        turned = samples * np.exp(-2j * np.pi * tone * at)
        # the tone is heard inside the box, and nowhere else
        inside, before = (np.abs(turned[part].mean()) for part in (slice(2200, 5800), slice(1900)))
        assert inside > 0.08 > 10 * before


def test_boxes_lie_in_place_and_on_beds_at_several_offsets(
    shared_data: Data, tmp_path: Path
) -> None:
    report = build(shared_data, tmp_path / "pool", fp={"pad": "both", "placements": 3})
    clips = of_kind(report, "fp")
    on_bed = [clip for clip in clips if clip.layers[-1].op == "insert"]
    in_place = [clip for clip in clips if len(clip.layers) == 1]
    assert Counter(clip.layers[1].offset_s for clip in on_bed) == {0.0: 16, 0.25: 16, 0.5: 16}
    assert Counter(clip.layers[0].start_s for clip in in_place) == {
        0.0: 8, 0.25: 8, 0.5: 8, 2.0: 8, 2.25: 8, 2.5: 8
    }  # fmt: skip


def test_the_bed_is_about_as_loud_as_the_box(data: Data, tmp_path: Path) -> None:
    for i, level in enumerate((0.001, 0.01, 0.1)):
        samples = np.random.default_rng(100 + i).normal(0, level, 6 * SAMPLE_RATE)
        sf.write(data.external / f"level{level}.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    report = build(data, tmp_path / "pool", fp={"pad": "bed"})
    beds = Counter(clip.sources[0].name for clip in of_kind(report, "fp"))
    # the tones' RMS is 0.14: of several drawn beds the loudest is the nearest
    assert beds["level0.1.wav"] > 8


def test_generated_sound_is_a_bed_where_nothing_recorded_is(data: Data, tmp_path: Path) -> None:
    noise = {"count": 8, "kinds": ("pink",)}
    both = build(data, tmp_path / "both", fp={"pad": "bed"}, noise=noise)
    assert not any(clip.sources[0].is_synthetic for clip in of_kind(both, "fp"))
    alone = build(data, tmp_path / "alone", outside=False, fp={"pad": "bed"}, noise=noise)
    clips = of_kind(alone, "fp")
    assert len(clips) == 16
    assert all(clip.sources[0].name == "pink" for clip in clips)
    # neither the box's own span nor what was generated leaves a doubt
    assert {a for clip in clips for a in clip.labels.absent.values()} == {
        Absence(Certificate.MIXED, 1.0)
    }


def test_without_a_bed_there_is_none(data: Data, tmp_path: Path) -> None:
    report = build(data, tmp_path / "pool", outside=False, fp={"pad": "both"})
    assert len(of_kind(report, "fp")) == 16
    assert report.left_out == {}
    with pytest.raises(NegmineError, match="nothing to put into the pool"):
        build(data, tmp_path / "none", outside=False, fp={"pad": "bed"})


# ---- near


def test_calls_are_negatives_of_what_they_exclude(data: Data, tmp_path: Path) -> None:
    table = tmp_path / "exclusive.csv"
    table.write_text("class,excludes\n0,1\n")
    report = build(data, tmp_path / "pool", near={"exclusive": str(table), "placements": 2})
    clips = of_kind(report, "near")
    assert len(clips) == 32
    for clip in clips:
        label, other = ("0", "1") if clip.layers[0].start_s < 1.5 else ("1", "0")
        assert clip.labels.present == {label}
        # rejected there as well: the surer of the two vouches
        assert clip.labels.absent[other].confidence >= 0.98
    # without rejected detections, but for one
    data.fp.write_text("\n".join(data.fp.read_text().splitlines()[:2]))
    plain = build(data, tmp_path / "plain", near={"exclusive": str(table), "confidence": 0.5})
    found = Counter(a for clip in of_kind(plain, "near") for a in clip.labels.absent.values())
    # the same clip as that of the one rejected detection stands in the pool already
    assert found == {Absence(Certificate.EXTERNAL, 0.5): 15}


def test_two_calls_that_exclude_each_other_contradict_the_table(data: Data, tmp_path: Path) -> None:
    table = tmp_path / "exclusive.csv"
    table.write_text("class,excludes\n1,0\n")
    report = build(data, tmp_path / "pool", near={"exclusive": str(table)}, clip_s=4.0)
    assert of_kind(report, "near") == []
    assert report.left_out["clips with two confirmed calls that exclude each other"] == 16


def test_a_table_of_other_classes_is_refused(data: Data, tmp_path: Path) -> None:
    table = tmp_path / "exclusive.csv"
    table.write_text("class,excludes\n0,7\n")
    with pytest.raises(InputError, match=r"row 2: unknown class '7'.*known are 0, 1"):
        build(data, tmp_path / "pool", near={"exclusive": str(table)})
    assert not (tmp_path / "pool").exists()


# ---- agreed


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Names of two scorers of tones, which differ in the number of their bands."""

    def load(path: Path, device: str) -> PlaceholderScorer:
        name = path.stem
        classes = ("0", "2") if name == "other" else ("0", "1")
        return PlaceholderScorer(classes, bands=64 if name == "fine" else 32)

    monkeypatch.setattr(agreed, "load_scorer", load)
    return ("fine.pt", "coarse.pt")


def unlabelled(folder: Path, calls: str) -> Path:
    """A recording of one second for each letter: a class's call, or noise alone for '-'."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    samples = rng.normal(0, 0.01, len(calls) * SAMPLE_RATE)
    for second, label in enumerate(calls):
        at = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
        if label != "-":
            first = second * SAMPLE_RATE + 2000
            samples[first : first + len(at)] += 0.2 * np.sin(2 * np.pi * TONE_HZ[label] * at)
    sf.write(folder / "night.flac", samples, SAMPLE_RATE)
    return folder


def test_windows_are_free_of_what_no_model_hears(
    data: Data, tmp_path: Path, models: tuple[str, ...]
) -> None:
    folder = unlabelled(tmp_path / "unlabelled", "-0--1-01")
    report = build(data, tmp_path / "pool", unlabelled=str(folder), agreed={"models": models})
    found = {clip.layers[0].start_s: clip.labels for clip in of_kind(report, "agreed")}
    sure = Absence(Certificate.AGREED, 0.95)
    quiet, only0, only1 = {"0": sure, "1": sure}, {"1": sure}, {"0": sure}
    wanted = dict(enumerate([quiet, only0, quiet, quiet, only1, quiet, only0, only1]))
    assert {start: labels.absent for start, labels in found.items()} == wanted
    assert all(not labels.present for labels in found.values())


def test_recordings_that_models_trained_on_are_left_out(
    data: Data, tmp_path: Path, models: tuple[str, ...]
) -> None:
    report = build(
        data, tmp_path / "pool", unlabelled=str(data.recordings), agreed={"models": models}
    )
    assert of_kind(report, "agreed") == []
    assert report.left_out["unlabelled recordings that have annotations"] == 8


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (("fine.pt",), ModelError, "two or more different models"),
        (("fine.pt", "fine.pt"), ModelError, "two or more different models"),
        (("fine.pt", "other.pt"), NegmineError, "other.pt: class '2' is unknown there"),
    ],
)
def test_models_that_cannot_agree_are_refused(
    data: Data,
    tmp_path: Path,
    models: tuple[str, ...],
    names: tuple[str, ...],
    error: type[NegmineError],
    message: str,
) -> None:
    folder = unlabelled(tmp_path / "unlabelled", "-0")
    with pytest.raises(error, match=message):
        build(data, tmp_path / "pool", unlabelled=str(folder), agreed={"models": names})


def test_agreement_needs_recordings(data: Data, tmp_path: Path, models: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="name the recordings to score with --unlabelled"):
        build(data, tmp_path / "pool", agreed={"models": models})


def test_models_are_checked_before_anything_is_decoded(
    data: Data, tmp_path: Path, models: tuple[str, ...]
) -> None:
    for path in data.recordings.iterdir():
        path.write_bytes(b"no sound")
    with pytest.raises(PoolError, match=r"other\.pt: class"):
        build(data, tmp_path / "p", unlabelled="x", agreed={"models": (*models, "other.pt")})
    with pytest.raises(ModelError, match=r"fine\.pt: trained on clips of 1 s, .* of 2 s; pass"):
        build(data, tmp_path / "p", clip_s=2.0, unlabelled="x", agreed={"models": models})


# ---- external sound by a table, by energy


def test_a_table_declares_files_and_leaves_out_the_others(data: Data, tmp_path: Path) -> None:
    table = tmp_path / "ranges.csv"
    table.write_text("pattern,absent_classes\nexternal/deep,1\n*/other0.wav,*\n")
    report = build(data, tmp_path / "pool", external={"table": str(table)})
    found = Counter(
        (clip.sources[0].name, *sorted(clip.labels.absent)) for clip in of_kind(report, "external")
    )
    assert found == {("deep/other2.wav", "1"): 3, ("other0.wav", "0", "1"): 3}
    assert report.left_out["external files that the table does not declare"] == 1


def test_a_table_needs_a_folder_and_every_row_a_file(data: Data, tmp_path: Path) -> None:
    table = tmp_path / "ranges.csv"
    table.write_text("pattern,absent_classes\nexternl/*,1\n")
    with pytest.raises(InputError, match=r"no file matches 'externl/\*' \(did you mean external"):
        build(data, tmp_path / "pool", external={"table": str(table)})


def test_by_energy_windows_lie_where_a_file_is_loud(data: Data, tmp_path: Path) -> None:
    rng = np.random.default_rng(100)
    samples = rng.normal(0, 0.002, 10 * SAMPLE_RATE)
    for start_s in (2.3, 6.7):
        first = round(start_s * SAMPLE_RATE)
        samples[first : first + SAMPLE_RATE // 2] += rng.normal(0, 0.1, SAMPLE_RATE // 2)
    sf.write(data.external / "event.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    sf.write(data.external / "nothing.wav", np.zeros(3 * SAMPLE_RATE), SAMPLE_RATE)
    report = build(data, tmp_path / "pool", external={"windows": "energy"})
    starts = sorted(
        clip.layers[0].start_s
        for clip in of_kind(report, "external")
        if clip.sources[0].name == "event.wav"
    )
    # both bursts are whole in their windows; what is 30 dB quieter makes none
    assert len(starts) == 2
    assert 1.8 <= starts[0] <= 2.3
    assert 6.2 <= starts[1] <= 6.7
    assert report.left_out["silent external files"] == 1


@pytest.mark.parametrize("windows", ["grid", "energy"])
def test_external_files_too_short_for_a_window_are_named(
    data: Data, tmp_path: Path, windows: str
) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE // 4)
    sf.write(data.external / "blip.wav", sound, SAMPLE_RATE)
    report = build(data, tmp_path / "pool", external={"windows": windows})
    line = "left out 1: external files shorter than half a clip: external/blip.wav"
    assert line in report.notes
    assert "silent external files" not in report.left_out


def test_a_class_without_a_call_has_no_band_to_erase() -> None:
    call = Annotation("r", "a", "", True, Span(0, 1), 500.0, 900.0, "row 2")
    recordings = Recordings(Path("/x"), {}, ())
    context = BuildContext(Annotations((call,), ("a", "b")), recordings)
    assert usable_bands(context).names == ("a",)
    assert context.left_out["classes without a confirmed call that gives their band"] == 1


def test_a_margin_beside_a_table_of_all_classes_is_told_to_have_no_effect(
    data: Data, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table, line = tmp_path / "bands.csv", "--band-margin has no effect: "
    table.write_text("class,f_min,f_max\n0,700,1400\n1,2200,2800\n")
    both: dict[str, Any] = {"erase": {"count": 5}, "transplant": {"count": 5}}
    build(data, tmp_path / "a", bands={"table": str(table), "margin": 0.1}, **both)
    assert [text.startswith(line) for text in caplog.messages] == [True]
    caplog.clear()
    build(data, tmp_path / "b", bands={"table": str(table)}, **both)
    # one class has none in the table, and gets it
    table.write_text("class,f_min,f_max\n0,700,1400\n")
    build(data, tmp_path / "c", bands={"table": str(table), "margin": 0.1}, **both)
    build(data, tmp_path / "d", bands={"margin": 0.1}, **both)
    assert caplog.messages == []
