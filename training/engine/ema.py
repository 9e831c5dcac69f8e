"""An exponential moving average of a model's weights, which validates and is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Averages every weight and statistic of a model after each step.

    After ``n`` steps the decay is ``min(decay, (1 + n) / (10 + n))``, so that the random weights of
    the start are soon forgotten.

    Parameters
    ----------
    decay : float
        In [0, 1): how much of the average stays in a step. 0 keeps no average.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self._average = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from an average that was kept."""
        for name, value in self._average.items():
            value.copy_(state[name])

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step number ``step``, from 0."""
        if not self._decay:
            return
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, value in self._model.state_dict().items():
            average = self._average[name]
            if average.is_floating_point():
                average.lerp_(value, 1.0 - decay)
            else:
                average.copy_(value)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the average; the model's own weights where none is kept."""
        return self._average if self._decay else self._model.state_dict()
