"""Checkpoints: whole, read as data only, and refused where they are not what they say."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import tiny_config

from negmine.errors import ModelError
from training.checkpoint import Checkpoint
from training.frontend import FrontEndSettings
from training.model import Detector, weights_fingerprint

pytestmark = pytest.mark.usefixtures("one_thread")


class Code:
    """A pickle of this runs code when it is loaded: it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (self.mark,)


def make_checkpoint() -> Checkpoint:
    config = tiny_config(seed=5)
    front_end = FrontEndSettings.for_mels(config.sample_rate, config.n_mels)
    torch.manual_seed(0)
    detector = Detector(2, front_end, "small")
    optimiser = torch.optim.AdamW(detector.parameters(), lr=0.1)
    detector(torch.randn(2, 8000)).sum().backward()
    optimiser.step()
    return Checkpoint(
        config,
        front_end,
        ("frog", "owl"),
        detector.state_dict(),
        optimiser.state_dict(),
        step=7,
        losses=[0.1, 1 / 3],
        history=[{"epoch": 1.0, "loss": 1 / 3, "lwlrap": float("nan")}],
        held_out=("rec1", "rec7"),
        inputs={"annotations": "ab", "init": "cd"},
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "best.pt"
    make_checkpoint().save(path)
    return path


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def assert_same(one: object, other: object) -> None:
    if isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_same(value, other[key])
    elif isinstance(one, list | tuple):
        assert isinstance(other, list | tuple)
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
    else:
        assert type(one) is type(other)
        assert one == other or (one != one and other != other)


def test_round_trip(saved: Path) -> None:
    want, got = make_checkpoint(), Checkpoint.load(saved)
    assert got.fingerprint == weights_fingerprint(want.model)
    want.fingerprint = got.fingerprint
    assert_same(vars(got), vars(want))


def test_detector_has_the_saved_weights_and_is_ready(saved: Path) -> None:
    checkpoint = Checkpoint.load(saved)
    detector = checkpoint.detector(torch.device("cpu"))
    assert not detector.training
    assert weights_fingerprint(detector.state_dict()) == checkpoint.fingerprint
    assert detector(torch.zeros(1, 8000)).shape == (1, 2)


def test_same_weights_have_one_fingerprint_in_any_file(tmp_path: Path) -> None:
    one, other = make_checkpoint(), make_checkpoint()
    other = replace(other, step=9, config=tiny_config(seed=6))
    one.save(tmp_path / "a.pt")
    other.save(tmp_path / "b" / "c.pt")
    assert Checkpoint.load(tmp_path / "a.pt").fingerprint == (
        Checkpoint.load(tmp_path / "b" / "c.pt").fingerprint
    )


@pytest.mark.parametrize("where", ["content", "weights"])
def test_code_in_a_checkpoint_is_not_run(saved: Path, tmp_path: Path, where: str) -> None:
    mark = tmp_path / "executed"

    def poison(content: dict[str, Any]) -> None:
        if where == "content":
            content["extra"] = Code(mark)
        else:
            content["model"]["head.bias"] = Code(mark)

    rewrite(saved, poison)
    with pytest.raises(ModelError, match="not a checkpoint, or damaged"):
        Checkpoint.load(saved)
    assert not mark.exists()
    # the same file does run its code where a reader lets it
    torch.load(saved, weights_only=False)
    assert mark.exists()


def test_bare_pickle_is_not_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "best.pt", tmp_path / "executed"
    path.write_bytes(pickle.dumps({"format": "negmine-checkpoint", "x": Code(mark)}))
    with pytest.raises(ModelError, match="not a checkpoint, or damaged") as caught:
        Checkpoint.load(path)
    # nobody is told how to open it all the same, as torch does
    assert "weights_only" not in str(caught.value)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_file(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match=r"best\.pt: not a checkpoint, or damaged"):
        Checkpoint.load(saved)


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"PK\x03\x04 half a zip"])
def test_other_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "best.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not a checkpoint") as caught:
        Checkpoint.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {"weights": torch.ones(2)}, {"format": "other"}])
def test_other_torch_file(tmp_path: Path, content: object) -> None:
    path = tmp_path / "best.pt"
    torch.save(content, path)
    with pytest.raises(ModelError, match="not a checkpoint of negmine's trainer"):
        Checkpoint.load(path)


def test_zip_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ModelError, match="not a checkpoint, or damaged"):
        Checkpoint.load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.pt: no such checkpoint"):
        Checkpoint.load(tmp_path / "none.pt")


def test_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such checkpoint"):
        Checkpoint.load(tmp_path)


@pytest.mark.parametrize("version", [0, 1, 3, "2", None])
def test_other_version(saved: Path, version: object) -> None:
    rewrite(saved, lambda content: content.update(version=version))
    with pytest.raises(ModelError, match=f"a checkpoint of version {version}, not 2"):
        Checkpoint.load(saved)


def test_tampered_weights(saved: Path) -> None:
    rewrite(saved, lambda content: content["model"]["head.bias"].add_(1e-3))
    with pytest.raises(ModelError, match="weights do not match its fingerprint"):
        Checkpoint.load(saved)


def test_swapped_fingerprint(saved: Path) -> None:
    rewrite(saved, lambda content: content.update(fingerprint="0" * 32))
    with pytest.raises(ModelError, match="weights do not match its fingerprint"):
        Checkpoint.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("config"),
        lambda content: content.pop("held_out"),
        lambda content: content.pop("model"),
        lambda content: content["config"].pop("lsoft"),
        lambda content: content["config"].update(mixup=1),
        lambda content: content["front_end"].update(window="hann"),
        lambda content: content.update(extra=1),
        lambda content: content.update(config=None),
        lambda content: content.update(classes=None),
        lambda content: content.update(model=None),
        lambda content: content["model"].update({"head.bias": 3}),
    ],
)
def test_damaged_content_is_one_error(
    saved: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    rewrite(saved, change)
    with pytest.raises(ModelError, match=r"best\.pt: damaged checkpoint") as caught:
        Checkpoint.load(saved)
    assert "\n" not in str(caught.value)


def test_interrupted_saving_leaves_the_old_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def stopped(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        make_checkpoint().save(saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == ["best.pt"]
