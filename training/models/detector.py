"""The detector: log-mel, a convolutional backbone, pooling, one linear head.

With frequency bands each class is read from its own: in *crops* mode the backbone sees one crop of
the spectrogram a class, in *shared* mode it sees the whole spectrogram once, and the feature map is
cropped. Nothing is resized.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from training.augmentation import AugmentSettings
from training.config import Bands, Pooling, TrainConfig
from training.models.backbones import Backbone, SmallCNN
from training.models.bands import Rows, mel_rows, row_mask
from training.models.frontend import FrontEndSettings, LogMel
from training.models.model import FeatureMap, Grid, Model
from training.models.readout import Frames, clip_pool, pool_frames
from training.models.silence import audible_frames, without_silence
from training.models.specaugment import mask_spectrograms

Edges = Sequence[tuple[float, float]]


class Detector(Model):
    """Sound in, one logit a class out; all of it is trained.

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
        self.front_end: FrontEndSettings = front_end
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
        self._rate = 0.0

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
        sound, audible = without_silence(waveforms, block)
        if audible is None:
            return FeatureMap(self.maps(waveforms))
        maps = self.maps(sound)
        if self.training:
            # a row without any sound is there to be learnt from
            audible = audible | ~audible.any(dim=1, keepdim=True)
        frames = audible_frames(audible, block, maps[0].shape[-1], self.spacing)
        return FeatureMap(maps, frames)

    @property
    def grid(self) -> Grid:
        """Where the frames of its feature maps are: as its strides make them."""
        if not self._rate:
            self._rate = frames_per_second(self)
        return Grid(self._rate)

    @property
    def spacing(self) -> int:
        """Samples from one frame of the feature map to the next."""
        return round(self.front_end.sample_rate / self.grid.per_second)

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
        return super().embed(features)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Apply the head, in float32 at any precision: (..., K, D) -> (..., C); K is 1 or C."""
        with torch.autocast(embeddings.device.type, enabled=False):
            pooled = embeddings.float()
            if pooled.shape[-2] == 1:
                x: Tensor = self.head(pooled[..., 0, :])
                return x
            return (pooled * self.head.weight).sum(dim=-1) + self.head.bias


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
