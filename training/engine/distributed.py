"""Several processes that share every step's rows, as ``torchrun`` starts them.

The step is the same whatever the number of processes: each takes every ``world``-th row, the loss
is divided by the rows of the whole step, and batch normalisation sees the statistics of all rows.
The first process alone validates, writes files and shows progress.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as differentiable
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from negmine.errors import InputError

# How long processes wait for the first, which validates alone.
_PATIENCE = timedelta(hours=6)


@dataclass(frozen=True)
class Ranks:
    """A process among those that train together."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """Wrap the model to sum gradients over all processes; itself where there is one."""
        if self.world == 1:
            return model
        _share_statistics(model)
        # every process has the statistics of all rows, so none must be sent
        return DistributedDataParallel(model, broadcast_buffers=False)

    def total(self, value: float, device: torch.device) -> float:
        """Sum a number over all processes."""
        if self.world == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64 if device.type == "cpu" else None)
        tensor = tensor.to(device)
        dist.all_reduce(tensor)
        return float(tensor)

    def least(self, rows: Sized) -> int:
        """Return the smallest number of rows that any process has in a step.

        Raises
        ------
        InputError
            If one has none.
        """
        count = len(rows)
        if self.world > 1:
            held: list[int] = [0] * self.world
            dist.all_gather_object(held, count)
            count = min(held)
        if not count:
            raise InputError(f"{self.world} processes, and fewer rows in a step; start fewer")
        return count

    def from_first(self, value: Any) -> Any:
        """Give a small object of the first process to all of them."""
        if self.world == 1:
            return value
        held = [value]
        dist.broadcast_object_list(held, src=0)
        return held[0]

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Let the others enter when the first has left: it makes the files that all read."""
        if not self.first:
            dist.barrier()
        yield
        if self.first and self.world > 1:
            dist.barrier()


def is_first_process() -> bool:
    """Return whether this process is the first of those that ``torchrun`` started, or alone."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that ``torchrun`` started; one process alone joins nothing."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks()
        return
    if dist.is_initialized():
        yield Ranks(dist.get_rank(), dist.get_world_size())
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def local_device(device: torch.device) -> torch.device:
    """Return the GPU of this process, where several on one machine share the work."""
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


def _share_statistics(model: nn.Module) -> None:
    """Let every batch normalisation use the statistics of the rows of all processes.

    torch has a layer that does so on GPUs alone. This one keeps the layers, so that the names of
    the weights stay.
    """
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            own = type(module).forward
            module.forward = partial(_shared_forward, module, own)  # type: ignore[method-assign]


def _shared_forward(norm: Any, own: Any, x: Tensor) -> Tensor:
    if not norm.training:
        result: Tensor = own(norm, x)
        return result
    axes = [0, *range(2, x.ndim)]
    values = x.float()
    count = values.new_tensor([values.numel() / values.shape[1]])
    sums = torch.cat([values.sum(dim=axes), values.square().sum(dim=axes), count])
    total: Tensor = differentiable.all_reduce(sums)  # type: ignore[no-untyped-call]
    width = values.shape[1]
    n = total[-1]
    mean = total[:width] / n
    variance = (total[width : 2 * width] / n - mean.square()).clamp(min=0)
    with torch.no_grad():
        # as torch does: the running variance is the unbiased one
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * n / (n - 1), norm.momentum)
        norm.num_batches_tracked += 1
    shape = [1, -1, *([1] * (x.ndim - 2))]
    scaled = (values - mean.view(shape)) * torch.rsqrt(variance + norm.eps).view(shape)
    if norm.affine:
        scaled = scaled * norm.weight.view(shape) + norm.bias.view(shape)
    out: Tensor = scaled.to(x.dtype)
    # timm's layers carry their activation with them
    if hasattr(norm, "act"):
        activated: Tensor = norm.act(norm.drop(out))
        return activated
    return out
