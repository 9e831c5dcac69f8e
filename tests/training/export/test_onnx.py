"""Checkpoints as ONNX files: what is in them, and that it is held against the checkpoint."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from conftest import SAMPLE_RATE
from scorer_contract import check_scorer

from negmine.cli.main import main
from negmine.errors import ModelError
from negmine.models.scorer import Scorer, load_scorer
from training.engine.checkpoint import Checkpoint
from training.engine.scorer import CheckpointScorer
from training.export import onnx as export
from training.export.onnx import Exported, export_model, largest_difference
from training.models.detector import Detector
from training.models.frontend import FrontEndSettings

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(shared_checkpoint: Path) -> Checkpoint:
    """Trained, and with statistics of its batch norms that are no identity."""
    return Checkpoint.load(shared_checkpoint)


@pytest.fixture(scope="module")
def exported(
    checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Exported]:
    """One checkpoint, exported: torch takes some seconds for it, so once for all tests."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    return path, export_model(checkpoint, path)


@pytest.fixture
def exporting(exported: tuple[Path, Exported], monkeypatch: pytest.MonkeyPatch) -> None:
    """An export writes at once what was exported before."""

    def write(program: object, description: object, path: Path) -> None:
        path.write_bytes(exported[0].read_bytes())

    monkeypatch.setattr(export, "trace", lambda checkpoint: None)
    monkeypatch.setattr(export, "_write_onnx", write)


@pytest.fixture(scope="module")
def scorer(exported: tuple[Path, Exported]) -> Scorer:
    """The file, opened."""
    return load_scorer(exported[0], "cpu")


def clips(count: int, samples: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.05, (count, samples)).astype(np.float32)


def test_an_export_keeps_the_contract(scorer: Scorer, checkpoint: Checkpoint) -> None:
    check_scorer(scorer)
    assert scorer.classes == checkpoint.classes
    assert scorer.sample_rate == SAMPLE_RATE
    assert scorer.clip_s == 1.0
    assert scorer.held_out == frozenset(checkpoint.held_out)
    assert len(scorer.held_out) == 2


@pytest.mark.parametrize("samples", [129, 1000, 7999, 8000, 20_001])
def test_an_export_scores_like_its_checkpoint(
    scorer: Scorer, checkpoint: Checkpoint, samples: int
) -> None:
    reference = CheckpointScorer(checkpoint, CPU)
    for count in (1, 2, 5):
        found, want = (one.score(clips(count, samples)) for one in (scorer, reference))
        for a, b in zip(found, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())


def test_what_is_said_of_an_export(exported: Any, checkpoint: Checkpoint) -> None:
    _, done = exported
    assert 0 < done.difference < 1e-5
    assert done.clips == 3 + 3 + 3 + 3 + 32
    assert done.description.checkpoint == CheckpointScorer(checkpoint, CPU).fingerprint
    assert done.precision == "fp32"


def test_an_export_is_a_model_of_its_own(scorer: Scorer, checkpoint: Checkpoint) -> None:
    assert scorer.fingerprint != CheckpointScorer(checkpoint, CPU).fingerprint


def test_nothing_tells_whose_machine_it_was(exported: Any) -> None:
    content = exported[0].read_bytes()
    assert b"negmine-model" in content
    assert str(Path(export.__file__).parent).encode() not in content
    assert b"File \\" not in content


def test_an_onnx_file_is_whole_and_valid(exported: Any) -> None:
    path, done = exported
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    (shown,) = model.graph.input
    assert [d.dim_param != "" for d in shown.type.tensor_type.shape.dim] == [True, True]
    (about,) = (json.loads(p.value) for p in model.metadata_props if p.key == "negmine")
    assert (about["format"], about["version"]) == ("negmine-model", 1)
    assert about["checkpoint"] == done.description.checkpoint


# ---- what is refused


class Off:
    """A scorer whose outputs are a little off."""

    def __init__(self, scorer: Scorer, by: float, only: int | None = None) -> None:
        self._scorer, self._by, self._only = scorer, by, only

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scorer, name)

    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        embeddings, logits = self._scorer.score(waveforms)
        if self._only in (None, waveforms.shape[1]) or not waveforms.any():
            logits = logits + np.float32(self._by)
        return embeddings, logits


def test_a_difference_is_found_wherever_it_is(checkpoint: Checkpoint) -> None:
    scorer: Any = CheckpointScorer(checkpoint, CPU)
    assert checkpoint.front_end is not None
    hop = checkpoint.front_end.hop
    assert largest_difference(scorer, scorer, hop) == (0.0, 44)
    for by, only in ((1.0, None), (-1.0, 4000 + 31 * hop), (1.0, -1), (np.nan, -1)):
        with pytest.raises(ModelError, match=r"differs from its checkpoint by .* was not written"):
            largest_difference(Off(scorer, by, only), scorer, hop)


