"""What is trained and scores: clips to a feature map, and the map to embeddings and logits.

A model is one of two kinds. A `Detector` is trained as a whole, from its spectrogram on. A
`FrozenDetector` is a head on the embeddings of a network that stays as it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from training.config import Readout
from training.models.frontend import FrontEndSettings
from training.models.readout import (
    Frames,
    audible_windows,
    clip_pool,
    join_windows,
    window_pool,
    window_times,
)
from training.models.silence import or_silent

# Key of a group of parameters: their learning rate, as a multiple of the run's.
RATE = "rate"


@dataclass(frozen=True)
class Grid:
    """Where the frames of a feature map are: frame n begins n spacings into the sound.

    Attributes
    ----------
    per_second : float
        Frames that begin in a second.
    beyond_s : float
        How far a frame reaches beyond the beginning of the next one.
    """

    per_second: float
    beyond_s: float = 0.0

    def frames(self, seconds: float) -> int:
        """Convert a window's length to frames: at least one."""
        return to_frames(seconds - self.beyond_s, self.per_second)

    def seconds(self, frames: int) -> float:
        """Convert frames to the length that they cover together."""
        return frames / self.per_second + self.beyond_s


@dataclass(frozen=True)
class FeatureMap:
    """What one pass of the network leaves of some clips, for any readout.

    Attributes
    ----------
    maps : tuple of Tensor, shape (B, D, F, T) or (B * K_g, D, F_g, T)
        One map of whole clips; in *crops* mode one a group of classes with bands of equal
        height, those of a clip's classes side by side.
    audible : float Tensor, shape (B, T), optional
        1 where a frame holds sound; by default all do.
    """

    maps: tuple[Tensor, ...]
    audible: Tensor | None = None

    @property
    def length(self) -> int:
        """Frames in time."""
        return self.maps[0].shape[-1]

    def window(self, first: int, last: int) -> FeatureMap:
        """Return some frames of it."""
        audible = None if self.audible is None else self.audible[:, first:last]
        return FeatureMap(tuple(m[..., first:last] for m in self.maps), audible)


class Model(nn.Module, ABC):
    """Sound in, one logit a class out.

    Attributes
    ----------
    front_end : FrontEndSettings or None
        Of its own spectrogram; None where a frozen network has one.
    embedding_size : int
    frozen : bool
        Whether training leaves its feature maps as they are.
    network : mapping of str to str
        Name and digest of the frozen network; empty without.
    """

    front_end: FrontEndSettings | None
    embedding_size: int
    frozen = False
    network: Mapping[str, str] = {}

    @property
    @abstractmethod
    def grid(self) -> Grid:
        """Where the frames of its feature maps are."""

    @property
    @abstractmethod
    def spacing(self) -> int:
        """Samples from one frame of the feature map to the next."""

    @abstractmethod
    def features(self, waveforms: Tensor) -> FeatureMap:
        """Compute the feature map of some clips, (B, T)."""

    @abstractmethod
    def frames(self, features: FeatureMap, pooling: str | None = None) -> Frames:
        """Compute the pooling's sums a frame, 0 in silence: by default training's own pooling."""

    @abstractmethod
    def logits(self, embeddings: Tensor) -> Tensor:
        """Apply the head: (..., K, D) -> (..., C); K is 1 or C."""

    def prepare(self, clips: Iterable[Tensor]) -> None:
        """Take what is needed of rows of calls and rejections, (B, T) each: nothing."""

    def flush(self) -> None:
        """Write what was kept of clips, for later runs: nothing."""

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Return what is trained, for an optimiser; a group may have a `RATE` of its own."""
        return [{"params": list(self.parameters()), "weight_decay": weight_decay}]

    def forward(self, waveforms: Tensor) -> Tensor:
        """Compute logits of crops, as in training: (B, T) -> (B, C)."""
        return self.logits(clip_pool(self.frames(self.features(waveforms))))

    def embed(self, features: FeatureMap) -> Tensor:
        """Compute one embedding a clip, for mining: (B, D); the mean over bands."""
        return clip_pool(self.frames(features)).mean(dim=1)

    def read_out(
        self,
        features: FeatureMap,
        readout: Readout,
        window_frames: int,
        sharpness: float = 2.0,
    ) -> Tensor:
        """Read out logits of whole clips from their feature map: (B, C); `SILENT_LOGIT` if silent.

        Parameters
        ----------
        features : FeatureMap
        readout : {"max", "lse", "mean", "power"}
            The maximum or the log-sum-exp over windows of the map, half overlapping; the pooling of
            the whole map; or the power-weighted mean of its positive values.
        window_frames : int
            Length of the windows of ``max`` and ``lse``.
        sharpness : float
            Of ``lse``: see `training.models.readout.log_sum_exp`.
        """
        audible, hop = features.audible, max(1, window_frames // 2)
        if readout in ("mean", "power"):
            found = self.logits(clip_pool(self.frames(features, _POOLINGS[readout])))
            return found if audible is None else or_silent(found, audible)
        windows = self.logits(window_pool(self.frames(features), window_frames, hop))
        if audible is not None:
            audible = audible_windows(audible, window_frames, hop)
        found = join_windows(windows, audible, readout, sharpness)
        return found if audible is None else or_silent(found, audible)

    def window_logits(
        self, features: FeatureMap, window_frames: int, hop_frames: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute logits of windows, side by side unless they hop otherwise, and their places.

        Returns
        -------
        logits : Tensor, shape (B, N, C)
        start, end : Tensor, int64, shape (N,)
            In frames of the feature map.
        """
        hop = hop_frames or window_frames
        start, end = window_times(features.length, window_frames, hop)
        return self.logits(window_pool(self.frames(features), window_frames, hop)), start, end


_POOLINGS: Mapping[str, str | None] = {"mean": None, "power": "power"}


def to_frames(seconds: float, per_second: float) -> int:
    """Convert a window's or a hop's length to frames of the feature map: at least one."""
    return max(1, round(seconds * per_second))


@torch.no_grad()
def column_spread(batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Compute mean and standard deviation of the columns of rows, in float64: shape (D,) each."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for rows in batches:
        values = rows.double()
        count += len(values)
        total, squares = total + values.sum(dim=0), squares + values.square().sum(dim=0)
    mean = total / count
    return mean, (squares / count - mean.square()).clamp(min=0).sqrt()
