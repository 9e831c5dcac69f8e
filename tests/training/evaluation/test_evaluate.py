"""A model against a complete truth, heard by a detector made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch
from conftest import SAMPLE_RATE, TONE_HZ, tiny_config, tone, tone_detector

from negmine.errors import AnnotationError, AudioError, InputError
from negmine.report.plots.det_plot import read_curves
from training import metrics
from training.evaluation.differences import differences
from training.evaluation.evaluate import (
    Evaluation,
    evaluate,
    evaluate_all,
    write_classes,
    write_curves,
)
from training.evaluation.inference import Reading, RecordingScorer
from training.evaluation.measured import Measured
from training.evaluation.score_tables import read_scores
from training.evaluation.truth import Truth, open_truth_recordings
from training.metrics import Curves, RecordingWindows

pytestmark = pytest.mark.usefixtures("one_thread")

CALLS = {
    "t0": [("0", 0.6)],
    "t1": [("1", 2.0)],
    "t2": [("0", 0.2), ("1", 2.5), ("0", 3.2)],
    "t3": [],
    "t4": [("1", 1.0), ("1", 3.0)],
}
CALL_S = 0.5
RECORDING_S = 4.0


@pytest.fixture(scope="module")
def test_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings with none, one and several calls, and their complete truth."""
    root = tmp_path_factory.mktemp("test_set")
    (root / "test").mkdir()
    rng = np.random.default_rng(5)
    truth, events = [], []
    for name, calls in CALLS.items():
        samples = rng.normal(0, 0.01, round(RECORDING_S * SAMPLE_RATE)).astype(np.float32)
        for label, start_s in calls:
            first = round(start_s * SAMPLE_RATE)
            samples[first : first + round(CALL_S * SAMPLE_RATE)] += tone(TONE_HZ[label], CALL_S)
            events.append((name, label, start_s, start_s + CALL_S))
        sf.write(root / "test" / f"{name}.flac", samples, SAMPLE_RATE)
        labels = {label for label, _ in calls}
        truth.append((name, int("0" in labels), int("1" in labels)))
    write(root / "truth.csv", ["recording_id", "s0", "s1"], truth)
    write(root / "events.csv", ["recording_id", "species_id", "t_min", "t_max"], events)
    return root


def write(path: Path, columns: list[str], rows: Sequence[tuple[object, ...]]) -> Path:
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


def read_truth(root: Path, events: bool = True) -> Truth:
    return Truth(root / "truth.csv", root / "events.csv" if events else None, ("0", "1"))


def scorer() -> RecordingScorer:
    return RecordingScorer(tone_detector(), tiny_config(), torch.device("cpu"))


class MadeUpScorer:
    """Stands in for a RecordingScorer: says the same of every recording."""

    def __init__(self, logit: float) -> None:
        self.config, self.grid = tiny_config(), (0.5, 0.5)
        starts = np.arange(0, RECORDING_S, 0.5)
        windows = np.full((len(starts), 2), logit, np.float32)
        audible = np.ones(len(starts), dtype=bool)
        self.reading = Reading(windows[0], windows, starts, starts + 0.5, RECORDING_S, audible)

    def begin(self) -> MadeUpScorer:
        return self

    def add(self, samples: np.ndarray) -> None:
        pass

    def end(self) -> Reading:
        return self.reading


class NoisyScorer(MadeUpScorer):
    """Says something else of every recording, rounded so that scores tie."""

    def __init__(self, seed: int, window_s: float = 0.5) -> None:
        super().__init__(0.0)
        self.rng, self.grid = np.random.default_rng(seed), (window_s, window_s)

    def end(self) -> Reading:
        windows = self.rng.normal(size=self.reading.windows.shape).round(1)
        return replace(self.reading, clip=windows.max(axis=0), windows=windows)


def test_perfect_scores(test_set: Path) -> None:
    truth = read_truth(test_set)
    recordings = open_truth_recordings(test_set / "test", truth)
    results = evaluate(scorer(), recordings, truth).metrics
    assert results == {
        "lwlrap": 1.0,
        "macro_ap": 1.0,
        "neg@1": 0.0,
        "neg@3": 0.0,
        "neg@5": 0.0,
        "fp/h@0.7": 0.0,
        "fp/h@0.7:bed": 0.0,
        "precision@0.7": 1.0,
        "fp/h@0.9": 0.0,
        "fp/h@0.9:bed": 0.0,
        "precision@0.9": 1.0,
        "recall@1fp/h": 1.0,
        "recall@10fp/h": 1.0,
    }


