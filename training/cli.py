"""The trainer's commands: ``train``, ``evaluate``, ``loop``, ``demo``. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from negmine.console import (
    Bars,
    CleanCommand,
    CleanGroup,
    data_options,
    print_json,
    quiet_and_json,
    say,
    table,
    warn,
)
from training.config import READOUTS
from training.options import LAST_SEED, run_config, run_options
from training.options_folds import fold_options, grouping
from training.options_hard import hard_options, read_hard_mix

if TYPE_CHECKING:
    from negmine.annotations import Annotations
    from negmine.recordings import Recordings


def _open_data(
    recordings: Path, tp: Path, fp: Path | None, songtypes: Any, skip_bad: bool, bars: Bars
) -> tuple[Recordings, Annotations]:
    from negmine.annotations import read_rfcx
    from negmine.recordings import open_annotated

    opened, annotations = open_annotated(
        recordings,
        read_rfcx(tp, fp, songtypes=songtypes),
        skip_bad=skip_bad,
        progress=lambda total: bars("reading recordings", total),
    )
    bars.close()  # else the first warning would stand on the bar's line
    for line in opened.skipped:
        warn(f"skipped {line}")
    return opened, annotations


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
    "--band-table",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV of the classes' frequency bands, for --bands: class, f_min, f_max in Hz.  "
    "[default: those of the confirmed boxes]",
)
@fold_options
@run_options
@quiet_and_json
def train(
    recordings: Path,
    tp: Path,
    fp: Path | None,
    songtypes: Any,
    out: Path,
    hard_negatives: Path | None,
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
    device: str,
    skip_bad: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a detector on confirmed calls and rejected detections in RECORDINGS.

    The same command goes on where it was stopped.

    \b
    Example:
      negmine train train/ --tp train_tp.csv --fp train_fp.csv --out run1 \\
          --hard-negatives hard.parquet
    """
    config, mixed = run_config(options), read_hard_mix(hard_mix, hard_mix_snr, hard_mix_by)
    group = grouping(fold_by, sites, site_regex)
    from training.loop import run_training
    from training.scorer import choose_device

    chosen = choose_device(device)
    with Bars(quiet) as bars:
        opened, annotations = _open_data(recordings, tp, fp, songtypes, skip_bad, bars)
        checkpoint, used = run_training(
            config,
            annotations,
            opened,
            out,
            cache=cache or out / "cache",
            progress=bars,
            hard_negatives=hard_negatives,
            hard_ratio=hard_ratio,
            hard_mix=mixed,
            init=init,
            band_table=band_table,
            groups=group(opened.infos),
            tensorboard=tensorboard,
            device=chosen,
        )
    best = checkpoint.history[-1]
    result = {
        "checkpoint": str(out / "best.pt"),
        "fingerprint": checkpoint.fingerprint,
        "steps": checkpoint.step,
        "hard_negatives": used,
        "held_out": len(checkpoint.held_out),
        **best,
    }
    if as_json:
        print_json(result)
        return
    scores = ", ".join(f"{k} {v:.4f}" for k, v in best.items() if k != "epoch")
    say(f"{out / 'best.pt'}: epoch {best['epoch']:.0f}: {scores}", quiet)
    if hard_negatives:
        say(f"{used} hard negatives used", quiet)


