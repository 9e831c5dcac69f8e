"""A small pretrained network for tests: an ONNX file of random filters, for 1 s at 8 kHz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from negmine.models.description import KEY, ModelDescription

RATE, SAMPLES, WIDTH = 8000, 8000, 24


def write_network(path: Path, seed: int = 0) -> Path:
    """Write filters of random frequencies, whose loudness is the embedding; six logits of it."""
    rng = np.random.default_rng(seed)
    t = np.arange(256) / RATE
    hz = rng.uniform(300, 3500, WIDTH)
    phase = rng.uniform(0, 2 * np.pi, WIDTH)
    kernel = np.hanning(256) * np.sin(2 * np.pi * hz[:, None] * t + phase[:, None]) / 64
    constants = {
        "kernel": kernel[:, None].astype(np.float32),
        "channel": np.array([1]),
        "dense": rng.normal(size=(WIDTH, 6)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["sound", "channel"], ["mono"]),
        helper.make_node("Conv", ["mono", "kernel"], ["filtered"], strides=[64]),
        helper.make_node("Abs", ["filtered"], ["loud"]),
        helper.make_node("ReduceMean", ["loud"], ["levels"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["levels", "dense"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "filters",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, ["B", SAMPLES])],
        [
            helper.make_tensor_value_info("levels", TensorProto.FLOAT, ["B", WIDTH]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["B", 6]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    about = ModelDescription(tuple("abcdef"), RATE, SAMPLES / RATE, "levels", "scores")
    helper.set_model_props(model, {KEY: about.to_json()})
    onnx.save(model, path)
    return path
