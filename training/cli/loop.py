"""The command ``loop``. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from negmine.cli.console import (
    Bars,
    CleanCommand,
    data_options,
    print_json,
    quiet_and_json,
    say,
)
from negmine.cli.goes_with import Beside, GoesWith, check_goes_with
from negmine.cli.scoring_options import open_cache
from negmine.cli.settings import with_settings
from negmine.mining.settings import ChoiceSettings, MineSettings
from negmine.text_tables import table
from training.cli.data import Cautions, Heard, at_own_rate, open_data, warn_if_emulated
from training.cli.options import band_table_option, run_config, run_options
from training.cli.options_folds import fold_options, grouping
from training.cli.options_hard import check_mix_by, hard_options, read_hard_mix
from training.cli.options_used import check_used

_GO_WITH: GoesWith = (
    # the last round has none after it, and without a fold held out there is no score
    (("replay", "stop_after"), (Beside("rounds", least=2),)),
    (("stop_after",), (Beside("folds", least=2),)),
)


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
    type=click.IntRange(1, 1000),
    default=2,
    show_default=True,
    help="Times to mine and retrain, at most.",
)
@click.option(
    "--replay",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of the last round's negatives that stays beside the new ones.",
)
@click.option(
    "--stop-after",
    type=click.IntRange(0, 1000),
    default=1,
    show_default=True,
    help="End after this many rounds without a better validation score; 0 never does.",
)
@with_settings(ChoiceSettings, "choice")
@hard_options
@click.option(
    "--control", is_flag=True, help="Train each round with as many random negatives, too."
)
@click.option(
    "--report",
    is_flag=True,
    help="Write each round's report.html: what was mined, and what changed since the last.",
)
@band_table_option
@fold_options
@run_options
@quiet_and_json
def loop(
    recordings: Path,
    tp: Path,
    fp: Path | None,
    songtypes: Any,
    verdicts: tuple[Path, ...],
    verdict_recordings: Path | None,
    pool: Path,
    out: Path,
    rounds: int,
    replay: float,
    stop_after: int,
    choice: ChoiceSettings,
    hard_ratio: float,
    hard_mix: float,
    hard_mix_snr: tuple[float, float],
    hard_mix_by: Any,
    control: bool,
    report: bool,
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
    """Run rounds of train, mine, retrain; keep all files. Continues where it was stopped.

    \b
    Example:
      negmine loop train/ --tp train_tp.csv --fp train_fp.csv --pool pool --out rounds --control
    """
    config, mixed = run_config(options), read_hard_mix(hard_mix, hard_mix_snr, hard_mix_by)
    check_used(config, {"recipe": None, "hard_negatives": True})
    check_goes_with(_GO_WITH, {"folds": config.folds})
    heard = Heard(verdicts, verdict_recordings)
    group = grouping(fold_by, sites, site_regex)
    mining = MineSettings(**choice.to_dict(), seed=config.seed)
    from negmine.pool import open_pool
    from training.config import HardUse
    from training.engine.inputs import RunContext, RunInputs
    from training.engine.run_folder import only_run
    from training.engine.scorer import choose_device
    from training.schedules.loop import LoopSettings, Mining, loop_table, run_loop

    chosen, opened_pool = choose_device(device), open_pool(pool)
    warn_if_emulated(chosen, config.precision)
    sources = opened_pool.sources
    rate = options["sample_rate"] or opened_pool.sample_rate
    reader = open_cache(pool, sources, rate, reads="mining reads")
    with only_run(out), Bars(quiet) as bars:
        opened, annotations = open_data(recordings, tp, fp, songtypes, heard, skip_bad, bars, quiet)
        check_mix_by(annotations.classes)
        config = at_own_rate(config, rate, opened, annotations, None, quiet)
        inputs = RunInputs(
            annotations,
            opened,
            out / "cache",
            band_table=band_table,
            groups=group(opened.infos),
        )
        results = run_loop(
            config,
            inputs,
            out,
            RunContext(chosen, bars, Cautions(bars)),
            LoopSettings(rounds, replay, stop_after, control, report),
            Mining(opened_pool, mining, HardUse(hard_ratio, mixed), reader),
        )
    if as_json:
        print_json({"rounds": [found.to_dict() for found in results]})
    else:
        say(table(*loop_table(results)), quiet)
