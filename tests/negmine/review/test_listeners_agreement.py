"""Cohen's kappa against its definition, by hand."""

from __future__ import annotations

import math

import pytest

from negmine.annotations.verdict_rows import Verdict
from negmine.audio.windows import Span
from negmine.review.listeners_agreement import agreements


def verdicts(listener: str, words: str) -> list[Verdict]:
    names = {"p": "present", "a": "absent", "u": "unsure", "-": ""}
    return [
        Verdict("r", "0", Span(float(i), i + 1.0), names[word], listener, "row")
        for i, word in enumerate(words)
    ]


def test_kappa_is_agreement_beyond_chance() -> None:
    (found,) = agreements([*verdicts("anna", "ppppaaaaaau"), *verdicts("ben", "pppaaaaaap-")])
    assert (found.first, found.second, found.both, found.same) == ("anna", "ben", 10, 8)
    # each says present of 4 in 10: by chance they agree on 0.4 ** 2 + 0.6 ** 2
    assert found.kappa == pytest.approx((0.8 - 0.52) / (1 - 0.52))


def test_one_word_of_all_has_no_kappa() -> None:
    (found,) = agreements([*verdicts("anna", "aa"), *verdicts("ben", "aa")])
    assert (found.both, found.same) == (2, 2)
    assert math.isnan(found.kappa)


def test_who_shares_nothing_is_not_compared() -> None:
    assert agreements([*verdicts("anna", "p-"), *verdicts("ben", "-p")]) == []
