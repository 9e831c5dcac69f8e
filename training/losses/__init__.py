"""Losses of partly labelled clips; they know nothing of negmine."""

from training.losses.cells import Cells
from training.losses.losses import bce_loss, lsoft_bce_loss
from training.losses.lsep import lsep_loss
from training.losses.missing_labels import (
    asymmetric_loss,
    hill_loss,
    large_loss,
    splc_loss,
)

__all__ = [
    "Cells",
    "asymmetric_loss",
    "bce_loss",
    "hill_loss",
    "large_loss",
    "lsep_loss",
    "lsoft_bce_loss",
    "splc_loss",
]
