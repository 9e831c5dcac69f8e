"""Finding a model's reader, and the contract that every scorer keeps."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from placeholder import PlaceholderScorer
from scorer_contract import check_scorer

from negmine.errors import ModelError
from negmine.models import scorer as scorer_module
from negmine.models.scorer import ENTRY_POINTS, Scorer, load_scorer


def read(path: Path, device: str) -> PlaceholderScorer:
    found = PlaceholderScorer(bands=int(path.read_text()))
    found.device = device  # type: ignore[attr-defined]
    return found


def read_nothing(path: Path, device: str) -> str:
    return "no scorer"


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two readers that some package has registered, and no others."""

    class Point:
        def __init__(self, name: str, reader: Any) -> None:
            self.name, self.value, self._reader = name, f"package:{reader.__name__}", reader

        def load(self) -> Any:
            return self._reader

    def entry_points(group: str) -> list[Point]:
        assert group == ENTRY_POINTS
        return [Point("bands", read), Point("empty", read_nothing)]

    monkeypatch.setattr(scorer_module, "entry_points", entry_points)


# ---- readers


@pytest.mark.usefixtures("readers")
def test_a_model_is_opened_by_the_reader_of_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "best.v2.bands").write_text("8")
    scorer = load_scorer(tmp_path / "best.v2.bands", "cuda:1")
    assert scorer.fingerprint.startswith("placeholder-8")
    assert scorer.device == "cuda:1"  # type: ignore[attr-defined]


def test_a_format_that_runs_code_is_not_opened_whoever_registers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(path: Path, device: str) -> None:
        raise AssertionError("opened")

    point = EntryPoint("pt2", "tests:reader", ENTRY_POINTS)
    monkeypatch.setattr(EntryPoint, "load", lambda self: opened)
    monkeypatch.setattr(scorer_module, "entry_points", lambda group: [point])
    (tmp_path / "model.pt2").write_bytes(b"PK")
    message = r"model\.pt2: '\.pt2' programs are not read any more: .* native code .* an ONNX file"
    with pytest.raises(ModelError, match=message):
        load_scorer(tmp_path / "model.pt2")
    (tmp_path / "model.other").touch()
    with pytest.raises(ModelError, match="installed readers: none"):
        load_scorer(tmp_path / "model.other")


@pytest.mark.usefixtures("readers")
def test_an_unknown_suffix_names_the_readers_there_are(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    message = r"model\.onnx: no reader for '\.onnx' models; installed readers: \.bands, \.empty"
    with pytest.raises(ModelError, match=message):
        load_scorer(tmp_path / "model.onnx")


def test_without_any_reader_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer_module, "entry_points", lambda group: [])
    (tmp_path / "model").touch()
    with pytest.raises(ModelError, match=r"no reader for '\.' models; installed readers: none"):
        load_scorer(tmp_path / "model")


@pytest.mark.usefixtures("readers")
@pytest.mark.parametrize("name", ["gone.bands", "folder.bands"])
def test_a_missing_model_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.bands").mkdir()
    with pytest.raises(ModelError, match=rf"{name}: no such model"):
        load_scorer(tmp_path / name)


@pytest.mark.usefixtures("readers")
def test_a_reader_that_gives_no_scorer_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.empty").touch()
    with pytest.raises(ModelError, match="'package:read_nothing' returned no Scorer"):
        load_scorer(tmp_path / "model.empty")


@pytest.mark.usefixtures("readers")
def test_a_model_that_cannot_be_compiled_is_told(tmp_path: Path) -> None:
    (tmp_path / "best.bands").write_text("8")
    with pytest.raises(
        ModelError, match=r"'\.bands' models cannot be compiled; leave out --compile"
    ):
        load_scorer(tmp_path / "best.bands", compiled=True)


@pytest.mark.usefixtures("readers")
def test_a_model_is_compiled_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setattr(PlaceholderScorer, "compile", lambda self: done.append(self), raising=False)
    (tmp_path / "best.bands").write_text("8")
    load_scorer(tmp_path / "best.bands")
    assert done == []
    scorer = load_scorer(tmp_path / "best.bands", compiled=True)
    assert done == [scorer]


def test_a_reader_that_cannot_be_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("bands", "no_such_package:read", ENTRY_POINTS)
    monkeypatch.setattr(scorer_module, "entry_points", lambda group: [point])
    (tmp_path / "model.bands").touch()
    with pytest.raises(ModelError, match="reader 'no_such_package:read' cannot be loaded: No mod"):
        load_scorer(tmp_path / "model.bands")


# ---- the contract


def test_the_placeholder_keeps_the_contract() -> None:
    check_scorer(PlaceholderScorer())
    check_scorer(PlaceholderScorer(("1", "0", "x"), sample_rate=11_025, clip_s=0.7))


def test_what_lacks_a_member_is_no_scorer() -> None:
    broken = PlaceholderScorer()
    del broken.held_out
    assert isinstance(PlaceholderScorer(), Scorer)
    assert not isinstance(broken, Scorer)
    with pytest.raises(AssertionError, match="lacks a member"):
        check_scorer(broken)


class MixesItsBatch(PlaceholderScorer):
    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        embeddings, logits = super().score(waveforms)
        return embeddings, logits - logits.mean(axis=0)


class IsNeverTheSame(PlaceholderScorer):
    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        embeddings, logits = super().score(waveforms)
        return embeddings, logits + self.calls


class FailsOnSilence(PlaceholderScorer):
    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        embeddings, logits = super().score(waveforms)
        return embeddings, logits / np.where(waveforms.any(), 1, np.nan).astype(np.float32)


class HearsNothing(PlaceholderScorer):
    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return super().score(np.ones_like(waveforms))


class Normalises(PlaceholderScorer):
    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        waveforms /= np.abs(waveforms).max(axis=1, keepdims=True) + 1e-9
        return super().score(waveforms)


class IsDouble(PlaceholderScorer):
    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        embeddings, logits = super().score(waveforms)
        return embeddings, logits.astype(np.float64)


class HasAClassTooMany(PlaceholderScorer):
    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        embeddings, _ = super().score(waveforms)
        return embeddings, embeddings[:, :3]


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (MixesItsBatch(), "depend on its batch"),
        (IsNeverTheSame(), "scored differently"),
        (FailsOnSilence(), "not finite"),
        (HearsNothing(), "all clips score alike"),
        (Normalises(), "waveforms were changed"),
        (IsDouble(), "not float32"),
        (HasAClassTooMany(), r"not \(clips, classes\)"),
        (PlaceholderScorer(("0", "0")), "named twice"),
        (PlaceholderScorer(()), "no classes"),
        (PlaceholderScorer(clip_s=0.0), "length of clips"),
        (PlaceholderScorer(held_out={"rec00"}), "no frozenset"),  # type: ignore[arg-type]
    ],
)
def test_the_contract_names_the_rule_that_is_broken(broken: Scorer, rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_scorer(broken)
