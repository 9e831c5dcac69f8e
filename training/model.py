"""The detector: log-mel, a convolutional backbone, positive-only pooling, one linear head."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from negmine.errors import ModelError
from training.config import Readout
from training.frontend import FrontEndSettings, LogMel
from training.readout import positive_mean, power_mean, window_means, window_times


class SmallCNN(nn.Module):
    """A fast CNN of 470,000 parameters for machines without a GPU.

    A second input channel holds the mel band's position: convolutions alone would treat a call and
    the same shape in another band alike. The last layer has no activation, so that positive-only
    pooling can choose among its values.

    Shape: (B, 1, M, T) -> (B, 192, ceil(M / 16), ceil(T / 8)), roughly.
    """

    num_features = 192

    def __init__(self, n_mels: int) -> None:
        super().__init__()
        self.register_buffer("position", torch.linspace(-1, 1, n_mels).view(1, 1, -1, 1), False)
        self.layers = nn.Sequential(
            *_block(2, 24, stride=2),
            *_block(24, 48, pool=(2, 2)),
            *_block(48, 96, pool=(2, 2)),
            *_block(96, 160, pool=(2, 1)),
            nn.Conv2d(160, self.num_features, 3, padding=1, bias=False),
            nn.BatchNorm2d(self.num_features),
        )

    def forward(self, spectrograms: Tensor) -> Tensor:
        position = self.get_buffer("position").to(spectrograms.dtype).expand_as(spectrograms)
        x: Tensor = self.layers(torch.cat([spectrograms, position], dim=1))
        return x


def _block(
    channels: int, out: int, *, stride: int = 1, pool: tuple[int, int] | None = None
) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    ]
    return layers + ([nn.MaxPool2d(pool, ceil_mode=True)] if pool else [])


class Backbone(nn.Module):
    """A timm model cut off before its pooling: (B, 1, M, T) -> (B, D, F, T').

    Raises
    ------
    ModelError
        If timm has no such model or weights, or its features are no such map.
    """

    def __init__(self, name: str, pretrained: bool) -> None:
        super().__init__()
        try:
            body: Any = timm.create_model(
                name, pretrained=pretrained, in_chans=1, num_classes=0, global_pool=""
            )
            with torch.no_grad():
                shape = body.eval().forward_features(torch.zeros(1, 1, 64, 64)).shape
        except Exception as error:  # timm, its hub and its models raise many kinds
            raise ModelError(f"backbone '{name}' cannot be used: {error}") from error
        self.num_features = int(body.num_features)
        if len(shape) != 4 or shape[1] != self.num_features:
            raise ModelError(
                f"backbone '{name}' gives no map of frequency and time, but {tuple(shape)}; "
                "choose a convolutional model"
            )
        self.body = body.train()

    def forward(self, spectrograms: Tensor) -> Tensor:
        x: Tensor = self.body.forward_features(spectrograms)
        return x


class Detector(nn.Module):
    """Sound in, one logit a class out.

    Parameters
    ----------
    n_classes : int
    front_end : FrontEndSettings
    backbone : str
        ``small`` or the name of a timm model whose features are a map of shape (B, D, F, T).
    pretrained : bool
    """

    def __init__(
        self, n_classes: int, front_end: FrontEndSettings, backbone: str, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.front_end = front_end
        self.log_mel = LogMel(front_end)
        self.norm = nn.BatchNorm1d(front_end.n_mels)
        self.backbone: SmallCNN | Backbone = (
            SmallCNN(front_end.n_mels) if backbone == "small" else Backbone(backbone, pretrained)
        )
        self.embedding_size = self.backbone.num_features
        self.head = nn.Linear(self.embedding_size, n_classes)

    def features(self, waveforms: Tensor) -> Tensor:
        """The last feature map: (B, T) -> (B, D, F, T')."""
        spectrograms: Tensor = self.norm(self.log_mel(waveforms))
        features: Tensor = self.backbone(spectrograms.unsqueeze(1))
        return features

    def forward(self, waveforms: Tensor) -> Tensor:
        """Logits of crops by positive-only pooling, as in training: (B, T) -> (B, C)."""
        return self.logits(positive_mean(self.features(waveforms)))

    def logits(self, embeddings: Tensor) -> Tensor:
        """The head, in float32 whatever the precision: (..., D) -> (..., C)."""
        with torch.autocast(embeddings.device.type, enabled=False):
            x: Tensor = self.head(embeddings.float())
            return x

    def read_out(self, features: Tensor, readout: Readout, window_frames: int) -> Tensor:
        """Logits of whole clips from their feature map: (B, D, F, T') -> (B, C).

        Parameters
        ----------
        features : Tensor
        readout : {"max", "mean", "power"}
            The maximum over windows of the map, half overlapping; the mean of its positive values;
            or their power-weighted mean.
        window_frames : int
            Length of the windows of ``max``.
        """
        if readout == "mean":
            return self.logits(positive_mean(features))
        if readout == "power":
            return self.logits(power_mean(features))
        windows = window_means(features, window_frames, max(1, window_frames // 2))
        return self.logits(windows).amax(dim=1)

    def window_logits(self, features: Tensor, window_frames: int) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of windows side by side, and where each starts and ends.

        Returns
        -------
        logits : Tensor, shape (B, N, C)
        start, end : Tensor, int64, shape (N,)
            In frames of the feature map.
        """
        start, end = window_times(features.shape[-1], window_frames, window_frames)
        return self.logits(window_means(features, window_frames, window_frames)), start, end


def place(detector: Detector, device: torch.device) -> Detector:
    """The detector on a device, its convolutions in the layout that is fast there."""
    detector.to(device)
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return detector


def frames_per_second(detector: Detector) -> float:
    """Frames of the feature map in a second of sound, measured on silence."""
    steps = 256
    hop, rate = detector.front_end.hop, detector.front_end.sample_rate
    training = detector.training
    detector.eval()
    device = next(detector.parameters()).device
    with torch.no_grad():
        short, long = (
            detector.features(torch.zeros(1, n * steps * hop, device=device)).shape[-1]
            for n in (1, 2)
        )
    detector.train(training)
    # what padding adds to a map is in both, so for strides that divide `steps` this is exact
    return (long - short) * rate / (steps * hop)


def weights_fingerprint(state: Mapping[str, Any]) -> str:
    """BLAKE2b of a state dict's names and values, 16 bytes in hexadecimal.

    Two files with the same weights have the same fingerprint, whatever they are called.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
