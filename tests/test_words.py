"""Plain technical English: turns of phrase that neither sources nor docs use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


def texts() -> list[Path]:
    sources = [
        p for name in ("negmine", "training", "benchmarks") for p in (ROOT / name).rglob("*.py")
    ]
    return [*sources, *(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


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
