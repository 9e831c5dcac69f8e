"""Backbones: from a spectrogram to a feature map."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from negmine.errors import ModelError, did_you_mean
from training.models.versions import command_that_fits, trio_installed


class SmallCNN(nn.Module):
    """A fast CNN of 470,000 parameters for machines without a GPU.

    A second input channel holds the mel band's position: convolutions alone would treat a call and
    the same shape in another band alike. The last layer has no activation, so that positive-only
    pooling can choose among its values.

    Shape: (B, 1, M, T) -> (B, 192, ceil(M / 16), ceil(T / 8)), roughly. A crop of fewer mel bands
    comes with the positions of its own.
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

    def forward(self, spectrograms: Tensor, position: Tensor | None = None) -> Tensor:
        if position is None:
            position = self.get_buffer("position")
        position = position.to(spectrograms.dtype).expand_as(spectrograms)
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


def check_backbone(name: str) -> None:
    """Check that a name is ``small``, or of a model that timm itself defines.

    Other names that timm takes (``hf_hub:...``, ``local-dir:...``, URLs, paths) fetch a network's
    description, and its weights, from elsewhere. A checkpoint or a table of settings may hold them.

    Raises
    ------
    ModelError
        If it is another, or timm cannot be imported.
    """
    if name == "small":
        return
    timm = _import_timm(name)
    if not (_TIMM_NAME.fullmatch(name) and timm.is_model(name)):
        hint = did_you_mean(name, ["small", *timm.list_models()])
        raise ModelError(
            f"backbone {name[:80]!r} is neither 'small' nor the name of a model that timm "
            f"{timm.__version__} defines{hint}; places to load from are refused"
        )


# A model, and which of its published weights: nothing that timm could take for a place.
_TIMM_NAME = re.compile(r"\w+(\.\w+)?", re.ASCII)


class Backbone(nn.Module):
    """A timm model cut off before its pooling: (B, 1, M, T) -> (B, D, F, T').

    It does not know where a crop is in the spectrogram: published weights have no such channel.

    Raises
    ------
    ModelError
        If timm has no such model or weights, its features are no such map, or timm itself cannot
        be imported.
    """

    def __init__(self, name: str, pretrained: bool) -> None:
        super().__init__()
        check_backbone(name)
        timm = _import_timm(name)
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

    def forward(self, spectrograms: Tensor, position: Tensor | None = None) -> Tensor:
        x: Tensor = self.body.forward_features(spectrograms)
        return x


def _import_timm(backbone: str) -> Any:
    """Import timm when a model of it is asked for: it needs a torchvision that fits torch."""
    try:
        import timm
    except Exception as error:  # a torchvision that does not fit raises RuntimeError, and others
        raise ModelError(
            f"backbone {backbone[:80]!r} needs timm, which cannot be imported "
            f"({type(error).__name__}: {error}); installed: {trio_installed()}; what fits: "
            f"{command_that_fits()}; backbone 'small' needs no timm"
        ) from error
    return timm
