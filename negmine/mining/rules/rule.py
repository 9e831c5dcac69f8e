"""What a selection rule is, and how one is written.

A rule takes rows away from those that mining may choose. It is a module
``negmine/mining/rules/NAME.py`` with a model of its settings, a function on arrays, and ``RULE``,
which is either

- `Limits`: the lowest and the highest score that may pass, from what is known of the class's scores
  (see ``margin.py``); or
- `Takes`: the ranks that it keeps of a ranked shortlist (see ``quota.py``).

It is registered by ``NAME`` in `negmine.mining.rules.RULES`. The command line, TOML strategies,
``--help``, the tables of ``docs/settings.md`` (``make docs``) and the report follow from that. It
knows nothing of pools or files: what it needs beside embeddings and keys is added to `Candidates`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from negmine.settings import Settings


@dataclass(frozen=True)
class Candidates:
    """Rows of the pool that may be chosen for one class, the best ranked first.

    Attributes
    ----------
    embeddings : float32 array, shape (N, D)
        L2-normalised.
    keys : callable
        Given ``kind``, ``certificate``, ``source`` or ``group``: those of each row, a tuple of str
        a row; a mix has several of the last two.
    """

    embeddings: np.ndarray
    keys: Callable[[str], Sequence[Sequence[str]]]

    def __len__(self) -> int:
        return len(self.embeddings)

    def only(self, ranks: np.ndarray) -> Candidates:
        """Return some of them, in their order."""
        keys = self.keys
        return Candidates(
            self.embeddings[ranks], lambda by: [every[i] for every in [keys(by)] for i in ranks]
        )


@dataclass(frozen=True)
class ClassScores:
    """What is known of a class's scores before its candidates are looked at.

    Attributes
    ----------
    calls : float array, shape (P,)
        Logits of its confirmed calls.
    reference : float array, shape (R,)
        Logits of its certified rows, or of a random sample of them.
    """

    calls: np.ndarray
    reference: np.ndarray


@dataclass(frozen=True)
class Limits:
    """A rule that limits scores.

    Attributes
    ----------
    settings : type of Settings
    apply : callable
        Given `ClassScores` and settings, returns the lowest and the highest score that may pass;
        raises ValueError where the settings contradict each other.
    below, above : str
        For the report: what a row scores below, or above, that is taken away. Empty where the rule
        has no such end.
    """

    settings: type[Settings]
    apply: Callable[[ClassScores, Any], tuple[float, float]]
    below: str = ""
    above: str = ""


@dataclass(frozen=True)
class Takes:
    """A rule that takes rows from a shortlist.

    Attributes
    ----------
    settings : type of Settings
    apply : callable
        Given `Candidates`, how many are wanted, and settings, returns the ranks it keeps: int
        array, ascending.
    reason : str
        For the report: why it takes a row away.
    """

    settings: type[Settings]
    apply: Callable[[Candidates, int, Any], np.ndarray]
    reason: str
