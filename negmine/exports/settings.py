"""What is exported, and how: `ExportSettings`. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from negmine.limits import MOST_HZ
from negmine.settings import Count, When, setting
from negmine.settings.kinds import FileName, FolderName
from negmine.settings.models import Settings


class ExportSettings(Settings, frozen=True):
    """What is written."""

    calls: bool = setting(False, "Confirmed calls of the pool, too.", common=True)
    holdout: tuple[str, ...] = setting(
        (),
        "A recording or site: what draws on it, be it as a part of a mix, is left out. Or a .txt "
        "file with a name a line. Repeatable.",
        metavar="NAME",
        common=True,
    )
    render: Literal["none", "mixed", "all"] = setting(
        "none",
        "Of formats that point into recordings: write no clips, those that no single recording "
        "holds (mixes, erased bands, generated sound), or all as clips.",
        needs=When("--to", "rfcx", "raven", "audacity", "opensoundscape", "hoplite"),
        common=True,
    )
    cells: Literal["own", "all"] | None = setting(
        None,
        "Of a mined or annotated row: the class that it is there for, or all that is known.",
        shown="own; all for opensoundscape, audiofolder, webdataset",
    )
    sample_rate: Annotated[int, Field(ge=1000, le=MOST_HZ)] | None = setting(
        None, "Of clips, in Hz.", shown="the pool's, or that of most recordings"
    )
    band_table: FileName | None = setting(
        None,
        "CSV with columns class, f_min, f_max: the frequencies of boxes.",
        metavar="FILE",
        needs=When("--to", "rfcx", "raven", "audacity"),
    )
    into: FolderName | None = setting(
        None,
        "A perch-hoplite database: it is copied, and labels are added to the copy.",
        metavar="FOLDER",
        needs=When("--to", "hoplite"),
    )
    shard_clips: Count = setting(1000, "Clips in a tar file.", needs=When("--to", "webdataset"))
