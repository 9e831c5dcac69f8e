"""The command ``train``. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from negmine.cli.console import (
    Bars,
    CleanCommand,
    data_options,
    print_json,
    quiet_and_json,
    say,
    say_found,
)
from negmine.cli.goes_with import given_options
from negmine.cli.scoring_options import moved_pool_option
from negmine.notices import warn
from negmine.text_tables import table
from training.cli.data import Cautions, Heard, at_own_rate, open_data, warn_if_emulated
from training.cli.options import band_table_option, run_config, run_options
from training.cli.options_folds import check_seeds, fold_options, grouping
from training.cli.options_hard import check_mix_by, hard_options, read_hard_mix
from training.cli.options_pseudo import pseudo_options
from training.cli.options_used import check_labels_used, check_used

if TYPE_CHECKING:
    from negmine.annotations.recordings import Recordings
    from training.data.unlabelled import Unlabelled


@click.command(cls=CleanCommand)
@data_options
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The run's folder.",
)
@click.option(
    "--hard-negatives",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A selection by 'negmine mine', added to every step as known zeros and mixed into it.",
)
@moved_pool_option
@hard_options
@click.option(
    "--init",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Checkpoint whose weights to start from.",
)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for decoded clips, which runs may share.  [default: OUT/cache]",
)
@click.option(
    "--tensorboard", is_flag=True, help="Write events for TensorBoard to OUT/tensorboard."
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    help="Train every fold with this many seeds, from --seed on, and score each recording by the "
    "models that held it out: OUT/seed0/fold0/, ..., OUT/oof.csv.",
)
@click.option(
    "--recipe",
    help="Train in stages: 'rfcx' (LSoft, three rounds of pseudo labels, two of LSEP), "
    "'pseudo-rows' (LSoft, then with rows of pseudo labels), or a TOML file of stages. Every stage "
    "trains all folds.",
)
@click.option(
    "--stage-init",
    type=click.Choice(["previous", "scratch"]),
    help="With --recipe: where the weights of all stages but the first start.  "
    "[default: as the recipe says]",
)
@pseudo_options
@band_table_option
@fold_options
@run_options
@quiet_and_json
def train(
    recordings: Path,
    tp: Path,
    fp: Path | None,
    songtypes: Any,
    verdicts: tuple[Path, ...],
    verdict_recordings: Path | None,
    out: Path,
    hard_negatives: Path | None,
    pool: Path | None,
    hard_ratio: float,
    hard_mix: float,
    hard_mix_snr: tuple[float, float],
    hard_mix_by: Any,
    init: Path | None,
    cache: Path | None,
    band_table: Path | None,
    fold_by: str,
    sites: Path | None,
    site_regex: str | None,
    tensorboard: bool,
    seeds: int | None,
    recipe: str | None,
    stage_init: str | None,
    pseudo_in_fold: bool,
    pseudo_per_step: int,
    unlabelled: Path | None,
    pseudo_quantile: float,
    pseudo_level: str,
    pseudo_temperature: float,
    pseudo_hop: float,
    device: str,
    skip_bad: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a detector on confirmed calls and rejected detections in RECORDINGS.

    The same command resumes where it was stopped.

    \b
    Example:
      negmine train train/ --tp train_tp.csv --fp train_fp.csv --out run1 \\
          --hard-negatives hard.parquet
    """
    if recipe is not None and init:
        raise click.UsageError("--init: the stages of a --recipe start from one another")
    if init and "pretrained" in given_options():
        raise click.UsageError("--pretrained and --init both say where weights start; choose one")
    if seeds is not None:
        check_seeds(seeds, options, init=init, pseudo_in_fold=pseudo_in_fold)
    from training.schedules.schedule import check_not_set, read_schedule

    config, mixed = run_config(options), read_hard_mix(hard_mix, hard_mix_snr, hard_mix_by)
    schedule = read_schedule(recipe) if recipe is not None else None
    if schedule is not None:
        check_not_set(schedule, given_options())
        check_labels_used(schedule)
        if stage_init:
            schedule = schedule.restarted(stage_init)
        config = replace(config, pseudo_per_step=pseudo_per_step)
    check_used(config, {}, schedule.stages if schedule else ())
    heard = Heard(verdicts, verdict_recordings)
    group = grouping(fold_by, sites, site_regex)
    from training.config import HardUse
    from training.engine.inputs import HardInputs, RunContext, RunInputs
    from training.engine.run import run_training
    from training.engine.scorer import choose_device

    chosen = choose_device(device)
    warn_if_emulated(chosen, config.precision)
    with Bars(quiet) as bars:
        opened, annotations = open_data(recordings, tp, fp, songtypes, heard, skip_bad, bars, quiet)
        check_mix_by(annotations.classes)
        other = _rate_of(init, hard_negatives, pool)
        config = at_own_rate(config, options["sample_rate"], opened, annotations, other, quiet)
        hard = []
        if hard_negatives:
            hard.append(HardInputs(hard_negatives, HardUse(hard_ratio, mixed), pool))
        inputs = RunInputs(
            annotations,
            opened,
            cache or out / "cache",
            init=init,
            band_table=band_table,
            groups=group(opened.infos),
            hard=hard,
        )
        context = RunContext(chosen, bars, Cautions(bars), tensorboard)
        labelling = None
        if schedule is not None:
            from negmine.annotations.rates import upsampled_note
            from training.schedules.pseudo import PseudoSettings
            from training.schedules.stages import Labelling, run_stages, stages_table

            beside = None
            if unlabelled is not None:
                beside = _open_unlabelled(unlabelled, opened, group, skip_bad, bars, quiet)
                rates = (one.sample_rate for one in beside.infos.values())
                if lower := upsampled_note(rates, config.sample_rate):
                    warn(lower)
            labelling = Labelling(
                PseudoSettings(pseudo_hop, pseudo_quantile, pseudo_temperature, pseudo_level),
                beside,
                pseudo_in_fold,
            )
        if seeds is not None:
            from training.schedules.crossval import members_table, run_seeds

            if schedule and labelling:
                members = run_seeds(config, inputs, out, context, seeds, schedule, labelling)
            else:
                members = run_seeds(config, inputs, out, context, seeds)
        elif schedule and labelling:
            results = run_stages(schedule, config, inputs, out, context, labelling)
        else:
            trained = run_training(config, inputs, out, context)
    if seeds is not None:
        if as_json:
            print_json({"members": members, "out_of_fold": str(out / "oof.csv")})
        else:
            say(table(*members_table(members)), quiet)
        return
    if recipe is not None:
        if as_json:
            print_json({"stages": [found.to_dict() for found in results]})
        else:
            say(table(*stages_table(results)), quiet)
        return
    checkpoint = trained.checkpoint
    best = checkpoint.history[-1]
    result = {
        "checkpoint": str(out / "best.pt"),
        "fingerprint": checkpoint.fingerprint,
        "steps": checkpoint.step,
        "hard_negatives": trained.used,
        "hard_negatives_left_out": trained.left_out,
        "held_out": len(checkpoint.held_out),
        **best,
    }
    if as_json:
        print_json(result)
        return
    scores = ", ".join(f"{k} {v:.4f}" for k, v in best.items() if k != "epoch")
    say(f"{out / 'best.pt'}: epoch {best['epoch']:.0f}: {scores}", quiet)
    if hard_negatives:
        aside = f"; {trained.left_out} left out, of recordings that validate"
        say(f"{trained.used} hard negatives used{aside if trained.left_out else ''}", quiet)


def _rate_of(init: Path | None, hard_negatives: Path | None, pool: Path | None) -> int | None:
    """Return the rate that a run must have to start from a model, or to take hard negatives."""
    if init:
        from training.engine.checkpoint import Checkpoint

        return Checkpoint.load(init).config.sample_rate
    if hard_negatives:
        from negmine.mining.selection import open_selection

        return open_selection(hard_negatives, pool).open_pool().sample_rate
    return None


def _open_unlabelled(
    folder: Path, annotated: Recordings, group: Any, skip_bad: bool, bars: Bars, quiet: bool
) -> Unlabelled:
    from training.data.unlabelled import open_beside

    found, beside = open_beside(
        folder,
        annotated,
        group=group,
        skip_bad=skip_bad,
        progress=bars,
    )
    bars.close()
    say_found(beside.folder, quiet, len(found.infos), "without annotations")
    for line in beside.skipped:
        warn(f"skipped {line}")
    for line in found.notes:
        warn(line)
    return found
