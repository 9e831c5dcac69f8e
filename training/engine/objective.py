"""The loss of a step, by name, as a sum that does not depend on how the step is split.

The one exception is ``large``, which leaves out the largest losses of each part it is given.

Micro-batches and processes each add their part; all are divided by the same number, which counts
the trainer's own rows and not those of plug-ins: rows that are added put their loss on top.

What unknown cells of weight 1 (those of TP rows) mean to each loss; those of weight 0 carry none:

===============================  ===================================================================
``bce``                          nothing: they are left out
``lsoft``                        softly zero: see `training.losses.losses.lsoft_bce_loss`
``asymmetric``, ``hill``,        zero, and the loss doubts it where the model does
``splc``, ``large``
``lsep``                         nothing: they are in no pair
===============================  ===================================================================

``lsep`` ranks the classes of a row. A row whose known cells are all zeros has no pair to rank, and
a ranking leaves the level of the logits open, so masked BCE is added at the weight ``lsep_bce``.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from training.config import TrainConfig
from training.data.rows import Batch
from training.losses import losses


def summed_loss(config: TrainConfig, logits: Tensor, batch: Batch) -> Tensor:
    """Sum the loss of some rows of a step: a scalar.

    Parameters
    ----------
    config : TrainConfig
        Names the loss and its settings.
    logits : Tensor, shape (B, C)
    """
    targets, known, weight = batch.targets, batch.known, batch.weight
    if config.loss == "bce":
        return losses.bce_loss(logits, targets, known, weight, "sum")
    if config.loss == "lsoft":
        return losses.lsoft_bce_loss(
            logits, targets, known, config.lsoft, config.lsoft_detach, weight, "sum"
        )
    if config.loss == "lsep":
        # a row's loss, in units of a cell's: rows are divided by the number of cells below
        ranking = logits.shape[1] * losses.lsep_loss(logits, targets, known, None, "sum")
        if not config.lsep_bce:
            return ranking
        return ranking + config.lsep_bce * losses.bce_loss(logits, targets, known, weight, "sum")
    if config.loss == "large":
        return losses.large_loss(logits, targets, known, weight, "sum", rate=config.large_loss_rate)
    chosen: dict[str, Callable[..., Tensor]] = {
        "asymmetric": losses.asymmetric_loss,
        "hill": losses.hill_loss,
        "splc": losses.splc_loss,
    }
    return chosen[config.loss](logits, targets, known, weight, "sum")


def mean_loss(total: Tensor, own: int, classes: int) -> Tensor:
    """Divide a step's summed loss by the cells of the trainer's own rows.

    Parameters
    ----------
    total : Tensor
        Of any part of the step.
    own : int
        The trainer's own rows in the whole step.
    """
    return total / (own * classes)
