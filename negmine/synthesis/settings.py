"""How synthesis searches. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from negmine.scores.settings import ScoringSettings
from negmine.settings import Count, Seed, Share, When, setting
from negmine.storage.names import Name


class SynthesisSettings(ScoringSettings, frozen=True):
    """The search."""

    budget: Count = setting(5000, "Forwards of the model: clips scored in the search.", common=True)
    classes: tuple[Name, ...] = setting(
        (),
        "A class to find negatives of. Repeatable.  [default: all]",
        flag="--class",
        metavar="CLASS",
        common=True,
    )
    per_class: Count = setting(
        50, "A find must score above the lowest of this many hardest negatives of its class."
    )
    above: float | None = setting(
        None, "A score that a find must be above in any case.", metavar="LOGIT"
    )
    min_distance: Annotated[float, Field(ge=0, le=2)] = setting(
        0.02, "Nearer embeddings (1 - cosine) are the same sound: the highest-scoring is kept."
    )
    # see `negmine.synthesis.guard`
    max_doubt: Share = setting(
        0.1,
        "Clips that hold the class with a higher estimated probability are neither parents nor "
        "finds.",
        needs=When("--scores"),
    )
    seed: Seed = setting(0, "Of all draws.")
