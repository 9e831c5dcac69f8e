"""Who may import whom: walked in the source, and seen in a running program."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What a command's help does without.
HEAVY = ["faiss", "matplotlib", "numpy", "pandas", "pyarrow", "scipy", "soundfile", "torch"]


@cache
def sources(package: str) -> dict[str, str]:
    """The modules of a package, by name, and their source."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = path.read_text(encoding="utf-8")
    return found


@cache
def imports(module: str, source: str) -> set[str]:
    """Every module that a source imports, wherever the statement stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parts, node.module] if node.module else parts)
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def importers(name: str, *packages: str) -> set[str]:
    """The modules of some packages that import another package or module."""
    return {
        module
        for package in packages
        for module, source in sources(package).items()
        if any(f"{i}.".startswith(f"{name}.") for i in imports(module, source))
    }


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import faiss", "faiss"),
        ("import numpy as np, faiss.contrib", "faiss.contrib"),
        ("from faiss import IndexFlat", "faiss"),
        ("from negmine.scores import index", "negmine.scores.index"),
        ("from . import index", "negmine.scores.index"),
        ("from .index import x", "negmine.scores.index"),
        ("def f():\n    import faiss", "faiss"),
        ("if TYPE_CHECKING:\n    from faiss import x", "faiss"),
    ],
)
def test_an_import_is_seen_wherever_it_stands(source: str, found: str) -> None:
    assert found in imports("negmine.scores.search", source)


def test_the_walk_sees_every_module() -> None:
    found = sources("negmine")
    assert {
        "negmine",
        "negmine.cli.main",
        "negmine.scores.top",
        "negmine.annotations",
    } <= found.keys()
    assert importers("negmine.recipes.labels", "negmine")


def test_arrows_run_one_way() -> None:
    # the contracts of pyproject.toml
    linter = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 broken" in ran.stdout


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("soundfile", {"negmine.audio.read", "negmine.audio.sound_file", "negmine.audio.write"}),
        ("faiss", {"negmine.scores.index"}),
        ("timm", {"training.models.backbones"}),
        ("torchaudio", {"training.models.from_torchaudio"}),
    ],
)
def test_a_library_has_one_home(library: str, homes: set[str]) -> None:
    assert importers(library, "negmine", "training") == homes


def test_augmenters_are_imported_by_augment_modules_alone() -> None:
    found = importers("audiomentations", "negmine", "training")
    assert {name for name in found if not name.split(".")[-1].startswith("augment")} == set()


def test_help_imports_nothing_heavy() -> None:
    program = """
import json, sys
import click
from click.testing import CliRunner
from negmine.cli.main import main

done = []
def ask(command, path):
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0, (path, result.output)
    assert "Usage:" in result.output
    done.append(" ".join(path))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            ask(command.get_command(context, name), [*path, name])

ask(main, [])
print(json.dumps({"done": done, "modules": sorted(sys.modules)}))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert {"", "build-pool", "inspect", "mine", "train"} <= set(found["done"])
    assert [name for name in HEAVY if name in found["modules"]] == []
