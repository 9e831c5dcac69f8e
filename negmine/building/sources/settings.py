"""The settings of each source of negatives: its section of pool.toml and its flags.

A section is a frozen dataclass of `negmine.cli.setting.setting` fields. It becomes a field of
`negmine.building.settings.PoolSettings`, named as its source. Imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from negmine.cli.setting import check_range, setting
from negmine.limits import MOST_ROWS
from negmine.recipes.confidence import AGREED, BEYOND_BOX_PER_S, ERASED, EXTERNAL

# The generators of negmine.audio.dsp.noise, named here so that the command line need not import
# them.
NOISES = ("white", "pink", "brown", "rain", "wind", "tones", "hum")


@dataclass(frozen=True)
class FpSettings:
    """``[fp]``: rejected detections.

    Attributes
    ----------
    beyond_per_s : float
        Confidence that a verdict keeps for each second a clip reaches beyond its box.
    pad : {"beyond", "bed", "both"}
        What surrounds a box that is shorter than the clip: the recording goes on (``beyond``),
        or the box's own span is on a clip that is certified free of the class (``bed``).
    placements : int
        Clips a box, evenly placed from its beginning to its end.
    """

    beyond_per_s: float = setting(
        BEYOND_BOX_PER_S,
        "--fp-beyond",
        click.FloatRange(0, 1),
        "Confidence a rejected box keeps per second that a clip reaches beyond it; "
        "0: a clip must be inside the box.",
    )
    pad: str = setting(
        "both",
        "--fp-pad",
        click.Choice(["beyond", "bed", "both"]),
        "What surrounds a rejected box shorter than the clip: the recording itself, other sound "
        "that is certified free of the class, or a clip of each.",
    )
    placements: int = setting(
        1, "--fp-placements", click.IntRange(1, 100), "Clips a rejected box, evenly placed on it."
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
    table : str or None
        See `negmine.building.declarations`.
    windows : {"grid", "energy"}
        Side by side, or where a file is loudest.
    """

    folders: tuple[str, ...] = setting(
        (),
        "--external",
        str,
        "Folder of other sound, declared free of all classes, or of those named. Repeatable.",
        metavar="DIR[=CLASS,...]",
    )
    confidence: float = setting(
        EXTERNAL,
        "--external-confidence",
        click.FloatRange(0, 1, min_open=True),
        "How sure the declaration of external sound is.",
    )
    table: str | None = setting(
        None,
        "--external-table",
        click.Path(dir_okay=False),
        "CSV with columns pattern, absent_classes: which files of the --external folders are free "
        "of which classes, as by the ranges of species.",
    )
    windows: str = setting(
        "grid",
        "--external-windows",
        click.Choice(["grid", "energy"]),
        "Windows of external files: side by side, or where a file is loudest.",
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

    count: int = setting(0, "--mix", click.IntRange(0, MOST_ROWS), "How many mixes.")
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


@dataclass(frozen=True)
class NoiseSettings:
    """``[noise]``: generated sound.

    Attributes
    ----------
    count : int
    kinds : tuple of str
        Generators, taken in turn.
    """

    count: int = setting(
        0, "--noise", click.IntRange(0, MOST_ROWS), "How many clips of generated sound."
    )
    kinds: tuple[str, ...] = setting(
        NOISES,
        "--noise-kind",
        click.Choice(NOISES),
        "A generator to use, by default all. Repeatable.",
    )


@dataclass(frozen=True)
class NearSettings:
    """``[near]``: confirmed calls of classes that exclude others.

    Attributes
    ----------
    exclusive : str or None
        See `negmine.building.sources.exclusive`.
    placements : int
    confidence : float
        In the declaration, and in the call being what it was confirmed as.
    """

    exclusive: str | None = setting(
        None,
        "--exclusive",
        click.Path(dir_okay=False),
        "CSV with columns class, excludes: classes that cannot call where another does. Each "
        "confirmed call of one then is a negative of those it excludes.",
    )
    placements: int = setting(
        1, "--near-placements", click.IntRange(1, 100), "Clips a call, evenly placed on it."
    )
    confidence: float = setting(
        0.98,
        "--near-confidence",
        click.FloatRange(0, 1, min_open=True),
        "How sure a declared exclusion and the call it rests on are.",
    )


@dataclass(frozen=True)
class AgreedSettings:
    """``[agreed]``: unlabelled windows on which several models agree.

    Attributes
    ----------
    models : tuple of str
        Two or more; none may have been trained on the unlabelled recordings.
    quantile : float
        A window is free of a class where every model scores it below this quantile of the class's
        confirmed calls.
    confidence : float
        Audits of soundscapes with dense calls found 2 to 5 % of such windows to hold a call.
    device : str
    """

    models: tuple[str, ...] = setting(
        (),
        "--agreed-models",
        str,
        "A model that must agree on --unlabelled windows, trained on none of them. Repeatable: "
        "two or more, better three.",
        metavar="FILE",
    )
    quantile: float = setting(
        0.1,
        "--agreed-quantile",
        click.FloatRange(0, 1),
        "A window must score below this quantile of a class's confirmed calls, in every model.",
    )
    confidence: float = setting(
        AGREED,
        "--agreed-confidence",
        click.FloatRange(0, 1, min_open=True),
        "How sure agreement is; set it by an audit of your own data.",
    )
    device: str = setting("auto", "--agreed-device", str, "Where the models run: auto, cpu, cuda.")


@dataclass(frozen=True)
class BandSettings:
    """``[bands]``: what ``erase`` and ``transplant`` take for a class's band.

    Attributes
    ----------
    margin : float
        See `negmine.annotations.class_bands.class_bands`.
    table : str or None
    widest : float
        Classes whose band is wider than this share of the spectrum are left out.
    """

    margin: float = setting(
        0.25,
        "--band-margin",
        click.FloatRange(0, 100),
        "Widens a class's band on both sides, as a share of its width.",
    )
    table: str | None = setting(
        None,
        "--band-table",
        click.Path(dir_okay=False),
        "CSV with columns class, f_min, f_max (Hz): bands to use instead of those of the boxes.",
    )
    widest: float = setting(
        0.75,
        "--band-widest",
        click.FloatRange(0, 1, min_open=True),
        "Leave out classes whose band is wider than this share of the spectrum.",
    )


@dataclass(frozen=True)
class EraseSettings:
    """``[erase]``: clips without one class's band.

    Attributes
    ----------
    count : int
    own : float
        Share of clips in which the class itself was calling.
    confidence : float
        That a call is gone with its band, where one is known to be there; where none is, the doubt
        is a tenth.
    """

    count: int = setting(
        0, "--erase", click.IntRange(0, MOST_ROWS), "How many clips with a class's band removed."
    )
    own: float = setting(
        0.5,
        "--erase-own",
        click.FloatRange(0, 1),
        "Share of them in which the class itself was calling.",
    )
    confidence: float = setting(
        ERASED,
        "--erase-confidence",
        click.FloatRange(0, 1, min_open=True),
        "How sure it is that a call is gone with its band; where no call is known, the doubt is a "
        "tenth.",
    )


@dataclass(frozen=True)
class TransplantSettings:
    """``[transplant]``: clips with one class's band from a clip that is free of it.

    Attributes
    ----------
    count, own, confidence
        As in `EraseSettings`; the confidence is multiplied with the donor's.
    """

    count: int = setting(
        0,
        "--transplant",
        click.IntRange(0, MOST_ROWS),
        "How many clips with a class's band replaced by that of a clip certified free of it.",
    )
    own: float = setting(
        0.5,
        "--transplant-own",
        click.FloatRange(0, 1),
        "Share of them in which the class itself was calling.",
    )
    confidence: float = setting(
        ERASED,
        "--transplant-confidence",
        click.FloatRange(0, 1, min_open=True),
        "As --erase-confidence, times the donor's own.",
    )
