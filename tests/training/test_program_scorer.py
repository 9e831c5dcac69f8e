"""Exported programs as scorers, and what is not opened."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scorer_contract import check_scorer
from torch import Tensor, nn

from negmine.errors import ModelError
from negmine.model_file import ModelDescription
from negmine.scorer import load_scorer
from training.program_archive import UnsafeArchiveError, check_archive
from training.program_scorer import save

pytestmark = pytest.mark.usefixtures("one_thread")

ABOUT = ModelDescription(("a", "é"), 8000, 0.5, held_out=frozenset({"rec07"}))

SIDECAR = """
classes = ["a", "b"]
sample_rate = 8000
clip_s = 0.5
embeddings = 0
logits = 1
"""


class Levels(nn.Module):
    """Four levels of a clip, and two classes that are sums of them."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        with torch.no_grad():
            self.head.weight.copy_(torch.arange(8).view(2, 4) - 3.0)

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        x = waveforms
        parts = x.square().mean(1), x.abs().mean(1), x.amax(1), x.amin(1)
        levels = torch.stack(parts, dim=1)
        return levels, self.head(levels)


@pytest.fixture(scope="module")
def program() -> torch.export.ExportedProgram:
    shapes = {"waveforms": {0: torch.export.Dim("batch"), 1: torch.export.Dim("time", min=2)}}
    return torch.export.export(Levels(), (torch.zeros(3, 100),), dynamic_shapes=shapes)


@pytest.fixture(scope="module")
def own(program: torch.export.ExportedProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    save(program, ABOUT, path)
    return path


def clips(count: int, samples: int = 4000) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (count, samples)).astype(np.float32)


def test_a_program_keeps_the_contract(own: Path) -> None:
    scorer = load_scorer(own, "cpu")
    check_scorer(scorer)
    assert scorer.classes == ("a", "é")
    assert (scorer.sample_rate, scorer.clip_s) == (8000, 0.5)
    assert scorer.held_out == frozenset({"rec07"})
    embeddings, logits = scorer.score(clips(3))
    want = Levels()(torch.from_numpy(clips(3)))[0].detach().numpy()
    np.testing.assert_allclose(embeddings, want, rtol=1e-6)
    assert logits.shape == (3, 2)


def test_fingerprint_is_that_of_the_file(own: Path, tmp_path: Path) -> None:
    shutil.copy(own, tmp_path / "renamed.pt2")
    first = load_scorer(own, "cpu").fingerprint
    assert load_scorer(tmp_path / "renamed.pt2", "cpu").fingerprint == first


@pytest.fixture
def foreign(program: torch.export.ExportedProgram, tmp_path: Path) -> Path:
    """As torch itself writes it: with example inputs, without a description."""
    torch.export.save(program, tmp_path / "foreign.pt2")
    (tmp_path / "foreign.toml").write_text(SIDECAR)
    return tmp_path / "foreign.pt2"


def test_a_program_of_others_takes_a_sidecar(foreign: Path) -> None:
    scorer = load_scorer(foreign, "cpu")
    check_scorer(scorer)
    changed = SIDECAR.replace('"a", "b"', '"b", "a"')
    foreign.with_suffix(".toml").write_text(changed)
    assert load_scorer(foreign, "cpu").fingerprint != scorer.fingerprint
    foreign.with_suffix(".toml").unlink()
    with pytest.raises(ModelError, match=r"no foreign\.pt2\.toml beside it; write one"):
        load_scorer(foreign, "cpu")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("embeddings = 0", 'embeddings = "features"', "have no names; give the embeddings as its"),
        ("logits = 1", "logits = 2", r"it has 2 outputs; .* said to be 0 and 2, counted from 0"),
        ('"a", "b"', '"a"', r"its logits are \(3, 2\) for 3 clips and 1 classes"),
    ],
)
def test_outputs_are_checked(foreign: Path, old: str, new: str, message: str) -> None:
    foreign.with_suffix(".toml").write_text(SIDECAR.replace(old, new))
    with pytest.raises(ModelError, match=message):
        load_scorer(foreign, "cpu").score(clips(3))


def test_a_program_of_one_length_takes_no_other(tmp_path: Path) -> None:
    fixed = torch.export.export(Levels(), (torch.zeros(2, 4000),))
    save(fixed, ABOUT, tmp_path / "fixed.pt2")
    scorer = load_scorer(tmp_path / "fixed.pt2", "cpu")
    assert scorer.score(clips(2))[1].shape == (2, 2)
    with pytest.raises(ModelError, match=r"fixed\.pt2: fails on 3 clips of 1 s: ") as caught:
        scorer.score(clips(3, 8000))
    assert "\n" not in str(caught.value)


# ---- files that could run code

Entries = dict[str, bytes]


