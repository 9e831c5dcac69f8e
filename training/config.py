"""Every setting of a training run, as data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from negmine.limits import LAST_SEED, MOST_BATCH, MOST_CLIP_S, MOST_HZ, MOST_ROWS, MOST_WORKERS
from negmine.notices import warn
from negmine.recipes.confidence import BEYOND_BOX_PER_S
from negmine.settings import Settings, Share, When, read_record, setting
from training.augmentation import AugmentSettings
from training.backbone_kinds import TRAINED, Only, check_applies, kind_of

Readout = Literal["max", "lse", "mean", "power"]
Pooling = Literal["positive", "mean", "attention"]
Bands = Literal["off", "crops", "shared"]
Precision = Literal["fp32", "bf16", "fp16"]
SelectBy = Literal["known-ap", "fp-per-hour"]
Loss = Literal["bce", "lsoft", "lsep", "asymmetric", "hill", "splc", "large"]


Rows = Annotated[int, Field(ge=0, le=MOST_BATCH)]
Steps = Annotated[int, Field(ge=1, le=MOST_ROWS)]
ClipS = Annotated[float, Field(ge=0.1, le=MOST_CLIP_S)]
WindowS = Annotated[float, Field(ge=0.05, le=MOST_CLIP_S)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]

_model = partial(setting, group="Model")
_loss = partial(setting, group="Loss")
_rows = partial(setting, group="Rows of a step")
_optimiser = partial(setting, group="Optimiser")
_folds = partial(setting, group="Folds")
# what a schedule sets for its stages, and a file may hold
_stages = partial(setting, flag="")

_REJECTED = tuple(map(When, ("--fp", "--verdicts", "--annotations", "--negative-files")))
_BANDS = When("bands", "crops", "shared")

# What settings that checkpoints of earlier versions lack were then.
_BEFORE = {
    "select_by": "known-ap", "select_recall": 0.7, "hidden": 0, "placements": 0,
}  # fmt: skip

# Settings of earlier versions that have left, and the value of each that did nothing.
_LEFT = {"focal": 0.0}


class TrainConfig(Settings, frozen=True):
    """Run.

    A checkpoint carries these settings, and a run's folder holds them as config.toml.
    """

    backbone: str = _model(
        "small",
        "'small', the fast CNN; any timm model's name; or a pretrained network that stays as it "
        "is, and of which a head is trained: 'birdnet', or a file that 'mine --model' opens.",
        common=True,
    )
    hidden: Annotated[int, Field(ge=0, le=MOST_BATCH), Only("frozen")] = _model(
        0, "Units between a frozen network's embedding and the logits; 0: a linear head."
    )
    pretrained: Annotated[bool, Only("timm")] = _model(
        False,
        "Start the timm backbone from its published weights.",
        flag="--pretrained/--no-pretrained",
    )
    sample_rate: Annotated[int, Field(ge=1000, le=MOST_HZ)] = _model(
        32_000,
        "Hz.",
        shown="that of the model or pool that is given; else that of most recordings, at most "
        "32000",
    )
    clip_s: ClipS = _model(2.0, "Length of a training crop.")
    n_mels: Annotated[int, Field(ge=8, le=256), TRAINED] = _model(64, "Mel bands.")
    pooling: Annotated[Pooling, TRAINED] = _model(
        "positive",
        "From a feature map to an embedding: the mean of its positive values, of all values, or "
        "weighted by learned attention.",
    )
    bands: Annotated[Bands, TRAINED] = _model(
        "off",
        "Read each class from its own frequency band: crops of the spectrogram, each through the "
        "network, or crops of one shared feature map.",
    )
    band_margin: Annotated[float, Field(ge=0, le=100), TRAINED] = _model(
        0.25, "Added to a band on both sides, as a share of it.", needs=_BANDS
    )
    compile: Annotated[bool, TRAINED] = _model(
        False, "Compile the backbone; the first steps take minutes."
    )
    channels_last: Annotated[bool, TRAINED] = _model(
        True, "Layout of the convolutions' tensors; off where a backbone is slower in it."
    )
    readout: Readout = _model(
        "max",
        "How a whole clip is read out: the maximum or the log-sum-exp over windows of its feature "
        "map, the pooling of the whole map, or the power-weighted mean of its positive values.",
    )
    window_s: WindowS = _model(1.0, "Window of the maximum and the log-sum-exp.")
    lse_sharpness: Positive = _model(
        2.0,
        "Of the log-sum-exp: towards 0 it is the mean over windows, towards infinity the maximum.",
        needs=When("readout", "lse"),
    )
    loss: Loss = _loss("lsoft", "Loss to minimise; see docs/training.md.", common=True)
    lsep_bce: NotNegative = _loss(
        0.1, "Weight of the masked BCE added to LSEP.", needs=When("loss", "lsep")
    )
    large_loss_rate: Share = _loss(
        0.02,
        "Share of the assumed zeros that 'large' leaves out: those of the largest loss.",
        needs=When("loss", "large"),
    )
    lsoft_detach: bool = _loss(
        True,
        "Whether the prediction in LSoft's target is a constant.",
        needs=When("loss", "lsoft"),
    )
    lsoft: Share = _loss(
        0.1,
        "Softness of a TP row's unknown cells, whose target is this times the prediction: 0 makes "
        "them zeros, 1 leaves them out.",
        needs=When("loss", "lsoft"),
    )
    beyond_per_s: Share = _rows(
        BEYOND_BOX_PER_S,
        "Confidence a rejected box keeps per second that a crop reaches beyond it.",
        flag="--fp-beyond",
        needs=_REJECTED,
    )
    tp_per_step: Annotated[int, Field(ge=1, le=MOST_BATCH)] = _rows(
        28, "Rows round confirmed calls in a step."
    )
    placements: Annotated[int, Field(ge=0, le=1000)] = _rows(
        0,
        "Places in which a crop round a box may be, evenly spaced; 0: any.",
        shown="0; with a frozen network 4",
    )
    fp_per_step: Rows = _rows(12, "Rows round rejected detections in a step.", needs=_REJECTED)
    augment: AugmentSettings = AugmentSettings()
    pseudo_per_step: Rows = _stages(
        0, "Rows of windows from anywhere in recordings, once there are pseudo labels."
    )
    first_draw: Annotated[int, Field(ge=0)] = _stages(
        0, "The run draws the rows of the steps from this one on: later stages see others."
    )
    pseudo_weight: NotNegative = _stages(1.0, "Weight of a cell that a pseudo label fills.")
    workers: Annotated[int, Field(ge=0, le=MOST_WORKERS)] = setting(
        0, "Processes that prepare steps; 0: none but the trainer's own. Changes no result."
    )
    steps_per_epoch: Steps = _optimiser(50, "Steps from one validation and checkpoint to the next.")
    epochs: Steps = _optimiser(16, "Epochs, at most.", common=True)
    patience: Annotated[int, Field(ge=0)] = _optimiser(
        5,
        "Epochs without a better validation score before stopping; 0: never.",
        needs=When("folds", least=2),
    )
    accumulate: Annotated[int, Field(ge=1, le=MOST_BATCH)] = _optimiser(
        1, "Parts that a step's rows pass the network in, one after the other."
    )
    ema: Annotated[float, Field(ge=0, lt=1)] = _optimiser(
        0.0, "Decay of a moving average of the weights, which validates and is kept; 0: none."
    )
    clip_norm: NotNegative = _optimiser(0.0, "Largest norm of a step's gradient; 0: any.")
    lr: Positive = _optimiser(2e-3, "Highest learning rate.")
    weight_decay: NotNegative = _optimiser(
        1e-2, "Of AdamW.", shown="0.01; with a frozen network 10"
    )
    warmup: Share = _optimiser(
        0.1, "Share of the steps over which the rate rises; it then falls as a cosine."
    )
    folds: Annotated[int, Field(ge=1, le=MOST_BATCH)] = _folds(
        5, "Folds, stratified over classes; 1 trains on all.", common=True
    )
    fold: Annotated[int, Field(ge=0, le=MOST_BATCH)] = _folds(
        0, "The fold to validate on.", common=True
    )
    select_by: SelectBy = _folds(
        "known-ap",
        "Which epoch is the best: by average precision over known labels, or by false positives "
        "an hour on held-out negatives.",
    )
    select_recall: Annotated[float, Field(gt=0, le=1)] = _folds(
        0.7,
        "Share of the held-out calls that are found where false positives are counted.",
        needs=When("select_by", "fp-per-hour"),
    )
    precision: Annotated[Precision, TRAINED] = setting(
        "fp32", "Precision of the convolutions; bf16 where the processor has it, fp16 on GPUs."
    )
    seed: Annotated[int, Field(ge=0, le=LAST_SEED)] = setting(
        0, "Seed of weights, folds and draws.", common=True
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        check_applies(self, self.backbone)
        if kind_of(self.backbone) == "frozen" and self.readout == "power":
            raise ValueError(
                f"--readout power is of feature maps: the windows of '{self.backbone}' are "
                "read out by max, lse or mean"
            )
        if self.augment.shift and self.augment.shift_s >= self.clip_s:
            raise ValueError(
                f"--shift-s {self.augment.shift_s:g} is not shorter than --clip-s {self.clip_s:g}: "
                "nothing of a clip would be left"
            )
        return self

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "settings") -> Self:
        """Read what `to_dict` gave, of earlier versions, too."""
        for name in _LEFT.keys() & values.keys():
            if values[name] != _LEFT[name]:
                warn(f"{where}: trained with {name} = {values[name]}, which this version lacks")
        kept = {name: value for name, value in values.items() if name not in _LEFT}
        return read_record(cls, {**_BEFORE, **kept}, where)

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    @property
    def uses_bands(self) -> bool:
        """Whether it matters in which band a class calls: a shift of pitch must not leave it."""
        return self.bands != "off" or self.augment.pitch > 0