def test_scores_that_tell_nothing(test_set: Path) -> None:
    truth = read_truth(test_set)
    recordings = open_truth_recordings(test_set / "test", truth)
    results = evaluate(MadeUpScorer(0.0), recordings, truth, recalls=(0.25,)).metrics  # type: ignore[arg-type]
    # ties go against the model: precision 1/2 where one class calls, 2/2 where both do
    assert results["lwlrap"] == pytest.approx((0.5 + 0.5 + 1 + 1 + 0.5) / 5)
    assert results["neg@1"] == results["neg@3"] == pytest.approx(3 / 4)
    # each window that touches no call of a class is taken for one
    hours = 5 * RECORDING_S / 3600
    silent = sum(8 - len({w for _, at in calls for w in touched(at)}) for calls in CALLS.values())
    assert results["fp/h@0.25:bed"] == pytest.approx(silent * len(TONE_HZ) / hours)
    free = 0
    for label in TONE_HZ:
        for calls in CALLS.values():
            windows = {w for name, start_s in calls if name == label for w in touched(start_s)}
            free += 8 - len(windows)
    assert results["fp/h@0.25"] == pytest.approx(free / hours)


def touched(start_s: float) -> range:
    """Windows of half a second that a call touches."""
    return range(math.floor(start_s / 0.5), math.ceil((start_s + CALL_S) / 0.5))


def test_metrics_are_those_of_the_clips_scores(test_set: Path) -> None:
    truth = read_truth(test_set, events=False)
    recordings = open_truth_recordings(test_set / "test", truth)
    found = evaluate(scorer(), recordings, truth)
    assert found.scores.classes == ("0", "1")
    assert found.scores.recordings == tuple(CALLS)
    values = found.scores.scores
    assert ((values > 0) & (values < 1)).all()
    assert found.metrics == metrics.evaluate(truth.present.to_numpy(), values)
    assert not any(name.startswith("fp/h") for name in found.metrics)


def test_each_class_has_a_row(test_set: Path, tmp_path: Path) -> None:
    truth = read_truth(test_set)
    recordings = open_truth_recordings(test_set / "test", truth)
    found = evaluate(MadeUpScorer(0.0), recordings, truth, recalls=(0.25,))  # type: ignore[arg-type]
    table = found.classes.set_index("class")
    assert table.index.tolist() == ["0", "1"]
    assert table["clips"].tolist() == [2, 3]
    # all tie: the precision at the one threshold there is
    assert table["ap"].tolist() == pytest.approx([2 / 5, 3 / 5])
    assert table["fp/h@0.25"].sum() == pytest.approx(found.metrics["fp/h@0.25"])
    assert (table["threshold@0.25"] == 0.5).all()
    write_classes(tmp_path / "classes.csv", [found], ["one"])
    back = pd.read_csv(tmp_path / "classes.csv", dtype={"class": str})
    np.testing.assert_allclose(back["ap"], table["ap"])
    assert [path.name for path in tmp_path.iterdir()] == ["classes.csv"]


def noisy(root: Path, *seeds: int, resamples: int = 0) -> list[Evaluation]:
    truth = read_truth(root)
    recordings = open_truth_recordings(root / "test", truth)
    scorers: list[Any] = [NoisyScorer(seed) for seed in seeds]
    return evaluate_all(scorers, recordings, truth, resamples=resamples)


def test_several_models_are_each_evaluated(test_set: Path) -> None:
    together, alone = noisy(test_set, 1, 2), [noisy(test_set, seed)[0] for seed in (1, 2)]
    for one, other in zip(together, alone, strict=True):
        assert one.metrics == other.metrics
        pd.testing.assert_frame_equal(one.classes, other.classes)
    assert together[0].metrics != together[1].metrics


