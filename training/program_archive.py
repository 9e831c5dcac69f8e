"""What a ``.pt2`` file may hold, looked at before torch opens it.

`torch.export.load` is not made for files of strangers. It unpickles weights that the file marks as
pickled, custom objects, and example inputs that are no plain tensors; it hands the file's shape
expressions to sympy, which evaluates them as Python; it loads compiled libraries that lie in the
file; and a node of the graph may name any function of torch. An exported network needs none of
these, so a file with any of them is refused, and what is left is tensors and arithmetic.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import torch

# Everything that torch.export.save writes for one program without custom objects.
_ENTRIES = re.compile(
    r"archive_format|archive_version|byteorder|\.data/(version|serialization_id)|version"
    r"|models/model\.json"
    r"|data/weights/(model_weights_config\.json|weight_\d+)"
    r"|data/constants/(model_constants_config\.json|tensor_\d+)"
    r"|data/sample_inputs/model\.pt"
    r"|extra/[\w.-]+"
)
_CONFIGS = (
    "data/weights/model_weights_config.json",
    "data/constants/model_constants_config.json",
)

# What a graph may call: torch's tensor operators but for those that touch files, arithmetic on
# sizes, and a part of the graph under an autocast or without gradients.
_OPERATORS = re.compile(
    r"torch\.ops\.aten\.(?!from_file|_?save|_?load)\w+\.\w+"
    r"|torch\.ops\.higher_order\.wrap_with_(autocast|set_grad_enabled)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
    r"|torch\.sym_(int|max|min|float|not|ite|sum)"
    r"|math\.(ceil|floor|trunc)"
)

# What sizes are written with: sympy's constructors on symbols such as s0.
_EXPRESSION_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.keyword, ast.Name, ast.Load,
    ast.Constant, ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip
_FUNCTIONS = {
    "Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Abs", "Max", "Min", "Mod",
    "PythonMod", "FloorDiv", "CeilDiv", "CleanDiv", "ModularIndexing", "floor", "ceiling",
    "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Equality", "Unequality", "StrictLessThan", "LessThan",
    "StrictGreaterThan", "GreaterThan", "And", "Or", "Not", "Where",
    "IntTrueDiv", "FloatTrueDiv", "CeilToInt", "FloorToInt", "TruncToInt", "ToFloat",
}  # fmt: skip
_SYMBOL = re.compile(r"[su]\d+|int_oo|oo|nan|true|false")
_ASSUMPTIONS = {"positive", "integer", "nonnegative", "real", "precision"}


class UnsafeArchiveError(Exception):
    """The archive holds what could run code, or nothing that this torch wrote."""


def check_archive(content: bytes) -> None:
    """Check that a ``.pt2`` file holds one program of tensors and arithmetic, and nothing else.

    Raises
    ------
    UnsafeArchiveError
        Saying what else it holds.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.namelist()
            # all stand below one folder, whatever it is called
            names = {name.partition("/")[2]: name for name in listed}
            if len(names) != len(listed) or len({name.partition("/")[0] for name in listed}) != 1:
                raise UnsafeArchiveError("names that stand twice")
            if "models/model.json" not in names:
                raise UnsafeArchiveError("no program 'model'")
            for name in names:
                if not _ENTRIES.fullmatch(name):
                    raise UnsafeArchiveError(f"'{name}', which is no part of an exported network")
            for name in _CONFIGS:
                _check_payload(name, json.loads(archive.read(names[name])))
            _check_examples(archive.read(names["data/sample_inputs/model.pt"]))
            _check_program(json.loads(archive.read(names["models/model.json"])))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UnsafeArchiveError(f"a damaged archive: {error}") from error


def _check_payload(name: str, config: Any) -> None:
    for of, entry in config["config"].items():
        if entry["use_pickle"] is not False or not re.fullmatch(
            r"(weight|tensor)_\d+", entry["path_name"]
        ):
            raise UnsafeArchiveError(f"'{of}' as a pickled object")


def _check_examples(content: bytes) -> None:
    if not content:
        return
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # torch raises many kinds; then it would unpickle
        raise UnsafeArchiveError("example inputs that are no plain tensors") from error


def _check_program(program: Any) -> None:
    for symbol in program["range_constraints"]:
        _check_expression(symbol)
    for part in _mappings(program):
        calls = [part["as_operator"]] if "as_operator" in part else []
        if "inputs" in part and "target" in part:
            calls.append(part["target"])
        for call in calls:
            if not _OPERATORS.fullmatch(call):
                raise UnsafeArchiveError(f"a call of '{call}'")
        if "expr_str" in part:
            _check_expression(part["expr_str"])


def _check_expression(text: str) -> None:
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise UnsafeArchiveError(f"the size '{text[:60]}'") from error
    for node in nodes:
        known = isinstance(node, _EXPRESSION_NODES)
        if isinstance(node, ast.Call):
            known = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
        elif isinstance(node, ast.Name):
            known = node.id in _FUNCTIONS or bool(_SYMBOL.fullmatch(node.id))
        elif isinstance(node, ast.keyword):
            known = node.arg in _ASSUMPTIONS
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            known = bool(_SYMBOL.fullmatch(node.value))
        if not known:
            raise UnsafeArchiveError(f"the size '{text[:60]}'")


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping that a value of JSON holds."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
