"""The command ``train``. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from negmine.cli.console import Bars, print_json, quiet_and_json, say, say_opened
from negmine.cli.data import LenientDataFiles, data_files
from negmine.cli.scoring_options import device_option
from negmine.cli.settings import given_settings
from negmine.notices import warn
from negmine.settings import first_flag
from negmine.text_tables import table
from training.cli.data import (
    Cautions,
    at_own_rate,
    band_table,
    check_mix_by,
    fold_groups,
    open_data,
    selections,
    skip_bad_option,
    warn_if_emulated,
    with_one_class,
)
from training.cli.frozen import warn_of_new_sound, with_frozen_network
from training.cli.settings import RunCommand, TrainSettings, warn_unused, with_run_settings
from training.schedules.settings import PSEUDO_PER_STEP

if TYPE_CHECKING:
    from negmine.annotations.recordings import Recordings
    from training.config import TrainConfig
    from training.data.unlabelled import Unlabelled
    from training.engine.inputs import RunContext, RunInputs, SampleInputs
    from training.schedules.schedule import Schedule
    from training.schedules.stages import Labelling


@click.command(cls=RunCommand)
@data_files(LenientDataFiles)
@skip_bad_option
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The run's folder.",
)
@click.option(
    "--hard-negatives",
    multiple=True,
    metavar="FILE[:SHARE]",
    help="A selection by 'negmine mine', added to every step as known zeros and mixed into it. "
    "Repeatable: --hard-ratio and --hard-mix are then shared out, evenly or as in hard.parquet:2.",
)
@with_run_settings(TrainSettings)
@device_option
@quiet_and_json
def train(
    data: LenientDataFiles,
    out: Path,
    hard_negatives: tuple[str, ...],
    settings: TrainSettings,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train a detector on confirmed calls and rejected detections in RECORDINGS.

    The same command resumes where it was stopped.

    \b
    Example:
      negmine train train/ --tp train_tp.csv --fp train_fp.csv --out run1 \\
          --hard-negatives hard.parquet
    """
    settings = with_frozen_network(settings)
    warn_of_new_sound(settings, bool(hard_negatives))
    schedule = _schedule(settings)
    if schedule and "pseudo_per_step" not in settings.model_fields_set:
        settings = settings.replace(pseudo_per_step=PSEUDO_PER_STEP)
    _warn_unused(settings, schedule)
    hard = selections(hard_negatives, settings.hard)
    from training.engine.inputs import HardInputs, RunContext, RunInputs, sample_inputs
    from training.engine.scorer import choose_device

    chosen = choose_device(device)
    warn_if_emulated(chosen, settings.precision)
    with Bars(quiet) as bars:
        opened, annotations = open_data(data, bars, quiet)
        check_mix_by(settings, annotations.classes)
        settings = with_one_class(settings, annotations.classes, quiet)
        init, pool = _path(settings.init), _path(settings.pool)
        samples = sample_inputs(settings.samples)
        other = _rate_of(init, [path for path, _ in hard], pool, samples)
        config = at_own_rate(settings, opened, annotations, other, quiet)
        inputs = RunInputs(
            annotations,
            opened,
            _path(settings.cache) or out / "cache",
            init=init,
            band_table=band_table(settings, annotations.classes, staged=schedule is not None),
            groups=fold_groups(settings.grouping, opened),
            hard=[HardInputs(path, use, pool) for path, use in hard],
            samples=samples,
            select_negatives=_path(settings.select_negatives),
        )
        context = RunContext(chosen, bars, Cautions(bars), settings.tensorboard)
        if schedule is None and settings.seeds is None:
            result = _once(config, inputs, out, context)
        else:
            labelling = _labelling(settings, config, schedule, opened, data.skip_bad, bars, quiet)
            if settings.seeds is not None:
                result = _seeds(config, inputs, out, context, settings.seeds, schedule, labelling)
            elif schedule is not None:
                result = _stages(schedule, config, inputs, out, context, labelling)
    if as_json:
        print_json(result.value)
    else:
        say(result.text, quiet)


@dataclass(frozen=True)
class _Result:
    """What a command says in the end: to scripts, and to people."""

    value: dict[str, Any]
    text: str


def _seeds(
    config: TrainConfig,
    inputs: RunInputs,
    out: Path,
    context: RunContext,
    seeds: int,
    schedule: Schedule | None,
    labelling: Labelling,
) -> _Result:
    from training.schedules.crossval import members_table, run_seeds

    members = run_seeds(config, inputs, out, context, seeds, schedule, labelling)
    value = {"members": members, "out_of_fold": str(out / "oof.csv")}
    return _Result(value, table(*members_table(members)))


