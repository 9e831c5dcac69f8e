"""Hard negatives in any trainer of PyTorch's: a data set, a batch sampler, a loss, a flag.

This package alone imports torch, when one of its names is first used; all else works without.

>>> from negmine.torch import HardNegativeDataset
>>> hard = HardNegativeDataset("hard.parquet", ["0", "1"])
>>> samples, labels, weights = hard[0]
>>> samples.shape, labels.shape, weights.shape
(torch.Size([8000]), torch.Size([2]), torch.Size([2]))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from negmine.lazy import lazily

if TYPE_CHECKING:
    from negmine.torch.flags import add_argument, click_option
    from negmine.torch.hard_dataset import HardNegativeDataset
    from negmine.torch.hard_sampler import HardNegativeBatchSampler
    from negmine.torch.known_loss import known_bce
    from negmine.torch.loader import mixed_loader

_HOMES = {
    "HardNegativeBatchSampler": "hard_sampler",
    "HardNegativeDataset": "hard_dataset",
    "add_argument": "flags",
    "click_option": "flags",
    "known_bce": "known_loss",
    "mixed_loader": "loader",
}

__all__ = [
    "HardNegativeBatchSampler",
    "HardNegativeDataset",
    "add_argument",
    "click_option",
    "known_bce",
    "mixed_loader",
]

_find = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    try:
        return _find(name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError(
            f"negmine.torch.{name} needs PyTorch, which is not installed: "
            "python -m pip install torch"
        ) from error
