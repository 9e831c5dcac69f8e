"""The stages of a schedule, trained: each from the last one's labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.audio.read import AudioInfo
from negmine.errors import DamageError, InputError
from negmine.notices import warn
from negmine.recipes.cache_items import build_cache
from negmine.storage.csv_tables import write_csv
from negmine.storage.digests import text_fingerprint
from training.config import TrainConfig
from training.data.unlabelled import Unlabelled
from training.engine.checkpoint import Checkpoint
from training.engine.distributed import joined_ranks
from training.engine.history import scores_table
from training.engine.inputs import RunContext, RunInputs
from training.engine.run import run_training
from training.engine.run_folder import only_run
from training.schedules.pseudo import PseudoLabels, label_recordings
from training.schedules.pseudo_rows import PseudoRows, source_of
from training.schedules.schedule import Schedule, Stage
from training.schedules.settings import PseudoSettings

# What makes the network: weights of one are of no use in another.
_NETWORK = ("backbone", "sample_rate", "n_mels", "pooling", "bands")


@dataclass(frozen=True)
class StageResult:
    """One stage and fold, trained.

    Attributes
    ----------
    metrics : mapping of str to float
        Of the best epoch.
    """

    stage: str
    fold: int
    loss_name: str
    checkpoint: Path
    metrics: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON and the table of stages."""
        own = {"stage": self.stage, "fold": self.fold, "objective": self.loss_name}
        return own | dict(self.metrics) | {"checkpoint": str(self.checkpoint)}


@dataclass(frozen=True)
class Labelling:
    """How a schedule's pseudo labels are made, and of what.

    Attributes
    ----------
    unlabelled : Unlabelled, optional
        Recordings without annotations; stages with pseudo labels draw windows from them, too.
    in_fold : bool
        Train the run's own fold alone, whose model labels what it trained on, too.
    """

    settings: PseudoSettings = field(default_factory=PseudoSettings)
    unlabelled: Unlabelled | None = None
    in_fold: bool = False

    def folds(self, config: TrainConfig) -> list[int]:
        """Return the folds that each stage trains."""
        return [config.fold] if self.in_fold else list(range(config.folds))

    def others(self, config: TrainConfig) -> list[Mapping[str, AudioInfo]]:
        """Return the recordings without annotations that the model of each fold labels."""
        unlabelled, folds = self.unlabelled, self.folds(config)
        if unlabelled is None or self.in_fold:
            return [unlabelled.infos if unlabelled else {} for _ in folds]
        return [unlabelled.of_fold(fold, config.folds, config.seed) for fold in folds]


LABELLING = Labelling()


def run_stages(
    schedule: Schedule,
    config: TrainConfig,
    inputs: RunInputs,
    out: Path,
    context: RunContext,
    labelling: Labelling = LABELLING,
) -> list[StageResult]:
    """Train the stages of a schedule; resumes where it was stopped.

    Every stage trains all folds, since a recording is labelled by the model that held it out.

    Parameters
    ----------
    config : TrainConfig
        What stages do not change.
    out : Path
        Each stage has a folder in it: ``1-lsoft/fold0/best.pt``, ``1-lsoft/pseudo.parquet``, ...
        ``stages.csv`` is the table of them all.

    Raises
    ------
    InputError
        If pseudo labels are wanted and no recording is held out, or as training itself raises.
    """
    stages, unlabelled = schedule.stages, labelling.unlabelled
    annotations, recordings = inputs.annotations, inputs.recordings
    if config.folds == 1 and not labelling.in_fold and schedule.labels:
        raise InputError(
            "with 1 fold every model trains on every recording, and none may label what it trained "
            "on; choose --folds 2 or more, or pass --pseudo-in-fold"
        )
    _check_networks(stages, config)
    changed = _configured(schedule, config)
    _check_drawn(schedule, config, unlabelled)
    context = context.of_first()
    folds, dealt = labelling.folds(config), labelling.others(config)
    everything = dict(unlabelled.infos) if unlabelled else {}
    groups = {**(inputs.groups or {}), **(unlabelled.groups if unlabelled else {})}
    results: list[StageResult] = []
    before: dict[int, Path] = {}
    soft: PseudoLabels | None = None
    with only_run(out), joined_ranks(context.device) as ranks:
        for number, (stage, of_stage) in enumerate(zip(stages, changed, strict=True), start=1):
            title = f"{number}-{stage.name}"
            labels = soft if stage.pseudo else None
            rows: list[PseudoRows] = []
            decoded = bool(labels and of_stage.pseudo_per_step)
            if decoded:
                infos = (recordings.infos | everything).values()
                sources = [source_of(info) for info in infos]
                with ranks.first_before_others():
                    if ranks.first:
                        build_cache(
                            inputs.cache, sources, of_stage.sample_rate, progress=context.progress
                        )
            checkpoints = []
            for fold, labelled in zip(folds, dealt, strict=True):
                run = of_stage.replace(fold=fold)
                if labels and decoded:
                    # in one fold there is none to keep any from
                    out_of = () if labelling.in_fold else labelled
                    kept = {name: i for name, i in everything.items() if name not in out_of}
                    beside = PseudoRows(labels, annotations, recordings, kept, groups, inputs.cache)
                    rows = [beside]
                of_run = replace(
                    inputs,
                    soft=labels if stage.fill else None,
                    plugins=rows,
                    init=before[fold] if stage.init == "previous" else None,
                    band_table=inputs.band_table if run.uses_bands else None,
                )
                folder = out / title / f"fold{fold}"
                trained = run_training(run, of_run, folder, context, f"{title}, fold {fold}")
                checkpoints.append(trained.checkpoint)
                before[fold] = folder / "best.pt"
                score = trained.checkpoint.history[-1]
                results.append(StageResult(title, fold, run.loss, before[fold], score))
            if number < len(stages) and stages[number].pseudo:
                with ranks.first_before_others():
                    path = out / title / "pseudo.parquet"
                    soft = _labels(path, checkpoints, inputs, context, labelling, dealt)
        if ranks.first:
            table = pd.DataFrame([result.to_dict() for result in results])
            write_csv(out / "stages.csv", table)
    return results


