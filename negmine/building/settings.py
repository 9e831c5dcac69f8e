"""What a pool is built with: `PoolSettings`, for Python, pool.toml and the flags.

It holds the general settings and one section for each source of negatives (see
`negmine.building.sources.settings`), which is also a table of pool.toml::

    clip_s = 2.0

    [mix]
    count = 3000
    snr_db = [-5, 10]

Flags win over the file, the file over the defaults. Imports nothing heavy: the command line does.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from negmine.building.sources.settings import (
    AgreedSettings,
    BandSettings,
    EraseSettings,
    ExternalSettings,
    FpSettings,
    MixSettings,
    NearSettings,
    NoiseSettings,
    SceneSettings,
    TransplantSettings,
)
from negmine.limits import MOST_CLIP_S, MOST_HZ
from negmine.settings import FolderName, Seed, Settings, When, setting


class PoolSettings(Settings, frozen=True):
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
    bands: BandSettings = BandSettings()
    fp: FpSettings = FpSettings()
    external: ExternalSettings = ExternalSettings()
    noise: NoiseSettings = NoiseSettings()
    near: NearSettings = NearSettings()
    agreed: AgreedSettings = AgreedSettings()
    erase: EraseSettings = EraseSettings()
    transplant: TransplantSettings = TransplantSettings()
    mix: MixSettings = MixSettings()
    scene: SceneSettings = SceneSettings()
    holdout: tuple[str, ...] = setting(
        (),
        "Recording, other file or site that must not enter in any form, nor in a mix; or a .txt "
        "file with one a line. Repeatable.",
        metavar="NAME",
    )