def test_a_resample_is_an_evaluation_of_the_recordings_drawn() -> None:
    rng = np.random.default_rng(0)
    windows, logits, present = [], rng.normal(size=(6, 3)).round(1), rng.random((6, 3)) < 0.5
    for row in range(6):
        scores = rng.normal(size=(rng.integers(0, 5), 3)).round(1)
        absent = rng.random(scores.shape) < 0.7
        calls = [(int(c), float(rng.normal())) for c in np.flatnonzero(present[row])]
        windows.append(RecordingWindows(scores, absent, calls, 0.5))
    measured = Measured(present, logits, Curves(windows), (0.7,), (1.0, 2.0))
    weights = metrics.resamples(6, 25)
    found, ends = measured.resampled(weights)
    assert {name.partition(":")[2] for name in ends} == {"low", "high"}
    calling = (measured.curves.calls > 0).sum()  # type: ignore[union-attr]
    for row, counts in enumerate(weights):
        drawn = np.repeat(np.arange(6), counts)
        curves = Curves([windows[i] for i in drawn])
        once, _ = replace(
            measured, present=present[drawn], logits=logits[drawn], curves=curves
        ).once()
        # the sum over classes is of those that call in the whole test
        scale = calling / max(1, (curves.calls > 0).sum())
        for name, values in found.items():
            factor = scale if name.startswith("fp/h") else 1
            expected = once.get(name, math.nan) * factor
            assert values[row] == pytest.approx(expected, nan_ok=True), name


def test_intervals_hold_the_value_and_are_the_same_again(test_set: Path) -> None:
    (found,) = noisy(test_set, 3, resamples=200)
    (again,) = noisy(test_set, 3, resamples=200)
    assert found.intervals.keys() == found.metrics.keys()
    assert found.intervals == again.intervals
    for name, (low, high) in found.intervals.items():
        assert low <= found.metrics[name] <= high, name
    lowest, highest = (found.classes[f"fp/h@0.7:{end}"] for end in ("low", "high"))
    assert ((lowest <= found.classes["fp/h@0.7"]) & (found.classes["fp/h@0.7"] <= highest)).all()
    assert noisy(test_set, 3)[0].intervals == {}


def test_models_are_compared_in_pairs(test_set: Path) -> None:
    first, second, same = noisy(test_set, 1, 2, 1, resamples=200)
    for name, one in differences(first, same).items():
        assert (one.value, one.interval) == (0, (0, 0)), name
    found = differences(first, second)
    assert found.keys() == first.metrics.keys()
    for name, one in found.items():
        assert one.value == second.metrics[name] - first.metrics[name]
        assert one.interval[0] <= one.value <= one.interval[1], name
    rate = found["fp/h@0.9"]
    assert rate.share == second.metrics["fp/h@0.9"] / first.metrics["fp/h@0.9"] - 1
    # in pairs, the interval is narrower than between two sets of recordings
    (low, high), (other_low, other_high) = (
        model.intervals["macro_ap"] for model in (first, second)
    )
    ends = found["macro_ap"].interval
    assert ends[1] - ends[0] < (high - low) + (other_high - other_low)
    without = differences(*noisy(test_set, 1, 2))
    assert without["fp/h@0.9"].value == rate.value
    assert np.isnan(without["fp/h@0.9"].interval).all()


def test_a_class_that_never_calls_is_left_out_of_means(test_set: Path, tmp_path: Path) -> None:
    events = pd.read_csv(test_set / "events.csv", dtype=str)
    only = events[events["species_id"] == "0"]
    only.to_csv(tmp_path / "events.csv", index=False)
    table = pd.read_csv(test_set / "truth.csv").assign(s1=0)
    table.to_csv(tmp_path / "truth.csv", index=False)
    truth = Truth(tmp_path / "truth.csv", tmp_path / "events.csv", ("0", "1"))
    recordings = open_truth_recordings(test_set / "test", truth)
    found = evaluate(NoisyScorer(0), recordings, truth, resamples=50)  # type: ignore[arg-type]
    rows = found.classes.set_index("class")
    assert rows["calls"].tolist() == [3, 0]
    for name in ("precision@0.7", "recall@1fp/h", "fp/h@0.7"):
        assert math.isnan(rows[name]["1"])
        assert found.metrics[name] == rows.loc["0", name]


