"""What every loss does around its formula: check the inputs, widen them, mask cells, reduce.

A *cell* is one class of one row of a (B, C) batch. A cell of weight 0 is dead: its logit and its
target are replaced before any arithmetic, so that a NaN in it reaches neither loss nor gradient.
No check here reads a value, so that none makes a GPU wait.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LossCells:
    """A checked batch of cells, ready for a loss formula.

    Attributes
    ----------
    logits, targets : float32 (float64 where the logits are) tensor, shape (B, C)
        0 in dead cells; unknown targets are 0 too. Targets carry no gradient.
    live : bool tensor, shape (B, C)
        LossCells that carry loss.
    trusted : bool tensor, shape (B, C)
        LossCells whose target somebody vouches for. All False where no mask was given.
    weight : tensor broadcastable to (B, C), or None
    """

    logits: Tensor
    targets: Tensor
    live: Tensor
    trusted: Tensor
    weight: Tensor | None

    def reduce(self, losses: Tensor, reduction: str) -> Tensor:
        """Weight, mask and reduce one loss a cell; see `reduce_losses`."""
        return reduce_losses(losses, self.live, self.weight, reduction)


def read_cells(
    logits: Tensor,
    targets: Tensor,
    known: Tensor | None,
    weight: Tensor | None,
    *,
    skip_unknown: bool = False,
) -> LossCells:
    """Check a batch and mask its dead cells.

    Parameters
    ----------
    logits, targets : float tensor, shape (B, C)
    known : bool tensor, shape (B, C), or None
    weight : tensor broadcastable to (B, C), or None
    skip_unknown : bool
        Whether unknown cells are dead, instead of being read with target 0.

    Raises
    ------
    ValueError
        For a shape or dtype that does not fit.
    """
    check_batch(logits, targets, known)
    live = torch.ones_like(logits, dtype=torch.bool)
    if weight is not None:
        check_broadcast("weight", weight, logits)
        # `!= 0` and not `> 0`: a NaN weight must spoil the loss, not silently drop the cell.
        live = live & (weight != 0)
    labelled = live if known is None else live & known
    if skip_unknown:
        live = labelled
    return LossCells(
        logits=torch.where(live, widen(logits), 0.0),
        targets=torch.where(labelled, targets.detach().to(widen(logits).dtype), 0.0),
        live=live,
        trusted=torch.zeros_like(live) if known is None else known,
        weight=weight,
    )


def reduce_losses(
    losses: Tensor, live: Tensor | None, weight: Tensor | None, reduction: str
) -> Tensor:
    """Weight the losses, drop the dead ones, and reduce.

    Parameters
    ----------
    live : bool tensor, the shape of `losses`, or None
        None: all are live, and there is no weight.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of live entries, not by the sum of their weights, so that a
        doubtful label pulls less and does not make its neighbours pull more.

    Returns
    -------
    float tensor: a scalar, or the shape of `losses` for "none". 0 where nothing is live.

    Raises
    ------
    ValueError
        For an unknown reduction.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction {reduction!r}: expected 'mean', 'sum' or 'none'")
    if live is not None:
        if weight is not None:
            losses = losses * weight.to(losses.dtype)
        losses = torch.where(live, losses, 0.0)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if live is None and losses.numel():
        return losses.mean()
    return losses.sum() / (1 if live is None else live.sum().clamp(min=1))


def widen(values: Tensor) -> Tensor:
    """Return half-precision values as float32; float32 and float64 stay as they are."""
    return values if values.dtype == torch.float64 else values.float()


def check_batch(logits: Tensor, targets: Tensor, known: Tensor | None) -> None:
    """Raise ValueError unless logits, targets and mask are (B, C) of fitting dtypes."""
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise ValueError(f"logits have shape {tuple(logits.shape)}; expected (B, C), C >= 1")
    for name, values in (("logits", logits), ("targets", targets)):
        if not values.is_floating_point():
            raise ValueError(f"{name} are {values.dtype}; expected floats: call {name}.float()")
    if targets.shape != logits.shape:
        raise ValueError(
            f"targets have shape {tuple(targets.shape)}, logits {tuple(logits.shape)}; "
            "did you pass class indices instead of one target a class?"
        )
    if known is not None:
        if known.dtype != torch.bool:
            raise ValueError(f"known is {known.dtype}; expected a bool mask: call known.bool()")
        if known.shape != logits.shape:
            raise ValueError(
                f"known has shape {tuple(known.shape)}, logits {tuple(logits.shape)}; "
                "expected one flag a cell"
            )


def check_broadcast(name: str, values: Tensor, logits: Tensor) -> None:
    """Raise ValueError unless `values` is one number, or (B or 1, C or 1).

    A 1-D tensor is refused: where B equals C, one value a row and one a class look the same.
    """
    rows, classes = logits.shape
    fits = values.ndim == 0 or (
        values.ndim == 2 and values.shape[0] in (1, rows) and values.shape[1] in (1, classes)
    )
    if not fits:
        raise ValueError(
            f"{name} has shape {tuple(values.shape)}; expected ({rows}, 1) for one value a row, "
            f"(1, {classes}) for one a class, or ({rows}, {classes})"
        )
