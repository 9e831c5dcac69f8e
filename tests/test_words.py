"""Plain technical English: turns of phrase that neither sources nor docs use."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from negmine import formats

ROOT = Path(__file__).parents[1]

# What is not written, and what is instead.
BANNED = {
    r"not to be had": "not available",
    r"stands? (twice|there|anew)": "appears twice, is there",
    r"may stand as": "is eligible as",
    r"anew": "again",
    r"(is|are|was|were) told": "is reported",
    r"nobody|no one": "none, or the passive",
    r"nought|thereof|hark": "0, of it, listen",
    r"lies|lie": "is, are",
    r"the models? (hears?|heard)": "the model receives, or scores",
    r"false alarms?": "false positives",
    r"(class's|no|the) bar is": "the threshold is",
    r"set aside": "held out",
}
ALL = re.compile(rf"\b({'|'.join(BANNED)})\b", re.IGNORECASE)

# Sentences that a voice says, not the docs.
SPOKEN = {"wake_word_sounds.py"}


def texts() -> list[Path]:
    sources = [
        p
        for name in ("negmine", "training", "benchmarks")
        for p in (ROOT / name).rglob("*.py")
        if p.name not in SPOKEN
    ]
    return [*sources, *(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def archaic(text: str) -> list[str]:
    """Name each turn that is found, with the line it begins in."""
    plain = re.sub(r"\s", " ", text)  # a turn may break at the end of a line
    return [f"{text.count(chr(10), 0, m.start()) + 1}: {m[0]}" for m in ALL.finditer(plain)]


def test_there_are_texts() -> None:
    assert len(texts()) > 200


def test_no_text_uses_them() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{turn}"
        for path in texts()
        for turn in archaic(path.read_text(encoding="utf-8"))
    ]
    assert found == [], f"write instead: {BANNED}"


@pytest.mark.parametrize(
    "text",
    ["device 'x' is not to be had", "recording 'x' stands\ntwice", "made Anew", "none is told"],
)
def test_they_are_found(text: str) -> None:
    assert len(archaic(text)) == 1


# Names that are not given, and the ones that are.
NAMES = {
    "told": "text, summary, notes",
    "family": "arm, operator",
    "families": "arms, operators",
    "alarm": "false positive",
    "bar": "threshold",
}


def identifiers(tree: ast.Module) -> Iterator[str]:
    """Yield the words of the names that a module gives to functions, classes and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from re.findall("[A-Z]?[a-z]+", node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield from node.target.id.split("_")


def modules(package: str) -> dict[Path, ast.Module]:
    return {p: ast.parse(p.read_text(encoding="utf-8")) for p in (ROOT / package).rglob("*.py")}


@pytest.mark.parametrize("package", ["negmine", "training"])
def test_names_are_the_field_s_terms(package: str) -> None:
    found = {
        f"{path.name}: {word}"
        for path, tree in modules(package).items()
        for word in identifiers(tree)
        if word.lower() in NAMES
    }
    assert not found, f"write instead: {NAMES}"


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for package in ("negmine", "training"):
        for path, tree in modules(package).items():
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, []).append(path.name)
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


# A room's settings and files are in modules of that name; a command's may be that of its room. A
# format's is that of the tool, which may be in other rooms, too.
SHARED = ("settings.py", "files.py", *(f"{name}.py" for name in formats.NAMES))


def test_no_two_files_of_a_package_share_a_name() -> None:
    for package in ("negmine", "training"):
        names = Counter(
            path.name
            for path in (ROOT / package).rglob("*.py")
            if not path.stem.startswith("__") and "cli" not in path.parts
        )
        assert [name for name, n in names.items() if n > 1 and name not in SHARED] == []
