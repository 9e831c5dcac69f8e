"""Rows cut round boxes: where crops lie, which are drawn, and what is kept for validation."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batches import make_batch
from conftest import RECORDING_S, SAMPLE_RATE, TONE_HZ, Opened, tiny_config
from hypothesis import given
from hypothesis import strategies as st

from negmine.annotations import Annotation, Annotations
from negmine.audio.windows import Span
from negmine.recipes.cache_items import build_cache
from negmine.recipes.certificates import Certificate
from negmine.recipes.clip_labels import label_clip
from negmine.recipes.labels import PartialLabels
from training.augmentation import AugmentSettings
from training.data.box_rows import BoxRows, Draw, crop_starts
from training.data.rows import Batch, Example, Row, RowKind
from training.data.steps import Step, StepDataset, step_loader

pytestmark = pytest.mark.usefixtures("one_thread")

TIMES = st.floats(0.0, 1.0, allow_nan=False)


def rows_of(
    opened: Opened, cache: Path, boxes: list[Annotation] | None = None, **changes: object
) -> BoxRows:
    annotations = opened.annotations
    if boxes is not None:
        annotations = Annotations(tuple(boxes), annotations.classes)
    return BoxRows(annotations, opened.recordings, tiny_config(**changes), cache)


def batch_of(rows: BoxRows, step: int) -> Batch:
    return make_batch(rows.rows(step), rows.annotations.classes)


def moved(box: Annotation, start_s: float, end_s: float) -> Annotation:
    return replace(box, span=Span(start_s, end_s))


def same(one: Batch, other: Batch) -> bool:
    pairs = zip(vars(one).values(), vars(other).values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def loudest_hz(waveform: torch.Tensor) -> float:
    power = np.abs(np.fft.rfft(waveform.numpy())) ** 2
    return float(np.argmax(power) * SAMPLE_RATE / len(waveform))


@given(first=TIMES, length=st.floats(0.001, 1.0), share=TIMES, clip_s=st.floats(0.1, 30))
def test_crop_holds_the_box_or_lies_in_it_inside_the_recording(
    first: float, length: float, share: float, clip_s: float
) -> None:
    recording_s = 20.0
    start_s = first * (recording_s - 0.1)
    box = Span(start_s, min(recording_s, start_s + 0.01 + length * recording_s))
    starts = crop_starts(box, clip_s, recording_s)
    assert starts.start_s <= starts.end_s
    at = starts.start_s + share * starts.duration_s
    crop = Span(at, at + clip_s)
    near = 1e-9
    if clip_s <= recording_s:
        assert crop.start_s >= 0
        assert crop.end_s <= recording_s + near
        shared = crop.overlap_s(box)
        assert shared == pytest.approx(min(box.duration_s, clip_s), abs=near)
    else:
        # it cannot lie inside: it starts with the recording, and so holds the box
        assert (starts.start_s, starts.end_s) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("box", "want"),
    [
        (Span(4.0, 5.0), Span(3.0, 4.0)),
        (Span(0.5, 1.0), Span(0.0, 0.5)),
        (Span(9.5, 10.0), Span(8.0, 8.0)),
        (Span(2.0, 9.0), Span(2.0, 7.0)),
        (Span(3.0, 5.0), Span(3.0, 3.0)),
        (Span(9.5, 10.1), Span(8.0, 8.0)),
    ],
)
def test_crops_of_two_seconds_in_ten(box: Span, want: Span) -> None:
    got = crop_starts(box, 2.0, 10.0)
    assert got.start_s == pytest.approx(want.start_s)
    assert got.end_s == pytest.approx(want.end_s)


def test_same_step_has_the_same_rows_whatever_was_drawn_before(
    shared_opened: Opened, shared_cache: Path
) -> None:
    rows = rows_of(shared_opened, shared_cache)
    want = batch_of(rows, 5)
    for step in (0, 3, 5, 9):
        batch_of(rows, step)
    assert same(batch_of(rows, 5), want)
    assert same(batch_of(rows_of(shared_opened, shared_cache), 5), want)
    assert not same(batch_of(rows, 6), want)
    assert not same(batch_of(rows_of(shared_opened, shared_cache, seed=1), 5), want)


@pytest.mark.parametrize("counts", [(4, 2), (1, 0), (3, 7)])
def test_rows_of_a_step_are_as_many_as_asked(
    shared_opened: Opened, shared_cache: Path, counts: tuple[int, int]
) -> None:
    # rejected where nothing was confirmed, so that the kinds can be told apart
    boxes = [
        b if b.present else moved(b, 1.2, 1.7) if b.label == "0" else moved(b, 3.2, 3.7)
        for b in shared_opened.annotations.boxes
    ]
    tp, fp = counts
    rows = rows_of(shared_opened, shared_cache, boxes, tp_per_step=tp, fp_per_step=fp, clip_s=0.5)
    for step in range(6):
        batch = batch_of(rows, step)
        assert len(batch) == tp + fp
        assert batch.waveforms.shape == (tp + fp, SAMPLE_RATE // 2)
        assert (batch.targets[:tp].sum(dim=1) == 1).all()
        assert not batch.targets[tp:].any()
        assert (batch.weight[:tp] == 1).all()
        # a rejected detection speaks of one class alone
        assert (batch.known[tp:].sum(dim=1) == 1).all()
        assert torch.equal(batch.weight[tp:] > 0, batch.known[tp:])


def test_classes_are_drawn_evenly_however_few_their_boxes(
    shared_opened: Opened, shared_cache: Path
) -> None:
    confirmed = shared_opened.annotations.confirmed
    boxes = [b for b in confirmed if b.label == "1" or b.recording == "rec03"]
    assert [b.label for b in boxes].count("0") == 1
    rows = rows_of(shared_opened, shared_cache, boxes, tp_per_step=8)
    drawn = torch.cat([batch_of(rows, step).targets for step in range(50)])
    assert (drawn.sum(dim=1) == 1).all()
    # 400 draws of a fair coin: 5 standard deviations are 50
    assert abs(float(drawn[:, 0].sum()) - 200) < 50


def test_every_box_is_drawn(shared_opened: Opened, shared_cache: Path) -> None:
    rows = rows_of(shared_opened, shared_cache, clip_s=0.5, tp_per_step=8, fp_per_step=0)
    # crops as long as the calls: one possible start a box, so 16 different clips
    seen = {row.numpy().tobytes() for step in range(20) for row in batch_of(rows, step).waveforms}
    assert len(seen) == 16


def test_crop_holds_the_whole_call_of_the_class_it_names(
    shared_opened: Opened, shared_cache: Path
) -> None:
    rows = rows_of(shared_opened, shared_cache, fp_per_step=0)
    tone_power = 0.2**2 / 2 * 0.5
    for step in range(5):
        batch = batch_of(rows, step)
        for waveform, target in zip(batch.waveforms, batch.targets, strict=True):
            (column,) = target.nonzero()[0].tolist()
            assert loudest_hz(waveform) == pytest.approx(list(TONE_HZ.values())[column], abs=2)
            assert float(waveform.square().mean()) == pytest.approx(tone_power, rel=0.05)


def test_crops_of_one_box_lie_at_many_places(shared_opened: Opened, shared_cache: Path) -> None:
    boxes = [b for b in shared_opened.annotations.confirmed if b.label == "1"][:1]
    rows = rows_of(shared_opened, shared_cache, boxes, tp_per_step=30)
    loud = batch_of(rows, 0).waveforms.abs() > 0.1
    first_s = loud.float().argmax(dim=1) / SAMPLE_RATE
    # the call of 0.5 s may begin anywhere in the first half of a crop of 1 s
    assert float(first_s.min()) < 0.1
    assert 0.4 < float(first_s.max()) <= 0.51


def test_verdict_costs_confidence_per_second_beyond_its_box(
    shared_opened: Opened, shared_cache: Path
) -> None:
    rejected = [moved(b, 1.6, 2.1) for b in shared_opened.annotations.rejected if b.label == "0"]
    confirmed = list(shared_opened.annotations.confirmed)
    rows = rows_of(
        shared_opened, shared_cache, [*confirmed, *rejected], fp_per_step=5, beyond_per_s=0.81
    )
    # crops of 1 s round boxes of 0.5 s: half a second is beyond
    weights = batch_of(rows, 0).weight[4:, 0].tolist()
    assert weights == pytest.approx([0.9] * 5, abs=1e-5)


def test_without_rejected_detections_a_step_has_calls_alone(
    shared_opened: Opened, shared_cache: Path
) -> None:
    rows = rows_of(shared_opened, shared_cache, list(shared_opened.annotations.confirmed))
    batch = batch_of(rows, 0)
    assert len(batch) == tiny_config().tp_per_step
    assert (batch.targets.sum(dim=1) == 1).all()


def test_clip_longer_than_the_recording_is_padded(
    shared_opened: Opened, shared_cache: Path
) -> None:
    rows = rows_of(shared_opened, shared_cache, clip_s=RECORDING_S + 1)
    batch = batch_of(rows, 0)
    assert batch.waveforms.shape[1] == round((RECORDING_S + 1) * SAMPLE_RATE)
    assert not batch.waveforms[:, round(RECORDING_S * SAMPLE_RATE) :].any()
    # both calls of the recording are in it
    assert (batch.targets == 1).all()


def test_boxes_are_decoded_once(
    shared_opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals: list[int] = []
    done: list[int] = []

    def progress(title: str, total: int, unit: str = "file", /) -> Any:
        totals.append(total)
        return lambda: done.append(1)

    o = shared_opened
    first = BoxRows(o.annotations, o.recordings, tiny_config(), tmp_path, progress)
    spans = {(box.recording, box.span) for box in o.annotations.boxes}
    assert totals == [len(done)] == [len(spans)]

    def decoded_again(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("negmine.recipes.cache_items.read_span", decoded_again)
    assert same(batch_of(rows_of(shared_opened, tmp_path), 1), batch_of(first, 1))


class Constant:
    """A plug-in of three rows, each filled with a number of its step and place."""

    description = "constant"

    def prepare(self, *_: object) -> None: ...

    def rows(self, step: int) -> list[Row]:
        absent = PartialLabels.certified(("0", "1"), Certificate.EXTERNAL, 0.5)
        waveforms = np.full((3, SAMPLE_RATE), step + np.arange(3)[:, None] / 4, np.float32)
        return [Row(waveform, absent, RowKind.POOL) for waveform in waveforms]

    def transform(self, example: Example, step: int, index: int) -> Example:
        return example


def steps_of(
    opened: Opened, cache: Path, *, first: int = 0, workers: int = 0, **changes: Any
) -> list[Step]:
    rows = rows_of(opened, cache, **changes)
    dataset = StepDataset(rows, [Constant()], tiny_config(**changes))
    return list(step_loader(dataset, first, workers))


def same_steps(one: list[Step], other: list[Step]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a.own == b.own and same(a.batch, b.batch) for a, b in pairs)


def test_step_is_the_trainers_rows_then_those_of_plugins(
    shared_opened: Opened, shared_cache: Path
) -> None:
    steps = steps_of(shared_opened, shared_cache)
    assert len(steps) == tiny_config().total_steps
    rows = rows_of(shared_opened, shared_cache)
    for number, step in enumerate(steps):
        want = batch_of(rows, number)
        assert step.own == len(want)
        assert torch.equal(step.batch.waveforms[: step.own], want.waveforms)
        assert torch.equal(step.batch.weight[: step.own], want.weight)
        of_plugin = torch.tensor([number, number + 0.25, number + 0.5])
        assert torch.equal(step.batch.waveforms[step.own :, 0], of_plugin)


BUSY = AugmentSettings(
    noise=0.5, pink=0.5, pitch=0.3, stretch=0.3, shift=0.5, gain=0.5, mixup=0.5, shift_s=0.3
)


@pytest.mark.parametrize("workers", [1, 2])
def test_number_of_workers_changes_no_bit_of_changed_and_mixed_rows(
    shared_opened: Opened, shared_cache: Path, workers: int
) -> None:
    want = steps_of(shared_opened, shared_cache, augment=BUSY)
    assert same_steps(steps_of(shared_opened, shared_cache, augment=BUSY, workers=workers), want)
    assert not same_steps(steps_of(shared_opened, shared_cache), want)


def test_order_of_steps_changes_no_bit_of_changed_and_mixed_rows(
    shared_opened: Opened, shared_cache: Path
) -> None:
    def dataset() -> StepDataset:
        rows = rows_of(shared_opened, shared_cache)
        return StepDataset(rows, [Constant()], tiny_config(augment=BUSY))

    one, other = dataset(), dataset()
    forth = [one[step] for step in range(3)]
    back = [other[step] for step in (2, 1, 0)]
    assert same_steps(forth, back[::-1])


def test_plugins_rows_change_no_bit_of_the_trainers_own(
    shared_opened: Opened, shared_cache: Path
) -> None:
    rows, config = rows_of(shared_opened, shared_cache), tiny_config(augment=BUSY)
    for step in range(3):
        alone, joined = (StepDataset(rows, p, config)[step] for p in ([], [Constant()]))
        for name in ("waveforms", "targets", "known", "weight"):
            own = getattr(joined.batch, name)[: joined.own]
            assert torch.equal(getattr(alone.batch, name), own)


def test_rows_of_both_kinds_are_mixed_as_often_and_with_tp_rows(
    shared_opened: Opened, shared_cache: Path
) -> None:
    rows = rows_of(shared_opened, shared_cache, tp_per_step=8, fp_per_step=8)
    settings = AugmentSettings(mixup=0.4, mixup_snr_db=(0.0, 0.0))
    config = tiny_config(augment=settings, tp_per_step=8, fp_per_step=8)
    mixed = np.zeros(16)
    for step in range(60):
        plain = batch_of(rows, step).waveforms
        drawn = StepDataset(rows, [], config)[step].batch
        found = (drawn.waveforms != plain).any(dim=1).numpy()
        mixed += found
        for row in np.flatnonzero(found) if step < 5 else ():
            (partners,) = np.nonzero(
                [i != row and mixes(drawn.waveforms[row], plain[row], plain[i]) for i in range(16)]
            )
            assert len(partners)
            assert (partners < 8).any()
    # 480 draws a kind: 5 standard deviations are 54
    assert abs(mixed[:8].sum() - 192) < 54
    assert abs(mixed[8:16].sum() - 192) < 54


def test_rejections_of_a_single_class_stay_zeros_when_they_are_mixed(
    shared_opened: Opened, shared_cache: Path
) -> None:
    boxes = tuple(b for b in shared_opened.annotations.boxes if b.label == "0")
    one_class = Opened(Annotations(boxes, ("0",)), shared_opened.recordings)
    rows = rows_of(one_class, shared_cache, tp_per_step=8, fp_per_step=8)
    settings = AugmentSettings(mixup=0.4, mixup_snr_db=(0.0, 0.0))
    config = tiny_config(augment=settings, tp_per_step=8, fp_per_step=8)
    mixed = np.zeros(16)
    for step in range(30):
        drawn = StepDataset(rows, [], config)[step].batch
        mixed += (drawn.waveforms != batch_of(rows, step).waveforms).any(dim=1).numpy()
        assert drawn.targets[:, 0].tolist() == [1.0] * 8 + [0.0] * 8
        assert drawn.known.all()
    # 240 draws a kind: 5 standard deviations are 38
    assert abs(mixed[:8].sum() - 96) < 38
    assert abs(mixed[8:].sum() - 96) < 38


def test_added_rows_are_mixed_among_themselves_and_stay_zeros(
    shared_opened: Opened, shared_cache: Path
) -> None:
    config = tiny_config(augment=AugmentSettings(mixup=0.4))
    rows = rows_of(shared_opened, shared_cache)
    mixed = 0
    for step in range(100):
        drawn = StepDataset(rows, [Constant()], config)[step]
        added = slice(drawn.own, None)
        assert not drawn.batch.targets[added].any()
        assert drawn.batch.known[added].all()
        # each zero was half sure; a sum's is a quarter
        sums = drawn.batch.weight[added, 0] == 0.25
        assert torch.equal(sums, drawn.batch.weight[added, 0] != 0.5)
        mixed += int(sums.sum())
        assert drawn.batch.waveforms[added].std(dim=1).max() == 0
    # 300 draws: 5 standard deviations are 42
    assert abs(mixed - 120) < 42


def test_calls_may_be_shifted_within_their_classes_bands_alone(
    shared_opened: Opened, shared_cache: Path
) -> None:
    # boxes reach 200 Hz to either side of their tones: a semitone is 60 and 150 Hz
    config = tiny_config(augment=AugmentSettings(pitch=1.0), fp_per_step=0)
    rows = rows_of(shared_opened, shared_cache, fp_per_step=0)
    elsewhere = dict.fromkeys(TONE_HZ, (3000.0, 3900.0))
    for bands, present in ((None, 1.0), (elsewhere, 0.0)):
        batch = StepDataset(rows, [], config, bands=bands)[0].batch
        plain = batch_of(rows, 0)
        named = plain.targets == 1
        assert (batch.targets[named] == present).all()
        assert (batch.weight[named] == present).all()
        assert not torch.equal(batch.waveforms, plain.waveforms)


def mixes(whole: torch.Tensor, one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether a sound is a sum of two others, at whatever levels."""
    parts = torch.stack([one, other], dim=1).double()
    left = whole.double() - parts @ torch.linalg.lstsq(parts, whole.double()[:, None])[0][:, 0]
    return bool(left.square().mean().sqrt() < 1e-4)


