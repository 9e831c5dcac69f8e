"""A recipe: stages of training, each a table of settings, each from the last one's labels."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from negmine.annotations import Annotations
from negmine.errors import InputError, did_you_mean
from negmine.recordings import Recordings
from negmine.tables import writing
from training.checkpoint import Checkpoint
from training.config import TrainConfig
from training.loop import Progress, run_training
from training.options import check_setting
from training.pseudo import PseudoLabels, PseudoSettings, label_recordings
from training.pseudo_rows import PseudoRows

_OWN = ("name", "repeat", "init", "pseudo")

# What stages must share, or folds and draws would not fit together.
_THE_RUNS = ("folds", "fold", "seed", "first_draw")

# What makes the network: weights of one are of no use in another.
_NETWORK = ("backbone", "sample_rate", "n_mels", "pooling", "bands")


@dataclass(frozen=True)
class Stage:
    """One round of training.

    Attributes
    ----------
    name : str
        With its number, the name of its folder.
    init : {"scratch", "previous"}
        Where its weights start.
    pseudo : bool
        Whether unknown cells are filled by labels of the stage before.
    settings : mapping
        What it changes in the run's configuration.
    """

    name: str
    init: str = "scratch"
    pseudo: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def recipe_names() -> list[str]:
    """Recipes that come with the trainer."""
    folder = files("training").joinpath("recipes")
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_recipe(name: str) -> list[Stage]:
    """Stages in their order, repeated ones each by itself.

    Parameters
    ----------
    name : str
        Of a recipe that comes with the trainer, or the path of a TOML file with ``[[stage]]``
        tables: ``name``, ``repeat``, ``init`` ("scratch" or "previous"), ``pseudo`` (true or
        false), and any setting of a run.

    Raises
    ------
    InputError
        If there is no such recipe, or it is malformed.
    """
    if name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{name}: cannot be read: {error}") from error
    elif name in recipe_names():
        text = files("training").joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
    else:
        raise InputError(
            f"no recipe '{name}'{did_you_mean(name, recipe_names())}; there are: "
            f"{', '.join(recipe_names())}; or name a .toml file"
        )
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not TOML: {error}") from error
    tables = content.get("stage")
    if set(content) != {"stage"} or not isinstance(tables, list) or not tables:
        raise InputError(f"{name}: expected [[stage]] tables, and nothing else")
    stages = [stage for i, table in enumerate(tables, 1) for stage in _stages(table, name, i)]
    first = stages[0]
    if first.pseudo or first.init == "previous":
        raise InputError(f"{name}: the first stage has none before it to start from")
    return stages


def _stages(table: Mapping[str, Any], recipe: str, number: int) -> list[Stage]:
    where = f"{recipe}: stage {number}"
    settings = {key: value for key, value in table.items() if key not in _OWN}
    known = [f.name for f in fields(TrainConfig) if f.name not in _THE_RUNS]
    for key in settings:
        if key not in known or key == "augment":
            hint = did_you_mean(key, [*known, *_OWN])
            raise InputError(f"{where}: unknown setting '{key}'{hint}")
    defaults = TrainConfig().to_dict()
    for key, value in settings.items():
        wanted = type(defaults[key])
        fits = isinstance(value, (float, int) if wanted is float else wanted)
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise InputError(f"{where}: {key} = {value!r}: expected a {wanted.__name__}")
        try:
            check_setting(key, value)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    name, repeat, init = table.get("name", ""), table.get("repeat", 1), table.get("init", "scratch")
    if not isinstance(name, str) or not name.replace("-", "").replace("_", "").isalnum():
        raise InputError(f"{where}: name = {name!r}: expected letters and digits")
    if not isinstance(repeat, int) or repeat < 1:
        raise InputError(f"{where}: repeat = {repeat!r}: expected a whole number from 1")
    if init not in ("scratch", "previous"):
        raise InputError(f"{where}: init = {init!r}: expected 'scratch' or 'previous'")
    if not isinstance(pseudo := table.get("pseudo", False), bool):
        raise InputError(f"{where}: pseudo = {pseudo!r}: expected true or false")
    return [Stage(name, init, pseudo, settings)] * repeat


@dataclass(frozen=True)
class StageResult:
    """One stage and fold, trained.

    Attributes
    ----------
    stage : str
    fold : int
    loss_name : str
    checkpoint : Path
    metrics : mapping of str to float
        Of the best epoch.
    """

    stage: str
    fold: int
    loss_name: str
    checkpoint: Path
    metrics: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """For JSON and the table of stages."""
        own = {"stage": self.stage, "fold": self.fold, "objective": self.loss_name}
        return own | dict(self.metrics) | {"checkpoint": str(self.checkpoint)}


def run_stages(
    stages: Sequence[Stage],
    config: TrainConfig,
    annotations: Annotations,
    recordings: Recordings,
    out: Path,
    *,
    labelling: PseudoSettings | None = None,
    in_fold: bool = False,
    device: torch.device,
    progress: Progress,
    **options: Any,
) -> list[StageResult]:
    """Train a recipe's stages; goes on where it was stopped.

    Every stage trains all folds, since a recording is labelled by the model that held it out. With
    ``in_fold`` it trains ``config.fold`` alone, which labels what it trained on, too.

    Parameters
    ----------
    stages : sequence of Stage
    config : TrainConfig
        What stages do not change.
    annotations, recordings
    out : Path
        Each stage has a folder in it: ``1-lsoft/fold0/best.pt``, ``1-lsoft/pseudo.parquet``, ...
        ``stages.csv`` is the table of them all.
    labelling : PseudoSettings, optional
    in_fold : bool
    device : torch.device
    progress : callable
        As for `training.loop.run_training`, which gets ``options``.

    Raises
    ------
    InputError
        If pseudo labels are wanted and no recording is held out, or as training itself raises.
    """
    if config.folds == 1 and not in_fold and any(stage.pseudo for stage in stages):
        raise InputError(
            "with 1 fold every model trains on every recording, and none may label what it trained "
            "on; choose --folds 2 or more, or pass --pseudo-in-fold"
        )
    _check_networks(stages, config)
    folds = [config.fold] if in_fold else list(range(config.folds))
    cache = options.pop("cache", None) or out / "cache"
    results: list[StageResult] = []
    before: dict[int, Path] = {}
    soft: PseudoLabels | None = None
    drawn = config.first_draw
    for number, stage in enumerate(stages, start=1):
        folder = out / f"{number}-{stage.name}"
        changed = replace(config, **stage.settings, first_draw=drawn)
        drawn += changed.total_steps
        checkpoints = []
        for fold in folds:
            run = replace(changed, fold=fold)
            labels = soft if stage.pseudo else None
            rows = (
                [PseudoRows(labels, annotations, recordings)]
                if labels and run.pseudo_per_step
                else []
            )
            checkpoint, _ = run_training(
                run,
                annotations,
                recordings,
                folder / f"fold{fold}",
                cache=cache,
                soft=labels,
                plugins=rows,
                init=before[fold] if stage.init == "previous" else None,
                device=device,
                progress=progress,
                title=f"{number}-{stage.name}, fold {fold}",
                **options,
            )
            checkpoints.append(checkpoint)
            best = folder / f"fold{fold}" / "best.pt"
            results.append(StageResult(folder.name, fold, run.loss, best, checkpoint.history[-1]))
        before = {fold: r.checkpoint for fold, r in zip(folds, results[-len(folds) :], strict=True)}
        if number < len(stages) and stages[number].pseudo:
            advance = progress(f"{number}-{stage.name}: labelling", len(recordings.infos))
            soft = _labels(
                folder / "pseudo.parquet", checkpoints, annotations, recordings, device,
                labelling, in_fold, advance,
            )  # fmt: skip
    table = pd.DataFrame([result.to_dict() for result in results])
    with writing(out / "stages.csv") as temporary:
        table.to_csv(temporary, index=False)
    return results


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


def restarted(stages: Sequence[Stage], init: str) -> list[Stage]:
    """The same stages, all but the first of which start from ``init``."""
    return [replace(stage, init=init if i else stage.init) for i, stage in enumerate(stages)]


def check_not_set(stages: Sequence[Stage], recipe: str, given: Iterable[str]) -> None:
    """Check that no setting of the command line is one that a stage sets for itself.

    Raises
    ------
    InputError
        Naming the first one: it would do nothing.
    """
    for name in given:
        for stage in stages:
            if name in stage.settings:
                raise InputError(
                    f"--{name.replace('_', '-')}: stage '{stage.name}' of recipe {recipe} sets "
                    f"{name} = {stage.settings[name]!r}; leave the option out, or write a recipe"
                )


def _labels(
    path: Path,
    checkpoints: Sequence[Checkpoint],
    annotations: Annotations,
    recordings: Recordings,
    device: torch.device,
    labelling: PseudoSettings | None,
    in_fold: bool,
    on_done: Callable[[], object],
) -> PseudoLabels:
    """A stage's pseudo labels: read where they stand, made by the same models in the same way."""
    if path.exists():
        found = PseudoLabels.read(path, annotations.classes)
        by = tuple(c.fingerprint for c in checkpoints)
        if (found.models, found.settings) == (by, labelling or PseudoSettings()):
            return found
    made = label_recordings(
        checkpoints, annotations, recordings, device, labelling, in_fold=in_fold, on_done=on_done
    )
    made.write(path)
    return made


def stages_table(results: Sequence[StageResult]) -> tuple[list[str], list[list[str]]]:
    """Headers and cells of the table of stages."""
    names = ["lwlrap", "neg@3", "neg@5"]
    rows = [
        [
            r.stage,
            str(r.fold),
            r.loss_name,
            *(f"{r.metrics[k]:.3f}" if k in r.metrics else "-" for k in names),
            f"{r.metrics['loss']:.4f}",
        ]
        for r in results
    ]
    return ["stage", "fold", "objective", *names, "loss"], rows
