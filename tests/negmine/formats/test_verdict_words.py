"""Reviewers' words."""

from __future__ import annotations

import pytest

from negmine.errors import AnnotationError
from negmine.formats.verdict_words import verdict_column, verdict_of


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("1", "present"),
        ("Yes", "present"),
        ("TP", "present"),
        ("Correct", "present"),
        ("WAHR", "present"),
        ("0", "absent"),
        ("0.0", "absent"),
        ("not present", "absent"),
        ("Not  Present", "absent"),
        ("FP", "absent"),
        ("incorrect", "absent"),
        ("", "unknown"),
        ("(not validated)", "unknown"),
        ("---", "unknown"),
        ("unsure", "unknown"),
    ],
)
def test_a_word_is_a_verdict(word: str, verdict: str) -> None:
    assert verdict_of("t.csv row 2", word) == verdict


@pytest.mark.parametrize("word", ["presnt", "x", "-1", "2", "owl"])
def test_a_word_that_is_none_is_named(word: str) -> None:
    with pytest.raises(AnnotationError, match=rf"t\.csv row 2: verdict '{word}'.* is no verdict"):
        verdict_of("t.csv row 2", word)


def test_the_reviewers_column_is_found_by_its_name() -> None:
    assert verdict_column(("file", "TP_FP", "species")) == "TP_FP"
    assert verdict_column(("file", "Is Correct")) == "Is Correct"
    assert verdict_column(("file", "verified")) is None
    assert verdict_column(("file", "verified"), "Verified") == "verified"
    with pytest.raises(AnnotationError, match="may all hold verdicts"):
        verdict_column(("validated", "correct"), where="t.csv")
    with pytest.raises(AnnotationError, match=r"no column 'valid' \(did you mean validated\?\)"):
        verdict_column(("validated", "file"), "valid", "t.csv")