@pytest.mark.usefixtures("exporting")
def test_lengths_that_are_tried_differ_by_the_checkpoint_s_own_hop(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def listening(scorer: Scorer, reference: Scorer, hop: int) -> tuple[float, int]:
        class Listening(Off):
            def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                tried.append(waveforms.shape[1])
                return super().score(waveforms)

        return largest_difference(Listening(reference, 0.0), reference, hop)

    monkeypatch.setattr(export, "largest_difference", listening)
    assert checkpoint.front_end is not None
    front_end = replace(checkpoint.front_end, hop_s=0.01)
    export_model(replace(checkpoint, front_end=front_end), tmp_path / "model.onnx")
    assert tried[-32:] == [4000 + 80 * i for i in range(32)]


@pytest.mark.usefixtures("exporting")
def test_what_differs_is_not_written(checkpoint: Checkpoint, tmp_path: Path) -> None:
    other = {name: value + 0.01 for name, value in checkpoint.model.items()}
    out = tmp_path / "m.onnx"
    out.write_bytes(b"older")
    with pytest.raises(ModelError, match=r"differs from its checkpoint by .*, more than 0\.001"):
        export_model(replace(checkpoint, model=other), out)
    assert out.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("name", ["model.pt", "model", "model.ONNX", "model.pt2"])
def test_another_suffix_is_refused_at_once(
    checkpoint: Checkpoint, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ModelError, match=rf"{name}: a model is exported as \.onnx, not"):
        export_model(checkpoint, tmp_path / name)


def test_a_missing_package_names_the_extra(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ModelError, match=r"install 'negmine\[train,onnx\]'"):
        export_model(checkpoint, tmp_path / "m.onnx")


def test_a_backbone_that_cannot_be_traced_is_named(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Detector.features

    def odd(self: Detector, waveforms: torch.Tensor) -> Any:
        if waveforms.shape[1] > 1000 and waveforms.sum().item() > 1e6:  # sound decides the path
            raise ValueError
        return whole(self, waveforms)

    monkeypatch.setattr(Detector, "features", odd)
    message = "backbone 'small' cannot be exported; use the checkpoint itself, or train another"
    with pytest.raises(ModelError, match=message) as caught:
        export_model(checkpoint, tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# ---- the command


def test_the_command(
    shared_checkpoint: Path, exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(checkpoint: Checkpoint, out: Path) -> Exported:
        path, done = exported
        out.write_bytes(path.read_bytes())
        changed: Exported = replace(done, precision="bf16")
        return changed

    monkeypatch.setattr(export, "export_model", copied)
    out = tmp_path / "m.onnx"
    call = ["export-model", str(shared_checkpoint), str(out)]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 0, result.output
    assert f"{out}: 2 classes, 8000 Hz; on 44 made clips" in result.stdout
    assert "the checkpoint scores in bf16, the program in fp32" in result.stdout
    shown = json.loads(CliRunner().invoke(main, [*call, "--json"]).stdout)
    assert shown["classes"] == ["0", "1"]
    assert shown["largest_difference"] == exported[1].difference
    assert CliRunner().invoke(main, [*call, "--quiet"]).stdout == ""


def test_the_command_ends_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["export-model", str(tmp_path / "no.pt"), "m.onnx"])
    assert result.exit_code == 2
    assert result.output == f"Error: {tmp_path / 'no.pt'}: no such checkpoint\n"


# ---- every setting of the detector

EDGES = ((300.0, 1200.0), (900.0, 1500.0), (1500.0, 3900.0))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"bands": "crops", "readout": "max"},
        {"bands": "crops", "readout": "lse", "pooling": "attention", "n_mels": 32},
        {"bands": "shared", "readout": "lse"},
        {"bands": "shared", "readout": "power", "pooling": "attention"},
        {"pooling": "attention", "readout": "max"},
        {"pooling": "mean", "readout": "mean", "channels_last": False},
        {"readout": "power", "window_s": 0.1},
        {"readout": "max", "window_s": 5.0, "clip_s": 2.0},
        {"precision": "bf16"},
        {"backbone": "efficientnet_b0", "readout": "max"},
        {"backbone": "efficientnet_b0", "bands": "crops", "pooling": "mean"},
        {"backbone": "resnet18", "bands": "shared"},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_every_setting_can_be_exported(
    checkpoint: Checkpoint, tmp_path: Path, changes: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    config = checkpoint.config.replace(**({"n_mels": 64} | changes))
    edges = EDGES if config.bands != "off" else ()
    front_end = FrontEndSettings.for_mels(config.sample_rate, config.n_mels)
    detector = Detector.from_config(config, 3, front_end, edges)
    # statistics of real batches: without them an untrained EfficientNet embeds all clips alike
    with torch.no_grad():
        for seed in range(20):
            generator = torch.Generator().manual_seed(seed)
            detector.features(0.1 * torch.randn(4, SAMPLE_RATE, generator=generator))
    made = replace(
        checkpoint,
        config=config,
        front_end=front_end,
        classes=("a", "b", "c"),
        model=detector.state_dict(),
        edges_hz=edges,
    )
    done = export_model(made, tmp_path / "m.onnx")
    assert done.difference < 1e-4
    assert done.precision == config.precision
    check_scorer(load_scorer(tmp_path / "m.onnx", "cpu"), tolerance=1e-3)
