"""The demo's data: its layout, its truth, and sounds that are what their tables say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from negmine.errors import OutputError
from training.demo import soundscapes
from training.demo.beds import ELSEWHERE, FIELD, background
from training.demo.calls import CLASSES, LOOKALIKES, CallKind
from training.demo.soundscapes import DataSize, compose, make_soundscapes, reject
from training.demo.template_match import TemplateMatch, TemplateMatcher

SAMPLE_RATE = 16_000
SETTINGS: dict[str, Any] = {
    "train": 8,
    "test": 3,
    "external": 2,
    "seconds": 3.0,
    "tp_per_class": 2,
    "fp_per_class": 3,
}
COLUMNS = ["recording_id", "species_id", "songtype_id", "t_min", "f_min", "t_max", "f_max"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set, shared by the tests that only read it."""
    out = tmp_path_factory.mktemp("demo") / "data"
    make_soundscapes(out, DataSize(**SETTINGS))
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_layout(made: Path) -> None:
    tables = ["train_tp", "train_fp", "train_events", "train_truth", "test_events", "test_truth"]
    expected = {f"{table}.csv" for table in [*tables, "classes"]}
    expected |= {
        f"{split}/{split}{index:04d}.flac"
        for split in ("train", "test", "external")
        for index in range(SETTINGS[split])
    }
    assert set(contents(made)) == expected
    assert list(made.parent.iterdir()) == [made]  # The partial folder is gone.


@pytest.mark.parametrize("table", ["train_tp", "train_fp", "train_events", "test_events"])
def test_boxes_lie_inside_their_recordings(made: Path, table: str) -> None:
    boxes = pd.read_csv(made / f"{table}.csv")
    assert list(boxes.columns) == COLUMNS
    assert len(boxes)
    split = table.split("_")[0]
    assert set(boxes.recording_id) <= {path.stem for path in (made / split).iterdir()}
    assert boxes.species_id.between(0, len(CLASSES) - 1).all()
    assert (boxes.t_min >= 0).all()
    assert (boxes.t_max > boxes.t_min).all()
    assert (boxes.t_max <= SETTINGS["seconds"]).all()
    classes = pd.read_csv(made / "classes.csv").set_index("species_id").loc[boxes.species_id]
    assert (boxes.f_min.to_numpy() >= classes.f_min.to_numpy()).all()
    assert (boxes.f_max.to_numpy() <= classes.f_max.to_numpy()).all()
    assert (boxes.f_max > boxes.f_min).all()


def test_classes_table(made: Path) -> None:
    classes = pd.read_csv(made / "classes.csv")
    assert list(classes.columns) == ["species_id", "name", "f_min", "f_max"]
    assert list(classes.name) == [kind.name for kind in CLASSES]
    assert (classes.f_max < SAMPLE_RATE / 2).all()


@pytest.mark.parametrize("split", ["train", "test"])
def test_truth_is_what_the_events_say(made: Path, split: str) -> None:
    truth = pd.read_csv(made / f"{split}_truth.csv", index_col="recording_id")
    events = pd.read_csv(made / f"{split}_events.csv")
    assert list(truth.columns) == [f"s{index}" for index in range(len(CLASSES))]
    assert list(truth.index) == sorted(path.stem for path in (made / split).iterdir())
    for recording_id, row in truth.iterrows():
        here = set(events[events.recording_id == recording_id].species_id)
        assert {index for index, value in enumerate(row) if value} == here
        assert set(row) <= {0, 1}


def test_confirmed_annotations_are_events(made: Path) -> None:
    tp, events = pd.read_csv(made / "train_tp.csv"), pd.read_csv(made / "train_events.csv")
    assert len(tp.merge(events)) == len(tp)
    assert not tp.duplicated().any()
    expected = events.species_id.value_counts().clip(upper=SETTINGS["tp_per_class"])
    pd.testing.assert_series_equal(tp.species_id.value_counts().sort_index(), expected.sort_index())


def test_truth_rejects_every_rejected_annotation(made: Path) -> None:
    fp, events = pd.read_csv(made / "train_fp.csv"), pd.read_csv(made / "train_events.csv")
    assert fp.species_id.value_counts().max() <= SETTINGS["fp_per_class"]
    assert not fp.duplicated().any()
    pairs = fp.merge(events, on=["recording_id", "species_id"], suffixes=("", "_call"))
    near = (pairs.t_min_call < pairs.t_max + 0.1) & (pairs.t_max_call > pairs.t_min - 0.1)
    assert not near.any()


