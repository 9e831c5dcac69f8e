"""Small ONNX models, made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from negmine.models.description import KEY

WEIGHTS = np.array([[1, -2], [0.5, 3], [-1, 1], [2, 0.25]], dtype=np.float32)


def make_model(
    path: Path,
    shape: tuple[Any, ...] = ("B", "T"),
    *,
    weights: np.ndarray = WEIGHTS,
    metadata: str | None = None,
    kind: int = TensorProto.FLOAT,
    inputs: int = 1,
    width: int = 4,
) -> onnx.ModelProto:
    """A model of four levels of a clip, and two classes that are sums of them."""
    axis = len(shape) - 1
    nodes = [
        helper.make_node("Mul", ["sound", "sound"], ["squares"]),
        helper.make_node("Abs", ["sound"], ["sizes"]),
        helper.make_node("ReduceMean", ["squares", "axes"], ["m0"], keepdims=0),
        helper.make_node("ReduceMean", ["sizes", "axes"], ["m1"], keepdims=0),
        helper.make_node("ReduceMax", ["sound", "axes"], ["m2"], keepdims=0),
        helper.make_node("ReduceMin", ["sound", "axes"], ["m3"], keepdims=0),
        *(helper.make_node("Reshape", [f"m{i}", "column"], [f"c{i}"]) for i in range(4)),
        helper.make_node("Concat", [f"c{i}" for i in range(4)], ["levels"], axis=1),
        helper.make_node("MatMul", ["levels", "weights"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "levels",
        [helper.make_tensor_value_info(name, kind, shape) for name in ("sound", "other")[:inputs]],
        [
            helper.make_tensor_value_info("levels", kind, (shape[0], width)),
            helper.make_tensor_value_info("scores", kind, (shape[0], weights.shape[1])),
            helper.make_tensor_value_info("sizes", kind, shape),
        ],
        [
            numpy_helper.from_array(np.array([axis]), "axes"),
            numpy_helper.from_array(np.array([-1, 1]), "column"),
            numpy_helper.from_array(weights, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if metadata is not None:
        helper.set_model_props(model, {KEY: metadata})
    onnx.save(model, path)
    return model
