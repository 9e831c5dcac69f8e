"""Names: one spelling, one order in every process, and which look alike."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from negmine.storage.names import clean_name, look_alikes, odd_character, sorted_names


def test_a_name_is_stripped_and_composed() -> None:
    assert clean_name("\u00a0 Ra\u0303\t") == "R\u00e3"
    assert clean_name(" owl ") == "owl"


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_the_order_is_the_same_in_every_process(seed: str) -> None:
    names = ["7", "007", "01", "1", "10", "9" * 5000]
    code = f"from negmine.storage.names import sorted_names; print(sorted_names({names!r})[:5])"
    environment = os.environ | {"PYTHONHASHSEED": seed}
    made = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert made.stdout.strip() == "('01', '1', '007', '7', '10')"


def test_names_that_are_not_all_numbers_are_in_the_order_of_letters() -> None:
    assert sorted_names(["b", "10", "9", "b"]) == ("10", "9", "b")
    # digits of other scripts are letters
    assert sorted_names(["\u0663", "10", "9"]) == ("10", "9", "\u0663")


@pytest.mark.parametrize(
    ("one", "other"),
    [("3", "3.0"), ("3", "003.00"), ("owl", "Owl"), ("a b", "a\u00a0b"), ("ab", "a\u200bb")],
)
def test_names_that_look_alike(one: str, other: str) -> None:
    assert len(look_alikes({one: 2, other: 1}, "classes", "t.csv")) == 1


def test_names_that_differ() -> None:
    assert look_alikes({"3": 1, "30": 1, "3.5": 1, "3/1": 1, "0": 1, "-3": 1}, "classes", "") == []


def test_many_groups_that_look_alike_stay_a_few_lines() -> None:
    counts = {name: 1 for i in range(100) for name in (f"a{i}", f"A{i}")}
    lines = look_alikes(counts, "classes", "t.csv")
    assert len(lines) == 6
    assert lines[-1] == "t.csv: 95 more groups of classes look alike"


def test_control_characters_are_found() -> None:
    assert [odd_character(name) for name in ("a\x1bb", "a\u2028", "frog\u00e3 1")] == [
        "U+001B", "U+2028", None
    ]  # fmt: skip
