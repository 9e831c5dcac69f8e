"""What a pool is built with: `PoolSettings`, for Python, pool.toml and the flags.

Each source of negatives has a section, which is also a table of pool.toml::

    clip_s = 2.0

    [mix]
    count = 3000
    snr_db = [-5, 10]

Flags win over the file, the file over the defaults. A section is a model of settings, and a field
of `PoolSettings`: that registers its source. Imports nothing heavy: the command line does.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from negmine.building.general import Audited, GeneralSettings, SourceSettings
from negmine.limits import MOST_CLIP_S, MOST_ROWS
from negmine.recipes.confidence import AGREED, BEYOND_BOX_PER_S, ERASED, EXTERNAL
from negmine.settings import Ascending, Confidence, FileName, Share, When, setting

# Those of negmine.audio.dsp.generators, named here so that the command line need not import them.
Noise = Literal["white", "pink", "brown", "rain", "wind", "tones", "hum"]
NOISES: tuple[Noise, ...] = get_args(Noise)

Rows = Annotated[int, Field(ge=0, le=MOST_ROWS)]
Placements = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[float, Field(ge=0, le=MOST_CLIP_S)]


_REJECTED = tuple(map(When, ("--fp", "--verdicts", "--annotations", "--negative-files")))


class FpSettings(SourceSettings, frozen=True):
    """Rejected detections."""

    audited = Audited("verified", "beyond_per_s", "power")

    beyond_per_s: Share = setting(
        BEYOND_BOX_PER_S,
        "Confidence a rejected box keeps per second that a clip reaches beyond it; "
        "0: a clip must be inside the box.",
        flag="--fp-beyond",
        needs=_REJECTED,
    )
    pad: Literal["beyond", "bed", "both"] = setting(
        "both",
        "What surrounds a rejected box shorter than the clip: the recording itself, other sound "
        "that is certified free of the class, or a clip of each.",
        needs=_REJECTED,
    )
    placements: Placements = setting(
        1, "Clips a rejected box, evenly placed on it.", needs=_REJECTED
    )


class ExternalSettings(SourceSettings, frozen=True):
    """Other sound, declared free of classes."""

    audited = Audited("external", "confidence", "itself")

    folders: tuple[str, ...] = setting(
        (),
        "Folder of other sound, declared free of all classes, or of those named. Repeatable.",
        flag="--external",
        metavar="DIR[=CLASS,...]",
        common=True,
    )
    confidence: Confidence = setting(
        EXTERNAL, "How sure the declaration of external sound is.", needs=When("folders")
    )
    table: FileName | None = setting(
        None,
        "CSV with columns pattern, absent_classes: which files of the --external folders are free "
        "of which classes, as by the ranges of species.",
    )
    windows: Literal["grid", "energy"] = setting(
        "grid",
        "Windows of external files: side by side, or where a file is loudest.",
        needs=When("folders"),
    )


class MixSettings(SourceSettings, frozen=True):
    """Mixes: sums of certified clips."""

    leaf = True

    count: Rows = setting(0, "How many mixes.", flag="--mix", common=True)
    parts: Ascending[Annotated[int, Field(ge=2, le=8)]] = setting(
        (2, 4),
        "Fewest and most clips in a mix.",
        metavar="LEAST MOST",
        needs=When("count"),
    )
    snr_db: Ascending[Annotated[float, Field(ge=-60, le=60)]] = setting(
        (-5.0, 10.0),
        "Range of a mix's first clip over each other, in dB.",
        flag="--mix-snr",
        metavar="LOW HIGH",
        needs=When("count"),
    )
    offset: Annotated[float, Field(ge=0, lt=1)] = setting(
        0.5,
        "Share of the clip by which a mix's later clips may start late.",
        needs=When("count"),
    )


class NoiseSettings(SourceSettings, frozen=True):
    """Generated sound."""

    count: Rows = setting(0, "How many clips of generated sound.", flag="--noise", common=True)
    kinds: tuple[Noise, ...] = setting(
        NOISES,
        "A generator to use, by default all, taken in turn. Repeatable.",
        flag="--noise-kind",
        needs=When("count"),
    )


class NearSettings(SourceSettings, frozen=True):
    """Confirmed calls of classes that exclude others."""

    audited = Audited("external", "confidence", "itself")

    exclusive: FileName | None = setting(
        None,
        "CSV with columns class, excludes: classes that cannot call where another does. Each "
        "confirmed call of one then is a negative of those it excludes.",
        flag="--exclusive",
    )
    placements: Placements = setting(
        1, "Clips a call, evenly placed on it.", needs=When("exclusive")
    )
    confidence: Confidence = setting(
        0.98,
        "How sure a declared exclusion and the call it rests on are.",
        needs=When("exclusive"),
    )


class AgreedSettings(SourceSettings, frozen=True):
    """Unlabelled windows on which several models agree."""

    audited = Audited("agreed", "confidence", "itself")

    models: tuple[str, ...] = setting(
        (),
        "A model that must agree on --unlabelled windows, trained on none of them. Repeatable: "
        "two or more, better three.",
        metavar="FILE",
    )
    quantile: Share = setting(
        0.1,
        "A window must score below this quantile of a class's confirmed calls, in every model.",
        needs=When("models"),
    )
    # audits of soundscapes with dense calls found 2 to 5 % of such windows to hold a call
    confidence: Confidence = setting(
        AGREED,
        "How sure agreement is; set it by an audit of your own data.",
        needs=When("models"),
    )
    device: str = setting("auto", "Where the models run: auto, cpu, cuda.", needs=When("models"))


class EraseSettings(SourceSettings, frozen=True):
    """Clips without one class's band."""

    audited = Audited("erased", "confidence", "doubt")

    count: Rows = setting(0, "How many clips with a class's band removed.", flag="--erase")
    own: Share = setting(
        0.5, "Share of them in which the class itself was calling.", needs=When("count")
    )
    confidence: Confidence = setting(
        ERASED,
        "How sure it is that a call is gone with its band; where no call is known, the doubt is a "
        "tenth.",
        needs=When("count"),
    )


