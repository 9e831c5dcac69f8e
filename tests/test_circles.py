"""No module imports another that imports it, however many stand between, late imports included."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def modules() -> dict[str, Path]:
    found = {}
    for package in ("negmine", "training", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def arrows(source: str, known: set[str]) -> set[str]:
    """The known modules that a source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in known else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & known


def sort(graph: dict[str, set[str]]) -> list[str]:
    return list(TopologicalSorter(graph).static_order())


def test_no_imports_run_in_a_circle() -> None:
    found = modules()
    graph = {
        name: arrows(path.read_text(encoding="utf-8"), set(found)) - {name}
        for name, path in found.items()
    }
    assert graph["negmine.recipes.recipe"] >= {"negmine.recipes.layer", "negmine.recipes.render"}
    assert len(sort(graph)) == len(found)


def test_a_circle_would_be_seen() -> None:
    known = {"a", "b", "c"}
    late = "def f():\n    from b import x"
    graph = {
        "a": arrows(late, known),
        "b": arrows("import c", known),
        "c": arrows("import a", known),
    }
    with pytest.raises(CycleError):
        sort(graph)
