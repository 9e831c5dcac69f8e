"""Checkpoints: whole, read as data only, and refused where they are not what they say."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import tiny_config
from programs import HASH_SEEDS, with_hash_seeds
from safetensors import safe_open

from negmine.errors import ModelError
from negmine.storage.digests import UNSEALED, seal
from training.engine import checkpoint_file
from training.engine.checkpoint import Checkpoint
from training.engine.checkpoint_file import read_content, write_content
from training.engine.history import is_best
from training.models.detector import Detector, weights_fingerprint
from training.models.frontend import FrontEndSettings

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
        history=[{"epoch": 1.0, "loss": 1 / 3, "known_ap": float("nan")}],
        held_out=("rec1", "rec7"),
        inputs={"annotations": "ab", "init": "cd"},
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "best.pt"
    make_checkpoint().save(path)
    return path


@pytest.fixture
def pickled(saved: Path) -> Path:
    """The same, as version 2 wrote it."""
    content = {"format": "negmine-checkpoint", "version": 2, **read_content(saved)}
    for name in ("classes", "held_out", "edges_hz"):
        content[name] = list(content[name])
    torch.save(content, saved)
    return saved


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a checkpoint as somebody would who knows its format."""
    content = read_content(path)
    change(content)
    write_content(path, content)


def repickle(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
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
def test_code_in_a_checkpoint_is_not_run(pickled: Path, tmp_path: Path, where: str) -> None:
    mark = tmp_path / "executed"

    def poison(content: dict[str, Any]) -> None:
        if where == "content":
            content["extra"] = Code(mark)
        else:
            content["model"]["head.bias"] = Code(mark)

    repickle(pickled, poison)
    with pytest.raises(ModelError, match="not a checkpoint, or damaged"):
        Checkpoint.load(pickled)
    assert not mark.exists()
    # the same file does run its code where a reader lets it
    torch.load(pickled, weights_only=False)
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
@pytest.mark.parametrize("version", ["saved", "pickled"])
def test_truncated_file(request: pytest.FixtureRequest, share: float, version: str) -> None:
    path = request.getfixturevalue(version)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError, match=r"best\.pt: (not a checkpoint, or )?damaged"):
        Checkpoint.load(path)


def test_a_flipped_bit_anywhere_is_found(saved: Path) -> None:
    content = saved.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    rng = np.random.default_rng(0)
    # every bit of the length, some of the header, some of the tensors
    bits = [*range(64), *rng.integers(64, 8 * header, 150), *rng.integers(0, 8 * len(content), 50)]
    for bit in map(int, bits):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        saved.write_bytes(changed)
        with pytest.raises(ModelError, match=r"best\.pt: .*(damaged|not a checkpoint)") as caught:
            Checkpoint.load(saved)
        assert "\n" not in str(caught.value)


