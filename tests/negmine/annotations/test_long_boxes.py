"""Boxes longer than a clip: clips hold the sound in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from click.testing import CliRunner
from conftest import COLUMNS, SAMPLE_RATE, tiny_config, tone

from negmine.annotations import Annotation, read_rfcx
from negmine.annotations.long_boxes import long_note, loud_starts
from negmine.annotations.recordings import open_annotated
from negmine.audio.read import probe
from negmine.audio.windows import Span
from negmine.cli.main import main
from negmine.pool import open_pool
from training.data.box_rows import BoxRows

CALL_S = 0.4


def field(root: Path, call_s: float, seconds: float = 12.0) -> Annotation:
    """A recording with one short call in a long box, under louder rumble that comes and goes."""
    rng = np.random.default_rng(7)
    sound = rng.normal(0, 0.005, round(seconds * SAMPLE_RATE)).astype(np.float32)
    first = round(call_s * SAMPLE_RATE)
    call = tone(2000.0, CALL_S)
    sound[first : first + len(call)] += 0.3 * call
    sound[: 2 * SAMPLE_RATE] += 3 * tone(200.0, 2.0)
    (root / "train").mkdir(parents=True)
    sf.write(root / "train" / "night.wav", sound, SAMPLE_RATE)
    rows = [("night", "frog", 1, 1.0, 1800.0, 11.0, 2200.0)]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(root / "tp.csv", index=False)
    return read_rfcx(root / "tp.csv", None).confirmed[0]


@pytest.mark.parametrize("call_s", [1.0, 3.3, 6.0, 10.6])
@pytest.mark.parametrize("clip_s", [0.5, 1.0, 3.0])
def test_clips_of_a_long_box_hold_the_call_in_its_own_band(
    tmp_path: Path, call_s: float, clip_s: float
) -> None:
    box = field(tmp_path, call_s)
    starts = loud_starts(box, probe(tmp_path / "train" / "night.wav"), clip_s)
    assert box.span.start_s <= starts.start_s <= starts.end_s <= box.span.end_s - clip_s + 1e-6
    call = Span(call_s, call_s + CALL_S)
    middle_s = (starts.start_s + starts.end_s) / 2
    assert Span(middle_s, middle_s + clip_s).overlap_s(call) > CALL_S - 0.06
    for start_s in (starts.start_s, starts.end_s):
        assert Span(start_s, start_s + clip_s).overlap_s(call) > 0.7 * CALL_S


def test_clips_of_a_call_that_goes_on_lie_all_over_its_box(tmp_path: Path) -> None:
    box = field(tmp_path, 3.0)
    sound = tone(2000.0, 12.0) * np.random.default_rng(4).uniform(0.8, 1.2, 12 * SAMPLE_RATE)
    for name, samples in (("still", np.zeros(12 * SAMPLE_RATE)), ("cicada", sound)):
        sf.write(tmp_path / f"{name}.wav", samples, SAMPLE_RATE, subtype="FLOAT")
        starts = loud_starts(box, probe(tmp_path / f"{name}.wav"), 2.0)
        assert starts.duration_s > 0.5 * 8.0


def test_every_crop_of_a_long_call_holds_its_sound_and_stays_in_the_box(tmp_path: Path) -> None:
    box = field(tmp_path, 6.0)
    annotations = read_rfcx(tmp_path / "tp.csv", None)
    recordings, _ = open_annotated(tmp_path / "train", annotations)
    config = tiny_config(tp_per_step=8, fp_per_step=0)
    rows = BoxRows(annotations, recordings, config, tmp_path / "cache")
    starts = {draw.start_s for step in range(20) for draw in rows.draw(step)}
    assert len(starts) > 50
    for start_s in starts:
        crop = Span(start_s, start_s + config.clip_s)
        assert crop.overlap_s(Span(6.0, 6.0 + CALL_S)) > 0.7 * CALL_S
        assert box.span.start_s <= crop.start_s
        assert crop.end_s <= box.span.end_s


def test_long_boxes_are_counted_and_a_pool_holds_their_sound(tmp_path: Path) -> None:
    field(tmp_path, 9.0)
    given = [tmp_path / "train", "--tp", tmp_path / "tp.csv", "--clip-s", 2, "--noise", 3]
    done = CliRunner().invoke(main, ["build-pool", *map(str, given), "--out", str(tmp_path / "p")])
    assert done.exit_code == 0, done.output
    assert (
        "warning: 1 of 1 confirmed calls have boxes longer than --clip-s 2, up to 10.00 s: clips "
        "hold the loudest part of each; --clip-s 10 holds all of them whole"
    ) in done.stderr
    (call,) = open_pool(tmp_path / "p").calls
    (layer,) = call.layers
    assert Span(layer.start_s, layer.start_s + 2).overlap_s(Span(9.0, 9.4)) > 0.35
    assert long_note(read_rfcx(tmp_path / "tp.csv", None), 10.0) is None
