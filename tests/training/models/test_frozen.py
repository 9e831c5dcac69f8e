"""Heads of frozen networks: their maps, what is kept of clips, and where networks are found."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from frozen_networks import RATE, SAMPLES, WIDTH, write_network

from negmine.errors import ModelError
from negmine.models.added import add_file, listed, models_folder
from negmine.models.scorer import load_scorer
from training.models.frozen import FrozenDetector
from training.models.network import Network, find_network, open_network

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEGMINE_CACHE", str(tmp_path / "user"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_network(tmp_path / "filters.onnx")


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


class Counting:
    """A network's Scorer that counts the clips it is given."""

    def __init__(self, path: Path) -> None:
        self._inner = load_scorer(path, "cpu")
        self.sample_rate, self.clip_s = self._inner.sample_rate, self._inner.clip_s
        self.classes, self.held_out = self._inner.classes, self._inner.held_out
        self.fingerprint = self._inner.fingerprint
        self.clips = 0

    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.clips += len(waveforms)
        return self._inner.score(waveforms)


def test_frames_are_the_embeddings_of_windows_that_overlap_by_half(file: Path) -> None:
    model = FrozenDetector(3, Network(load_scorer(file, "cpu"), "f")).eval()
    clips = noise(2, 3 * SAMPLES)
    features = model.features(torch.from_numpy(clips))
    assert features.length == 5
    assert features.audible is None
    for frame in range(5):
        window = clips[:, frame * SAMPLES // 2 :][:, :SAMPLES]
        wanted, _ = load_scorer(file, "cpu").score(window)
        np.testing.assert_array_equal(features.maps[0][:, :, 0, frame].numpy(), wanted)
    assert model.grid.frames(1.0) == 1
    assert model.grid.seconds(5) == 3.0
    assert model.spacing == SAMPLES // 2


@pytest.mark.parametrize(
    ("samples", "frames"), [(100, 1), (SAMPLES, 1), (SAMPLES + 1, 2), (2 * SAMPLES + 10, 4)]
)
def test_each_sample_is_in_a_window(file: Path, samples: int, frames: int) -> None:
    model = FrozenDetector(3, Network(load_scorer(file, "cpu"), "f")).eval()
    features = model.features(torch.from_numpy(noise(1, samples)))
    assert features.length == frames
    assert torch.isfinite(model.read_out(features, "max", 1)).all()


def test_silent_windows_count_in_no_readout(file: Path) -> None:
    model = FrozenDetector(2, Network(load_scorer(file, "cpu"), "f")).eval()
    torch.nn.init.normal_(model.head.weight)
    sound = noise(1, 2 * SAMPLES)
    sound[:, SAMPLES:] = 0
    features = model.features(torch.from_numpy(sound))
    assert features.audible is not None
    assert features.audible.tolist() == [[1, 1, 0]]
    heard = model.read_out(features.window(0, 2), "mean", 1)
    torch.testing.assert_close(model.read_out(features, "mean", 1), heard)


def test_the_end_of_a_clip_is_mirrored_sound_not_silence(file: Path) -> None:
    model = FrozenDetector(2, Network(load_scorer(file, "cpu"), "f")).eval()
    half = noise(1, SAMPLES // 2)
    whole = np.concatenate([half, half[:, ::-1]], axis=1)
    found, wanted = (model.features(torch.from_numpy(x.copy())).maps[0] for x in (half, whole))
    # but for the steps of some milliseconds that mirroring goes by
    torch.testing.assert_close(found, wanted, rtol=0.2, atol=0)


def test_a_clip_passes_the_network_once(file: Path, tmp_path: Path) -> None:
    counting = Counting(file)
    network = Network(counting, "f", tmp_path / "kept")
    began = counting.clips
    clips = noise(5, SAMPLES)
    first = network.embed(clips)
    again = network.embed(clips[[3, 3, 0]])
    np.testing.assert_array_equal(again, first[[3, 3, 0]])
    assert counting.clips - began == 5
    network.flush()
    other = Counting(file)
    later = Network(other, "f", tmp_path / "kept")
    began = other.clips
    mixed = np.concatenate([clips, noise(1, SAMPLES, seed=9)])
    np.testing.assert_array_equal(later.embed(mixed)[:5], first)
    assert other.clips - began == 1


def test_what_is_kept_is_of_one_network(file: Path, tmp_path: Path) -> None:
    clips = noise(2, SAMPLES)
    one = Network(load_scorer(file, "cpu"), "f", tmp_path / "kept")
    one.embed(clips)
    one.flush()
    second = write_network(tmp_path / "second.onnx", seed=1)
    other = Network(load_scorer(second, "cpu"), "s", tmp_path / "kept")
    wanted, _ = load_scorer(second, "cpu").score(clips)
    np.testing.assert_array_equal(other.embed(clips), wanted)


def test_embeddings_are_standardised_by_the_first_rows(file: Path) -> None:
    model = FrozenDetector(2, Network(load_scorer(file, "cpu"), "f"))
    rows = [torch.from_numpy(noise(40, SAMPLES, seed=seed)) for seed in range(3)]
    model.prepare(rows)
    embedded = torch.cat([model.features(part).maps[0][:, :, 0, 0] for part in rows])
    standard = (embedded - model.get_buffer("mean")) * model.get_buffer("scale")
    torch.testing.assert_close(standard.mean(dim=0), torch.zeros(WIDTH), atol=1e-3, rtol=0)
    deviation = standard.std(dim=0, correction=0)
    assert (deviation <= 1.001).all()
    assert deviation.max() == pytest.approx(1, abs=1e-3)


def test_the_level_of_a_class_does_not_decay(file: Path) -> None:
    model = FrozenDetector(2, Network(load_scorer(file, "cpu"), "f"), hidden=5)
    decayed, free = model.parameter_groups(3.0)
    assert [p.shape for p in decayed["params"]] == [(5, WIDTH), (2, 5)]
    assert [p.shape for p in free["params"]] == [(5,), (2,)]
    assert (decayed["weight_decay"], free["weight_decay"]) == (3.0, 0.0)


def test_copies_share_the_network_and_its_weights_are_no_state(file: Path) -> None:
    model = FrozenDetector(2, Network(load_scorer(file, "cpu"), "f"))
    other = copy.deepcopy(model)
    assert other.base is model.base
    assert set(model.state_dict()) == {"mean", "scale", "head.weight", "head.bias"}


def test_a_readout_of_maps_is_refused(file: Path) -> None:
    model = FrozenDetector(2, Network(load_scorer(file, "cpu"), "f"))
    with pytest.raises(ModelError, match="power"):
        model.read_out(model.features(torch.from_numpy(noise(1, SAMPLES))), "power", 1)


def test_a_file_is_found_again_by_its_digest(file: Path) -> None:
    opened = open_network(str(file), "cpu")
    open_network(str(file), "cpu")
    (noted,) = listed(models_folder())
    assert noted.name == f"filters-{opened.fingerprint[:8]}"
    assert find_network(str(file), opened.fingerprint, "cpu").width == WIDTH
    assert (opened.sample_rate, opened.length) == (RATE, SAMPLES)


def test_a_missing_network_names_the_command(file: Path) -> None:
    with pytest.raises(ModelError, match="negmine models add birdnet"):
        find_network("birdnet", "0" * 32, "cpu")
    added = add_file(file, "mine", models_folder())
    write_network(file, seed=1)
    with pytest.raises(ModelError, match=r"is now another.*negmine models add FILE"):
        find_network(str(file), added.fingerprint, "cpu")
    file.unlink()
    with pytest.raises(ModelError, match=r"not among the added ones.*negmine models add FILE"):
        find_network(str(file), added.fingerprint, "cpu")


def test_a_network_of_infinite_embeddings_is_refused(file: Path) -> None:
    network = Network(load_scorer(file, "cpu"), "f")
    clips = noise(1, SAMPLES)
    clips[0, 0] = np.inf
    with pytest.raises(ModelError, match="infinite"):
        network.embed(clips)