def _configured(schedule: Schedule, config: TrainConfig) -> list[TrainConfig]:
    """Return each stage's settings, drawing on where the one before it ends."""
    found, drawn = [], config.first_draw
    for changed in schedule.configured(config):
        found.append(changed.replace(first_draw=drawn))
        drawn += changed.total_steps
    return found


def _check_drawn(schedule: Schedule, config: TrainConfig, unlabelled: Unlabelled | None) -> None:
    """Check that pseudo rows are drawn where they are counted on.

    Raises
    ------
    InputError
        If a stage uses its pseudo labels in nothing else, or if recordings without
        annotations are given and none is drawn.
    """
    changed = zip(schedule.stages, schedule.configured(config), strict=True)
    for number, (stage, of_stage) in enumerate(changed, start=1):
        if stage.pseudo and not stage.fill and not of_stage.pseudo_per_step:
            raise InputError(
                f"stage {number}, '{stage.name}': with fill = false its pseudo labels train in "
                "rows of their own alone, and pseudo_per_step is 0"
            )
    if unlabelled and not schedule.draws(config):
        raise InputError(
            "recordings without annotations train as pseudo rows, and no stage draws any; take a "
            "recipe with pseudo = true, and --pseudo-per-step above 0"
        )


def _check_networks(stages: Sequence[Stage], config: TrainConfig) -> None:
    """Check, before hours of training, that stages can start from one another's weights.

    Raises
    ------
    InputError
        If a stage with ``init = "previous"`` has another network than the one before it.
    """
    for number, (before, stage) in enumerate(pairwise(stages), start=2):
        for name in _NETWORK if stage.init == "previous" else ():
            then, now = (s.settings.get(name, getattr(config, name)) for s in (before, stage))
            if then != now:
                raise InputError(
                    f"stage {number}, '{stage.name}': {name} = {now!r}, but it starts from the "
                    f"weights of a stage with {then!r}; let it start from scratch"
                )


def _labels(
    path: Path,
    checkpoints: Sequence[Checkpoint],
    inputs: RunInputs,
    context: RunContext,
    labelling: Labelling,
    others: Sequence[Mapping[str, AudioInfo]],
) -> PseudoLabels:
    """Return a stage's pseudo labels: read if the same models made them so, else made."""
    annotations, recordings, settings = inputs.annotations, inputs.recordings, labelling.settings
    found, given = None, _given(annotations, recordings, others)
    if path.exists():
        try:
            found = PseudoLabels.read(path, annotations.classes)
        except DamageError as error:
            warn(f"{error}: recordings are labelled again")
    if found:
        now = tuple(c.fingerprint for c in checkpoints), settings, given
        same = (found.models, found.settings, found.given) == now
        if same and found.recordings.keys() == set(recordings.infos).union(*others):
            return found
    made = label_recordings(
        checkpoints, annotations, recordings, context, settings,
        others=others, in_fold=labelling.in_fold, title=f"{path.parent.name}: labelling",
    )  # fmt: skip
    made.given = given
    made.write(path)
    return made


def _given(
    annotations: Annotations, recordings: Recordings, others: Sequence[Mapping[str, AudioInfo]]
) -> str:
    """Digest what is labelled, and the calls that set the labels' level."""
    files = {name: info.fingerprint for infos in others for name, info in infos.items()}
    files |= {name: info.fingerprint for name, info in recordings.infos.items()}
    text = repr((annotations.digest, sorted(files.items())))
    return text_fingerprint(text)


def stages_table(results: Sequence[StageResult]) -> tuple[list[str], list[list[str]]]:
    """Return headers and cells of the table of stages."""
    rows = [((r.stage, r.fold, r.loss_name), r.metrics) for r in results]
    return scores_table(("stage", "fold", "objective"), rows)