class TransplantSettings(SourceSettings, frozen=True):
    """Clips with one class's band from a clip that is free of it."""

    audited = Audited("erased", "confidence", "doubt")

    count: Rows = setting(
        0,
        "How many clips with a class's band replaced by that of a clip certified free of it.",
        flag="--transplant",
    )
    own: Share = setting(
        0.5, "Share of them in which the class itself was calling.", needs=When("count")
    )
    confidence: Confidence = setting(
        ERASED, "As --erase-confidence, times the donor's own.", needs=When("count")
    )


class SceneSettings(SourceSettings, frozen=True):
    """Scenes: confirmed calls laid on certified beds, so that every class is known."""

    leaf = True

    count: Rows = setting(
        0,
        "How many scenes: calls cut out, on clips free of all classes.",
        flag="--scenes",
        common=True,
    )
    calls: Ascending[Annotated[int, Field(ge=1, le=8)]] = setting(
        (1, 3),
        "Fewest and most calls of a scene, each of another class.",
        metavar="LEAST MOST",
        needs=When("count"),
    )
    snr_db: Ascending[Annotated[float, Field(ge=-60, le=60)]] = setting(
        (0.0, 15.0),
        "Range of a call's level over its bed, in dB.",
        flag="--scene-snr",
        metavar="LOW HIGH",
        needs=When("count"),
    )
    margin_s: Seconds = setting(
        0.4, "Seconds of sound kept before and after a call's box.", needs=When("count")
    )
    least_s: Seconds = setting(
        0.8, "Seconds of a call and its surroundings, at least.", needs=When("count")
    )
    alike: Share = setting(
        0.5,
        "Chance that a scene's further call is of a look-alike: of those classes whose frequency "
        "bands overlap most with that of the first.",
        needs=When("count"),
    )
    marked: Confidence = setting(
        0.1,
        "Share of the recordings' calls that the tables mark: the fewer, the less sure it is that "
        "a call cut out holds no other.",
        needs=When("count"),
    )


class PoolSettings(GeneralSettings, frozen=True):
    """General."""

    # Sources run in this order: what mixes and changes clips comes after what certifies them.
    external: ExternalSettings = ExternalSettings()
    noise: NoiseSettings = NoiseSettings()
    fp: FpSettings = FpSettings()
    near: NearSettings = NearSettings()
    agreed: AgreedSettings = AgreedSettings()
    erase: EraseSettings = EraseSettings()
    transplant: TransplantSettings = TransplantSettings()
    mix: MixSettings = MixSettings()
    scene: SceneSettings = SceneSettings()

    def sources(self) -> dict[str, SourceSettings]:
        """Return the sections of sources, by name, in the order in which they run."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        return {n: made for n, made in sections.items() if isinstance(made, SourceSettings)}
