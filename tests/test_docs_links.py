"""Links of README, CONTRIBUTING and docs lead to files and headings that are there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def plain(page: str) -> str:
    return re.sub(r"```.*?```", "", page, flags=re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The ends of links to a page's headings, as GitHub and mkdocs make them."""
    seen: Counter[str] = Counter()
    found = set()
    for title in re.findall(r"^#+ (.+)$", plain(path.read_text(encoding="utf-8")), re.MULTILINE):
        words = re.sub(r"[^\w\s-]", "", title.lower()).strip().replace(" ", "-")
        found.add(f"{words}-{seen[words]}" if seen[words] else words)
        seen[words] += 1
    return found


def broken(path: Path) -> list[str]:
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", plain(path.read_text(encoding="utf-8"))):
        name, _, anchor = target.partition("#")
        if re.match(r"\w+:", name):
            continue
        file = (path.parent / name).resolve() if name else path
        there = file.exists() and file.is_relative_to(ROOT)
        if not there or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    assert broken(path) == []


@pytest.mark.parametrize("link", ["nowhere.md", "README.md#no-such-heading", "../elsewhere.md"])
def test_a_broken_link_is_found(link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path.resolve())
    (tmp_path / "README.md").write_text("# A heading\n")
    page = tmp_path / "page.md"
    page.write_text(f"see [this]({link}) and [that](README.md#a-heading)\n")
    assert broken(page.resolve()) == [link]


def test_every_page_is_in_the_site() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    docs = ROOT / "docs"
    assert listed == {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
