"""The tutorials' commands run, and print what the pages show."""

from __future__ import annotations

from pathlib import Path

import pytest
from tutorial_pages import MADE, PAGES, Block, Printed, run_page


def test_every_page_is_run() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {"index", *MADE}


SLOW = {"kaggle"}  # three trainings
NAMES = [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in MADE]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_prints_what_it_shows(name: str, tmp_path: Path, one_thread: None) -> None:
    outputs = list(run_page(PAGES / f"{name}.md", tmp_path, MADE[name]))
    assert outputs
    for printed in outputs:
        _, missing = printed.unmatched()
        assert missing == [], "\n".join(["printed:", *printed.lines])


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        ("3 rows\n...\ndone\n", []),
        ("done\n3 rows\n", ["3 rows"]),  # the order counts
        ("4 rows\n", ["4 rows"]),
        ("3 lines\n", ["3 lines"]),
    ],
)
def test_what_is_not_printed_is_found(shown: str, missing: list[str]) -> None:
    printed = Printed(Block("text", shown, "", (0, 0)), ["3 rows", "more", "done"], varying=False)
    assert printed.unmatched()[1] == missing


def test_numbers_that_vary_are_any_number() -> None:
    printed = Printed(Block("text", "loss 0.5, 12 rows\n", "", (0, 0)), ["loss 1e-3, 9 rows"], True)
    assert printed.unmatched() == ("loss 1e-3, 9 rows\n", [])