@pytest.mark.parametrize("workers", [1, 2])
def test_number_of_workers_changes_no_bit(
    shared_opened: Opened, shared_cache: Path, workers: int
) -> None:
    want = steps_of(shared_opened, shared_cache)
    assert same_steps(steps_of(shared_opened, shared_cache, workers=workers), want)
    assert same_steps(steps_of(shared_opened, shared_cache, workers=workers, first=4), want[4:])


def test_dataset_sent_to_another_process_gives_the_same_steps(
    shared_opened: Opened, tmp_path: Path
) -> None:
    dataset = StepDataset(rows_of(shared_opened, tmp_path), [Constant()], tiny_config())
    sent = pickle.dumps(dataset)
    # the decoded clips are not in it: the other process maps their file
    (data,) = tmp_path.glob("*.i16")
    assert len(sent) < data.stat().st_size / 10
    assert same_steps([pickle.loads(sent)[3]], [dataset[3]])


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("augment", [AugmentSettings(), BUSY], ids=["plain", "augmented"])
def test_ranks_share_the_rows_of_a_step(
    shared_opened: Opened, shared_cache: Path, world: int, augment: AugmentSettings
) -> None:
    rows, config = rows_of(shared_opened, shared_cache), tiny_config(augment=augment)
    whole = StepDataset(rows, [Constant()], config)[1]
    parts = [StepDataset(rows, [Constant()], config, rank, world)[1] for rank in range(world)]
    assert sum(part.own for part in parts) == whole.own
    assert sum(len(part.batch) for part in parts) == len(whole.batch)
    for rank, part in enumerate(parts):
        for name in ("waveforms", "targets", "known", "weight"):
            got, want = getattr(part.batch, name), getattr(whole.batch, name)
            assert torch.equal(got[: part.own], want[: whole.own][rank::world])
            assert torch.equal(got[part.own :], want[whole.own :][rank::world])


