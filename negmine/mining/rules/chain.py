"""A strategy: the rules that take some of a class's rows away, the highest-scoring kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from negmine.errors import InputError, did_you_mean
from negmine.mining.rules.diversity import k_center
from negmine.mining.rules.margin import Space, margin_threshold
from negmine.mining.rules.quota import within_quota
from negmine.mining.rules.window import score_window
from negmine.settings import Count, Kind, Settings, setting, settings_from, settings_of
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


class WindowSettings(Settings, frozen=True):
    """Window: a band of hardness, as quantiles of the class's certified rows."""

    low: float = setting(0.0, "Lowest quantile.", flag="")
    high: float = setting(0.999, "Highest quantile.", flag="")


class MarginSettings(Settings, frozen=True):
    """Margin: nothing that scores too much like the class's confirmed calls."""

    space: Space = setting(
        "quantile", "What it is measured in: logits, spreads of the calls, quantiles.", flag=""
    )
    margin: float = setting(0.1, "How far below the calls, or the quantile.", flag="")
    reference: float = setting(0.5, "Quantile of the calls' scores that it counts from.", flag="")


class DiverseSettings(Settings, frozen=True):
    """Diverse: rows that spread over embedding space (k-center)."""


class QuotaSettings(Settings, frozen=True):
    """Quota: no kind, certificate, source or group has more than so many rows of a class."""

    by: Literal["kind", "certificate", "source", "group"] = setting(
        "group", "What it is of.", flag=""
    )
    most: Count = setting(5, "Rows of a class.", flag="")


def _window(known: ClassScores, s: WindowSettings) -> tuple[float, float]:
    return score_window(known.reference, s.low, s.high)


def _margin(known: ClassScores, s: MarginSettings) -> tuple[float, float]:
    return -np.inf, margin_threshold(known.calls, s.space, s.margin, s.reference)


def _diverse(found: Candidates, wanted: int, s: DiverseSettings) -> np.ndarray:
    # chosen for their spread, ranked by their hardness
    return np.sort(k_center(found.embeddings, wanted))


def _quota(found: Candidates, wanted: int, s: QuotaSettings) -> np.ndarray:
    return np.flatnonzero(within_quota(found.keys(s.by), s.most))


@dataclass(frozen=True)
class _RuleKind:
    """A rule's settings and its function.

    ``limits`` gives the lowest and the highest score that may pass; ``take`` the ranks it keeps.
    """

    settings: type[Settings]
    limits: Callable[..., tuple[float, float]] | None = None
    take: Callable[..., np.ndarray] | None = None


RULES: Mapping[str, _RuleKind] = {
    "window": _RuleKind(WindowSettings, limits=_window),
    "margin": _RuleKind(MarginSettings, limits=_margin),
    "diverse": _RuleKind(DiverseSettings, take=_diverse),
    "quota": _RuleKind(QuotaSettings, take=_quota),
}


@dataclass(frozen=True)
class Rule:
    """One rule of a strategy, with its settings."""

    name: str
    settings: Settings

    @property
    def text(self) -> str:
        """As it is written on the command line."""
        shown = ",".join(f"{k}={v}" for k, v in self.settings.to_dict().items())
        return f"{self.name}:{shown}" if shown else self.name

    @property
    def takes(self) -> bool:
        """Whether the rule takes rows from a shortlist, rather than limiting its scores."""
        return RULES[self.name].take is not None

    def limits(self, known: ClassScores) -> tuple[float, float]:
        """Return the lowest and the highest score that the rule passes; -inf and inf where any."""
        apply = RULES[self.name].limits
        return apply(known, self.settings) if apply else (-np.inf, np.inf)

    def take(self, found: Candidates, wanted: int) -> np.ndarray:
        """Return ranks that the rule keeps, ascending: int64 array."""
        apply = RULES[self.name].take
        if apply is None:
            return np.arange(len(found))
        return np.asarray(apply(found, wanted, self.settings), dtype=np.int64)


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
    model = RULES[name].settings
    kinds = {one.path[0]: one.kind for one in settings_of(model)}
    table = {key: _typed(value, kinds.get(key)) for key, value in settings.items()}
    rule = Rule(name, settings_from(model(), table, f"{where}: rule '{name}'"))
    try:
        rule.limits(ClassScores(np.zeros(1), np.zeros(1)))
    except ValueError as error:
        raise InputError(f"{where}: rule '{name}': {error}") from error
    return rule


def _typed(value: Any, kind: Kind | None) -> Any:
    """Return a number that is written as text; anything else as it is."""
    if kind is None or kind.type is str or not isinstance(value, str):
        return value
    number = decimal(value)
    if math.isnan(number):
        return value
    return int(number) if kind.type is int and number.is_integer() else number
