"""What each kind of row gains: random negatives, scenes, mined own cells, verdicts, the truth.

    python -m benchmarks.benefit DATA --out WORK --backbone birdnet --seeds 10 --jobs 2

DATA is in RFCX's layout with the truth of a test part: train/, train_tp.csv, train_fp.csv,
external/, test/, test_truth.csv, test_events.csv. Every arm trains from the start, with as many
steps, the same TP and FP rows in the same order, and is tested with its last weights. Mined rows
fooled the network of another arm of the same seed (`random` or `scenes`); their control has as many
cells of the same classes, kinds and weights. Verdicts (arms as `top-10-verdicts`) are on windows of
unlabelled/, which networks of four folds ask for; a listener who knows unlabelled_events.csv gives
them. train_events.csv serves the arm `truth` alone. What is done already in WORK is not repeated.

A last table has thresholds chosen on other recordings (`benchmarks.chosen_thresholds`): mining must
add to what thresholds alone give. For runs tested earlier, delete their test.npz.

The tables' intervals are 95 %: over seeds (Student's t on paired differences), and over test
recordings (bootstrap of the mean over seeds).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmarks.benefit_arms import ARMS, Arm
from benchmarks.benefit_bench import FOLDS, Bench
from benchmarks.benefit_tables import (
    chosen_table,
    gains_table,
    results_table,
    write_gains,
    write_raw,
)
from benchmarks.compare import backbone_settings, side_by_side
from negmine.cli.console import Bars
from negmine.mining.mine import MineSettings

# Without what has been tried and adds little.
MAIN = "tp-fp,random,random-3,plain-own-random,plain-own-mined,scenes,own-random,own-mined,truth"


def stages(names: list[str]) -> tuple[list[str], list[str]]:
    """Return the arms that need no other arm, and those that mine or ask.

    Raises
    ------
    click.UsageError
        If there is no such arm.
    """
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise click.UsageError(f"--arms: no arm '{unknown[0]}'; there are {', '.join(ARMS)}")
    later = [name for name in names if ARMS[name].own or ARMS[name].asks]
    needed = {ARMS[name].own_by for name in later if ARMS[name].own}
    return [n for n in ARMS if n in {*names, *needed} - {*later}], later


def _arms_using(alone: bool, names: list[str]) -> list[Arm]:
    made = [ARMS[name] for name in names]
    return [a for a in made if a.alone == alone and (a.negatives or a.scenes or a.own)]


def _needed(bench: Bench, names: list[str], seeds: int, jobs: int) -> None:
    """Mine, and let the listener hear, what arms need."""
    mined = dict.fromkeys(ARMS[name].own_by for name in names if ARMS[name].own)
    side_by_side(bench.choose, [(seed, by) for by in mined for seed in range(seeds)], jobs)
    if asked := [arm.asks for arm in map(ARMS.__getitem__, names) if arm.asks]:
        folds = [f"fold{fold}" for fold in range(FOLDS)]
        side_by_side(bench.train, [(s, fold) for s in range(seeds) for fold in folds], jobs)
        side_by_side(bench.hear, [(seed, asked) for seed in range(seeds)], jobs)


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--seeds", default=10, show_default=True)
@click.option("--arms", default=MAIN, show_default=True)
@click.option("--steps", default=600, show_default=True)
@click.option("--test", default=10_000, show_default=True, help="Test recordings, at most.")
@click.option("--scenes", default=3600, show_default=True, help="Scenes in the pool.")
@click.option("--per-class", default=200, show_default=True, help="Mined rows a class.")
@click.option("--max-doubt", default=MineSettings().max_doubt, show_default=True)
@click.option("--error", default=0.0, show_default=True, help="The listener's rate of errors.")
@click.option("--tp-per-step", default=20, show_default=True)
@click.option("--fp-per-step", default=8, show_default=True)
@click.option("--lsoft", default=0.5, show_default=True)
@click.option("--lr", default=2e-3, show_default=True)
@click.option("--weight-decay", type=float, help="The backbone's own by default.")
@click.option("--placements", type=int, help="The backbone's own by default.")
@click.option("--clip-s", type=float, help="As --weight-decay.")
@click.option("--window-s", type=float, help="As --weight-decay.")
@click.option("--sample-rate", type=int, help="As --weight-decay.")
@click.option("--backbone", default="birdnet", show_default=True)
@click.option("--jobs", default=1, show_default=True, help="Runs side by side.")
@click.option("--raw", type=click.Path(path_type=Path), help="CSV to write, a row a metric.")
@click.option("--gains", type=click.Path(path_type=Path), help="CSV of what each arm gains.")
@click.option("--quiet", is_flag=True)
def main(
    data: Path,
    out: Path,
    seeds: int,
    arms: str,
    steps: int,
    test: int,
    scenes: int,
    per_class: int,
    max_doubt: float,
    error: float,
    jobs: int,
    raw: Path | None,
    gains: Path | None,
    quiet: bool,
    **settings: Any,
) -> None:
    names = arms.split(",")
    first, later = stages(names)
    settings = backbone_settings(settings["backbone"]) | {
        k: v for k, v in settings.items() if v is not None
    }
    settings |= {"steps_per_epoch": steps}
    bench = Bench(data, out, test, scenes, per_class, settings, max_doubt, error)
    with Bars(quiet) as bars:
        for alone in (False, True):
            if _arms_using(alone, [*first, *later]):
                bench.build(alone, bars)
    # the first run fills the caches that all the others share
    side_by_side(bench.train, [(0, first[0])], 1)
    side_by_side(bench.train, [(s, name) for name in first for s in range(seeds)], jobs)
    _needed(bench, later, seeds, jobs)
    side_by_side(bench.train, [(s, name) for name in later for s in range(seeds)], jobs)
    done = [name for name in ARMS if name in {*first, *later}]
    click.echo(results_table(out, done, seeds))
    click.echo(gains_table(out, done, seeds))
    click.echo(chosen_table(out, done, seeds))
    if raw:
        write_raw(raw, out, done, seeds, data.name, settings["backbone"])
    if gains:
        write_gains(gains, out, done, seeds, data.name, settings["backbone"])


if __name__ == "__main__":
    main()
