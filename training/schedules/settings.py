"""The settings of several trainings: stages with pseudo labels, rounds of mining."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from negmine.asking.settings import Strategy as AskStrategy
from negmine.settings import Count, FolderName, Settings, Share, When, setting

# Where the weights of a stage start.
Init = Literal["scratch", "previous"]

# Where a class's centre is: where the labels add up to the share of windows that may hold it, or
# at a low quantile of its confirmed calls.
Level = Literal["share", "calls"]

# Rows a step with pseudo labels, where stages have some and no number is set. It was not measured.
PSEUDO_PER_STEP = 7

_RECIPE = When("stages.schedule")


class StageSettings(Settings, frozen=True):
    """Stages and pseudo labels."""

    schedule: str | None = setting(
        None,
        "Train in stages: 'rfcx' (LSoft, three rounds of pseudo labels, two of LSEP), "
        "'pseudo-rows' (LSoft, then with rows of pseudo labels), or a TOML file of stages. Every "
        "stage trains all folds.",
        flag="--recipe",
        common=True,
    )
    init: Init | None = setting(
        None,
        "Where the weights of all stages but the first start.",
        flag="--stage-init",
        needs=_RECIPE,
        shown="as the recipe says",
    )
    in_fold: bool = setting(
        False,
        "Train --fold alone, and let it label what it trained on.",
        flag="--pseudo-in-fold",
        needs=_RECIPE,
    )
    unlabelled: FolderName | None = setting(
        None,
        "A folder of recordings without annotations; those rows are drawn from them, too.",
        flag="--unlabelled",
        needs=_RECIPE,
    )


class PseudoSettings(Settings, frozen=True):
    """Stages and pseudo labels."""

    hop_s: Annotated[float, Field(gt=0)] = setting(
        0.5, "Step of the windows that are labelled, at most their length, the model's --window-s.",
        flag="--pseudo-hop", metavar="S", needs=_RECIPE,
    )  # fmt: skip
    quantile: Annotated[float, Field(ge=0, lt=1)] = setting(
        0.25, "Quantile of a class's confirmed calls that sets the level of its labels.",
        needs=_RECIPE,
    )  # fmt: skip
    temperature: Annotated[float, Field(gt=0)] = setting(
        1.0, "Logits over which a label goes from 0.5 to 0.73.", needs=_RECIPE
    )
    level: Level = setting(
        "share",
        "Labels add up to the share of windows that may hold the class, or are 0.5 at the quantile "
        "of its calls.",
        needs=_RECIPE,
    )


class LoopSettings(Settings, frozen=True):
    """Rounds."""

    rounds: Annotated[int, Field(ge=1, le=1000)] = setting(
        2, "Times to mine and retrain, at most.", flag="--rounds", common=True
    )
    replay: Share = setting(
        0.0,
        "Share of the last round's negatives that stays beside the new ones.",
        flag="--replay",
        needs=When("rounds", least=2),
    )
    stop_after: Annotated[int, Field(ge=0, le=1000)] = setting(
        1,
        "End after this many rounds in a row without a better validation score (average precision "
        "over the known cells of the validation fold) than the best before them; 0 never does.",
        flag="--stop-after",
        # the last round has none after it, and without a fold held out there is no score
        needs=When("rounds", least=2, also=When(".folds", least=2)),
    )
    control: bool = setting(
        False,
        "Train each round with random negatives instead, too, matched as of 'negmine mine "
        "--control', in round1-random/, ...",
        flag="--control",
        common=True,
    )
    ask: Count | None = setting(
        None,
        "After each round, write a table of this many windows a class of --unlabelled for a person "
        "to hear, as 'negmine ask' does: round0/ask.csv, ... Filled in, they are --verdicts of the "
        "next loop.",
        flag="--ask",
        metavar="N",
        common=True,
    )
    unlabelled: FolderName | None = setting(
        None, "Folder of the recordings to ask about.", flag="--unlabelled", needs=When("ask")
    )
    ask_strategy: AskStrategy = setting(
        "top",
        "Which windows, as of 'negmine ask --strategy'.",
        flag="--ask-strategy",
        needs=When("ask"),
    )
    report: bool = setting(
        False,
        "Write each round's report.html: what was mined, and what changed since the last.",
        flag="--report",
        common=True,
    )

    @model_validator(mode="after")
    def _asks_about_something(self) -> Self:
        if self.ask and self.unlabelled is None:
            raise ValueError("--ask: name the folder of recordings to ask about by --unlabelled")
        if self.ask_strategy == "disagreement":
            raise ValueError(
                "--ask-strategy disagreement takes two or more models; use 'negmine ask'"
            )
        return self
