"""How windows are chosen for a person to hear: `AskSettings`. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from negmine.limits import MOST_CLIP_S
from negmine.scores.settings import ScoringSettings
from negmine.settings import Count, Seed, When, setting

Strategy = Literal["top", "threshold", "half", "diverse", "doubt", "disagreement", "random"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


class AskSettings(ScoringSettings, frozen=True):
    """Choice of windows."""

    per_class: Count = setting(10, "Windows a class.", common=True)
    strategy: Strategy = setting(
        "top",
        "Which windows: the highest scores; those closest to the operating threshold; half "
        "threshold, half random; the highest, spread over embedding space; those most in doubt; "
        "those on which several models disagree most; or any.",
        common=True,
    )
    at_recall: Annotated[float, Field(gt=0, le=1)] = setting(
        0.7,
        "The operating threshold finds this share of a class's confirmed calls.",
        needs=When("strategy", "threshold", "half"),
    )
    hop_s: Annotated[float, Field(gt=0, le=MOST_CLIP_S)] | None = setting(
        None, "Step from one window to the next, seconds.", shown="half a clip"
    )
    per_site: Count | None = setting(
        None,
        "At most this many windows of a class from one site.",
        needs=(When("--sites"), When("--site-regex")),
    )
    seed: Seed = setting(0, "Of random windows.", needs=When("strategy", "random", "half"))
