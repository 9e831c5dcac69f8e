"""What a run is given besides its configuration: data, hard negatives, and where it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.notices import warn
from training.config import HARD_USE, HardUse
from training.data.steps import RowSource, Soft


class Progress(Protocol):
    """Progress bars: one at a time, each closing the one before."""

    def __call__(self, what: str, total: int, unit: str = "file", /) -> Callable[..., Any]:
        """Begin a bar of this many units; return what advances it."""
        ...


@dataclass(frozen=True)
class RunInputs:
    """What a run learns from.

    Attributes
    ----------
    annotations : Annotations
    recordings : Recordings
        The annotated ones.
    cache : Path
        Folder for decoded clips; runs may share it.
    init : Path, optional
        Checkpoint whose weights to start from.
    band_table : Path, optional
        CSV of the classes' frequency bands; those of the confirmed boxes by default.
    groups : mapping of str to str, optional
        What each recording must stay together with in folds, a site for example; by default each
        stands alone.
    soft : Soft, optional
        Pseudo labels, see `training.data.steps.BoxRows`.
    plugins : sequence of RowSource
        Rows that are added to every step.
    """

    annotations: Annotations
    recordings: Recordings
    cache: Path
    init: Path | None = None
    band_table: Path | None = None
    groups: Mapping[str, str] | None = None
    soft: Soft | None = None
    plugins: Sequence[RowSource] = ()


@dataclass(frozen=True)
class HardInputs:
    """Hard negatives of a run.

    Attributes
    ----------
    selection : Path
        By ``negmine mine``.
    use : HardUse
    pool : Path, optional
        Where the selection's pool is, if it was moved.
    """

    selection: Path
    use: HardUse = HARD_USE
    pool: Path | None = None


@dataclass(frozen=True)
class RunContext:
    """Where a run works, and who watches.

    Attributes
    ----------
    device : torch.device
    progress : Progress
    caution : callable
        Given a line for each thing that labels lack.
    tensorboard : bool
        Write events for TensorBoard.
    """

    device: torch.device
    progress: Progress
    caution: Callable[[str], object] = warn
    tensorboard: bool = False
