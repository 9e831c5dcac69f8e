"""What a run is given besides its configuration: data, hard negatives, and where it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.notices import warn
from negmine.pool import Pool, open_pool
from negmine.progress import Progress, no_progress
from training.data.box_rows import Soft
from training.data.sampled_rows import What
from training.data.settings import HARD_USE, SAMPLES, HardUse, SampleUse
from training.data.steps import RowSource
from training.engine.distributed import is_first_process


@dataclass(frozen=True)
class HardInputs:
    """Hard negatives of a run.

    Attributes
    ----------
    selection : Path
        By ``negmine mine``.
    pool : Path, optional
        Where the selection's pool is, if it was moved.
    """

    selection: Path
    use: HardUse = HARD_USE
    pool: Path | None = None


@dataclass(frozen=True)
class SampleInputs:
    """Rows of a pool, drawn at random.

    Attributes
    ----------
    pool : Pool
    what : {"scenes", "negatives"}
    ratio : float
        Rows in a step, see `training.data.sampled_rows.SampledRows`.
    mix : float
        Share of all rows that get one mixed in.
    mix_snr_db : (float, float)
    """

    pool: Pool
    what: What
    ratio: float = 1.0
    mix: float = 0.0
    mix_snr_db: tuple[float, float] = SAMPLES.negative_mix_snr_db


def sample_inputs(use: SampleUse) -> list[SampleInputs]:
    """Return what a run draws of pools at random; each pool is opened once."""
    pools = {path: open_pool(Path(path)) for path in (use.negatives, use.scenes) if path}
    found = []
    if use.negatives:
        mixing = use.negative_mix, use.negative_mix_snr_db
        found.append(SampleInputs(pools[use.negatives], "negatives", use.negative_ratio, *mixing))
    if use.scenes:
        found.append(SampleInputs(pools[use.scenes], "scenes", use.scene_ratio))
    return found


@dataclass(frozen=True)
class RunInputs:
    """What a run learns from.

    Attributes
    ----------
    recordings : Recordings
        The annotated ones.
    cache : Path
        Folder of decoded sound, which runs may share: see `negmine.recipes.cache`.
    init : Path, optional
        Checkpoint whose weights to start from.
    band_table : Path, optional
        CSV of the classes' frequency bands; those of the confirmed boxes by default.
    groups : mapping of str to str, optional
        What each recording must stay together with in folds, a site for example; by default each
        stands alone.
    soft : Soft, optional
        Pseudo labels, see `training.data.box_rows.BoxRows`.
    plugins : sequence of RowSource
        Rows that are added to every step.
    hard : sequence of HardInputs
        Hard negatives, which `training.engine.run.run_training` makes plug-ins of.
    samples : sequence of SampleInputs
        Scenes and random negatives, likewise.
    select_negatives : Path, optional
        A pool whose held-out rows count, too, where false positives choose the epoch.
    """

    annotations: Annotations
    recordings: Recordings
    cache: Path
    init: Path | None = None
    band_table: Path | None = None
    groups: Mapping[str, str] | None = None
    soft: Soft | None = None
    plugins: Sequence[RowSource] = ()
    hard: Sequence[HardInputs] = ()
    samples: Sequence[SampleInputs] = ()
    select_negatives: Path | None = None


@dataclass(frozen=True)
class RunContext:
    """Where a run works, and who watches.

    Attributes
    ----------
    caution : callable
        Given a line for each thing that labels lack.
    tensorboard : bool
        Write events for TensorBoard.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Progress = no_progress
    caution: Callable[[str], object] = warn
    tensorboard: bool = False

    def of_first(self) -> RunContext:
        """Return the context itself in the first process of a run; in others, a silent one."""
        if is_first_process():
            return self
        return replace(self, progress=no_progress, caution=lambda line: None)
