"""Small real files for the tests: tones of two classes over noise, in RFCX's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

SAMPLE_RATE = 8000
RECORDING_S = 4.0
TONE_HZ = {"0": 1000.0, "1": 2500.0}
COLUMNS = ["recording_id", "species_id", "songtype_id", "t_min", "f_min", "t_max", "f_max"]


@dataclass(frozen=True)
class Data:
    """A data set on disk, and the options that name it."""

    root: Path

    @property
    def recordings(self) -> Path:
        return self.root / "train"

    @property
    def tp(self) -> Path:
        return self.root / "train_tp.csv"

    @property
    def fp(self) -> Path:
        return self.root / "train_fp.csv"

    @property
    def external(self) -> Path:
        return self.root / "external"

    @property
    def options(self) -> list[str]:
        return [str(self.recordings), "--tp", str(self.tp), "--fp", str(self.fp)]


def tone(frequency_hz: float, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.2 * np.sin(2 * np.pi * frequency_hz * times)).astype(np.float32)


def make_data(root: Path, recordings: int = 8, seed: int = 0) -> Data:
    """Each recording: class 0 calls at 0.5 s, class 1 at 2.5 s; each is rejected at the other's."""
    rng = np.random.default_rng(seed)
    (root / "train").mkdir(parents=True)
    (root / "external" / "deep").mkdir(parents=True)
    confirmed, rejected = [], []
    for i in range(recordings):
        samples = rng.normal(0, 0.01, round(RECORDING_S * SAMPLE_RATE)).astype(np.float32)
        name = f"rec{i:02d}"
        for label, start_s in (("0", 0.5), ("1", 2.5)):
            first = round(start_s * SAMPLE_RATE)
            call = tone(TONE_HZ[label], 0.5)
            samples[first : first + len(call)] += call
            other = "1" if label == "0" else "0"
            hz = TONE_HZ[label]
            confirmed.append((name, label, 1, start_s, hz - 200, start_s + 0.5, hz + 200))
            hz = TONE_HZ[other]
            rejected.append((name, other, 1, start_s, hz - 200, start_s + 0.5, hz + 200))
        sf.write(root / "train" / f"{name}.flac", samples, SAMPLE_RATE)
    pd.DataFrame(confirmed, columns=COLUMNS).to_csv(root / "train_tp.csv", index=False)
    pd.DataFrame(rejected, columns=COLUMNS).to_csv(root / "train_fp.csv", index=False)
    for i, folder in enumerate(["external", "external", "external/deep"]):
        noise = rng.normal(0, 0.05, (3 * 11025, 2)).astype(np.float32)
        sf.write(root / folder / f"other{i}.wav", noise, 11025, subtype="FLOAT")
    return Data(root)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """A data set of this test's own, to spoil as it likes."""
    return make_data(tmp_path / "data")


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """A data set for tests that only read it."""
    return make_data(tmp_path_factory.mktemp("shared") / "data")
