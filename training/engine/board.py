"""TensorBoard, where it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from negmine.errors import InputError


class Board:
    """Writes a run's loss by step and its metrics by epoch for TensorBoard.

    Parameters
    ----------
    out : Path
        The run's folder; events go to ``tensorboard/`` in it.

    Raises
    ------
    InputError
        If TensorBoard is not installed.
    """

    def __init__(self, out: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                "--tensorboard needs TensorBoard: pip install 'negmine[train,tensorboard]'"
            ) from error
        self._writer: Any = SummaryWriter(str(out / "tensorboard"))

    def step(self, step: int, loss: float) -> None:
        """Note the mean loss of the epoch so far."""
        self._writer.add_scalar("loss", loss, step)

    def epoch(self, entry: dict[str, float]) -> None:
        """Note an epoch's metrics."""
        for name, value in entry.items():
            if name != "epoch":
                self._writer.add_scalar(f"epoch/{name}", value, int(entry["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
