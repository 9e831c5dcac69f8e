"""A head and its frozen network as one ONNX file.

The network's program is copied as it is, up to its embedding. What standardises embeddings, and the
head, are four nodes behind it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from negmine.errors import ModelError
from negmine.models.added import find, models_folder
from negmine.models.description import KEY, ModelDescription
from negmine.models.onnx_scorer import load
from training.engine.checkpoint import Checkpoint
from training.models.network import find_network

# Names of the new nodes' values: no other program has them.
_OURS = "negmine_head"


def write_head(checkpoint: Checkpoint, description: ModelDescription, path: Path) -> None:
    """Write the program of a checkpoint that is a head.

    Parameters
    ----------
    checkpoint : Checkpoint
    description : ModelDescription
        What the file says of itself; which of its outputs are which is set here.
    path : Path

    Raises
    ------
    ModelError
        If the network was not added, is another, or is no ONNX file.
    """
    name, fingerprint = checkpoint.network["name"], checkpoint.network["fingerprint"]
    find_network(name, fingerprint, "cpu")
    source = find(fingerprint, models_folder())
    if source is None or source.suffix != ".onnx":
        raise ModelError(
            f"the checkpoint is a head of network '{name}', {source}: a head is exported with a "
            "network that is an ONNX file"
        )
    program = onnx.load(source)
    embedding, _ = load(source, "cpu").outputs
    graph = program.graph
    del graph.output[:]
    nodes = _needed(graph.node, embedding)
    del graph.node[:]
    graph.node.extend(nodes)
    _add_head(graph, {k: v.numpy() for k, v in checkpoint.model.items()}, embedding)
    used = {value for node in graph.node for value in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    width, classes = len(checkpoint.model["mean"]), len(description.classes)
    for output, size in ((embedding, width), (_OURS, classes)):
        graph.output.append(helper.make_tensor_value_info(output, 1, ["B", size]))
    del graph.value_info[:]
    del program.metadata_props[:]
    about = ModelDescription(**vars(description) | {"embeddings": embedding, "logits": _OURS})
    helper.set_model_props(program, {KEY: about.to_json()})
    path.write_bytes(program.SerializeToString(deterministic=True))


def _needed(nodes: Any, value: str) -> list[Any]:
    """Return the nodes that a value is computed by, in order."""
    wanted, found = {value}, []
    for node in reversed(nodes):
        if wanted & set(node.output):
            found.append(node)
            # a loop's body names values from outside it
            inner = (a.g for a in node.attribute if a.HasField("g"))
            wanted |= {*node.input, *(i for g in inner for n in g.node for i in n.input)}
    return found[::-1]


def _add_head(graph: Any, state: dict[str, np.ndarray], embedding: str) -> None:
    """Add the nodes of a head, by the state dict of a `training.models.frozen.FrozenDetector`."""

    def kept(name: str) -> str:
        values = np.ascontiguousarray(state[name], dtype=np.float32)
        graph.initializer.append(numpy_helper.from_array(values, f"{_OURS}.{name}"))
        return f"{_OURS}.{name}"

    def node(kind: str, inputs: list[str], output: str, **settings: Any) -> str:
        graph.node.append(helper.make_node(kind, inputs, [output], **settings))
        return output

    x = node("Sub", [embedding, kept("mean")], f"{_OURS}.centred")
    x = node("Mul", [x, kept("scale")], f"{_OURS}.standard")
    if "hidden.weight" in state:
        layer = [x, kept("hidden.weight"), kept("hidden.bias")]
        x = node("Relu", [node("Gemm", layer, f"{_OURS}.hidden", transB=1)], f"{_OURS}.units")
    node("Gemm", [x, kept("head.weight"), kept("head.bias")], _OURS, transB=1)
