"""Every command that README and docs show is one that negmine takes, with these options."""

from __future__ import annotations

from pathlib import Path

import pytest
from tutorial_pages import blocks_of, parse

ROOT = Path(__file__).parents[1]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(path: Path) -> list[list[str]]:
    """Return what is typed after 'negmine' in a page's blocks of sh, '...' left out."""
    found = []
    for block in blocks_of(path.read_text(encoding="utf-8")):
        for words in block.commands if block.kind == "sh" else []:
            if "|" in words:
                words = words[words.index("|") + 1 :]
            if words and words[0].endswith("negmine") and "..." not in words:
                found.append(words[1:])
    return found


SHOWN = [
    pytest.param(words, id=f"{path.stem}: {' '.join(words)[:60]}")
    for path in TEXTS
    for words in commands(path)
]


def test_there_are_commands() -> None:
    assert len(SHOWN) > 60


@pytest.mark.parametrize("words", SHOWN)
def test_a_command_of_the_docs_is_taken(words: list[str]) -> None:
    parse(words)


@pytest.mark.parametrize("wrong", ["mine --modle a.pt", "train --epochs many", "mien"])
def test_a_wrong_command_is_found(wrong: str) -> None:
    with pytest.raises(Exception, match=r"[Nn]o such|Invalid|no command|not a valid"):
        parse(wrong.split())
