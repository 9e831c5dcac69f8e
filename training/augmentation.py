"""What is changed at random in a step's rows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from negmine.limits import MOST_CLIP_S
from negmine.settings import Ascending, Settings, Share, When, setting
from training.backbone_kinds import TRAINED

Seconds = Annotated[float, Field(ge=0, le=MOST_CLIP_S)]
Masks = Annotated[int, Field(ge=0, le=1000)]

AUGMENT_PROBABILITIES = ("noise", "pink", "pitch", "stretch", "shift", "gain", "mixup")

_BY_PRESET = "by --augment"
_RANGE = "LOW HIGH"


class AugmentSettings(Settings, frozen=True):
    """Augmentation.

    By default, nothing is changed. A setting named like a change is the probability, for each row,
    that it is made. Ranges are drawn from evenly.
    """

    noise: Share = setting(0.0, "Chance of Gaussian noise.", flag="--noise", shown=_BY_PRESET)
    noise_snr_db: Ascending[float] = setting(
        (5.0, 30.0), "Row over noise, dB.",
        flag="--noise-snr", metavar=_RANGE, needs=When("noise"),
    )  # fmt: skip
    pink: Share = setting(
        0.0, "Chance of pink noise: 3 dB less an octave.", flag="--pink", shown=_BY_PRESET
    )
    pink_snr_db: Ascending[float] = setting(
        (5.0, 30.0), "Row over noise, dB.", flag="--pink-snr", metavar=_RANGE, needs=When("pink")
    )
    pitch: Share = setting(
        0.0, "Chance of a pitch shift; 20 ms a row.", flag="--pitch", shown=_BY_PRESET
    )
    # beyond two octaves, and from four times the tempo on, nothing is left of a sound
    pitch_semitones: Annotated[float, Field(ge=0, le=24)] = setting(
        1.0, "Largest pitch shift, up or down.", flag="--pitch-semitones", needs=When("pitch")
    )
    stretch: Share = setting(
        0.0, "Chance of a time stretch; 20 ms a row.", flag="--stretch", shown=_BY_PRESET
    )
    stretch_share: Annotated[float, Field(ge=0, le=3)] = setting(
        0.1, "Largest change of tempo: to 1 + this, or 1 / (1 + this), times it.",
        flag="--stretch-share", needs=When("stretch"),
    )  # fmt: skip
    shift: Share = setting(0.0, "Chance of a shift in time.", flag="--shift", shown=_BY_PRESET)
    shift_s: Seconds = setting(
        0.5, "Largest shift to either side, seconds.", flag="--shift-s", needs=When("shift")
    )
    shift_roll: bool = setting(
        True, "What a shift moves out comes back at the other end, or silence does.",
        flag="--shift-roll/--shift-pad", needs=When("shift"),
    )  # fmt: skip
    gain: Share = setting(0.0, "Chance of another volume.", flag="--gain", shown=_BY_PRESET)
    gain_db: Annotated[float, Field(ge=0, le=120)] = setting(
        6.0, "Largest change of volume, up or down.", flag="--gain-db", needs=When("gain")
    )
    mixup: Share = setting(
        0.0, "Chance that another row is added, labels joined.", flag="--mixup", shown=_BY_PRESET
    )
    mixup_snr_db: Ascending[float] = setting(
        (-5.0, 5.0), "Row over the added one, dB.",
        flag="--mixup-snr", metavar=_RANGE, needs=When("mixup"),
    )  # fmt: skip
    time_masks: Annotated[Masks, TRAINED] = setting(
        0, "SpecAugment: stretches of time to blank.", flag="--time-masks", shown=_BY_PRESET
    )
    time_mask_s: Annotated[Seconds, TRAINED] = setting(
        0.25, "Longest of them, seconds.", flag="--time-mask-s", needs=When("time_masks")
    )
    freq_masks: Annotated[Masks, TRAINED] = setting(
        0, "SpecAugment: bands to blank.", flag="--freq-masks", shown=_BY_PRESET
    )
    freq_mask_share: Annotated[Share, TRAINED] = setting(
        0.1, "Widest of them, of all mel bands.", flag="--freq-mask-share", needs=When("freq_masks")
    )

    @property
    def changes_sound(self) -> bool:
        """Whether any row's sound is changed, other than by mixup."""
        return any(getattr(self, name) for name in AUGMENT_PROBABILITIES if name != "mixup")


# By name. `light` takes some 2 ms a row; `full` has the changes of pitch and tempo too, which take
# 20 ms where they are made.
AUGMENT_PRESETS: Mapping[str, AugmentSettings] = MappingProxyType(
    {
        "none": AugmentSettings(),
        "light": AugmentSettings(noise=0.2, pink=0.2, shift=0.5, gain=0.5),
        "full": AugmentSettings(
            noise=0.3, pink=0.3, pitch=0.1, stretch=0.1, shift=0.5, gain=0.5, mixup=0.3,
            time_masks=1, freq_masks=1,
        ),
    }
)  # fmt: skip