def test_audio_is_mono_16_bit_neither_silent_nor_clipped(made: Path) -> None:
    for path in made.rglob("*.flac"):
        info = sf.info(path)
        assert (info.channels, info.samplerate, info.subtype) == (1, SAMPLE_RATE, "PCM_16")
        samples, _ = sf.read(path)
        assert len(samples) == SETTINGS["seconds"] * SAMPLE_RATE
        assert np.abs(samples).max() <= soundscapes.PEAK + 1e-4
        parts = samples.reshape(-1, SAMPLE_RATE // 2)
        assert np.sqrt((parts**2).mean(axis=1)).min() > 10 ** (-60 / 20)


def test_same_seed_same_bytes(made: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    make_soundscapes(again, DataSize(**SETTINGS))
    assert contents(again) == contents(made)
    make_soundscapes(other, DataSize(**SETTINGS), seed=1)
    shared = [name for name, data in contents(other).items() if data == contents(made)[name]]
    assert shared == ["classes.csv"]


def test_no_two_recordings_are_alike(made: Path) -> None:
    audio = [data for name, data in contents(made).items() if name.endswith(".flac")]
    assert len(set(audio)) == len(audio)


def test_a_recording_does_not_depend_on_how_many_there_are(made: Path, tmp_path: Path) -> None:
    make_soundscapes(tmp_path / "few", DataSize(**{**SETTINGS, "train": 2, "external": 1}))
    few, many = contents(tmp_path / "few"), contents(made)
    audio = [name for name in few if name.endswith(".flac")]
    assert len(audio) == 2 + 3 + 1
    assert all(few[name] == many[name] for name in audio)


def test_no_recordings_make_empty_tables_with_columns(tmp_path: Path) -> None:
    make_soundscapes(tmp_path / "none", DataSize(train=0, test=0, external=0))
    for table in ("train_tp", "train_fp", "train_events"):
        frame = pd.read_csv(tmp_path / "none" / f"{table}.csv")
        assert list(frame.columns) == COLUMNS
        assert frame.empty


def test_progress_counts_every_recording(tmp_path: Path) -> None:
    seen: list[int] = []

    def progress(what: str, total: int, unit: str = "file", /) -> Any:
        return lambda: seen.append(total)

    size = DataSize(train=2, test=1, external=1, seconds=2.0)
    make_soundscapes(tmp_path / "out", size, progress=progress)
    assert seen == [4, 4, 4, 4]


def test_out_must_be_new_or_empty(made: Path, tmp_path: Path) -> None:
    before = contents(made)
    with pytest.raises(FileExistsError, match="not an empty folder; name a new one"):
        make_soundscapes(made, DataSize(**SETTINGS))
    assert contents(made) == before
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(FileExistsError, match="not an empty folder"):
        make_soundscapes(file)
    (tmp_path / "empty").mkdir()
    make_soundscapes(tmp_path / "empty", DataSize(train=1, test=0, external=0, seconds=2.0))
    assert (tmp_path / "empty" / "train" / "train0000.flac").is_file()


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(soundscapes, "write_flac", full)
    with pytest.raises(OutputError, match="no space left"):
        make_soundscapes(tmp_path / "out", DataSize(**SETTINGS))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "text"),
    [({"seconds": 1.0}, "shorter than the calls"), ({"sample_rate": 16}, "given in kHz")],
)
def test_settings_that_cannot_hold_the_calls(
    tmp_path: Path, setting: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        make_soundscapes(tmp_path / "out", DataSize(**setting))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [*CLASSES, *LOOKALIKES], ids=lambda kind: kind.name)
def test_a_sound_lies_in_its_band(kind: CallKind) -> None:
    generator = rng()
    low, high = kind.band_hz(SAMPLE_RATE)
    for _ in range(10):
        sound = kind.render(generator, SAMPLE_RATE)
        assert sound.samples.dtype == np.float32
        assert np.mean(sound.samples**2) == pytest.approx(1.0, rel=1e-4)
        assert low <= sound.f_min_hz < sound.f_max_hz <= high
        power = np.abs(np.fft.rfft(sound.samples)) ** 2
        hz = np.fft.rfftfreq(len(sound.samples), 1 / SAMPLE_RATE)
        inside = (hz >= sound.f_min_hz) & (hz <= sound.f_max_hz)
        assert power[inside].sum() > 0.97 * power.sum()


