"""The drawing of the house in docs/design.md, held against the tree."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = "(files)"


def drawn() -> dict[str, dict[str, set[str]]]:
    """Packages, their rooms and folders of rooms (``room/folder``), and the modules of each."""
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    block = text.split("## The house")[1].split("```")[1]
    found: dict[str, dict[str, set[str]]] = {}
    package = room = place = ""
    for line in block.strip().splitlines():
        if match := re.fullmatch(r"(\w+)/", line):
            package = match[1]
            found[package] = {}
            continue
        if match := re.match(r"  (\w+|\(files\))/? +(.*)", line):
            room = place = match[1]
            found[package][place] = set()
            line = match[2]
        if match := re.match(r"\s*(\w+): (.*)", line):
            place = f"{room}/{match[1]}"
            found[package][place] = set()
            line = match[2]
        if line.strip():
            found[package][place] |= set(line.split())
    return found


def built() -> dict[str, dict[str, set[str]]]:
    found: dict[str, dict[str, set[str]]] = {}
    for package in ("negmine", "training"):
        places: dict[str, set[str]] = {}
        for path in (ROOT / package).rglob("*.py"):
            if not path.stem.startswith("__"):
                place = path.parent.relative_to(ROOT / package).as_posix()
                places.setdefault(FILES if place == "." else place, set()).add(path.stem)
        found[package] = places
    return found


def names(house: dict[str, dict[str, set[str]]]) -> set[str]:
    """Every module as ``package/room/module``."""
    return {
        f"{package}/{place}/{module}"
        for package, places in house.items()
        for place, modules in places.items()
        for module in modules
    }


def test_the_drawing_is_the_tree() -> None:
    in_drawing, in_tree = names(drawn()), names(built())
    assert not (missing := sorted(in_tree - in_drawing)), f"draw in docs/design.md: {missing}"
    assert not (gone := sorted(in_drawing - in_tree)), f"take out of docs/design.md: {gone}"
