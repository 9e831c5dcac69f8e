"""The settings of each source of negatives: its section of pool.toml and its flags.

A section is a frozen dataclass of `negmine.setting.setting` fields. It becomes a field of
`negmine.pool_settings.PoolSettings`, named as its source. Imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from negmine.setting import check_range, setting


@dataclass(frozen=True)
class FpSettings:
    """``[fp]``: rejected detections.

    Attributes
    ----------
    beyond_per_s : float
        Confidence that a verdict keeps for each second a clip reaches beyond its box.
    """

    beyond_per_s: float = setting(
        0.99,
        "--fp-beyond",
        click.FloatRange(0, 1),
        "Confidence a rejected box keeps per second that a clip reaches beyond it; "
        "0: a clip must lie inside the box.",
    )


@dataclass(frozen=True)
class ExternalSettings:
    """``[external]``: sound declared free of classes.

    Attributes
    ----------
    folders : tuple of str
        ``DIR`` or ``DIR=CLASS,CLASS``.
    confidence : float
        In the declaration.
    """

    folders: tuple[str, ...] = setting(
        (),
        "--external",
        str,
        "Folder of other sound, declared free of all classes, or of those named. Repeatable.",
        metavar="DIR[=CLASS,...]",
    )
    confidence: float = setting(
        0.99,
        "--external-confidence",
        click.FloatRange(0, 1, min_open=True),
        "How sure the declaration of external sound is.",
    )


@dataclass(frozen=True)
class MixSettings:
    """``[mix]``: sums of certified clips.

    Attributes
    ----------
    count : int
        How many mixes.
    parts : (int, int)
        Fewest and most components, drawn evenly.
    snr_db : (float, float)
        Range of the first component over each other, drawn evenly.
    offset : float
        A component after the first may start as late as this share of the clip, drawn evenly.
    """

    count: int = setting(0, "--mix", click.IntRange(0), "How many mixes.")
    parts: tuple[int, int] = setting(
        (2, 4),
        "--mix-parts",
        click.IntRange(2, 8),
        "Fewest and most clips in a mix.",
        metavar="LEAST MOST",
    )
    snr_db: tuple[float, float] = setting(
        (-5.0, 10.0),
        "--mix-snr",
        click.FloatRange(-60, 60),
        "Range of a mix's first clip over each other, in dB.",
        metavar="LOW HIGH",
    )
    offset: float = setting(
        0.5,
        "--mix-offset",
        click.FloatRange(0, 1, max_open=True),
        "Share of the clip by which a mix's later clips may start late.",
    )

    def __post_init__(self) -> None:
        check_range("[mix] parts", self.parts)
        check_range("[mix] snr_db", self.snr_db)
