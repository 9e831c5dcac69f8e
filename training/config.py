"""Every setting of a training run, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

Readout = Literal["max", "lse", "mean", "power"]
Pooling = Literal["positive", "mean", "attention"]
Bands = Literal["off", "crops", "shared"]
Precision = Literal["fp32", "bf16", "fp16"]
Loss = Literal["bce", "lsoft", "lsep", "asymmetric", "hill", "splc", "large"]
MixBy = Literal["other", "own", "any"]

READOUTS: tuple[Readout, ...] = ("max", "lse", "mean", "power")
POOLINGS: tuple[Pooling, ...] = ("positive", "mean", "attention")
BAND_MODES: tuple[Bands, ...] = ("off", "crops", "shared")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
LOSSES: tuple[Loss, ...] = ("bce", "lsoft", "lsep", "asymmetric", "hill", "splc", "large")
MIX_BY: tuple[MixBy, ...] = ("other", "own", "any")


AUGMENT_PROBABILITIES = ("noise", "pink", "pitch", "stretch", "shift", "gain", "mixup")

# Beyond two octaves, and from four times the tempo on, nothing is left of a sound.
_HIGHEST = dict.fromkeys((*AUGMENT_PROBABILITIES, "freq_mask_share"), 1.0) | {
    "pitch_semitones": 24.0,
    "stretch_share": 3.0,
}


@dataclass(frozen=True)
class AugmentSettings:
    """What is changed at random in a step's rows. By default, nothing is.

    A setting named like a change is the probability, for each row, that it is made. Ranges are
    drawn from evenly.

    Attributes
    ----------
    noise, noise_snr_db : float, (float, float)
        Gaussian noise, at a ratio of the row's RMS to the noise's.
    pink, pink_snr_db : float, (float, float)
        Pink noise: 3 dB less an octave.
    pitch, pitch_semitones : float, float
        Pitch shift, by at most so much up or down.
    stretch, stretch_share : float, float
        Time stretch, to between 1 / (1 + share) and 1 + share times the tempo.
    shift, shift_s : float, float
        Shift in time, by at most this many seconds to either side.
    shift_roll : bool
        What leaves a row at one end enters at the other; else silence does.
    gain, gain_db : float, float
        Volume, by at most so much up or down.
    mixup, mixup_snr_db : float, (float, float)
        Another row is added, at a ratio of the row's RMS to the other's.
    time_masks, time_mask_s : int, float
        SpecAugment: stretches of the spectrogram that are blanked, each at most so long.
    freq_masks, freq_mask_share : int, float
        SpecAugment: bands that are blanked, each at most this share of all mel bands.
    """

    noise: float = 0.0
    noise_snr_db: tuple[float, float] = (5.0, 30.0)
    pink: float = 0.0
    pink_snr_db: tuple[float, float] = (5.0, 30.0)
    pitch: float = 0.0
    pitch_semitones: float = 1.0
    stretch: float = 0.0
    stretch_share: float = 0.1
    shift: float = 0.0
    shift_s: float = 0.5
    shift_roll: bool = True
    gain: float = 0.0
    gain_db: float = 6.0
    mixup: float = 0.0
    mixup_snr_db: tuple[float, float] = (-5.0, 5.0)
    time_masks: int = 0
    time_mask_s: float = 0.25
    freq_masks: int = 0
    freq_mask_share: float = 0.1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, tuple):
                if len(value) != 2 or value[0] > value[1]:
                    raise ValueError(f"{name} {value}: expected its lower end, then its upper")
            elif not 0 <= value <= _HIGHEST.get(name, math.inf):
                raise ValueError(f"{name} {value} is outside [0, {_HIGHEST.get(name, math.inf):g}]")

    @property
    def changes_sound(self) -> bool:
        """Whether any row's sound is changed, other than by mixup."""
        return any(getattr(self, name) for name in AUGMENT_PROBABILITIES if name != "mixup")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AugmentSettings:
        """Make the settings of a dictionary, whose ranges may be lists.

        Raises
        ------
        ValueError
            If a setting is unknown or missing.
        """
        _check_names(cls, values)
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**settings)


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


# Hard negatives in a step, as a share of the TP and FP rows they are added to.
HARD_RATIO = 0.25


@dataclass(frozen=True)
class HardMix:
    """How hard negatives are mixed into a step's rows.

    Attributes
    ----------
    share : float
        Chance, for each row of any kind, that a negative is mixed into it.
    snr_db : (float, float)
        Range of the ratio of the row's RMS to the negative's.
    by : {"other", "own", "any"}
        What a negative that joins a confirmed call fooled: a class that does not call there, so
        that the call is to be ranked above it; the call's own; or any.
    """

    share: float = 0.5
    snr_db: tuple[float, float] = (-10.0, 10.0)
    by: MixBy = "other"

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share {self.share} is outside [0, 1]")
        if self.snr_db[0] > self.snr_db[1]:
            raise ValueError(f"snr_db {self.snr_db}: expected its lower end, then its upper")
        if self.by not in MIX_BY:
            raise ValueError(f"by '{self.by}' is none of {', '.join(MIX_BY)}")


HARD_MIX = HardMix()


@dataclass(frozen=True)
class HardUse:
    """How hard negatives train.

    Attributes
    ----------
    ratio : float
        Rows of them in a step, as a share of the TP and FP rows they are added to.
    mix : HardMix or None
        How they are mixed into other rows; None mixes none.
    own : bool
        A row is zero for the class it was mined for alone, not for all that it is certified for.
    """

    ratio: float = HARD_RATIO
    mix: HardMix | None = HARD_MIX
    own: bool = False