def _stages(
    schedule: Schedule,
    config: TrainConfig,
    inputs: RunInputs,
    out: Path,
    context: RunContext,
    labelling: Labelling,
) -> _Result:
    from training.schedules.stages import run_stages, stages_table

    results = run_stages(schedule, config, inputs, out, context, labelling)
    value = {"stages": [found.to_dict() for found in results]}
    return _Result(value, table(*stages_table(results)))


def _once(config: TrainConfig, inputs: RunInputs, out: Path, context: RunContext) -> _Result:
    from training.engine.run import run_training

    trained = run_training(config, inputs, out, context)
    checkpoint, path = trained.checkpoint, out / "best.pt"
    best = checkpoint.history[-1]
    value = {
        "checkpoint": str(path),
        "fingerprint": checkpoint.fingerprint,
        "steps": checkpoint.step,
        "hard_negatives": trained.used,
        "hard_negatives_left_out": trained.left_out,
        "sampled": dict(trained.sampled),
        "held_out": len(checkpoint.held_out),
        **best,
    }
    scores = ", ".join(f"{k} {v:.4f}" for k, v in best.items() if k != "epoch")
    text = f"{path}: epoch {best['epoch']:.0f}: {scores}"
    if inputs.hard:
        aside = f"; {trained.left_out} left out, of recordings that validate"
        text += f"\n{trained.used} hard negatives used{aside if trained.left_out else ''}"
    if trained.sampled:
        drawn = " and ".join(f"{count:,} {what}" for what, count in trained.sampled.items())
        text += f"\n{drawn} of pools used"
    return _Result(value, text)


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def _schedule(settings: TrainSettings) -> Schedule | None:
    """Read the stages that are asked for; no flag may set what one of them sets for itself."""
    if settings.stages.schedule is None:
        return None
    from training.schedules.schedule import check_not_set, read_schedule

    schedule = read_schedule(settings.stages.schedule)
    check_not_set(schedule, given_settings(TrainSettings))
    return schedule.restarted(settings.stages.init) if settings.stages.init else schedule


def _warn_unused(settings: TrainSettings, schedule: Schedule | None) -> None:
    """Warn of each flag that changes nothing: one stage that uses it is enough."""
    warn_unused(*(schedule.configured(settings) if schedule else [settings]))
    given = {one.path: one for one in given_settings(TrainSettings)}
    every = "--seeds" if settings.seeds else "--recipe"
    if ("fold",) in given and (settings.seeds or schedule) and not settings.stages.in_fold:
        warn(f"--fold has no effect: {every} trains every fold")
    if schedule is None or schedule.labels:
        return
    for path, one in given.items():
        if path[0] == "pseudo" or path in (("pseudo_per_step",), ("stages", "unlabelled")):
            where = f"recipe {schedule.name}"
            warn(f"{first_flag(one)} has no effect: no stage of {where} has pseudo = true")


def _rate_of(
    init: Path | None,
    hard: Sequence[Path],
    pool: Path | None,
    samples: Sequence[SampleInputs],
) -> int | None:
    """Return the rate that a run must have to start from a model, or to take rows of a pool."""
    if init:
        from training.engine.checkpoint import Checkpoint

        return Checkpoint.load(init).config.sample_rate
    if hard:
        from negmine.mining.selection import open_selection

        return open_selection(hard[0], pool).open_pool().sample_rate
    return samples[0].pool.sample_rate if samples else None


def _labelling(
    settings: TrainSettings,
    config: TrainConfig,
    schedule: Schedule | None,
    annotated: Recordings,
    skip_bad: bool,
    bars: Bars,
    quiet: bool,
) -> Labelling:
    """Say how stages label, and open what they draw on besides."""
    from training.schedules.stages import Labelling

    found: Unlabelled | None = None
    folder = settings.stages.unlabelled
    if schedule and folder is not None and schedule.draws(config):
        from negmine.annotations.rates import upsampled_note
        from training.data.unlabelled import open_beside

        found, beside = open_beside(
            Path(folder),
            annotated,
            group=settings.grouping.groups,
            skip_bad=skip_bad,
            progress=bars,
        )
        bars.close()
        say_opened(beside.only(found.infos), quiet, "without annotations")
        for line in (*(f"skipped {line}" for line in beside.skipped), *found.notes):
            warn(line)
        rates = (one.sample_rate for one in found.infos.values())
        if lower := upsampled_note(rates, config.sample_rate):
            warn(lower)
    elif schedule and folder is not None and schedule.labels:
        warn("--unlabelled has no effect without --pseudo-per-step: no stage draws rows of them")
    return Labelling(settings.pseudo, found, settings.stages.in_fold)
