"""Numbers in words: what an AUC means, by counting pairs."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from negmine.report.words import auc_words, count_text, number_text


def test_an_auc_is_the_share_of_pairs_that_are_in_order() -> None:
    rng = np.random.default_rng(0)
    calls, rejections = rng.normal(1, 1, 40), rng.normal(0, 1, 60)
    higher = (calls[:, None] > rejections[None, :]).mean()
    auc = roc_auc_score([1] * 40 + [0] * 60, np.concatenate([calls, rejections]))
    assert auc == pytest.approx(higher)
    told = re.search(r"in (\d+) of 100 draws", auc_words(float(auc)))
    assert told
    assert int(told[1]) == round(100 * higher)


@pytest.mark.parametrize(
    ("auc", "words"), [(0.5, "hardly tells"), (0.67, "in part"), (0.9, "mostly tells")]
)
def test_how_far_it_goes_is_said(auc: float, words: str) -> None:
    assert words in auc_words(auc)


def test_what_is_not_known_is_a_dash() -> None:
    assert number_text(float("nan")) == count_text(None) == "\N{EN DASH}"
    assert number_text(-0.5, 1, True) == "\N{MINUS SIGN}0.5"
    assert count_text(12345.0) == "12,345"
