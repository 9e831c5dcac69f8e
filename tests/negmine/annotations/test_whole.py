"""Verdicts on whole files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from negmine.annotations import Annotations
from negmine.annotations.assemble import assemble
from negmine.annotations.recordings import open_annotated
from negmine.annotations.whole import LONGEST_S, loud_span
from negmine.audio.read import AudioInfo
from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.entry import Entry
from negmine.recipes.clip_labels import label_clip

RATE = 8000


def of_power(*stretches: tuple[float, float]) -> AudioInfo:
    """Make a file of stretches of seconds and power."""
    power = np.concatenate([np.full(round(10 * s), p) for s, p in stretches])
    return AudioInfo(Path("a.wav"), RATE, len(power) * RATE // 10, 1, "", power)


def test_a_call_in_a_short_file_is_where_it_is_loud() -> None:
    assert loud_span(of_power((2, 1e-6), (0.5, 1e-2), (1.5, 1e-6))) == Span(1.9, 2.6)
    # with a pause inside
    paused = of_power((1, 1e-6), (0.5, 1e-2), (1, 1e-6), (0.5, 1e-3), (1, 1e-6))
    assert loud_span(paused) == Span(0.9, 3.1)


def test_a_file_that_sounds_alike_all_through_is_the_call() -> None:
    assert loud_span(of_power((3, 1e-3))) == Span(0, 3)
    assert loud_span(of_power((3, 0))) == Span(0, 3)


def test_digital_silence_round_a_call_is_no_floor() -> None:
    assert loud_span(of_power((2, 0), (1, 1e-3), (2, 0))) == Span(1.9, 3.1)


def test_of_a_long_file_the_stretch_with_most_energy_is_the_call() -> None:
    long = of_power((5, 1e-6), (1, 1e-3), (20, 1e-6), (2, 1e-2), (30, 1e-6))
    assert loud_span(long) == Span(25.9, 28.1)
    # a stretch longer than a call may be, round its loudest part
    stretch = of_power((20, 1e-6), (30, 1e-3), (1, 1e-1), (30, 1e-3), (20, 1e-6))
    found = loud_span(stretch)
    assert found.duration_s == pytest.approx(LONGEST_S)
    assert found.start_s <= 50
    assert found.end_s >= 51
    assert loud_span(of_power((60, 1e-3))).duration_s == pytest.approx(LONGEST_S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A minute of noise with a tone at 20 s, and two seconds of noise."""
    rng = np.random.default_rng(0)
    long = rng.normal(0, 0.01, 60 * RATE)
    long[20 * RATE : 22 * RATE] += 0.3 * np.sin(np.arange(2 * RATE))
    sf.write(tmp_path / "long.wav", long, RATE)
    sf.write(tmp_path / "short.wav", rng.normal(0, 0.01, 2 * RATE), RATE)
    return tmp_path


def annotated(*entries: Entry) -> Annotations:
    return assemble(entries)


def test_a_presence_claims_no_crop_but_the_loud_one_and_an_absence_all(folder: Path) -> None:
    entries = [
        Entry("long", "owl", "present", "t row 2"),
        Entry("short", "owl", "absent", "t row 3"),
    ]
    opened, kept = open_annotated(folder, annotated(*entries))
    call, rejected = kept.boxes
    assert (call.f_min_hz, call.f_max_hz) == (0, RATE / 2)
    assert abs(call.span.start_s - 19.9) < 1e-6
    assert abs(call.span.end_s - 22.1) < 1e-6
    assert rejected.span == Span(0, 2)
    for start_s in range(0, 57, 3):
        clip = Span(start_s, start_s + 3)
        labels = label_clip(kept.by_recording["long"], clip)
        assert ("owl" in labels.present) == (clip.overlap_s(call.span) >= 1.1)
        assert not labels.absent
    inside = label_clip(kept.by_recording["short"], Span(0.5, 1.5))
    assert inside.absent["owl"].confidence == 1
    (line,) = opened.notes
    assert line.startswith(
        "1 of 1 calls of whole files are taken to be where the energy is; the first: long, 19.9 to "
        "22.1 s of 60.00 s; 1 of these files are longer than 10 s (long)"
    )


def test_a_last_window_is_cut_at_the_end_and_what_is_further_is_an_error(folder: Path) -> None:
    last = Entry("short", "owl", "present", "t row 2", Span(0, 3))
    opened, kept = open_annotated(folder, annotated(last))
    assert kept.boxes[0].span == Span(0, 2)
    assert opened.notes[0].startswith("1 rows reach past the end of their recording")
    behind = Entry("short", "owl", "present", "t row 2", Span(2.5, 4))
    for wrong in (behind, Entry("short", "owl", "present", "t row 2", Span(0, 3000))):
        with pytest.raises(AnnotationError, match=r"t row 2: the box ends at .* in seconds"):
            open_annotated(folder, annotated(wrong))


def test_groups_of_tables_are_those_of_the_recordings(folder: Path) -> None:
    entries = [
        Entry("long", "owl", "present", "t row 2", group="hill"),
        Entry("short", "owl", "present", "t row 3"),
    ]
    opened, _ = open_annotated(folder, annotated(*entries))
    assert (opened.group("long"), opened.group("short")) == ("hill", "short")
    assert opened.source("long").group == "hill"
