"""Silence decides nothing: not in readouts, not in detections, not in training."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch
import torch.nn.functional as F
from click.testing import CliRunner, Result
from conftest import SAMPLE_RATE, Data, open_data, tiny_config, tone_detector
from torch import nn

from negmine.audio.silence import SILENT_LOGIT
from negmine.cli.main import main
from training.config import Readout
from training.data.box_rows import BoxRows
from training.data.silent_rows import SilentRows
from training.data.steps import StepDataset
from training.engine.checkpoint import Checkpoint
from training.engine.scorer import CheckpointScorer
from training.evaluation.inference import RecordingScorer
from training.models.detector import Detector
from training.models.silence import audible_blocks, audible_frames, audible_steps, filled

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


def noise(seconds: float, level: float = 0.01) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (level * rng.standard_normal(round(seconds * SAMPLE_RATE))).astype(np.float32)


def gapped(seconds: float = 8.0, offset: float = 0.0) -> np.ndarray:
    """Noise in which seconds 3 to 5 are silent."""
    samples = noise(seconds)
    samples[3 * SAMPLE_RATE : 5 * SAMPLE_RATE] = 0
    return samples + np.float32(offset)


def certain_of_silence() -> Detector:
    """The detector of tones, to which class 0 is the likelier the less it hears."""
    detector: Detector = tone_detector()
    with torch.no_grad():
        detector.head.weight[0] = -10.0
        detector.head.bias[0] = -150.0
    # whatever is heard is negative, and the pooling takes what is positive
    detector.pooling = "mean"
    return detector


@pytest.mark.parametrize("readout", get_args(Readout))
@pytest.mark.parametrize("piece_s", [60.0, 1.3])
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_a_gap_changes_no_score(readout: str, piece_s: float, offset: float) -> None:
    detector = certain_of_silence()
    config = tiny_config(readout=readout)
    scorer = RecordingScorer(detector, config, CPU, piece_s=piece_s)
    sound, gap = scorer.read(noise(8.0)), scorer.read(gapped(offset=offset))
    # of few frames at the edges of the gap, which the noise makes unlike; of silence it says 100
    np.testing.assert_allclose(gap.clip, sound.clip, atol=15.0)
    np.testing.assert_allclose(gap.windows[gap.audible], sound.windows[gap.audible], atol=15.0)
    assert (gap.windows[~gap.audible] == SILENT_LOGIT).all()
    assert sound.audible.all()
    assert sound.silent_s == 0
    assert gap.silent_s == pytest.approx(2.0, abs=0.1)
    assert gap.start_s[~gap.audible].min() >= 2.9
    assert gap.end_s[~gap.audible].max() <= 5.1


@pytest.mark.parametrize("readout", get_args(Readout))
@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_a_silent_recording_scores_lowest(readout: str, level: float) -> None:
    scorer = RecordingScorer(certain_of_silence(), tiny_config(readout=readout), CPU)
    reading = scorer.read(noise(3.0, level) + np.float32(0.02))
    assert (reading.clip == SILENT_LOGIT).all()
    assert (reading.windows == SILENT_LOGIT).all()
    assert not reading.audible.any()
    assert reading.silent_s == reading.duration_s == 3.0


def test_padding_changes_no_score(shared_checkpoint: Path) -> None:
    # a file of half a second in a clip of a second: its rest is padded
    scorer = CheckpointScorer(Checkpoint.load(shared_checkpoint), CPU)
    short = noise(0.5)
    padded = np.pad(short, (0, len(short)))
    alone, silent = (scorer.score(one[np.newaxis])[1][0] for one in (short, 0 * padded))
    found = scorer.score(np.stack([padded, noise(1.0)]))[1][0]
    np.testing.assert_allclose(found, alone, atol=0.15)
    assert (silent == SILENT_LOGIT).all()


def test_silence_is_filled_with_the_nearest_sound_mirrored() -> None:
    sound = torch.arange(1.0, 41.0).repeat(2, 1)
    audible = torch.ones(2, 21, dtype=torch.bool)
    audible[0, 5:10] = False
    audible[1, :3] = False
    got = filled(sound, audible, 2)
    want = sound.clone()
    want[0, 10:16] = torch.tensor([10.0, 9, 8, 7, 6, 5])
    want[0, 16:20] = torch.tensor([24.0, 23, 22, 21])
    want[1, :6] = torch.tensor([12.0, 11, 10, 9, 8, 7])
    assert torch.equal(got, want)
    # nothing to mirror
    assert torch.equal(filled(sound, torch.zeros(2, 21, dtype=torch.bool), 2), sound)


def test_sound_shorter_than_a_gap_is_mirrored_to_and_fro() -> None:
    sound = torch.zeros(2, 20)
    sound[0, 8:12] = torch.tensor([1.0, 2, 3, 4])
    sound[1, :2], sound[1, 18:] = torch.tensor([1.0, 2]), torch.tensor([3.0, 4])
    audible = F.pad(sound[:, ::2] > 0, (0, 1), value=False)
    got = filled(sound, audible, 2).int().tolist()
    assert got[0] == [1, 2, 3, 4, 4, 3, 2, 1, 1, 2, 3, 4, 4, 3, 2, 1, 1, 2, 3, 4]
    assert got[1] == [1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 3, 4, 4, 3, 3, 4, 4, 3, 3, 4]


@pytest.mark.parametrize("readout", get_args(Readout))
@pytest.mark.parametrize("gap_s", [0.02, 0.05, 0.09, 0.15])
@pytest.mark.parametrize("every_s", [0.31, 20.0])
def test_lost_buffers_change_no_score(readout: str, gap_s: float, every_s: float) -> None:
    scorer = RecordingScorer(certain_of_silence(), tiny_config(readout=readout), CPU, piece_s=1.3)
    sound = noise(4.0)
    lost = sound.copy()
    for start_s in np.arange(0.2003, 3.8, every_s):
        first = round(start_s * SAMPLE_RATE)
        lost[first : first + round(gap_s * SAMPLE_RATE)] = 0
    assert (lost == 0).any()
    np.testing.assert_allclose(scorer.read(lost).clip, scorer.read(sound).clip, atol=15.0)


def test_a_scrap_of_sound_between_gaps_is_replaced_with_them() -> None:
    sound = torch.from_numpy(noise(1.0)).unsqueeze(0)
    sound[0, 3000:3200] = sound[0, 3216:3400] = 0
    steps, step = audible_steps(sound, audible_blocks(sound, 128), 128)
    assert step == 16
    assert not steps[0, 188:212].any()
    assert steps[0, :187].all()
    assert steps[0, 213:].all()
    # sound of 8 ms stays
    sound[0, 3200:3264] = sound[0, :64]
    assert audible_steps(sound, audible_blocks(sound, 128), 128)[0][0, 200:204].all()


def test_short_pauses_belong_to_the_sound() -> None:
    sound = torch.from_numpy(noise(2.0)).repeat(2, 1)
    sound[0, 8000:8500] = 0
    sound[1, 8000:9500] = 0
    audible = audible_blocks(sound, 128)
    assert audible[0].all()
    assert int((~audible[1]).sum()) == 11
    # frames of 8 and of 16 blocks: those that lie in it whole
    assert (audible_frames(audible, 128, 16, 1024)[1] == 0).nonzero().flatten().tolist() == [8]
    assert audible_frames(audible, 128, 8, 2048)[1].all()


def predict(folder: Path, model: Path, out: Path, *options: object) -> Result:
    command = ["predict", folder, "--model", model, "-o", out, "--device", "cpu", "-q", *options]
    return CliRunner().invoke(main, [str(one) for one in command])


def test_predict_says_what_is_silent(shared_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "field"
    folder.mkdir()
    sound = noise(8.0)
    for name, samples in {
        "gap": gapped(), "zeros": 0 * sound, "inverted": np.stack([sound, -sound], axis=1),
    }.items():  # fmt: skip
        sf.write(folder / f"{name}.wav", samples, SAMPLE_RATE)
    out, found = tmp_path / "scores.csv", tmp_path / "found.txt"
    result = predict(folder, shared_checkpoint, out, "--detections", found, "--min-conf", 0)
    assert result.exit_code == 0, result.output
    cancel, silent, partly = result.stderr.strip().splitlines()
    assert "inverted.wav" in cancel
    assert "cancel" in cancel
    assert "no sound in 2 of the recordings (inverted.wav, zeros.wav): all scores are 0" in silent
    assert "gap.wav: 1.9 s" in partly or "gap.wav: 2.0 s" in partly
    table = pd.read_csv(out).set_index("recording_id")
    assert (table.loc[["zeros", "inverted"]] == 0).all(axis=None)
    assert (table.loc["gap"] > 0).all()
    detections = pd.read_csv(found, sep="\t")
    assert set(detections["Begin Path"].map(lambda path: Path(path).stem)) == {"gap"}
    inside = detections["File Offset (s)"].between(3.01, 4.49)
    assert not inside.any()


def test_a_row_of_silence_teaches_and_its_steps_stay_the_same(data: Data, tmp_path: Path) -> None:
    opened, config = open_data(data), tiny_config(steps_per_epoch=20, epochs=2)
    rows = BoxRows(opened.annotations, opened.recordings, config, tmp_path)
    plugin = SilentRows()
    plugin.prepare(config, rows.classes, frozenset())
    plain, with_silence = StepDataset(rows, [], config), StepDataset(rows, [plugin], config)
    added = 0
    for step in range(40):
        before, after = plain[step], with_silence[step]
        own = len(before.batch)
        assert after.own == own
        assert torch.equal(after.batch.waveforms[:own], before.batch.waveforms)
        assert torch.equal(after.batch.waveforms, with_silence[step].batch.waveforms)
        for i in range(own, len(after.batch)):
            added += 1
            assert after.batch.known[i].all()
            assert not after.batch.targets[i].any()
            assert after.batch.waveforms[i].std() < 10 ** (-74 / 20)
    assert 4 <= added <= 18


def test_in_training_padding_counts_for_nothing_and_silence_alone_is_learnt_from() -> None:
    detector = certain_of_silence().train()
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.eval()
    half = torch.from_numpy(np.pad(noise(0.5), (0, SAMPLE_RATE // 2)))
    batch = torch.stack([half, 0 * half, torch.from_numpy(noise(1.0))])
    features = detector.features(batch)
    assert features.audible is not None
    assert features.audible.mean(dim=1)[0] == pytest.approx(0.5, abs=0.05)
    assert features.audible[1:].all()
    padded, silent, sound = detector(batch)[:, 0].tolist()
    assert padded == pytest.approx(sound, abs=10.0)
    assert silent > sound + 100
