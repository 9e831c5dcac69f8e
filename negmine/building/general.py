"""Settings of a pool that are no source's, and what the settings of all sources have in common.

Imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from negmine.limits import MOST_CLIP_S, MOST_HZ
from negmine.settings import (
    Confidence,
    FileName,
    FolderName,
    Seed,
    Settings,
    When,
    setting,
)


@dataclass(frozen=True)
class Audited:
    """The setting of a source that an audit of its rows corrects.

    Attributes
    ----------
    certificate : str
        That the rows carry.
    setting : str
    form : {"itself", "doubt", "power"}
        How a row's confidence depends on it: it is the setting; its doubt is in proportion to the
        setting's; it is a power of the setting.
    """

    certificate: str
    setting: str
    form: Literal["itself", "doubt", "power"]


class SourceSettings(Settings, frozen=True):
    """Base of the settings of a source.

    Attributes
    ----------
    leaf : bool
        Whether its rows, the most of a pool, are none that another source draws on: they need not
        be kept while the pool is built.
    audited : Audited or None
    """

    leaf: ClassVar[bool] = False
    audited: ClassVar[Audited | None] = None


_OF_BANDS = (When("erase.count"), When("transplant.count"))


class BandSettings(Settings, frozen=True):
    """The bands of classes, for --erase and --transplant."""

    margin: Annotated[float, Field(ge=0, le=100)] = setting(
        0.25,
        "Widens a class's band on both sides, as a share of its width.",
        flag="--band-margin",
        needs=_OF_BANDS,
    )
    table: FileName | None = setting(
        None,
        "CSV with columns class, f_min, f_max (Hz): bands to use instead of those of the boxes.",
        flag="--band-table",
        needs=_OF_BANDS,
    )
    widest: Confidence = setting(
        0.75,
        "Leave out classes whose band is wider than this share of the spectrum.",
        flag="--band-widest",
        needs=_OF_BANDS,
    )


class GeneralSettings(Settings, frozen=True):
    """General."""

    clip_s: Annotated[float, Field(ge=0.1, le=MOST_CLIP_S)] = setting(
        2.0, "Length of a clip.", common=True
    )
    sample_rate: Annotated[int, Field(ge=1000, le=MOST_HZ)] | None = setting(
        None,
        "Hz; by default that of most recordings, at most 32000, or of the pool to --append to.",
    )
    seed: Seed = setting(0, "Of all draws.", common=True)
    unlabelled: FolderName | None = setting(
        None,
        "Folder of unlabelled recordings, for --agreed-models, --erase and --transplant.",
        needs=(When("agreed.models"), When("erase.count"), When("transplant.count")),
    )
    near_duplicates: bool = setting(
        True,
        "Whether to look for files that hold the same sound, re-encoded, at another gain or cut.",
    )
    skip_bad: bool = setting(False, "Report unreadable files and continue without them.")
    holdout: tuple[str, ...] = setting(
        (),
        "Recording, other file or site that must not enter in any form, nor in a mix; or a .txt "
        "file with one a line. Repeatable.",
        metavar="NAME",
    )
    bands: BandSettings = BandSettings()
