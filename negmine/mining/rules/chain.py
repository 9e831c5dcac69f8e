"""A strategy: the rules that take some of a class's rows away, the highest-scoring kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from negmine.errors import InputError, did_you_mean
from negmine.mining.rules import RULES, rule_of
from negmine.mining.rules.rule import Candidates, ClassScores, Limits, Takes
from negmine.settings import Kind, Settings, settings_from, settings_of
from negmine.storage.decimals import decimal


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
        return isinstance(rule_of(self.name), Takes)

    def limits(self, known: ClassScores) -> tuple[float, float]:
        """Return the lowest and the highest score that the rule passes; -inf and inf where any."""
        rule = rule_of(self.name)
        if isinstance(rule, Takes):
            return -np.inf, np.inf
        return rule.apply(known, self.settings)

    def take(self, found: Candidates, wanted: int) -> np.ndarray:
        """Return ranks that the rule keeps, ascending: int64 array."""
        rule = rule_of(self.name)
        if isinstance(rule, Limits):
            return np.arange(len(found))
        return np.asarray(rule.apply(found, wanted, self.settings), dtype=np.int64)


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
    model = rule_of(name).settings
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
