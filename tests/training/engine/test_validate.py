"""Validation on known labels: a verdict is read in its own span, and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from conftest import SAMPLE_RATE, Opened, tiny_config, tone, tone_detector

from negmine.annotations import Annotation, Annotations
from negmine.annotations.recordings import Recordings
from negmine.audio.read import probe, read_all
from negmine.audio.windows import Span
from negmine.errors import AudioError
from negmine.recipes.cache_items import build_cache
from training.engine.validate import ClipScorer, KnownScores, Verdicts, read_recordings
from training.metrics import known_ap, neg_at_k
from training.models.model import FeatureMap

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
CLASSES = ("a", "b", "c", "d")


def box(recording: str, label: str, present: bool, start_s: float, end_s: float) -> Annotation:
    return Annotation(recording, label, "", present, Span(start_s, end_s), 0.0, 1.0, "row")


def open_sounds(folder: Path, sounds: dict[str, np.ndarray]) -> Recordings:
    folder.mkdir(parents=True, exist_ok=True)
    for name, samples in sounds.items():
        sf.write(folder / f"{name}.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    return Recordings(folder, {name: probe(folder / f"{name}.wav") for name in sounds}, ())


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.01, round(seconds * SAMPLE_RATE)).astype(np.float32)


def with_call(samples: np.ndarray, hz: float, start_s: float, seconds: float = 0.5) -> np.ndarray:
    out = samples.copy()
    first = round(start_s * SAMPLE_RATE)
    call = tone(hz, seconds)
    out[first : first + len(call)] += call
    return out


class MadeUpScores:
    """Stands in for a ClipScorer: any number for a recording, a span and a class."""

    frozen = False

    def features(self, samples: np.ndarray) -> float:
        return float(samples[0])

    def span_logits(self, features: float, span: Span) -> np.ndarray:
        text = repr((round(features, 3), span)).encode()
        seed = int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")
        return np.random.default_rng(seed).normal(size=len(CLASSES)).astype(np.float32)


def test_known_scores_are_those_of_a_slow_loop(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    names = [f"r{i}" for i in range(6)]
    sounds = {name: np.full(4000, 0.1 * (i + 1), np.float32) for i, name in enumerate(names)}
    recordings = open_sounds(tmp_path, sounds)
    boxes = []
    for start_s in np.round(rng.uniform(0, 0.4, 60), 4).tolist():
        name, label = str(rng.choice(names[:5])), str(rng.choice(CLASSES[:3]))
        boxes.append(box(name, label, bool(rng.random() < 0.4), start_s, start_s + 0.1))
    made_up = MadeUpScores()
    got = Verdicts(recordings, Annotations(tuple(boxes), CLASSES), SAMPLE_RATE).scores(made_up)  # type: ignore[arg-type]

    assert got.truth.shape == got.known.shape == got.scores.shape == (6, 4)
    states = set()
    for row, name in enumerate(names):
        for column, label in enumerate(CLASSES):
            here = [b for b in boxes if (b.recording, b.label) == (name, label)]
            calls = [b for b in here if b.present]
            counted = calls or here
            scores = [made_up.span_logits(0.1 * (row + 1), b.span)[column] for b in counted]
            assert got.known[row, column] == bool(here)
            assert got.truth[row, column] == bool(calls)
            assert got.scores[row, column] == (max(scores) if scores else 0)
            states.add((bool(calls), len(here) > len(calls), len(counted) > 1))
    # calls alone, rejections alone, both, neither; one and several
    assert len(states) >= 6
    assert not got.known[5].any()


def test_rejection_is_read_in_its_own_span(tmp_path: Path) -> None:
    # class 0 calls at 0.5 s, unconfirmed; it was rejected at 2.5 s, where nothing is heard
    recordings = open_sounds(tmp_path, {"r": with_call(noise(4), 1000, 0.5)})
    scorer = ClipScorer(tone_detector(), tiny_config(), CPU)

    def score(present: bool, start_s: float) -> float:
        boxes = (box("r", "0", present, start_s, start_s + 0.5),)
        got = Verdicts(recordings, Annotations(boxes, ("0", "1")), SAMPLE_RATE).scores(scorer)
        assert got.known.tolist() == [[True, False]]
        assert got.truth.tolist() == [[present, False]]
        assert got.scores[0, 1] == 0
        return float(got.scores[0, 0])

    assert score(False, 2.5) < 0
    assert score(False, 0.5) > 3
    assert score(True, 0.5) > 3
    assert score(True, 2.5) < 0


@pytest.mark.parametrize("order", [1, -1])
def test_confirmed_call_outweighs_a_louder_rejection(tmp_path: Path, order: int) -> None:
    recordings = open_sounds(tmp_path, {"r": with_call(noise(4), 1000, 0.5)})
    boxes = (box("r", "0", False, 0.5, 1.0), box("r", "0", True, 2.5, 3.0))[::order]
    scorer = ClipScorer(tone_detector(), tiny_config(), CPU)
    got = Verdicts(recordings, Annotations(boxes, ("0", "1")), SAMPLE_RATE).scores(scorer)
    assert got.truth[0, 0]
    assert got.scores[0, 0] < 0


def test_best_of_several_calls_counts(tmp_path: Path) -> None:
    recordings = open_sounds(tmp_path, {"r": with_call(noise(4), 1000, 0.5)})
    boxes = (box("r", "0", True, 0.5, 1.0), box("r", "0", True, 2.5, 3.0))
    scorer = ClipScorer(tone_detector(), tiny_config(), CPU)
    got = Verdicts(recordings, Annotations(boxes, ("0", "1")), SAMPLE_RATE).scores(scorer)
    assert got.scores[0, 0] > 3


def test_recording_without_verdict_is_unknown(tmp_path: Path) -> None:
    recordings = open_sounds(tmp_path, {"r": noise(1), "s": noise(1)})
    scorer = ClipScorer(tone_detector(), tiny_config(), CPU)
    got = Verdicts(recordings, Annotations((), ("0", "1")), SAMPLE_RATE).scores(scorer)
    assert not got.known.any()
    summary = got.summary()
    assert summary == {}


def test_summary_ranks_all_known_cells_together() -> None:
    truth = np.array([[True, False], [True, False]])
    known = np.array([[True, True], [True, False]])
    scores = np.array([[1.0, 0.5], [0.2, 9.0]], np.float32)
    summary = KnownScores(truth, known, scores).summary()
    # the rejection at 0.5 stands between the two calls: precisions 1/1 and 2/3
    assert summary["known_ap"] == pytest.approx((1 + 2 / 3) / 2)
    assert summary["known_ap"] == known_ap(truth, scores, known)
    assert summary["neg@3"] == neg_at_k(truth, scores, 3, known) == 0.0


@pytest.mark.parametrize(
    ("truth", "known", "names"),
    [
        ([[1], [0]], [[1], [1]], {"known_ap"}),  # one class
        ([[1, 0], [0, 0]], [[1, 0], [0, 1]], {"known_ap"}),  # one known cell a clip
        ([[1], [1]], [[1], [1]], set()),  # nothing rejected
        ([[0, 0], [0, 0]], [[1, 0], [1, 1]], set()),  # nothing confirmed
        ([[1, 0], [0, 0]], [[1, 1], [0, 0]], {"known_ap", "neg@3", "neg@5"}),
    ],
)
def test_a_score_that_is_the_same_for_any_model_is_left_out(
    truth: list[list[int]], known: list[list[int]], names: set[str]
) -> None:
    cells = np.array(truth, bool), np.array(known, bool)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20, *cells[0].shape)).astype(np.float32)
    drawn = [KnownScores(*cells, one).summary() for one in scores]
    assert drawn[0].keys() == names
    assert all(len({summary[name] for summary in drawn}) > 1 for name in names)


@pytest.mark.parametrize("seconds", [0.2, 0.4, 0.6, 4.0])
@pytest.mark.parametrize(
    "span",
    [Span(0.0, 0.1), Span(1.9, 2.0), Span(3.95, 4.05), Span(0.5, 3.5), Span(0.0, 4.1)],
)
def test_span_holds_its_box_and_at_least_one_window(
    span: Span, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = ClipScorer(tone_detector(), tiny_config(), CPU)
    features = scorer.features(noise(seconds))
    # every frame holds its own number
    frames = features.length
    features = FeatureMap((torch.arange(frames).expand_as(features.maps[0]),))
    seen: list[np.ndarray] = []

    def record(part: FeatureMap) -> np.ndarray:
        seen.append(part.maps[0][0, 0, 0].numpy())
        return np.zeros(2)

    monkeypatch.setattr(scorer, "clip_logits", record)
    scorer.span_logits(features, span)
    window = scorer.window_frames
    assert window == 31
    (part,) = seen
    assert (np.diff(part) == 1).all()
    assert len(part) >= min(window, frames)
    rate = scorer.frames_per_second
    inside = np.arange(np.floor(span.start_s * rate), np.ceil(span.end_s * rate))
    assert set(inside[inside < frames]) <= set(part)
    # and no more than that
    assert len(part) <= max(window, len(inside))
    if 1.0 < span.start_s < span.end_s < seconds - 1.0:
        # with room on both sides the box stands in the middle
        assert part.mean() == pytest.approx(inside.mean(), abs=1)


def test_a_clip_is_read_out_as_the_configuration_says() -> None:
    samples, found = with_call(noise(4), 1000, 1.0), []
    for readout in ("max", "power", "mean"):
        scorer = ClipScorer(tone_detector(), tiny_config(readout=readout), CPU)
        found.append(scorer.clip_logits(scorer.features(samples))[0])
    # one call in a long recording: the more a readout listens to peaks, the higher it scores
    assert found[0] > found[1] > found[2]


def test_scorer_leaves_training_mode() -> None:
    detector = tone_detector().train()
    ClipScorer(detector, tiny_config(), CPU)
    assert not detector.training


@pytest.mark.parametrize("count", [1, 3, 7])
def test_recordings_are_read_in_order(tmp_path: Path, count: int) -> None:
    sounds = {f"r{i}": noise(0.1 + 0.05 * (i % 3), seed=i) for i in range(count)}
    recordings = open_sounds(tmp_path, sounds)
    got = list(read_recordings(recordings, SAMPLE_RATE))
    assert [name for name, _ in got] == list(sounds)
    for (_, samples), want in zip(got, sounds.values(), strict=True):
        np.testing.assert_array_equal(samples, want)


def test_recordings_that_a_cache_holds_to_the_bit_are_read_from_it(
    shared_opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = shared_opened.recordings
    decoded = list(read_recordings(recordings, SAMPLE_RATE))
    sources = [recordings.source(name) for name in list(recordings.infos)[:5]]
    build_cache(tmp_path, sources, SAMPLE_RATE)
    read = []

    def counted(path: Path, sample_rate: int) -> np.ndarray:
        read.append(path.stem)
        return read_all(path, sample_rate)

    monkeypatch.setattr("training.engine.validate.read_all", counted)
    for (_, want), (_, got) in zip(
        decoded, read_recordings(recordings, SAMPLE_RATE, tmp_path), strict=True
    ):
        assert got.tobytes() == want.tobytes()
    assert sorted(read) == list(recordings.infos)[5:]


def test_no_recordings(tmp_path: Path) -> None:
    assert list(read_recordings(Recordings(tmp_path, {}, ()), SAMPLE_RATE)) == []


def test_lost_recording_is_an_error(tmp_path: Path) -> None:
    recordings = open_sounds(tmp_path, {f"r{i}": noise(0.1) for i in range(5)})
    (tmp_path / "r3.wav").unlink()
    with pytest.raises(AudioError, match=r"r3\.wav"):
        list(read_recordings(recordings, SAMPLE_RATE))


@pytest.mark.parametrize("readout", ["max", "mean", "power"])
def test_confirmed_tones_beat_rejected_silence(
    shared_opened: Opened, readout: str, make_silent: Callable[[Opened], Annotations]
) -> None:
    scorer = ClipScorer(tone_detector(), tiny_config(readout=readout), CPU)
    annotations = make_silent(shared_opened)
    got = Verdicts(shared_opened.recordings, annotations, SAMPLE_RATE).scores(scorer)
    assert got.known.all()
    assert got.truth.sum() == 8
    assert got.summary() == {"known_ap": 1.0, "neg@3": 0.0, "neg@5": 0.0}


@pytest.fixture
def make_silent() -> Callable[[Opened], Annotations]:
    """Each recording's class 0 confirmed where it calls, class 1 rejected in silence."""

    def made(opened: Opened) -> Annotations:
        boxes = []
        for name in opened.recordings.infos:
            boxes += [box(name, "0", True, 0.5, 1.0), box(name, "1", False, 1.5, 2.0)]
        return Annotations(tuple(boxes), ("0", "1"))

    return made
