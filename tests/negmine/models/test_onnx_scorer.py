"""ONNX files as scorers, on graphs made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import WEIGHTS, make_model
from scorer_contract import check_scorer

from negmine.errors import ModelError
from negmine.models.description import ModelDescription
from negmine.models.scorer import load_scorer

SIDECAR = """
classes = ["a", "b"]
sample_rate = 8000
clip_s = 0.5
embeddings = "levels"
logits = "scores"
"""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A file of somebody else's, with its sidecar."""
    make_model(tmp_path / "model.onnx")
    (tmp_path / "model.onnx.toml").write_text(SIDECAR)
    return tmp_path / "model.onnx"


def clips(count: int, samples: int = 4000) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (count, samples)).astype(np.float32)


def levels(waveforms: np.ndarray) -> np.ndarray:
    x = waveforms.astype(np.float64)
    return np.stack(
        [(x * x).mean(axis=1), np.abs(x).mean(axis=1), x.max(axis=1), x.min(axis=1)], axis=1
    )


def test_a_foreign_file_keeps_the_contract(foreign: Path) -> None:
    scorer = load_scorer(foreign, "cpu")
    check_scorer(scorer)
    assert scorer.classes == ("a", "b")
    assert (scorer.sample_rate, scorer.clip_s, scorer.held_out) == (8000, 0.5, frozenset())


def test_outputs_are_those_that_the_sidecar_names(foreign: Path) -> None:
    embeddings, logits = load_scorer(foreign, "cpu").score(clips(3))
    np.testing.assert_allclose(embeddings, levels(clips(3)), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(logits, levels(clips(3)) @ WEIGHTS, rtol=1e-5, atol=1e-6)


def test_outputs_by_number_may_be_one_and_the_same(foreign: Path) -> None:
    text = SIDECAR.replace('"levels"', "1").replace('"scores"', "1")
    foreign.with_name("model.onnx.toml").write_text(text)
    embeddings, logits = load_scorer(foreign, "cpu").score(clips(2))
    np.testing.assert_array_equal(embeddings, logits)
    np.testing.assert_allclose(logits, levels(clips(2)) @ WEIGHTS, rtol=1e-5, atol=1e-6)


def test_metadata_in_the_file_describes_it(tmp_path: Path) -> None:
    about = ModelDescription(
        ("x", "y"), 16000, 0.25, "levels", "scores", held_out=frozenset({"rec01"})
    )
    make_model(tmp_path / "m.onnx", metadata=about.to_json())
    scorer = load_scorer(tmp_path / "m.onnx", "cpu")
    check_scorer(scorer)
    assert (scorer.classes, scorer.held_out) == (("x", "y"), frozenset({"rec01"}))


@pytest.mark.parametrize("shape", [(1, "T"), (2, "T"), ("B", 1, "T"), (3, 1, "T")])
def test_fixed_batches_and_a_channel_make_no_difference(
    tmp_path: Path, shape: tuple[Any, ...]
) -> None:
    make_model(tmp_path / "m.onnx", shape)
    (tmp_path / "m.toml").write_text(SIDECAR)
    scorer = load_scorer(tmp_path / "m.onnx", "cpu")
    check_scorer(scorer)
    embeddings, _ = scorer.score(clips(5))
    np.testing.assert_allclose(embeddings, levels(clips(5)), rtol=1e-5, atol=1e-7)


def test_a_fixed_length_takes_no_other(tmp_path: Path) -> None:
    make_model(tmp_path / "m.onnx", ("B", 4000))
    (tmp_path / "m.toml").write_text(SIDECAR)
    scorer = load_scorer(tmp_path / "m.onnx", "cpu")
    assert scorer.score(clips(2))[1].shape == (2, 2)
    message = r"m\.onnx: it takes clips of 4000 samples \(0\.5 s\), not of 8000 \(1 s\); build"
    with pytest.raises(ModelError, match=message):
        scorer.score(clips(2, 8000))


# ---- fingerprints


def test_fingerprint_is_that_of_file_and_sidecar(foreign: Path, tmp_path: Path) -> None:
    first = load_scorer(foreign, "cpu").fingerprint
    other = tmp_path / "other"
    other.mkdir()
    make_model(other / "renamed.onnx")
    (other / "renamed.toml").write_text(SIDECAR)
    assert load_scorer(other / "renamed.onnx", "cpu").fingerprint == first
    (other / "renamed.toml").write_text(SIDECAR.replace('"a", "b"', '"b", "a"'))
    second = load_scorer(other / "renamed.onnx", "cpu").fingerprint
    make_model(other / "renamed.onnx", weights=WEIGHTS * 2)
    third = load_scorer(other / "renamed.onnx", "cpu").fingerprint
    assert len({first, second, third}) == 3


def save_with_weights_in(name: str, folder: Path) -> Path:
    model = make_model(folder / "m.onnx")
    onnx.save(
        model,
        folder / "m.onnx",
        save_as_external_data=True,
        location="m.data",
        size_threshold=60,
    )
    if name != "m.data":
        model = onnx.load(folder / "m.onnx", load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                entry.value = name if entry.key == "location" else entry.value
        (folder / "m.onnx").write_bytes(model.SerializeToString())
    (folder / "m.toml").write_text(SIDECAR)
    return folder / "m.onnx"


def test_weights_in_another_file_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    path = save_with_weights_in("m.data", tmp_path)
    scorer = load_scorer(path, "cpu")
    check_scorer(scorer)
    data = bytearray((tmp_path / "m.data").read_bytes())
    last = bytes(data[-4:])
    data[-4:] = np.float32(7).tobytes()
    assert bytes(data[-4:]) != last
    (tmp_path / "m.data").write_bytes(data)
    assert load_scorer(path, "cpu").fingerprint != scorer.fingerprint


@pytest.mark.parametrize("name", ["../m.data", "/etc/passwd"])
def test_weights_outside_the_folder_are_not_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    path = save_with_weights_in(name, folder)
    with pytest.raises(
        ModelError, match=rf"m\.onnx: keeps weights in '{name}', outside its folder"
    ):
        load_scorer(path, "cpu")


def outside() -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(2, dtype=np.float32), "far")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../far.data")
    return tensor


def in_a_branch(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [], initializer=[outside()])
    model.graph.node.append(helper.make_node("If", ["yes"], ["no"], then_branch=body))


def in_a_function(model: onnx.ModelProto) -> None:
    constant = helper.make_node("Constant", [], ["far"], value=outside())
    imports = [helper.make_opsetid("", 18)]
    function = helper.make_function("own", "F", [], ["far"], [constant], imports)
    model.functions.append(function)


def in_a_sparse_tensor(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().values.CopyFrom(outside())


def in_a_list(model: onnx.ModelProto) -> None:
    node = model.graph.node.add(op_type="Odd")
    node.attribute.add(name="many", type=onnx.AttributeProto.TENSORS).tensors.append(outside())


@pytest.mark.parametrize("hide", [in_a_branch, in_a_function, in_a_sparse_tensor, in_a_list])
def test_weights_outside_the_folder_are_found_wherever_they_are_named(
    tmp_path: Path, hide: Callable[[onnx.ModelProto], None]
) -> None:
    model = make_model(tmp_path / "m.onnx")
    hide(model)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "m.toml").write_text(SIDECAR)
    with pytest.raises(ModelError, match=r"keeps weights in '\.\./far\.data', outside its folder"):
        load_scorer(tmp_path / "m.onnx", "cpu")


def test_weights_that_were_left_behind(tmp_path: Path) -> None:
    path = save_with_weights_in("m.data", tmp_path)
    (tmp_path / "m.data").unlink()
    with pytest.raises(ModelError, match=r"its weights 'm\.data' are missing beside it"):
        load_scorer(path, "cpu")


# ---- what does not fit


def test_without_a_description_it_says_what_to_write(foreign: Path) -> None:
    foreign.with_name("model.onnx.toml").unlink()
    with pytest.raises(ModelError, match=r"no model\.onnx\.toml beside it; write one that gives"):
        load_scorer(foreign, "cpu")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"levels"',
            '"level"',
            "no output 'level' for the embeddings; it has levels, scores, size",
        ),
        ('"scores"', "3", "no output 3 for the logits; it has levels"),
        (
            '"a", "b"',
            '"a", "b", "c"',
            r"its logits 'scores' are \(3, 2\) for 3 clips and 3 classes",
        ),
        ('"levels"', '"sizes"', None),
    ],
)
def test_outputs_are_checked(foreign: Path, old: str, new: str, message: str | None) -> None:
    foreign.with_name("model.onnx.toml").write_text(SIDECAR.replace(old, new))
    if message is None:  # any (B, D) can be an embedding
        assert load_scorer(foreign, "cpu").score(clips(3))[0].shape == (3, 4000)
        return
    with pytest.raises(ModelError, match=message):
        load_scorer(foreign, "cpu").score(clips(3))