HARD_USE = HardUse()


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run. A checkpoint carries them.

    Attributes
    ----------
    backbone : str
        ``small`` for the fast CNN, else any timm model's name.
    pretrained : bool
        Start the timm backbone from its published weights.
    sample_rate : int
        Hz.
    clip_s : float
        Length of a training crop.
    n_mels : int
    pooling : {"positive", "mean", "attention"}
        From a feature map to an embedding.
    bands : {"off", "crops", "shared"}
        Whether each class is read from its own frequency band: one crop of the spectrogram a class
        through the network, or crops of one shared feature map.
    band_margin : float
        Added to a class's band on both sides, as a share of its width.
    compile : bool
        Compile the backbone.
    channels_last : bool
        Keep the convolutions' tensors in the layout that is fast on most machines.
    readout : {"max", "lse", "mean", "power"}
        How the feature map of a whole clip becomes scores.
    window_s : float
        Window of the ``max`` and ``lse`` readouts.
    lse_sharpness : float
        Of ``lse``: towards 0 it is the mean over windows, towards infinity the maximum.
    loss : str
        One of `LOSSES`; see `training.engine.objective`.
    lsep_bce : float
        Weight of the masked BCE that is added to LSEP.
    large_loss_rate : float
        Share of the assumed zeros that ``large`` leaves out, those of the largest loss.
    lsoft_detach : bool
        Whether the prediction in a softened target is a constant.
    lsoft : float
        In [0, 1]: a TP row's unknown cells have the target ``lsoft * sigmoid(logit)``; 0 makes them
        plain zeros, 1 leaves them out.
    beyond_per_s : float
        Confidence that an FP verdict keeps for each second a crop reaches beyond its box.
    tp_per_step, fp_per_step : int
        Rows of each kind in a step.
    augment : AugmentSettings
        What is changed at random in them.
    pseudo_per_step : int
        Rows of windows from anywhere in recordings, once there are pseudo labels.
    first_draw : int
        A run draws the rows of the steps from this one on: later stages of a schedule see others.
    pseudo_weight : float
        Weight of a cell that a pseudo label fills.
    workers : int
        Processes that prepare steps; 0 prepares them in the trainer's own. Changes no result.
    steps_per_epoch, epochs : int
    patience : int
        Epochs without a better validation score before stopping; 0 never stops early.
    accumulate : int
        Parts that a step's rows pass the network in, one after the other.
    ema : float
        Decay of a moving average of the weights, which validates and is kept; 0 keeps none.
    clip_norm : float
        Largest norm of a step's gradient; 0 does not clip.
    lr, weight_decay : float
    warmup : float
        Share of all steps over which the rate rises; it then falls as a cosine.
    folds, fold : int
        Validate on fold ``fold`` of ``folds``; with 1 fold, train on all.
    precision : {"fp32", "bf16", "fp16"}
        Of the convolutions.
    seed : int
    """

    backbone: str = "small"
    pretrained: bool = False
    sample_rate: int = 32_000
    clip_s: float = 2.0
    n_mels: int = 64
    pooling: Pooling = "positive"
    bands: Bands = "off"
    band_margin: float = 0.25
    compile: bool = False
    channels_last: bool = True
    readout: Readout = "max"
    window_s: float = 1.0
    lse_sharpness: float = 2.0
    loss: Loss = "lsoft"
    lsep_bce: float = 0.1
    large_loss_rate: float = 0.02
    lsoft_detach: bool = True
    lsoft: float = 0.1
    beyond_per_s: float = 0.99
    tp_per_step: int = 28
    fp_per_step: int = 12
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    pseudo_per_step: int = 0
    first_draw: int = 0
    pseudo_weight: float = 1.0
    workers: int = 0
    steps_per_epoch: int = 50
    epochs: int = 16
    patience: int = 5
    accumulate: int = 1
    ema: float = 0.0
    clip_norm: float = 0.0
    lr: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.1
    folds: int = 5
    fold: int = 0
    precision: Precision = "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.augment.shift and self.augment.shift_s >= self.clip_s:
            raise ValueError(
                f"a shift of {self.augment.shift_s:g} s leaves nothing of a clip of "
                f"{self.clip_s:g} s"
            )

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    @property
    def uses_bands(self) -> bool:
        """Whether it matters in which band a class calls: a shift of pitch must not leave it."""
        return self.bands != "off" or self.augment.pitch > 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Read the configuration of a checkpoint.

        Raises
        ------
        ValueError
            If a setting is unknown or missing: the checkpoint is of another version.
        """
        _check_names(cls, values)
        return cls(**{**values, "augment": AugmentSettings.from_dict(values["augment"])})


def _check_names(cls: type, values: Mapping[str, Any]) -> None:
    names = {field.name for field in fields(cls)}
    if values.keys() != names:
        odd = sorted(values.keys() ^ names)
        raise ValueError(f"settings of another version: {', '.join(odd)}")
    kinds = get_type_hints(cls)
    for name, value in values.items():
        if not _fits(value, kinds[name]):
            raise ValueError(f"{name} {str(value)[:40]!r} is not valid for this setting")


def _fits(value: object, kind: Any) -> bool:
    """Return whether a value that was read from a file is of a setting's kind."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        return (
            isinstance(value, list | tuple)
            and len(value) == len(inner)
            and all(map(_fits, value, inner))
        )
    if kind in (int, float):
        numbers = int if kind is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool) and math.isfinite(value)
    # a group of settings checks its own
    return kind not in (str, bool) or isinstance(value, kind)
