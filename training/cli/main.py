"""The trainer's commands as one program, and ``demo``. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

import click

from negmine.cli.console import Bars, CleanCommand, CleanGroup, print_json, quiet_and_json, say
from negmine.limits import LAST_SEED
from training.cli.loop import loop
from training.cli.score import evaluate, predict
from training.cli.train import train


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
    help="Seed of the soundscapes, the mixes and the training.",
)
@click.option(
    "--tiny", is_flag=True, help="So little of everything that it takes seconds: does it run here?"
)
@quiet_and_json
def demo(out: Path, seed: int, tiny: bool, quiet: bool, as_json: bool) -> None:
    """Make small soundscapes, run the loop on them, and compare with their complete truth.

    \b
    Example:
      negmine demo --out demo
    """
    from negmine.storage.locks import only_writer
    from training.demo.run_demo import FULL, TINY, run_demo

    with only_writer(out), Bars(quiet) as bars:
        result = run_demo(out, seed, bars, TINY if tiny else FULL)
    if as_json:
        print_json(result.to_dict())
    else:
        say(result.to_text(), quiet)


@click.group(cls=CleanGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run the trainer's commands, as 'negmine' has them too.

    \b
    Example:
      negmine-train train train/ --tp train_tp.csv --fp train_fp.csv --out run0
    """


for _command in (train, predict, evaluate, loop, demo):
    main.add_command(_command)