def test_a_short_test_says_so(test_set: Path) -> None:
    truth = read_truth(test_set)
    recordings = open_truth_recordings(test_set / "test", truth)
    # 20 s: 360 false positives an hour are two
    notes = evaluate(NoisyScorer(0), recordings, truth, rates=(1, 360)).notes  # type: ignore[arg-type]
    (line,) = notes
    assert line.startswith("recall@1fp/h allows no false positive in a test of 0.0056 h")
    assert "it takes 1 h at the least" in line
    # class 0 has 17 s of windows without its calls, class 1 18 s: less than 1/190 h both
    (line,) = evaluate(NoisyScorer(0), recordings, truth, rates=(190,)).notes  # type: ignore[arg-type]
    assert line.startswith("2 classes (0, 1) have less than 0.00526 h of windows without a call")
    assert evaluate(NoisyScorer(0), recordings, truth, rates=(360,)).notes == ()  # type: ignore[arg-type]
    without = read_truth(test_set, events=False)
    assert evaluate(NoisyScorer(0), recordings, without).notes == ()  # type: ignore[arg-type]


def test_classes_of_several_models_are_one_table(test_set: Path, tmp_path: Path) -> None:
    write_classes(tmp_path / "classes.csv", noisy(test_set, 1, 2), ["a.pt", "b.pt"])
    table = pd.read_csv(tmp_path / "classes.csv", dtype={"class": str})
    assert table["model"].tolist() == ["a.pt", "a.pt", "b.pt", "b.pt"]
    assert table["class"].tolist() == ["0", "1", "0", "1"]


def test_a_curve_passes_through_the_metrics(test_set: Path, tmp_path: Path) -> None:
    (found,) = noisy(test_set, 1)
    write_curves(tmp_path / "c.csv", [found], ["run/best.pt"])
    curves = read_curves(tmp_path / "c.csv")["run/best.pt"]
    assert found.metrics["fp/h@0.7"] > 0
    for recall in (0.7, 0.9):
        at = round(100 * recall) - 1
        assert curves["*"][0][at] == pytest.approx(recall)
        assert curves["*"][1][at] == pytest.approx(found.metrics[f"fp/h@{recall}"])
        each = found.classes.set_index("class")[f"fp/h@{recall}"].dropna()
        assert {name: pytest.approx(rate) for name, rate in each.items()} == {
            name: rates[at] for name, (_, rates, _) in curves.items() if name != "*"
        }
    assert (np.diff(curves["*"][1]) >= 0).all()
    assert curves["*"][2] == pytest.approx(found.hours)
    without = replace(found, curves=None)
    with pytest.raises(ValueError, match="events"):
        write_curves(tmp_path / "d.csv", [without], ["m"])


def test_recordings_may_stand_in_any_order_in_the_truth(test_set: Path, tmp_path: Path) -> None:
    rows = [("t4", 0, 1), ("t0", 1, 0), ("t2", 1, 1)]
    truth = Truth(write(tmp_path / "t.csv", ["recording_id", "s0", "s1"], rows), None, ("0", "1"))
    recordings = open_truth_recordings(test_set / "test", truth)
    found = evaluate(scorer(), recordings, truth)
    assert found.metrics["lwlrap"] == 1.0
    assert found.scores.recordings == ("t4", "t0", "t2")


def test_columns_go_by_name_or_with_an_s(tmp_path: Path) -> None:
    rows = [("r", 1, 0, "x"), ("q", 0, 1, "y")]
    for names in (("sfrog", "sowl"), ("frog", "owl")):
        path = write(tmp_path / "t.csv", ["recording_id", *names, "note"], rows)
        truth = Truth(path, None, ("owl", "frog"))
        assert list(truth.present.columns) == ["owl", "frog"]
        assert truth.present.loc[["r", "q"]].to_numpy().tolist() == [[False, True], [True, False]]
    path = write(tmp_path / "t.csv", ["recording_id", "sfrog", "owl", "note"], rows)
    with pytest.raises(InputError, match="'sfrog' is RFCX's for class 'frog', and column 'owl'"):
        Truth(path, None, ("owl", "frog"))


@pytest.mark.parametrize("classes", [("top", "stop"), ("7", "s7"), ("stop", "top", "sstop")])
def test_a_layout_is_a_property_of_the_table(tmp_path: Path, classes: tuple[str, ...]) -> None:
    rows = np.eye(len(classes), dtype=int)
    for columns in (classes, [f"s{name}" for name in classes]):
        cells = [(f"r{i}", *row) for i, row in enumerate(rows.tolist())]
        path = write(tmp_path / "t.csv", ["recording_id", *columns], cells)
        assert Truth(path, None, classes).present.to_numpy().tolist() == (rows == 1).tolist()


