"""The settings of what rows are made of: hard negatives, and what folds keep together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from negmine.notices import warn_each
from negmine.settings import Ascending, FileName, FolderName, Settings, Share, When, setting

MixBy = Literal["other", "own", "any"]

_GIVEN = When("--hard-negatives")


class HardUse(Settings, frozen=True):
    """Hard negatives."""

    ratio: Annotated[float, Field(gt=0)] = setting(
        0.25, "Rows of them in a step, as a share of the TP and FP rows they are added to.",
        needs=_GIVEN,
    )  # fmt: skip
    mix: Share = setting(
        0.5, "Rows, of calls and of all kinds, that get a hard negative mixed in.",
        metavar="SHARE", needs=_GIVEN,
    )  # fmt: skip
    mix_snr_db: Ascending[float] = setting(
        (-10.0, 10.0), "Row over the negative mixed into it, dB.",
        flag="--hard-mix-snr", metavar="LOW HIGH", needs=When("mix"),
    )  # fmt: skip
    mix_by: MixBy = setting(
        "other",
        "What a negative that joins a call fooled, where there is one: a class that does not call "
        "there, so that the call is to be ranked above it; the call's own; or any.",
        needs=When("mix"),
    )
    own: bool = setting(
        False,
        "A mined row is zero for the class it was mined for alone, not for all classes that it is "
        "certified for.",
        flag="--hard-own-cell", needs=_GIVEN,
    )  # fmt: skip


HARD_USE = HardUse()


# Of a wake word or an alarm, with a network that is trained as a whole (docs/results.md).
ONE_CLASS_MIX = 0.5


class SampleUse(Settings, frozen=True):
    """Rows of pools."""

    negatives: FolderName | None = setting(
        None, "Pool whose certified negatives, drawn at random, are added to every step.",
        flag="--negatives", common=True,
    )  # fmt: skip
    negative_ratio: Annotated[float, Field(gt=0)] = setting(
        1.0, "Rows of them in a step, as a share of the TP and FP rows they are added to.",
        flag="--negative-ratio", needs=When("negatives"),
    )  # fmt: skip
    negative_mix: Share = setting(
        0.0, "Rows, of calls and of all kinds, that get one of them mixed in.",
        flag="--negative-mix", metavar="SHARE", needs=When("negatives"),
        shown=f"0; {ONE_CLASS_MIX:g} with one class and a network that is trained as a whole",
    )  # fmt: skip
    negative_mix_snr_db: Ascending[float] = setting(
        (-10.0, 10.0), "Row over the negative mixed into it, dB.",
        flag="--negative-mix-snr", metavar="LOW HIGH", needs=When("negatives"),
    )  # fmt: skip
    scenes: FolderName | None = setting(
        None, "Pool whose scenes, of which every class is known, are added to every step.",
        flag="--scenes", common=True,
    )  # fmt: skip
    scene_ratio: Annotated[float, Field(gt=0)] = setting(
        1.0, "Rows of them in a step, as a share of the TP rows.",
        flag="--scene-ratio", needs=When("scenes"),
    )  # fmt: skip


SAMPLES = SampleUse()


class LoopHardUse(HardUse, frozen=True):
    """Hard negatives."""

    ratio: Annotated[float, Field(gt=0)] = setting(
        0.125, "Mined rows in a step, as a share of the TP and FP rows they are added to.",
        shown="half of --negative-ratio; three times with --scenes",
    )  # fmt: skip
    own: bool = setting(
        True,
        "A mined row is zero for the class it was mined for alone, not for all classes that it is "
        "certified for.",
        flag="--hard-own-cell/--no-hard-own-cell",
    )  # fmt: skip


class LoopSampleUse(SampleUse, frozen=True):
    """Rows of pools."""

    negatives: FolderName | None = setting(
        None, "Pool whose certified negatives, drawn at random, are added to every step of every "
        "round, the first too.",
        flag="--negatives", shown="that of --pool",
    )  # fmt: skip
    negative_ratio: Annotated[float, Field(gt=0)] = setting(
        0.25, "Rows of them in a step, as a share of the TP and FP rows they are added to.",
        flag="--negative-ratio", shown="0.25; 1 with a frozen network",
    )  # fmt: skip


# Of a loop's rounds, and with a frozen network, to which rows cost next to nothing.
LOOP_HARD_USE, LOOP_SAMPLES = LoopHardUse(), LoopSampleUse()
FROZEN_NEGATIVE_RATIO = 1.0
# Mined rows to random ones: beside scenes, of which all is known, and without. Many zeros of
# rejected detections, some of which are calls, drown the confirmed calls of a network without them.
MINED_BESIDE_SCENES, MINED_TO_RANDOM = 3.0, 0.5


class Grouping(Settings, frozen=True):
    """Folds."""

    by: Literal["recording", "site"] = setting(
        "recording",
        "What is kept together in one fold; sites are named by --sites or --site-regex.",
        flag="--fold-by",
        needs=When(".folds", least=2),
    )
    sites: FileName | None = setting(
        None, "CSV: recording_id, site.", flag="--sites", needs=When("by", "site")
    )
    site_regex: str | None = setting(
        None,
        "The site is what it finds in a recording's name, its first group if it has one.",
        flag="--site-regex",
        metavar="REGEX",
        needs=When("by", "site"),
    )

    @model_validator(mode="after")
    def _names_sites_once(self) -> Self:
        if self.by == "site" and (self.sites is None) == (self.site_regex is None):
            raise ValueError("--fold-by site takes one of --sites and --site-regex")
        return self

    def groups(self, recordings: Iterable[str]) -> dict[str, str] | None:
        """Return the group of each recording; None if each is its own.

        Raises
        ------
        InputError
            If one has no site.
        """
        if self.by != "site":
            return None
        from negmine.annotations.sites import alike_sites, sites_by_pattern, sites_by_table

        if self.sites is not None:
            found = sites_by_table(recordings, Path(self.sites))
        else:
            found = sites_by_pattern(recordings, self.site_regex or "")
        warn_each(alike_sites(found))
        return found
