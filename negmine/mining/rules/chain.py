"""A strategy: the rules that take some of a class's rows away, the highest-scoring kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from negmine.errors import InputError, did_you_mean
from negmine.mining.rules.diversity import k_center
from negmine.mining.rules.margin import margin_threshold
from negmine.mining.rules.quota import within_quota
from negmine.mining.rules.window import score_window
from negmine.storage.decimals import decimal


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


def _window(known: ClassScores, low: float, high: float) -> tuple[float, float]:
    return score_window(known.reference, low, high)


def _margin(known: ClassScores, space: str, margin: float, reference: float) -> tuple[float, float]:
    return -np.inf, margin_threshold(known.calls, space, margin, reference)  # type: ignore[arg-type]


def _diverse(found: Candidates, wanted: int) -> np.ndarray:
    # chosen for their spread, ranked by their hardness
    return np.sort(k_center(found.embeddings, wanted))


def _quota(found: Candidates, wanted: int, by: str, most: int) -> np.ndarray:
    return np.flatnonzero(within_quota(found.keys(by), most))


@dataclass(frozen=True)
class _RuleKind:
    """A rule's function, its settings with their defaults, and what it does in one line.

    ``limits`` gives the lowest and the highest score that may pass; ``take`` the ranks it keeps.
    """

    text: str
    defaults: Mapping[str, Any]
    limits: Callable[..., tuple[float, float]] | None = None
    take: Callable[..., np.ndarray] | None = None
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)


RULES: Mapping[str, _RuleKind] = {
    "window": _RuleKind(
        "a band of hardness, as quantiles of the class's certified rows",
        {"low": 0.0, "high": 0.999},
        limits=_window,
    ),
    "margin": _RuleKind(
        "nothing that scores too much like the class's confirmed calls",
        {"space": "quantile", "margin": 0.1, "reference": 0.5},
        limits=_margin,
        choices={"space": ("absolute", "relative", "quantile")},
    ),
    "diverse": _RuleKind("rows that spread over embedding space (k-center)", {}, take=_diverse),
    "quota": _RuleKind(
        "no kind, certificate, source or group has more than this many rows of a class",
        {"by": "group", "most": 5},
        take=_quota,
        choices={"by": ("kind", "certificate", "source", "group")},
    ),
}


@dataclass(frozen=True)
class Rule:
    """One rule of a strategy, with its settings."""

    name: str
    settings: Mapping[str, Any]

    @property
    def text(self) -> str:
        """As it is written on the command line."""
        shown = ",".join(f"{k}={v}" for k, v in self.settings.items())
        return f"{self.name}:{shown}" if shown else self.name

    @property
    def takes(self) -> bool:
        """Whether the rule takes rows from a shortlist, rather than limiting its scores."""
        return RULES[self.name].take is not None

    def limits(self, known: ClassScores) -> tuple[float, float]:
        """Return the lowest and the highest score that the rule passes; -inf and inf where any."""
        apply = RULES[self.name].limits
        return apply(known, **self.settings) if apply else (-np.inf, np.inf)

    def take(self, found: Candidates, wanted: int) -> np.ndarray:
        """Return ranks that the rule keeps, ascending: int64 array."""
        apply = RULES[self.name].take
        if apply is None:
            return np.arange(len(found))
        return np.asarray(apply(found, wanted, **self.settings), dtype=np.int64)


@dataclass(frozen=True)
class Strategy:
    """Rules that a class's rows pass through in order, the highest-scoring first."""

    rules: tuple[Rule, ...] = ()

    @property
    def text(self) -> str:
        """As it is written on the command line."""
        return " + ".join(["top", *(rule.text for rule in self.rules)])

    def limits(self, known: ClassScores) -> tuple[float, float]:
        """Return the lowest and the highest score that all rules let pass."""
        limits = [rule.limits(known) for rule in self.rules]
        low = max((low for low, _ in limits), default=-np.inf)
        return low, min((high for _, high in limits), default=np.inf)


def make_rule(name: str, settings: Mapping[str, Any], where: str) -> Rule:
    """Make a rule with all its settings, checked.

    Raises
    ------
    InputError
        If there is no such rule or setting, or a value is no fit.
    """
    if name not in RULES:
        hint = did_you_mean(name, RULES)
        raise InputError(f"{where}: no rule '{name}'{hint}; rules: {', '.join(RULES)}")
    described = RULES[name]
    values: dict[str, Any] = dict(described.defaults)
    for key, value in settings.items():
        if key not in values:
            known = ", ".join(values) or "none"
            raise InputError(
                f"{where}: rule '{name}' has no setting '{key}'{did_you_mean(key, values)}; "
                f"it has: {known}"
            )
        kind = type(values[key])
        number = decimal(str(value))
        if kind is str:
            values[key] = str(value)
        elif math.isnan(number) or (kind is int and not number.is_integer()):
            wanted = "whole number" if kind is int else "number"
            raise InputError(f"{where}: {name}:{key}={value}: expected a {wanted}")
        else:
            values[key] = kind(number)
        allowed = described.choices.get(key)
        if allowed and values[key] not in allowed:
            raise InputError(f"{where}: {name}:{key}={value}: expected {' or '.join(allowed)}")
    rule = Rule(name, values)
    try:
        rule.limits(ClassScores(np.zeros(1), np.zeros(1)))
    except ValueError as error:
        raise InputError(f"{where}: {name}: {error}") from error
    if values.get("most", 1) < 1:
        raise InputError(f"{where}: {name}:most={values['most']}: expected at least 1")
    return rule
