"""What a pool is built with: one definition of each setting for Python, pool.toml and the flags.

A setting is a field of a frozen dataclass, made by `setting`: its default, its flag, its type and
its help are in one place. `PoolSettings` holds the general ones and one section for each source
of negatives (see `negmine.building.sources.settings`), which is also a table of pool.toml::

    clip_s = 2.0

    [mix]
    count = 3000
    snr_db = [-5, 10]

Flags win over the file, the file over the defaults. Imports nothing heavy: the command line does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from negmine.building.sources.settings import (
    AgreedSettings,
    BandSettings,
    EraseSettings,
    ExternalSettings,
    FpSettings,
    MixSettings,
    NearSettings,
    NoiseSettings,
    TransplantSettings,
)
from negmine.cli.goes_with import Beside, GoesWith
from negmine.cli.setting import setting
from negmine.limits import LAST_SEED, MOST_CLIP_S, MOST_HZ


@dataclass(frozen=True)
class PoolSettings:
    """What a pool is built with.

    Attributes
    ----------
    clip_s : float
        Length of every clip.
    sample_rate : int, optional
        Hz; by default that of most recordings, see `negmine.annotations.rates.own_rate`, or of the
        pool that is added to.
    seed : int
        Of all draws.
    unlabelled : str or None
        Folder of unlabelled recordings: for ``agreed`` and ``erase``.
    near_duplicates : bool
        Look for files that hold the same sound, see `negmine.building.dedup.near_duplicates`.
    bands : BandSettings
    fp, external, noise, near, agreed, erase, transplant, mix
        The sections of the sources.
    """

    clip_s: float = setting(
        2.0, "--clip-s", click.FloatRange(0.1, MOST_CLIP_S), "Length of a clip."
    )
    sample_rate: int | None = setting(
        None,
        "--sample-rate",
        click.IntRange(1000, MOST_HZ),
        "Hz; by default that of most recordings, at most 32000, or of the pool to --append to.",
    )
    seed: int = setting(0, "--seed", click.IntRange(0, LAST_SEED), "Of all draws.")
    unlabelled: str | None = setting(
        None,
        "--unlabelled",
        click.Path(file_okay=False),
        "Folder of unlabelled recordings, for --agreed-models and --erase.",
    )
    near_duplicates: bool = setting(
        True,
        "--near-duplicates/--no-near-duplicates",
        bool,
        "Whether to look for files that hold the same sound, re-encoded, at another gain or cut.",
    )
    bands: BandSettings = field(default_factory=BandSettings)
    fp: FpSettings = field(default_factory=FpSettings)
    external: ExternalSettings = field(default_factory=ExternalSettings)
    noise: NoiseSettings = field(default_factory=NoiseSettings)
    near: NearSettings = field(default_factory=NearSettings)
    agreed: AgreedSettings = field(default_factory=AgreedSettings)
    erase: EraseSettings = field(default_factory=EraseSettings)
    transplant: TransplantSettings = field(default_factory=TransplantSettings)
    mix: MixSettings = field(default_factory=MixSettings)


_ERASES, _TRANSPLANTS = Beside("erase__count"), Beside("transplant__count")

# Which flags act only beside others, by the names that `negmine.cli.setting` gives their
# parameters.
GO_WITH: GoesWith = (
    (("fp__beyond_per_s", "fp__pad", "fp__placements"), (Beside("fp"),)),
    (("external__confidence", "external__windows"), (Beside("external__folders"),)),
    (("noise__kinds",), (Beside("noise__count"),)),
    (("near__placements", "near__confidence"), (Beside("near__exclusive"),)),
    (
        ("agreed__quantile", "agreed__confidence", "agreed__device"),
        (Beside("agreed__models"),),
    ),
    (("unlabelled",), (Beside("agreed__models"), _ERASES, _TRANSPLANTS)),
    (("bands__margin", "bands__table", "bands__widest"), (_ERASES, _TRANSPLANTS)),
    (("erase__own", "erase__confidence"), (_ERASES,)),
    (("transplant__own", "transplant__confidence"), (_TRANSPLANTS,)),
    (("mix__parts", "mix__snr_db", "mix__offset"), (Beside("mix__count"),)),
)
