"""Small real files for the tests: tones of two classes over noise, in RFCX's layout."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from hypothesis import HealthCheck, settings
from reliability.commands import Commands, serving

from negmine.annotations import Annotations, read_rfcx
from negmine.annotations.recordings import Recordings, open_annotated
from negmine.building import PoolSettings, build_pool
from negmine.cli import console as console  # it prints warnings, in whatever order tests run
from negmine.recipes.layer import Layer
from negmine.recipes.source import Source
from training.config import TrainConfig

# the same examples each time; a busy machine is no reason to fail
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how the trials of tests/reliability ended."""
    ended = [
        report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)
    ]
    trials = [(r.nodeid, dict(r.user_properties)) for r in ended if r.when == "call"]
    counted = [(name, kept["trials"]) for name, kept in trials if "trials" in kept]
    if counted:
        terminalreporter.section("reliability: trials by outcome")
    for name, counts in counted:
        parts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
        name = name.partition("reliability/")[2]
        terminalreporter.line(f"{name}: {sum(counts.values())} ({parts})")


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


@dataclass(frozen=True)
class Opened:
    """A data set read and checked."""

    annotations: Annotations
    recordings: Recordings


def open_data(data: Data, *, alternating: bool = False) -> Opened:
    """Read a data set.

    With ``alternating``, recordings take turns in which class is confirmed, the other being
    rejected in that call's box: validation then has known cells of both kinds.
    """
    recordings, annotations = open_annotated(data.recordings, read_rfcx(data.tp, data.fp))
    if alternating:
        turn = {name: i % 2 for i, name in enumerate(recordings.infos)}
        kept = [b for b in annotations.boxes if b.present == (turn[b.recording] == int(b.label))]
        annotations = Annotations(tuple(kept), annotations.classes)
    return Opened(annotations, recordings)


def tiny_config(**changes: object) -> TrainConfig:
    """Settings of a run that takes a fraction of a second."""
    settings: dict[str, object] = {
        "sample_rate": SAMPLE_RATE,
        "clip_s": 1.0,
        "n_mels": 16,
        "window_s": 0.5,
        "tp_per_step": 4,
        "fp_per_step": 2,
        "steps_per_epoch": 3,
        "epochs": 2,
        "patience": 0,
        "folds": 4,
    }
    return TrainConfig(**(settings | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def one_thread() -> None:
    """Keep torch to one thread: batches this small are slower on several."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """Commands in processes of their own that have everything imported already."""
    if sys.platform != "linux":
        pytest.skip("memory limits and forks as here are Linux's")
    with serving() as started:
        yield started


@pytest.fixture(scope="session")
def shared_opened(shared_data: Data) -> Opened:
    return open_data(shared_data)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Decoded clips that training runs share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def shared_checkpoint(
    one_thread: None,
    shared_opened: Opened,
    shared_cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The best.pt of a tiny run on the shared data, which holds two recordings out."""
    from training.engine.inputs import RunInputs
    from training.engine.train import train

    out = tmp_path_factory.mktemp("run")
    o = shared_opened
    train(tiny_config(), RunInputs(o.annotations, o.recordings, shared_cache), out)
    return out / "best.pt"


@pytest.fixture(scope="session")
def shared_pool(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of the shared data: rejected detections, external sound, mixes."""
    out = tmp_path_factory.mktemp("pool") / "pool"
    return make_pool(shared_data, out)


@pytest.fixture(scope="session")
def shared_audit(shared_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit drawn from the shared pool, no verdict filled in: 30 claims, 6 controls."""
    from negmine.audit.draw import draw_audit
    from negmine.audit.settings import DrawSettings
    from negmine.building.sources.context import no_progress

    out = tmp_path_factory.mktemp("audit") / "audit"
    draw_audit(shared_pool, out, DrawSettings(sample=30, controls=0.2), progress=no_progress)
    return out


@pytest.fixture
def audit_folder(shared_audit: Path, tmp_path: Path) -> Path:
    """A drawn audit to fill in, or to spoil."""
    return Path(shutil.copytree(shared_audit, tmp_path / "audit"))


def make_pool(data: Data, out: Path, **changes: Any) -> Path:
    build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        out,
        external=[str(data.external)],
        settings=small_settings(**{"mix": 12, **changes}),
    )
    return out


def small_settings(mix: int | dict[str, Any] = 0, **changes: Any) -> PoolSettings:
    """Settings of a pool of one-second clips, with some mixes of two whole clips.

    Sections are given as keywords of their own: ``external={"confidence": 0.5}``.
    """
    settings = PoolSettings(clip_s=1.0, sample_rate=SAMPLE_RATE)
    mixing = mix if isinstance(mix, dict) else {"count": mix}
    sections = {"mix": {"parts": (2, 2), "offset": 0.0, **mixing}, "fp": {"pad": "beyond"}}
    for name, value in (*sections.items(), *changes.items()):
        if isinstance(value, dict):
            value = getattr(settings, name).replace(**value)
        settings = settings.replace(**{name: value})
    return settings


def source_of(layer: Layer) -> Source:
    """The source of a layer that must have one."""
    assert layer.source is not None
    return layer.source


def tone_detector() -> Any:
    """A detector made by hand that hears each class's tone, in a map of one frame a hop."""
    import torch
    from torch import nn

    from training.models.detector import Detector
    from training.models.frontend import FrontEndSettings

    class Bands(nn.Module):
        def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
            return spectrograms.transpose(1, 2)

    settings = FrontEndSettings.for_mels(SAMPLE_RATE, 16)
    detector = Detector(len(TONE_HZ), settings, "small")
    detector.backbone = Bands()  # type: ignore[assignment]
    weight = torch.zeros(len(TONE_HZ), 16)
    for row, hz in enumerate(TONE_HZ.values()):
        loudness = detector.log_mel(torch.from_numpy(tone(hz, 1.0)).unsqueeze(0)).mean(dim=2)[0]
        weight[row, loudness.argmax()] = 10.0
    detector.head = nn.Linear(16, len(TONE_HZ))
    with torch.no_grad():
        detector.head.weight.copy_(weight)
        detector.head.bias.fill_(-5.0)
    return detector.eval()