@click.command(cls=CleanCommand)
@click.argument("recordings", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--model", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A checkpoint."
)
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="CSV: recording_id, s0, s1, ...: 1 where the class calls.",
)
@click.option(
    "--events",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV of every call: recording_id, species_id, t_min, t_max. For false positives per hour.",
)
@click.option(
    "--readout",
    type=click.Choice(READOUTS),
    help="Another readout than the checkpoint's.",
)
@click.option(
    "--scores-out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the clips' scores as CSV, an RFCX submission's layout.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@quiet_and_json
def evaluate(
    recordings: Path,
    model: Path,
    truth: Path,
    events: Path | None,
    readout: Any,
    scores_out: Path | None,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score RECORDINGS in one pass each, and compare with their complete truth.

    \b
    Example:
      negmine evaluate test/ --model run1/best.pt --truth test_truth.csv --events test_events.csv
    """
    from dataclasses import replace

    from training.checkpoint import Checkpoint
    from training.evaluate import Truth, open_truth_recordings, write_scores
    from training.evaluate import evaluate as run_evaluation
    from training.scorer import choose_device
    from training.validate import ClipScorer

    checkpoint, chosen = Checkpoint.load(model), choose_device(device)
    config = replace(checkpoint.config, readout=readout or checkpoint.config.readout)
    known = Truth(truth, events, checkpoint.classes)
    with Bars(quiet) as bars:
        total = len(known.present)
        opened = open_truth_recordings(recordings, known, bars("reading recordings", total))
        scorer = ClipScorer(checkpoint.detector(chosen), config, chosen)
        results, scores = run_evaluation(
            scorer, opened, known, config.sample_rate, on_done=bars("scoring", total)
        )
    if scores_out:
        write_scores(scores_out, scores)
    if as_json:
        print_json(results)
    else:
        rows = [[name, f"{value:.4f}"] for name, value in results.items()]
        say(table(["metric", "value"], rows), quiet)


@click.command(cls=CleanCommand)
@data_options
@click.option(
    "--pool",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="From 'negmine build-pool'.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for every round's files.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Times to mine and retrain.",
)
@click.option(
    "--per-class",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Negatives mined a class and round.",
)
@hard_options
@click.option(
    "--control", is_flag=True, help="Train each round with as many random negatives, too."
)
@click.option(
    "--band-table",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV of the classes' frequency bands, for --bands: class, f_min, f_max in Hz.  "
    "[default: those of the confirmed boxes]",
)
@fold_options
@run_options
@quiet_and_json
def loop(
    recordings: Path,
    tp: Path,
    fp: Path | None,
    songtypes: Any,
    pool: Path,
    out: Path,
    rounds: int,
    per_class: int,
    hard_ratio: float,
    hard_mix: float,
    hard_mix_snr: tuple[float, float],
    hard_mix_by: Any,
    control: bool,
    band_table: Path | None,
    fold_by: str,
    sites: Path | None,
    site_regex: str | None,
    device: str,
    skip_bad: bool,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Rounds of train, mine, retrain, every round's files kept. Goes on where it was stopped.

    \b
    Example:
      negmine loop train/ --tp train_tp.csv --fp train_fp.csv --pool pool --out rounds --control
    """
    config, mixed = run_config(options), read_hard_mix(hard_mix, hard_mix_snr, hard_mix_by)
    group = grouping(fold_by, sites, site_regex)
    from negmine.mine import MineSettings
    from negmine.pool import open_pool
    from training.loop import loop_table, run_loop
    from training.scorer import choose_device

    chosen, opened_pool = choose_device(device), open_pool(pool)
    with Bars(quiet) as bars:
        opened, annotations = _open_data(recordings, tp, fp, songtypes, skip_bad, bars)
        results = run_loop(
            config,
            annotations,
            opened,
            opened_pool,
            out,
            rounds=rounds,
            mining=MineSettings(per_class=per_class, seed=config.seed),
            hard_ratio=hard_ratio,
            hard_mix=mixed,
            control=control,
            band_table=band_table,
            groups=group(opened.infos),
            device=chosen,
            progress=bars,
        )
    if as_json:
        print_json({"rounds": [found.to_dict() for found in results]})
    else:
        say(table(*loop_table(results)), quiet)


@click.command(cls=CleanCommand)
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for data, rounds and the picture.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LAST_SEED),
    default=0,
    show_default=True,
    help="Of the soundscapes, the mixes and the training.",
)
@quiet_and_json
def demo(out: Path, seed: int, quiet: bool, as_json: bool) -> None:
    """Make small soundscapes, run the loop on them, and compare with their complete truth.

    \b
    Example:
      negmine demo --out demo
    """
    from training.demo.run import run_demo

    with Bars(quiet) as bars:
        result = run_demo(out, seed, bars)
    if as_json:
        print_json(result.to_dict())
    else:
        say(result.to_text(), quiet)


@click.group(cls=CleanGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The trainer's commands, as 'negmine' has them too.

    \b
    Example:
      negmine-train train train/ --tp train_tp.csv --fp train_fp.csv --out run0
    """


for _command in (train, evaluate, loop, demo):
    main.add_command(_command)