def test_a_table_that_fits_both_layouts_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ["recording_id", "1", "s1"], [("r", 1, 0)])
    with pytest.raises(InputError, match="columns 1 and the columns s1"):
        Truth(path, None, ("1",))
    columns = ["recording_id", "top", "stop", "sstop"]
    path = write(tmp_path / "t.csv", columns, [("r", 1, 0, 1)])
    with pytest.raises(InputError, match="top, stop and the columns stop, sstop"):
        Truth(path, None, ("top", "stop"))


def test_missing_class_column(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ["recording_id", "s0", "sfrof"], [("r", 1, 0)])
    with pytest.raises(InputError, match=r"no column 'frog' or 'sfrog'.*did you mean sfrof"):
        Truth(path, None, ("0", "frog"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0.5", "'b', class '0' is 0.5, not 0, 1 or empty; is this a table of scores"),
        ("2", "'b', class '0' is 2, not"),
        ("-1", "'b', class '0' is -1, not"),
        ("", "'b', class '0' is empty; a truth to evaluate by is complete"),
        ("yes", "row 3: s0 'yes' of recording 'b'"),
        ("nan", "row 3: s0 'nan' of recording 'b'"),
    ],
)
def test_truth_other_than_0_and_1(tmp_path: Path, value: str, message: str) -> None:
    path = write(tmp_path / "t.csv", ["recording_id", "s0"], [("a", "1"), ("b", value)])
    with pytest.raises(InputError, match=message):
        Truth(path, None, ("0",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("recording_id,s0\n", "has no rows"),
        ("recording,s0\nr,1\n", "no column 'recording_id'; found recording, s0"),
        (b"\xff\xfe\x00\x01", "not readable as CSV|no column"),
    ],
)
def test_truth_that_is_no_table(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        Truth(path, None, ("0",))


def test_missing_truth(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        Truth(tmp_path / "none.csv", None, ("0",))


def test_recording_that_stands_twice(tmp_path: Path) -> None:
    rows = [("a", 1), ("b", 0), ("a", 0)]
    path = write(tmp_path / "t.csv", ["recording_id", "s0"], rows)
    with pytest.raises(
        InputError, match=r"t\.csv row 4: recording 'a' appears twice, first in row 2"
    ):
        Truth(path, None, ("0",))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("r", "9", 0, 1), "row 3: unknown class '9'"),
        (("r", "0", 1, 1), "row 3: t_max 1 <= t_min 1"),
        (("r", "0", 2, 1), "row 3: t_max 1 <= t_min 2"),
        (("r", "0", "soon", 1), "row 3: t_min '(soon)?' is not a number"),
        (("r", "0", "", 1), "row 3: t_min '(soon)?' is not a number"),
        (("r", "0", "nan", 1), "row 3: t_min 'nan' is not a number"),
        (("r", "0", "0_1", 1), "row 3: t_min '0_1' is not a number"),
        (("r", "0", -1, 1), "row 3: t_min -1 is negative"),
        (("q", "0", 0, 1), r"row 3: class '0' calls in recording 'q', and .*t\.csv says that"),
        (("elsewhere", "0", 0, 1), r"e\.csv row 3: recording 'elsewhere' is not in .*t\.csv"),
    ],
)
def test_malformed_event(tmp_path: Path, row: tuple[object, ...], message: str) -> None:
    truth = write(tmp_path / "t.csv", ["recording_id", "s0"], [("r", 1), ("q", 0)])
    columns = ["recording_id", "species_id", "t_min", "t_max"]
    events = write(tmp_path / "e.csv", columns, [("r", "0", 0, 1), row])
    with pytest.raises(InputError, match=message):
        Truth(truth, events, ("0",))


