"""Streams of random numbers: each its own, and the same in every version."""

from __future__ import annotations

import numpy as np

from training.data.streams import Stream

# What runs that were stopped, and comparisons of old runs with new ones, rest on.
KEPT = {
    "HARD_ROWS": 1, "AUGMENT": 2, "MIXUP": 3, "HARD_MIX": 4, "PSEUDO_ROWS": 5,
    "UNLABELLED_FOLDS": 6, "SILENCE": 7, "SCENES": 8, "NEGATIVES": 9, "HELD_OUT": 10,
    "NEGATIVE_MIX": 11,
}  # fmt: skip


def test_streams_draw_what_they_drew_and_nothing_alike() -> None:
    drawn = {one.name: np.random.default_rng([7, 3, one]).random() for one in Stream}
    assert drawn == {name: np.random.default_rng([7, 3, i]).random() for name, i in KEPT.items()}
    assert len({*drawn.values(), np.random.default_rng([7, 3]).random()}) == len(KEPT) + 1
