"""The command ``loop``. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.console import Bars, print_json, quiet_and_json, say, say_opened
from negmine.cli.data import LenientDataFiles, data_files
from negmine.cli.scoring_options import device_option, open_cache
from negmine.cli.settings import with_settings
from negmine.mining.settings import ChoiceSettings, MineSettings
from negmine.notices import warn_each
from negmine.text_tables import table
from training.backbone_kinds import kind_of
from training.cli.data import (
    Cautions,
    at_own_rate,
    band_table,
    check_mix_by,
    fold_groups,
    open_data,
    skip_bad_option,
    warn_if_emulated,
    with_one_class,
)
from training.cli.frozen import warn_of_new_sound, with_frozen_network
from training.cli.settings import LoopRunSettings, RunCommand, warn_unused, with_run_settings

if TYPE_CHECKING:
    from negmine.annotations.verdict_rows import Verdict
    from training.schedules.asking import Asking


@click.command(cls=RunCommand)
@data_files(LenientDataFiles)
@skip_bad_option
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
@with_run_settings(LoopRunSettings)
@with_settings(ChoiceSettings, "choice")
@device_option
@quiet_and_json
def loop(
    data: LenientDataFiles,
    pool: Path,
    out: Path,
    settings: LoopRunSettings,
    choice: ChoiceSettings,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run rounds of train, mine, retrain; keep all files. Continues where it was stopped.

    Round 0 trains with random negatives of the pool; each further round keeps them and adds rows
    mined afresh.

    \b
    Example:
      negmine loop train/ --tp train_tp.csv --fp train_fp.csv --pool pool --out rounds --control
      negmine loop train/ --tp train_tp.csv --fp train_fp.csv --pool pool --out rounds \\
          --ask 10 --unlabelled field/
    """
    frozen = kind_of(settings.backbone) == "frozen"
    settings = with_frozen_network(settings).with_doses(str(pool), frozen)
    warn_of_new_sound(settings, True)
    warn_unused(settings)
    from negmine.annotations.verdicts import read_verdicts
    from negmine.pool import open_pool
    from training.engine.inputs import RunContext, RunInputs, sample_inputs
    from training.engine.run_folder import only_run
    from training.engine.scorer import choose_device
    from training.schedules.loop import Mining, loop_table, run_loop

    chosen, opened_pool = choose_device(device), open_pool(pool)
    warn_if_emulated(chosen, settings.precision)
    rate = settings.named_rate or opened_pool.sample_rate
    heard = [v for path in data.verdicts for v in read_verdicts(path, opened_pool.classes)]
    mining = Mining(
        opened_pool,
        MineSettings(**choice.to_dict(), seed=settings.seed),
        settings.hard,
        open_cache(pool, opened_pool.sources, rate, reads="mining reads"),
        heard,
    )
    with only_run(out), Bars(quiet) as bars:
        opened, annotations = open_data(data, bars, quiet)
        check_mix_by(settings, annotations.classes)
        settings = with_one_class(settings, annotations.classes, quiet)
        config = at_own_rate(settings, opened, annotations, rate, quiet)
        inputs = RunInputs(
            annotations,
            opened,
            out / "cache",
            band_table=band_table(settings, annotations.classes),
            groups=fold_groups(settings.grouping, opened),
            samples=sample_inputs(settings.samples),
            select_negatives=(
                None if settings.select_negatives is None else Path(settings.select_negatives)
            ),
        )
        context = RunContext(chosen, bars, Cautions(bars))
        asking = _asking(settings, heard, data, bars, quiet)
        results = run_loop(config, inputs, out, context, settings.loop, mining, asking)
    if as_json:
        print_json({"rounds": [found.to_dict() for found in results]})
    else:
        say(table(*loop_table(results)), quiet)


def _asking(
    settings: LoopRunSettings, heard: list[Verdict], data: LenientDataFiles, bars: Bars, quiet: bool
) -> Asking | None:
    """Open the recordings that each round asks about, if it does."""
    loop = settings.loop
    if loop.ask is None or loop.unlabelled is None:
        return None
    from negmine.annotations.recordings import open_unlabelled
    from negmine.asking.settings import AskSettings
    from training.schedules.asking import Asking

    field = open_unlabelled(
        Path(loop.unlabelled), skip_bad=data.skip_bad,
        progress=lambda total: bars("reading unlabelled", total),
    )  # fmt: skip
    say_opened(field, quiet)
    warn_each(f"skipped {line}" for line in field.skipped)
    warn_each(field.notes)
    asked = AskSettings(per_class=loop.ask, strategy=loop.ask_strategy, seed=settings.seed)
    return Asking(field, asked, heard)
