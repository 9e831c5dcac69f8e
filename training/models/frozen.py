"""A head on the embeddings of a network that stays as it is.

A frame of its feature map is the embedding of one window, of the network's own length; windows
begin half of that apart. A crop in training is one window. Embeddings are standardised by the mean
and deviation of training rows; a linear layer follows, or one of rectified units and a linear one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from negmine.audio.silence import is_silent
from negmine.errors import ModelError
from training.models.model import RATE, FeatureMap, Grid, Model, column_spread
from training.models.network import Network
from training.models.readout import Frames, pool_frames

# Windows of a recording that are in memory together.
_WINDOWS = 64

# A deviation below this share of their root mean square is not taken at its word: a number that
# hardly ever moves would be blown up where it does.
_LEAST_DEVIATION = 0.03

# Learning rate of a class's level, over that of its weights. A level is some -3, and Adam moves a
# number by a learning rate a step at most: at that of the weights a short run would end before, and
# the weights would make up for it, with whatever its rows have in common.
_LEVEL_RATE = 30.0


class FrozenDetector(Model):
    """A frozen network and its head.

    Parameters
    ----------
    n_classes : int
    network : Network
    hidden : int
        Units between embedding and logits; 0 makes the head linear.

    Attributes
    ----------
    base : Network
    """

    base: Network
    frozen = True
    front_end = None

    def __init__(self, n_classes: int, network: Network, hidden: int = 0) -> None:
        super().__init__()
        self.base = network
        self.network = {"name": network.name, "fingerprint": network.fingerprint}
        self.embedding_size = network.width
        self._hop = max(1, network.length // 2)
        self.register_buffer("mean", torch.zeros(network.width))
        self.register_buffer("scale", torch.ones(network.width))
        self.hidden = nn.Linear(network.width, hidden) if hidden else None
        self.head = nn.Linear(hidden or network.width, n_classes)
        # a class is as likely as not before anything is learnt
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @property
    def grid(self) -> Grid:
        """Where the frames of its feature maps are: windows that overlap by half."""
        rate = self.base.sample_rate
        return Grid(rate / self._hop, (self.base.length - self._hop) / rate)

    @property
    def spacing(self) -> int:
        return self._hop

    def prepare(self, clips: Iterable[Tensor]) -> None:
        """Take the mean and deviation of the embeddings of rows."""
        mean, deviation = column_spread(self._embed(rows) for rows in clips)
        least = _LEAST_DEVIATION * float(deviation.square().mean().sqrt())
        self.get_buffer("mean").copy_(mean)
        self.get_buffer("scale").copy_(1.0 / deviation.clamp(min=max(least, 1e-12)))
        self.base.flush()

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Return what is trained: a class's level does not decay, and learns faster."""
        weights = [value for value in self.parameters() if value.ndim > 1]
        levels = [value for value in self.parameters() if value.ndim == 1]
        return [
            {"params": weights, "weight_decay": weight_decay},
            {"params": levels, "weight_decay": 0.0, RATE: _LEVEL_RATE},
        ]

    def features(self, waveforms: Tensor) -> FeatureMap:
        """Embed the windows of some clips, (B, T); a clip's end is filled up with silence."""
        length, hop = self.base.length, self._hop
        beyond = max(0, waveforms.shape[1] - length)
        count = -(-beyond // hop) + 1
        missing = (count - 1) * hop + length - waveforms.shape[1]
        whole = F.pad(waveforms.cpu(), (0, missing)) if missing else waveforms.cpu()
        windows = whole.unfold(1, length, hop)
        rows = windows.reshape(-1, length)
        embedded = torch.cat([self._embed(part) for part in torch.split(rows, _WINDOWS)])
        heard = [not is_silent(window) for window in rows.numpy()]
        audible = torch.tensor(heard).view(len(windows), count)
        if self.training:
            # a row without any sound is there to be learnt from
            audible |= ~audible.any(dim=1, keepdim=True)
        maps = embedded.view(len(windows), count, -1).permute(0, 2, 1).unsqueeze(2)
        device = self.head.weight.device
        frames = None if audible.all() else audible.float().to(device)
        return FeatureMap((maps.to(device),), frames)

    def _embed(self, windows: Tensor) -> Tensor:
        return torch.from_numpy(self.base.embed(windows.cpu().contiguous().numpy()))

    def frames(self, features: FeatureMap, pooling: str | None = None) -> Frames:
        """Compute the sums of the mean over windows, without those that are silent."""
        if pooling:
            raise ModelError(
                f"readout '{pooling}' is of a detector's feature map; a frozen network's windows "
                "are read out by max, lse or mean"
            )
        (embedded,) = features.maps
        return pool_frames(embedded, "mean").only(features.audible)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Apply the head, in float32: (..., 1, D) -> (..., C)."""
        x = (embeddings[..., 0, :].float() - self.get_buffer("mean")) * self.get_buffer("scale")
        if self.hidden is not None:
            x = torch.relu(self.hidden(x))
        found: Tensor = self.head(x)
        return found

    def flush(self) -> None:
        """Write the embeddings that are new."""
        self.base.flush()