def test_lookalikes_lie_clear_of_their_class_in_a_parameter() -> None:
    for index, like in enumerate(LOOKALIKES):
        model = CLASSES[index // 2]
        more_notes = getattr(like.shape, "keywords", {}) != getattr(model.shape, "keywords", {})
        assert more_notes or any(
            like.ranges[name][0] > high or like.ranges[name][1] < low
            for name, (low, high) in model.ranges.items()
        )


@pytest.mark.parametrize("bed", [*FIELD, *ELSEWHERE])
def test_beds_sound_throughout(bed: str) -> None:
    samples = background(rng(), 4 * SAMPLE_RATE, SAMPLE_RATE, [bed, bed])
    assert samples.dtype == np.float32
    assert -38.01 < 20 * np.log10(np.sqrt(np.mean(samples**2))) < -27.99
    parts = samples.reshape(-1, SAMPLE_RATE // 4)
    assert np.sqrt((parts**2).mean(axis=1)).min() > 1e-3


def test_calls_are_put_where_they_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    # At 40 dB over the bed, what is not a call is silence to the ear.
    monkeypatch.setattr(soundscapes, "SNR_DB", (40.0, 40.0))
    bed = background(rng(), 4 * SAMPLE_RATE, SAMPLE_RATE, FIELD)
    samples, (call,) = compose(rng(1), bed, [CLASSES[0]], SAMPLE_RATE)
    assert np.abs(samples).max() <= np.float32(soundscapes.PEAK)
    start, stop = round(call.t_min * SAMPLE_RATE), round(call.t_max * SAMPLE_RATE)
    scale = np.median(samples[:start] / bed[:start])
    added = samples - scale * bed
    assert np.sum(added[start:stop] ** 2) > 0.999 * np.sum(added**2)
    assert np.abs(added[start : start + 400]).max() > 0.1
    assert np.abs(added[stop - 400 : stop]).max() > 0.1


def test_level_is_exact_in_the_band_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    # White noise of power 1 has 2500 / 8000 of it in 2500 Hz out of 8000.
    monkeypatch.setattr(soundscapes, "SNR_DB", (0.0, 0.0))
    bed = (0.01 * rng().standard_normal(4 * SAMPLE_RATE)).astype(np.float32)
    samples, (call,) = compose(rng(1), bed, [CLASSES[5]], SAMPLE_RATE)
    assert call.f_max - call.f_min < 2500
    span = slice(round(call.t_min * SAMPLE_RATE), round(call.t_max * SAMPLE_RATE))
    level = np.sqrt(np.mean((samples - bed)[span] ** 2))
    assert level == pytest.approx(0.01 * np.sqrt(2500 / 8000), rel=0.05)


def test_rejects_only_what_no_call_of_the_class_comes_near() -> None:
    bed = background(rng(), 4 * SAMPLE_RATE, SAMPLE_RATE, FIELD)
    _, (call, like) = compose(rng(), bed, [CLASSES[2], LOOKALIKES[4]], SAMPLE_RATE)

    def match(species_id: int, t_min: float, t_max: float) -> TemplateMatch:
        return TemplateMatch(species_id, 1.0, t_min, t_max, 0.0, 1.0)

    inside = match(2, call.t_min + 0.01, call.t_min + 0.02)
    near = match(2, call.t_max + 0.09, call.t_max + 0.5)
    clear = match(2, call.t_max + 0.11, call.t_max + 0.5)
    other_class = match(3, call.t_min, call.t_max)
    assert reject([inside, near, clear, other_class], [call]) == [clear, other_class]
    on_like = match(2, like.t_min, like.t_max)
    assert reject([on_like], [like]) == [on_like]


def test_the_matcher_finds_a_clear_call_of_each_class() -> None:
    matcher = TemplateMatcher(CLASSES, SAMPLE_RATE, rng())
    generator = rng(1)
    for species_id, kind in enumerate(CLASSES):
        samples = (0.02 * generator.standard_normal(4 * SAMPLE_RATE)).astype(np.float32)
        sound = kind.render(generator, SAMPLE_RATE)
        start = SAMPLE_RATE
        samples[start : start + len(sound.samples)] += 0.2 * sound.samples
        best = matcher(samples)[0]
        assert best.species_id == species_id
        assert best.score > 0.3
        # A repetitive call matches as well a few periods off.
        assert best.t_min == pytest.approx(1.0, abs=0.3)


def test_the_matcher_lets_no_two_of_a_class_overlap(made: Path) -> None:
    matcher = TemplateMatcher(CLASSES, SAMPLE_RATE, rng())
    samples, _ = sf.read(made / "train" / "train0000.flac", dtype="float32")
    found = matcher(samples, min_score=0.05)
    assert len(found) > 10
    assert [match.score for match in found] == sorted((m.score for m in found), reverse=True)
    for index, match in enumerate(found):
        rivals = [other for other in found[:index] if other.species_id == match.species_id]
        assert not any(match.overlaps(other.t_min, other.t_max) for other in rivals)


def test_the_matcher_scores_the_correlation_coefficient() -> None:
    # Against numpy's own coefficient, on a recording no longer than one template.
    matcher = TemplateMatcher(CLASSES[:1], SAMPLE_RATE, rng(), per_class=1)
    sound = CLASSES[0].render(rng(), SAMPLE_RATE)
    samples = np.zeros(SAMPLE_RATE, np.float32)
    samples[4000 : 4000 + len(sound.samples)] = sound.samples
    samples += (0.05 * rng(5).standard_normal(SAMPLE_RATE)).astype(np.float32)
    (best, *_) = matcher(samples)
    template = matcher._templates[0]
    spectrogram = matcher._spectrogram(samples)
    spectrogram -= np.median(spectrogram, axis=1, keepdims=True)
    frame = round(best.t_min / 0.008)
    patch = spectrogram[template.rows, frame : frame + template.values.shape[1]]
    expected = np.corrcoef(patch.ravel(), template.values.ravel())[0, 1]
    assert best.score == pytest.approx(expected, abs=1e-4)
    assert best.score > 0.8
