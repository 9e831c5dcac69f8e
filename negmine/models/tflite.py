"""TFLite files, as far as BirdNET's need them: a graph of operators, read as data.

The schema is that of the package `tflite`, which holds nothing but accessors of the flatbuffer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from negmine.errors import ModelError
from negmine.extras import what_is_missing

_IDENTIFIER = b"TFL3"
_FLOAT32, _INT32 = 0, 2
_TYPES = {_FLOAT32: np.dtype("<f4"), _INT32: np.dtype("<i4")}

# Of each operator with settings that matter, the class of the schema that reads them.
_OPTIONS = {
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DIV": "DivOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MUL": "MulOptions",
    "SUB": "SubOptions",
}
_SETTINGS = (
    "Axis", "DepthMultiplier", "DilationHFactor", "DilationWFactor", "FilterHeight", "FilterWidth",
    "FusedActivationFunction", "Padding", "StrideH", "StrideW",
)  # fmt: skip


@dataclass(frozen=True)
class Operator:
    """One step of a graph.

    Attributes
    ----------
    kind : str
        As TFLite names it: ``CONV_2D``.
    inputs : tuple of int
        Numbers of tensors; -1 where an optional one is left out.
    output : int
        The first tensor it gives.
    settings : mapping of str to int
        By the schema's names: ``StrideW``.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    settings: Mapping[str, int]


class Graph:
    """A file's one graph.

    Attributes
    ----------
    operators : list of Operator
        Each after those that it needs.
    inputs, outputs : list of int
        Numbers of tensors.

    Raises
    ------
    ModelError
        If the package `tflite` is missing, or the file is none of its kind.
    """

    def __init__(self, path: Path) -> None:
        try:
            schema = import_module("tflite.Model").Model
            names = vars(import_module("tflite.BuiltinOperator").BuiltinOperator)
        except ImportError as error:
            raise ModelError(f"{path}: {what_is_missing(error) or error}") from error
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
        if raw[4:8] != _IDENTIFIER:
            raise ModelError(f"{path}: not a TFLite file, or damaged")
        kinds = {code: name for name, code in names.items() if isinstance(code, int)}
        try:
            self._model = schema.GetRootAsModel(raw, 0)
            self._graph = self._model.Subgraphs(0)
            self.inputs = [int(i) for i in self._graph.InputsAsNumpy()]
            self.outputs = [int(i) for i in self._graph.OutputsAsNumpy()]
            self.operators = [
                self._operator(i, kinds) for i in range(self._graph.OperatorsLength())
            ]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path}: a TFLite file that cannot be read: {error}") from error
        except Exception as error:  # flatbuffers' and struct's own kinds
            raise ModelError(f"{path}: a damaged TFLite file: {error}") from error

    def _operator(self, number: int, kinds: Mapping[int, str]) -> Operator:
        found = self._graph.Operators(number)
        code = self._model.OperatorCodes(found.OpcodeIndex())
        # codes of early operators are in a field of one byte
        kind = kinds[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs = tuple(int(i) for i in found.InputsAsNumpy())
        return Operator(kind, inputs, int(found.OutputsAsNumpy()[0]), _settings(kind, found))

    def name(self, tensor: int) -> str:
        return str(self._graph.Tensors(tensor).Name().decode())

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Return a tensor's shape as the file has it: 1 where it is open."""
        found = self._graph.Tensors(tensor)
        return tuple(int(size) for size in found.ShapeAsNumpy()) if found.ShapeLength() else ()

    def constant(self, tensor: int) -> np.ndarray | None:
        """Return a constant's values, float32 or int32; None for what is computed."""
        found = self._graph.Tensors(tensor)
        buffer = self._model.Buffers(found.Buffer())
        if not buffer.DataLength() or found.Type() not in _TYPES:
            return None
        values: np.ndarray = buffer.DataAsNumpy().view(_TYPES[found.Type()])
        return values.reshape(self.shape(tensor))


def _settings(kind: str, operator: Any) -> dict[str, int]:
    table = operator.BuiltinOptions()
    if kind not in _OPTIONS or table is None:
        return {}
    options = getattr(import_module(f"tflite.{_OPTIONS[kind]}"), _OPTIONS[kind])()
    options.Init(table.Bytes, table.Pos)
    return {name: int(getattr(options, name)()) for name in _SETTINGS if hasattr(options, name)}
