"""Every setting of a training run, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Readout = Literal["max", "mean", "power"]
Precision = Literal["fp32", "bf16"]

READOUTS: tuple[Readout, ...] = ("max", "mean", "power")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


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
    readout : {"max", "mean", "power"}
        How the feature map of a whole clip becomes scores.
    window_s : float
        Window of the ``max`` readout.
    lsoft : float
        In [0, 1]: a TP row's unknown cells have the target ``lsoft * sigmoid(logit)``; 0 makes them
        plain zeros, 1 leaves them out.
    beyond_per_s : float
        Confidence that an FP verdict keeps for each second a crop reaches beyond its box.
    tp_per_step, fp_per_step : int
        Rows of each kind in a step.
    steps_per_epoch, epochs : int
    patience : int
        Epochs without a better validation score before stopping; 0 never stops early.
    lr, weight_decay : float
    warmup : float
        Share of all steps over which the rate rises; it then falls as a cosine.
    folds, fold : int
        Validate on fold ``fold`` of ``folds``, by recording; with 1 fold, train on all.
    precision : {"fp32", "bf16"}
    seed : int
    """

    backbone: str = "small"
    pretrained: bool = False
    sample_rate: int = 32_000
    clip_s: float = 2.0
    n_mels: int = 64
    readout: Readout = "max"
    window_s: float = 1.0
    lsoft: float = 0.1
    beyond_per_s: float = 0.99
    tp_per_step: int = 28
    fp_per_step: int = 12
    steps_per_epoch: int = 50
    epochs: int = 16
    patience: int = 5
    lr: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.1
    folds: int = 5
    fold: int = 0
    precision: Precision = "fp32"
    seed: int = 0

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """The configuration a checkpoint carries.

        Raises
        ------
        ValueError
            If a setting is unknown or missing: the checkpoint is of another version.
        """
        names = {field.name for field in fields(cls)}
        if values.keys() != names:
            odd = sorted(values.keys() ^ names)
            raise ValueError(f"settings of another version: {', '.join(odd)}")
        return cls(**values)
