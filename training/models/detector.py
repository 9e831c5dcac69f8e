"""The detector: log-mel, a convolutional backbone, pooling, one linear head.

With frequency bands each class is read from its own: in *crops* mode the backbone sees one crop of
the spectrogram a class, in *shared* mode it sees the whole spectrogram once, and the feature map is
cropped. Nothing is resized.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from training.augmentation import AugmentSettings
from training.config import Bands, Pooling, Readout, TrainConfig
from training.models.backbones import Backbone, SmallCNN
from training.models.bands import Rows, mel_rows, row_mask
from training.models.frontend import FrontEndSettings, LogMel
from training.models.readout import (
    Frames,
    audible_windows,
    clip_pool,
    join_windows,
    pool_frames,
    window_pool,
    window_times,
)
from training.models.silence import audible_blocks, audible_frames, audible_steps, filled, or_silent
from training.models.specaugment import mask_spectrograms

Edges = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class FeatureMap:
    """What one pass of the network leaves of some clips, for any readout.

    Attributes
    ----------
    maps : tuple of Tensor, shape (B, D, F, T) or (B * K_g, D, F_g, T)
        One map of whole spectrograms; in *crops* mode one a group of classes with bands of equal
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


class Detector(nn.Module):
    """Sound in, one logit a class out.

    Parameters
    ----------
    backbone : str
        ``small`` or the name of a timm model whose features are a map of shape (B, D, F, T).
    pooling : {"positive", "mean", "attention"}
        From a feature map to an embedding; see `training.models.readout`.
    bands : {"off", "crops", "shared"}
    edges_hz : sequence of (float, float), optional
        Lowest and highest frequency of each class's band.
    augment : AugmentSettings, optional
        Masks of the spectrogram in training.
    """

    def __init__(
        self,
        n_classes: int,
        front_end: FrontEndSettings,
        backbone: str,
        pretrained: bool = False,
        *,
        pooling: Pooling = "positive",
        bands: Bands = "off",
        edges_hz: Edges = (),
        augment: AugmentSettings | None = None,
    ) -> None:
        super().__init__()
        if bands != "off" and len(edges_hz) != n_classes:
            raise ValueError(f"{len(edges_hz)} bands for {n_classes} classes")
        self.front_end = front_end
        self.pooling, self.bands, self.augment = pooling, bands, augment
        self.rows = mel_rows(edges_hz, front_end) if bands != "off" else []
        self._groups = _by_height(self.rows) if bands == "crops" else []
        self.log_mel = LogMel(front_end)
        self.norm = nn.BatchNorm1d(front_end.n_mels)
        self.backbone: SmallCNN | Backbone = (
            SmallCNN(front_end.n_mels) if backbone == "small" else Backbone(backbone, pretrained)
        )
        self.embedding_size = self.backbone.num_features
        self.attention = nn.Conv2d(self.embedding_size, 1, 1) if pooling == "attention" else None
        self.head = nn.Linear(self.embedding_size, n_classes)
        self._spacing = 0

    @classmethod
    def from_config(
        cls,
        config: TrainConfig,
        n_classes: int,
        front_end: FrontEndSettings,
        edges_hz: Edges,
        *,
        pretrained: bool = False,
    ) -> Detector:
        """Make the detector of a run, in the memory layout it names."""
        detector = cls(
            n_classes,
            front_end,
            config.backbone,
            pretrained,
            pooling=config.pooling,
            bands=config.bands,
            edges_hz=edges_hz,
            augment=config.augment,
        )
        if config.channels_last:
            detector.to(memory_format=torch.channels_last)
        if config.compile:
            # in place: the names of the weights stay
            detector.backbone.compile(dynamic=True)
        return detector

    def features(self, waveforms: Tensor) -> FeatureMap:
        """Compute the last feature map of some clips, (B, T), with sound in place of silence."""
        block = self.front_end.hop
        audible = audible_blocks(waveforms, block)
        steps, step = audible_steps(waveforms, audible, block)
        if torch.compiler.is_compiling():  # a program does the same for any clip
            sound = filled(waveforms, steps, step)
        else:
            gaps = ~steps.all(dim=1)
            if not gaps.any():
                return FeatureMap(self.maps(waveforms))
            sound = waveforms.clone()
            sound[gaps] = filled(waveforms[gaps], steps[gaps], step)
        maps = self.maps(sound)
        if self.training:
            # a row without any sound is there to be learnt from
            audible = audible | ~audible.any(dim=1, keepdim=True)
        frames = audible_frames(audible, block, maps[0].shape[-1], self.spacing)
        return FeatureMap(maps, frames)

    @property
    def spacing(self) -> int:
        """Samples from one frame of the feature map to the next."""
        if not self._spacing:
            self._spacing = round(self.front_end.sample_rate / frames_per_second(self))
        return self._spacing

    def maps(self, waveforms: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps of some clips, (B, T), as they are: see `FeatureMap`."""
        spectrograms: Tensor = self.norm(self.log_mel(waveforms))
        if self.training and self.augment:
            spectrograms = mask_spectrograms(spectrograms, self.augment, self.front_end.hop_s)
        images = spectrograms.unsqueeze(1)
        if not self._groups:
            return (self.backbone(images),)
        positions = torch.linspace(-1, 1, self.front_end.n_mels, device=images.device)
        maps = []
        for group in self._groups:
            spans = [slice(*self.rows[column]) for column in group]
            crops = torch.stack([images[:, :, span] for span in spans], dim=1).flatten(0, 1)
            position = torch.stack([positions[span] for span in spans]).view(len(spans), 1, -1, 1)
            maps.append(self.backbone(crops, position.repeat(images.shape[0], 1, 1, 1)))
        return tuple(maps)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Compute logits of crops, as in training: (B, T) -> (B, C)."""
        return self.logits(clip_pool(self.frames(self.features(waveforms))))

    def frames(self, features: FeatureMap, pooling: str | None = None) -> Frames:
        """Compute the pooling's sums a frame, 0 in silence: by default training's own pooling."""
        return self._frames(features, pooling or self.pooling).only(features.audible)

    def _frames(self, features: FeatureMap, pooling: str) -> Frames:

        def summed(part: Tensor, rows: Tensor | None = None) -> Frames:
            weights = self.attention(part) if pooling == "attention" and self.attention else None
            return pool_frames(part, pooling, rows, weights)

        if self._groups:
            parts = []
            for group, part in zip(self._groups, features.maps, strict=True):
                frames = summed(part)
                shape = (-1, len(group), *frames.numerator.shape[2:])
                parts.append(
                    Frames(frames.numerator.reshape(shape), frames.denominator.reshape(shape))
                )
            order = torch.tensor([column for group in self._groups for column in group]).argsort()
            return Frames(
                torch.cat([p.numerator for p in parts], dim=1)[:, order],
                torch.cat([p.denominator for p in parts], dim=1)[:, order],
            )
        (whole,) = features.maps
        if self.bands == "off":
            return summed(whole)
        mask = row_mask(self.rows, self.front_end.n_mels, whole.shape[2])
        return summed(whole, torch.from_numpy(mask).to(whole.device))

    def embed(self, features: FeatureMap) -> Tensor:
        """Compute one embedding a clip, for mining: (B, D).

        The training's pooling of the whole map; in *crops* mode the mean of the classes' own.
        """
        if self.bands == "shared":
            (whole,) = features.maps
            weights = self.attention(whole) if self.attention else None
            frames = pool_frames(whole, self.pooling, None, weights)
            return clip_pool(frames.only(features.audible))[:, 0]
        return clip_pool(self.frames(features)).mean(dim=1)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Apply the head, in float32 at any precision: (..., K, D) -> (..., C); K is 1 or C."""
        with torch.autocast(embeddings.device.type, enabled=False):
            pooled = embeddings.float()
            if pooled.shape[-2] == 1:
                x: Tensor = self.head(pooled[..., 0, :])
                return x
            return (pooled * self.head.weight).sum(dim=-1) + self.head.bias

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


def _by_height(rows: Sequence[Rows]) -> list[list[int]]:
    """Group classes whose crops are equally high, so that they are one batch."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for column, (first, last) in enumerate(rows):
        groups[last - first].append(column)
    return [groups[height] for height in sorted(groups)]


def frames_per_second(detector: Detector) -> float:
    """Measure the frames of the feature map in a second of sound, on silence."""
    steps = 256
    hop, rate = detector.front_end.hop, detector.front_end.sample_rate
    training = detector.training
    detector.eval()
    device = next(detector.parameters()).device
    with torch.no_grad():
        short, long = (
            detector.maps(torch.zeros(1, n * steps * hop, device=device))[0].shape[-1]
            for n in (1, 2)
        )
    detector.train(training)
    # what padding adds to a map is in both, so for strides that divide `steps` this is exact
    return (long - short) * rate / (steps * hop)


def to_frames(seconds: float, per_second: float) -> int:
    """Convert a window's or a hop's length to frames of the feature map: at least one."""
    return max(1, round(seconds * per_second))


def weights_fingerprint(state: Mapping[str, Any]) -> str:
    """Compute BLAKE2b of a state dict's names and values, 16 bytes in hexadecimal.

    Two files with the same weights have the same fingerprint, whatever they are called.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
