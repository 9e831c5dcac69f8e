"""The streams of random numbers of a run: what is drawn in one changes nothing in another."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Stream(IntEnum):
    """Part of the seed of a generator, behind the run's seed and the step.

    The draw of a step's own rows has none. A number that changed would change every run.
    """

    HARD_ROWS = 1
    AUGMENT = 2
    MIXUP = 3
    HARD_MIX = 4
    PSEUDO_ROWS = 5
    UNLABELLED_FOLDS = 6
    """Behind the seed and the number of folds, whose own deal has none."""
    SILENCE = 7
    SCENES = 8
    NEGATIVES = 9
    HELD_OUT = 10
    NEGATIVE_MIX = 11