def test_a_flipped_bit_in_a_checkpoint_of_version_2_changes_nothing_unsaid(pickled: Path) -> None:
    content, want = pickled.read_bytes(), Checkpoint.load(pickled)
    refused = 0
    for bit in map(int, np.random.default_rng(0).integers(0, 8 * len(content), 40)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        pickled.write_bytes(changed)
        try:
            found = Checkpoint.load(pickled)
        except ModelError as error:
            refused += "\n" not in str(error)
        else:
            assert_same(vars(found), vars(want))
    assert refused >= 30


def test_the_file_is_safetensors_and_json(saved: Path) -> None:
    want = make_checkpoint()
    with safe_open(saved, "pt") as file:
        for name, value in want.model.items():
            assert torch.equal(file.get_tensor(f"model.{name}"), value)
        text = json.loads(file.metadata()["negmine"])
    assert text["content"]["classes"] == {"$tuple": ["frog", "owl"]}
    assert text["content"]["step"] == 7


def test_the_same_run_makes_the_same_bytes_in_every_process(saved: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from training.engine.checkpoint import Checkpoint\n"
        "Checkpoint.load(Path(sys.argv[1])).save(Path(sys.argv[2]))"
    )
    with_hash_seeds(lambda seed: [program, str(saved), str(tmp_path / seed)])
    for seed in HASH_SEEDS:
        assert (tmp_path / seed).read_bytes() == saved.read_bytes()


def test_the_layout_of_tensors_comes_back(tmp_path: Path) -> None:
    checkpoint = make_checkpoint()
    name = next(name for name, value in checkpoint.model.items() if value.ndim == 4)
    kernel = checkpoint.model[name].to(memory_format=torch.channels_last)
    checkpoint.model[name] = kernel
    checkpoint.save(tmp_path / "a.pt")
    found = Checkpoint.load(tmp_path / "a.pt").model[name]
    assert torch.equal(found, kernel)
    assert found.stride() == kernel.stride()


def test_a_checkpoint_of_version_2_is_read(pickled: Path) -> None:
    want, got = make_checkpoint(), Checkpoint.load(pickled)
    want.fingerprint = got.fingerprint
    assert_same(vars(got), vars(want))


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"$tensor": "none"}', '{"$items": 3}', "9" * 10_000, "[]", '{"model": {}}'],
    ids=["depth", "no tensor", "no items", "digits", "list", "empty"],
)
def test_content_that_is_none_is_one_short_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "best.pt"
    head = '{"seal": "UNSEALED", "format": "negmine-checkpoint", "version": 3, "content": '
    about = head.replace("UNSEALED", UNSEALED) + text + "}"
    made = safetensors.torch.save({"a": torch.zeros(1)}, {"negmine": about})
    path.write_bytes(made)
    seal(path)
    with pytest.raises(ModelError, match="damaged checkpoint: ") as caught:
        Checkpoint.load(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    with path.open("wb") as file:
        file.write((1 << 30).to_bytes(8, "little") + b'{"')
        file.truncate(1 << 10)
    with pytest.raises(ModelError, match="no header of safetensors"):
        Checkpoint.load(path)


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
def test_other_version(pickled: Path, version: object) -> None:
    repickle(pickled, lambda content: content.update(version=version))
    with pytest.raises(ModelError, match=f"a checkpoint of version {version}; this negmine reads"):
        Checkpoint.load(pickled)


def test_later_version(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_file, "VERSION", 4)
    make_checkpoint().save(saved)
    monkeypatch.undo()
    with pytest.raises(ModelError, match="a checkpoint of version 4; this negmine reads 2 and 3"):
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
        lambda content: content.update(model={}),
        lambda content: content.update(losses=["a"]),
        lambda content: content["config"].update(readout="odd"),
        lambda content: content["config"].update(epochs="9"),
        lambda content: content["config"].update(precision=None),
        lambda content: content["front_end"].update(n_mels=10**7),
        lambda content: content["front_end"].update(frame_s=1e9),
        lambda content: content["front_end"].update(sample_rate=10**7, frame_s=1.0),
        lambda content: content["config"].update(sample_rate=0),
        lambda content: content["config"].update(n_mels=10**7),
        lambda content: content["config"].update(clip_s=-1.0),
        lambda content: content["config"].update(window_s=1e30),
        lambda content: content["config"].update(lse_sharpness=0.0),
        lambda content: content.update(classes=["a"] * len(content["classes"])),
        lambda content: content.update(classes=[f"\x1b[31m{name}" for name in content["classes"]]),
        lambda content: content.update(classes=["a"] * 10**5),
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


def test_weights_of_another_network_are_one_error(saved: Path) -> None:
    checkpoint = Checkpoint.load(saved)
    replace(checkpoint, model={"head.bias": torch.zeros(2)}).save(saved)
    with pytest.raises(ModelError, match="not those of the network it names") as caught:
        Checkpoint.load(saved).detector(torch.device("cpu"))
    assert "\n" not in str(caught.value)


def test_no_checkpoint_makes_a_network_fetch_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def create(name: str, *, pretrained: bool, **options: object) -> None:
        asked.append((name, pretrained))
        raise RuntimeError("no network")

    monkeypatch.setattr("timm.create_model", create)
    config = tiny_config(backbone="resnet18", pretrained=True)
    with pytest.raises(ModelError, match="no network"):
        replace(make_checkpoint(), config=config).detector(torch.device("cpu"))
    assert asked == [("resnet18", False)]


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


def test_the_history_of_an_older_checkpoint_has_todays_names(tmp_path: Path) -> None:
    checkpoint = make_checkpoint()
    checkpoint.history = [{"epoch": 1.0, "loss": 0.5, "lwlrap": 0.25, "neg@3": 0.0}]
    checkpoint.save(tmp_path / "last.pt")
    history = Checkpoint.load(tmp_path / "last.pt").history
    assert history == [{"epoch": 1.0, "loss": 0.5, "known_ap": 0.25, "neg@3": 0.0}]
    assert is_best([*history, {"epoch": 2.0, "loss": 0.4, "known_ap": 0.25, "neg@3": 0.0}])
    assert not is_best([*history, {"epoch": 2.0, "loss": 0.4, "known_ap": 0.2, "neg@3": 0.0}])