def test_an_event_counts_once_and_lies_in_its_recording(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.csv", ["recording_id", "s0"], [("r", 1), ("q", 1)])
    columns = ["recording_id", "species_id", "t_min", "t_max"]
    rows = [("r", "0", 0, 1), ("r", "0", "0.0", "1"), ("r", "0", 0, 1.5)]
    found = Truth(truth, write(tmp_path / "e.csv", columns, rows), ("0",))
    assert found.events == {"r": [(0, 0.0, 1.0), (0, 0.0, 1.5)]}
    assert [line.partition(": ")[2][:20] for line in found.notes] == [
        "left out 1 of 3 even", "has no event for 1 o"
    ]  # fmt: skip
    found.check_durations({"r": 1.45})
    with pytest.raises(AnnotationError, match=r"row 4: the event ends at 1\.5 s but recording 'r'"):
        found.check_durations({"r": 1.2})


def test_events_that_differ_by_rounding_count_once(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.csv", ["recording_id", "s0", "s1"], [("r", 1, 1), ("q", 1, 0)])
    columns = ["recording_id", "species_id", "t_min", "t_max"]
    rows = [
        ("r", "0", 1.0, 2.0), ("r", "0", 1.0004, 1.9996), ("r", "1", 1.0004, 2.0),
        ("q", "0", 1.0, 2.0), ("r", "0", 1.0, 2.1),
    ]  # fmt: skip
    found = Truth(truth, write(tmp_path / "e.csv", columns, rows), ("0", "1"))
    assert found.events == {
        "r": [(0, 1.0, 2.0), (1, 1.0004, 2.0), (0, 1.0, 2.1)],
        "q": [(0, 1.0, 2.0)],
    }
    (line,) = found.notes
    assert "left out 1 of 5 events" in line
    assert line.endswith("to rounding; the first: " + str(tmp_path / "e.csv") + " row 3")


def test_events_without_a_column(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.csv", ["recording_id", "s0"], [("r", 1)])
    events = write(tmp_path / "e.csv", ["recording_id", "species_id", "t_min"], [("r", "0", 1)])
    with pytest.raises(InputError, match=r"e\.csv: no column 't_max'"):
        Truth(truth, events, ("0",))


def test_unknown_recording(test_set: Path, tmp_path: Path) -> None:
    rows = [("t0", 1), ("t9", 0), ("tx", 0)]
    truth = Truth(write(tmp_path / "t.csv", ["recording_id", "s0"], rows), None, ("0",))
    with pytest.raises(AnnotationError, match=r"no sound file for recording 't9'.*2 of 3"):
        open_truth_recordings(test_set / "test", truth)


def test_truncated_recording(test_set: Path, tmp_path: Path) -> None:
    content = (test_set / "test" / "t0.flac").read_bytes()
    (tmp_path / "t0.flac").write_bytes(content[: len(content) // 2])
    truth = Truth(write(tmp_path / "t.csv", ["recording_id", "s0"], [("t0", 1)]), None, ("0",))
    with pytest.raises(AudioError, match=r"t0\.flac"):
        open_truth_recordings(tmp_path, truth)


def test_files_beside_the_truth_are_not_scored(test_set: Path, tmp_path: Path) -> None:
    truth = Truth(
        write(tmp_path / "t.csv", ["recording_id", "s0", "s1"], [("t2", 1, 1)]), None, ("0", "1")
    )
    done: list[int] = []

    def progress(*_: object) -> Any:
        return lambda: done.append(1)

    recordings = open_truth_recordings(test_set / "test", truth, progress)
    assert list(recordings.infos) == ["t2"]
    evaluate(scorer(), recordings, truth, progress=progress)
    assert len(done) == 2


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_extreme_logits_are_probabilities(test_set: Path, logit: float) -> None:
    truth = read_truth(test_set, events=False)
    recordings = open_truth_recordings(test_set / "test", truth)
    scores = evaluate(MadeUpScorer(logit), recordings, truth).scores  # type: ignore[arg-type]
    assert scores.scores == pytest.approx(float(logit > 0))


def test_sure_scores_do_not_tie(test_set: Path) -> None:
    truth = read_truth(test_set, events=False)
    recordings = open_truth_recordings(test_set / "test", truth)
    sure, surer = (
        evaluate(MadeUpScorer(logit), recordings, truth).scores.scores[0, 0]  # type: ignore[arg-type]
        for logit in (18.0, 25.0)
    )
    assert 1 > surer > sure


def test_scores_are_written_as_a_submission(test_set: Path, tmp_path: Path) -> None:
    truth = read_truth(test_set, events=False)
    recordings = open_truth_recordings(test_set / "test", truth)
    scores = evaluate(scorer(), recordings, truth).scores
    path = tmp_path / "deep" / "scores.csv"
    scores.write(path)
    back = read_scores(path)
    assert (back.recordings, back.classes) == (scores.recordings, scores.classes)
    np.testing.assert_allclose(back.scores, scores.scores, rtol=1e-8)
    assert [p.name for p in path.parent.iterdir()] == ["scores.csv"]
