"""One step of training: from drawn rows to changed weights."""

from __future__ import annotations

import torch
from torch.amp.grad_scaler import GradScaler

from training.config import TrainConfig
from training.data.rows import Batch
from training.data.steps import Step
from training.engine.distributed import Ranks
from training.engine.objective import mean_loss, summed_loss
from training.engine.precision import autocast
from training.models.model import Model


def make_optimiser(
    model: Model, config: TrainConfig, device: torch.device
) -> tuple[torch.optim.Optimizer, GradScaler]:
    """Make the optimiser of a model, and the scaler of its losses: it acts in fp16 alone."""
    optimiser = torch.optim.AdamW(model.parameter_groups(config.weight_decay), lr=config.lr)
    return optimiser, GradScaler(device.type, enabled=config.precision == "fp16")


def take_step(
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    scaler: GradScaler,
    drawn: Step,
    config: TrainConfig,
    device: torch.device,
    ranks: Ranks,
) -> float:
    """Change the weights by a step's rows, part by part.

    Parameters
    ----------
    model : nn.Module
        From waveforms to logits, wrapped for the processes that share the step.
    drawn : Step
        This process's share of the step.

    Returns
    -------
    float
        The loss of the whole step, over all processes.
    """
    own = int(ranks.total(drawn.own, device))
    optimiser.zero_grad(set_to_none=True)
    total = 0.0
    # as many parts in each process: they wait for one another in each
    for part in drawn.batch.split(min(config.accumulate, ranks.least(drawn.batch))):
        loss = step_loss(model, part.to(device), own, config, device)
        # processes average their gradients; the step's is their sum
        torch.autograd.backward(scaler.scale(loss * ranks.world))
        total += loss.item()
    if config.clip_norm:
        scaler.unscale_(optimiser)
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    scaler.step(optimiser)
    scaler.update()
    return ranks.total(total, device)


def step_loss(
    model: torch.nn.Module, part: Batch, own: int, config: TrainConfig, device: torch.device
) -> torch.Tensor:
    """Compute the loss of some rows of a step, as a share of the whole step's.

    Parameters
    ----------
    model : nn.Module
        From waveforms to logits.
    part : Batch
        Any rows of the step.
    own : int
        The trainer's own rows in the whole step. Rows that plug-ins add put their loss on top; they
        do not dilute that of the trainer's own.
    """
    with autocast(device, config.precision):
        logits = model(part.waveforms)
    return mean_loss(summed_loss(config, logits, part), own, logits.shape[1])
