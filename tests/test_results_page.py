"""The page of results shows what is in its files, and names each."""

from __future__ import annotations

import re

import pytest

from benchmarks.results_page import DOCS, PAGE, filled

TEXT = PAGE.read_text(encoding="utf-8")


def test_its_tables_are_those_of_the_files() -> None:
    assert filled(TEXT) == TEXT, "run: make docs"


def test_a_table_that_was_changed_by_hand_is_made_again() -> None:
    spoilt = TEXT.replace("| whole songs | 5 | TP + FP | 0.9", "| whole songs | 5 | TP + FP | 0.8")
    assert spoilt != TEXT
    assert filled(spoilt) == TEXT


def test_every_file_is_named() -> None:
    files = {path.name for path in (DOCS / "results").iterdir()}
    assert set(re.findall(r"\(results/([\w.-]+)\)", TEXT)) == files


@pytest.mark.parametrize("section", TEXT.split("\n## ")[1:-1], ids=lambda text: text.split("\n")[0])
def test_a_section_has_its_parts(section: str) -> None:
    for part in ("Question.", "Data.", "What it means.", "Command.", "Commit."):
        assert f"**{part}**" in section, part
    assert section.count("<!-- table: ") == 1