def test_embeddings_of_every_frame_are_no_embeddings(tmp_path: Path) -> None:
    make_model(tmp_path / "m.onnx", ("B", 1, "T"))
    (tmp_path / "m.toml").write_text(SIDECAR.replace('"levels"', '"sizes"'))
    with pytest.raises(ModelError, match=r"embeddings 'sizes' are \(2, 1, 4000\) for 2 clips"):
        load_scorer(tmp_path / "m.onnx", "cpu").score(clips(2))


@pytest.mark.parametrize(
    ("shape", "changes", "message"),
    [
        (("B", 2, "T"), {}, "it takes 2 channels; negmine's clips are mono"),
        (("B", 1, 64, "T"), {}, r"its inputs are sound tensor\(float\) .*: export it with"),
        (("B", "T"), {"inputs": 2}, r"its inputs are sound .*, other .*; expected one"),
        (("B", "T"), {"kind": TensorProto.DOUBLE, "weights": WEIGHTS.astype(np.float64)},
         r"its inputs are sound tensor\(double\)"),
    ],
)  # fmt: skip
def test_inputs_are_checked(
    tmp_path: Path, shape: tuple[Any, ...], changes: dict[str, Any], message: str
) -> None:
    make_model(tmp_path / "m.onnx", shape, **changes)
    (tmp_path / "m.toml").write_text(SIDECAR)
    with pytest.raises(ModelError, match=rf"m\.onnx: {message}"):
        load_scorer(tmp_path / "m.onnx", "cpu")


def test_what_fails_in_the_graph_is_one_line(tmp_path: Path) -> None:
    make_model(tmp_path / "m.onnx", weights=np.ones((5, 2), dtype=np.float32), width=4)
    (tmp_path / "m.toml").write_text(SIDECAR)
    with pytest.raises(ModelError) as caught:
        load_scorer(tmp_path / "m.onnx", "cpu").score(clips(2))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_onnx(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match=r"m\.onnx: not ONNX, or damaged: ") as caught:
        load_scorer(tmp_path / "m.onnx", "cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cpu:0"])
def test_a_device_that_onnx_does_not_know(foreign: Path, device: str) -> None:
    with pytest.raises(ModelError, match=f"device '{device}' is not available: ONNX runs on cpu"):
        load_scorer(foreign, device)


def test_a_gpu_takes_another_onnxruntime(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match=r"device 'cuda:1' is not available.*onnxruntime-gpu"):
        load_scorer(foreign, "cuda:1")
    assert load_scorer(foreign, "auto").score(clips(1))[1].shape == (1, 2)
