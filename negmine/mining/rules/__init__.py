"""Selection rules: a file each, registered in `RULES`; `chain` joins them to a strategy.

How one is written is in `negmine.mining.rules.rule`. `control` and `duplicates` are no rules of a
strategy: mining itself applies them. Imports nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from negmine.mining.rules.rule import Limits, Takes
    from negmine.settings import Settings

# Each is the file of its name.
RULES = ["window", "margin", "diverse", "quota"]


def rule_of(name: str) -> Limits | Takes:
    """Return what a rule is: its settings, its function and its sentences."""
    found: Limits | Takes = import_module(f"negmine.mining.rules.{name}").RULE
    return found


def rule_settings() -> list[type[Settings]]:
    """Return the settings of all rules, for the docs."""
    return [rule_of(name).settings for name in RULES]