class Runs:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def _pickled_weight(entries: Entries, mark: Path) -> None:
    name = "data/weights/model_weights_config.json"
    config = json.loads(entries[name])
    first = next(iter(config["config"].values()))
    first["use_pickle"] = True
    entries[name] = json.dumps(config).encode()
    entries["data/weights/" + first["path_name"]] = pickle.dumps(Runs(mark))


def _pickled_example(entries: Entries, mark: Path) -> None:
    entries["data/sample_inputs/model.pt"] = pickle.dumps(Runs(mark))


def _pickled_constant(entries: Entries, mark: Path) -> None:
    name = "data/constants/model_constants_config.json"
    entry = {"path_name": "tensor_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    entries[name] = json.dumps({"config": {"c": entry}}).encode()
    entries["data/constants/tensor_0"] = pickle.dumps(Runs(mark))


def _evaluated_size(entries: Entries, mark: Path) -> None:
    program = json.loads(entries["models/model.json"])
    values = program["graph_module"]["graph"]["tensor_values"]
    sizes = next(v["sizes"] for v in values.values() if "as_expr" in v["sizes"][0])
    sizes[0]["as_expr"]["expr_str"] = f"__import__('pathlib').Path('{mark}').touch()"
    entries["models/model.json"] = json.dumps(program).encode()


def _a_call(entries: Entries, mark: Path) -> None:
    program = json.loads(entries["models/model.json"])
    program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.hub.load"
    entries["models/model.json"] = json.dumps(program).encode()


def _a_file_read(entries: Entries, mark: Path) -> None:
    program = json.loads(entries["models/model.json"])
    program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.from_file.default"
    entries["models/model.json"] = json.dumps(program).encode()


def _a_library(entries: Entries, mark: Path) -> None:
    entries["data/aotinductor/model/model.so"] = b"\x7fELF"


def _another_program(entries: Entries, mark: Path) -> None:
    entries["models/second.json"] = entries["models/model.json"]


def _the_old_layout(entries: Entries, mark: Path) -> None:
    entries["serialized_example_inputs.pt"] = pickle.dumps(Runs(mark))


SPOILT: dict[str, tuple[Callable[[Entries, Path], None], str]] = {
    "a weight": (_pickled_weight, "'head.weight' as a pickled object"),
    "a constant": (_pickled_constant, "'c' as a pickled object"),
    "an example": (_pickled_example, "example inputs that are no plain tensors"),
    "a size": (_evaluated_size, r"the size '__import__\('pathlib'\)"),
    "a call": (_a_call, r"a call of 'torch\.hub\.load'"),
    "a file": (_a_file_read, r"a call of 'torch\.ops\.aten\.from_file\.default'"),
    "a library": (_a_library, r"'data/aotinductor/model/model\.so', which is no part"),
    "a program": (_another_program, r"'models/second\.json', which is no part"),
    "old": (_the_old_layout, r"'serialized_example_inputs\.pt', which is no part"),
}


def spoil(path: Path, out: Path, change: Callable[[Entries, Path], None], mark: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {n.partition("/")[2]: archive.read(n) for n in archive.namelist()}
    change(entries, mark)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(f"archive/{name}", content)


def test_an_archive_that_was_only_packed_anew_is_opened(own: Path, tmp_path: Path) -> None:
    spoil(own, tmp_path / "m.pt2", lambda entries, mark: None, tmp_path / "mark")
    check_scorer(load_scorer(tmp_path / "m.pt2", "cpu"))


@pytest.mark.parametrize("name", SPOILT)
def test_what_could_run_code_is_not_opened(own: Path, tmp_path: Path, name: str) -> None:
    change, message = SPOILT[name]
    spoil(own, tmp_path / "m.pt2", change, tmp_path / "mark")
    with pytest.raises(ModelError, match=rf"m\.pt2: not opened, .* it holds {message}"):
        load_scorer(tmp_path / "m.pt2", "cpu")
    assert not (tmp_path / "mark").exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["a weight", "an example", "a size"])
def test_torch_itself_would_have_run_it(own: Path, tmp_path: Path, name: str) -> None:
    # were torch to become careful, the check could go
    spoil(own, tmp_path / "m.pt2", SPOILT[name][0], tmp_path / "mark")
    with suppress(Exception):  # what it makes of the file afterwards does not matter
        torch.export.load(tmp_path / "m.pt2")
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "damaged archive"), (b"nothing", "damaged archive"), (None, "no program 'model'")],
)
def test_what_is_no_program(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is None:
        buffer = io.BytesIO()
        torch.save({"a": torch.zeros(1)}, buffer)
        content = buffer.getvalue()
    with pytest.raises(UnsafeArchiveError, match=message):
        check_archive(content)
    (tmp_path / "m.pt2").write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.pt2: not opened") as caught:
        load_scorer(tmp_path / "m.pt2", "cpu")
    assert "\n" not in str(caught.value)
