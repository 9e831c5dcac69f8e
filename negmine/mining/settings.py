"""How negatives are chosen. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from negmine.mining.rules import RULES
from negmine.scores.settings import ScoringSettings
from negmine.settings import Count, Seed, Settings, Share, setting

if TYPE_CHECKING:
    from negmine.mining.rules.chain import Strategy


def _strategy(text: str) -> str:
    from negmine.mining.strategy import parse_strategy

    parsed = parse_strategy(text)
    # a file may change while a run goes on
    return parsed.text if text.endswith(".toml") else text


def _window(text: str) -> str:
    from negmine.mining.strategy import parse_window

    parse_window(text)
    return text


class ChoiceSettings(Settings, frozen=True):
    """Which negatives are chosen."""

    per_class: Count = setting(50, "Negatives a class.", common=True)
    strategy: Annotated[str, AfterValidator(_strategy)] = setting(
        "hard",
        f"A preset (hard, spread), or rules ({', '.join(RULES)}) joined by '+', or a TOML file.",
        metavar="TEXT|FILE.toml",
        common=True,
    )
    window: Annotated[str, AfterValidator(_window)] | None = setting(
        None,
        "Hardness window: only rows between two quantiles of hardness, before the strategy's "
        "rules.",
        metavar="LOW,HIGH",
    )
    max_doubt: Share = setting(
        0.5, "Rows that hold the class with a higher estimated probability go to review."
    )
    min_distance: Annotated[float, Field(ge=0, le=2)] = setting(
        0.005, "Nearer embeddings (1 - cosine) are duplicates: the better ranked is kept."
    )

    @property
    def rules(self) -> Strategy:
        """The window and the strategy, parsed."""
        from negmine.mining.strategy import parse_strategy, with_window

        parsed = parse_strategy(self.strategy)
        return with_window(parsed, self.window) if self.window else parsed


class MineSettings(ScoringSettings, ChoiceSettings, frozen=True):
    """Which negatives are chosen."""

    seed: Seed = setting(0, "Of the control, and of samples of very large pools.")