def test_rank_renders_its_own_rows_alone(
    shared_opened: Opened, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, made = rows_of(shared_opened, shared_cache), []
    row = BoxRows.row

    def counted(self: BoxRows, draw: Draw) -> Row:
        made.append(draw)
        return row(self, draw)

    monkeypatch.setattr(BoxRows, "row", counted)
    StepDataset(rows, [], tiny_config(), 1, 3)[0]
    assert made == rows.draw(0)[1::3]


def test_pseudo_labels_are_asked_for_the_very_crop(
    shared_opened: Opened, shared_cache: Path
) -> None:
    asked: list[tuple[str, Span]] = []

    class Asked:
        description = "asked"

        def __call__(self, recording: str, span: Span) -> np.ndarray | None:
            asked.append((recording, span))
            return np.array([0.25, 0.75], np.float32) if span.start_s < 1 else None

    o, config = shared_opened, tiny_config()
    rows = BoxRows(o.annotations, o.recordings, config, shared_cache, soft=Asked())
    plain = rows_of(shared_opened, shared_cache).draw(2)
    found = rows.rows(2)
    for row, draw, (recording, span) in zip(found, plain, asked, strict=True):
        assert recording == o.annotations.boxes[draw.box].recording
        assert span == Span(draw.start_s, draw.start_s + config.clip_s)
        assert (row.soft is None) == (draw.start_s >= 1)


def test_calls_of_a_row_are_where_they_are_heard(shared_opened: Opened, shared_cache: Path) -> None:
    for row in rows_of(shared_opened, shared_cache).rows(0):
        assert {call.label for call in row.calls} == row.labels.present
        loud = np.flatnonzero(np.abs(row.waveform) > 0.1) / SAMPLE_RATE
        (call,) = row.calls
        assert max(0, call.span.start_s) == pytest.approx(loud[0], abs=0.01)
        assert min(1, call.span.end_s) == pytest.approx(loud[-1], abs=0.01)
        assert call.low_hz < TONE_HZ[call.label] < call.high_hz


def test_labels_of_a_crop_are_those_that_all_boxes_of_its_recording_give(
    shared_opened: Opened, shared_cache: Path
) -> None:
    rows, config = rows_of(shared_opened, shared_cache), tiny_config()
    found = set()
    for step in range(20):
        for draw in rows.draw(step):
            box = rows.annotations.boxes[draw.box]
            clip = Span(draw.start_s, draw.start_s + config.clip_s)
            boxes = rows.annotations.by_recording[box.recording]
            want = label_clip(boxes, clip, beyond_per_s=config.beyond_per_s)
            assert rows.row(draw).labels == want
            found.add(want)
    assert len(found) > 1


def test_boxes_that_touch_a_clip_are_those_that_share_sound_with_it() -> None:
    edges = [(0.0, 1.0), (1.0, 2.0), (1.5, 4.0), (0.0, 9.0), (4.0, 5.0)]
    boxes = [
        Annotation("a", "0", "", True, Span(*edge), 0.0, 1.0, str(i))
        for i, edge in enumerate(edges)
    ]
    annotations = Annotations(tuple(boxes), ("0",))
    assert [box.where for box in annotations.touching("a", Span(1.0, 4.0))] == ["1", "2", "3"]
    assert annotations.touching("b", Span(0.0, 1.0)) == []


def test_whole_files_in_the_cache_are_read_and_change_no_bit(
    shared_opened: Opened, tmp_path: Path
) -> None:
    o, totals = shared_opened, []

    def progress(what: str, total: int, unit: str = "file", /) -> Any:
        totals.append(total)
        return lambda: None

    plain = rows_of(o, tmp_path / "plain")
    sources = [o.recordings.source(name) for name in o.recordings.infos]
    build_cache(tmp_path / "whole", sources, SAMPLE_RATE)
    whole = BoxRows(o.annotations, o.recordings, tiny_config(), tmp_path / "whole", progress)
    assert not totals
    for step in range(20):
        assert same(batch_of(plain, step), batch_of(whole, step))
