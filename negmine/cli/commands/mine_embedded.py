"""The command ``negmine mine-embedded``."""

from __future__ import annotations

import math
from pathlib import Path

import click

from negmine.cli.console import Bars, CleanCommand, print_json, quiet_and_json, say
from negmine.cli.settings import with_settings
from negmine.embedded.settings import EmbeddedSettings
from negmine.notices import warn_each
from negmine.text_tables import table

_COLUMNS = ["class", "calls", "rejected", "AUC", "above calls' median", "hard", "to hear"]


@click.command("mine-embedded", cls=CleanCommand)
@click.argument("database", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the windows as CSV.",
)
@click.option(
    "--class", "classes", multiple=True, help="Mine this class alone; repeatable.  [default: all]"
)
@with_settings(EmbeddedSettings)
@quiet_and_json
def mine_embedded(
    database: Path,
    out: Path,
    classes: tuple[str, ...],
    settings: EmbeddedSettings,
    quiet: bool,
    as_json: bool,
) -> None:
    """Mine the windows of a perch-hoplite DATABASE by the embeddings it holds.

    No sound is decoded and no network runs. A linear head a class is fitted on the labelled
    windows; each window is scored by one that was fitted without its recording. OUT lists
    rejected windows that score highest (absent), and unlabelled ones: hear those, and write
    present or absent. OUT is never written over verdicts.

    \b
    Example:
      negmine mine-embedded hoplite_db --out hard.csv
    """  # fmt: skip
    from negmine.embedded.embedded_windows import open_windows
    from negmine.embedded.mine_embedded import check_free, mine_windows, write_mined

    check_free(out)
    windows = open_windows(database)
    warn_each(windows.notes)
    with Bars(quiet or as_json) as bars:
        mined, notes = mine_windows(windows, classes, settings, bars)
    warn_each(notes)
    rows = write_mined(out, windows, mined)
    if as_json:
        about = [
            {
                "class": one.label,
                "calls": one.calls,
                "rejected": one.rejected,
                "auc": None if math.isnan(one.separation) else round(one.separation, 4),
                "above_median_of_calls": one.above,
                "hard": len(one.hard),
                "to_hear": len(one.to_hear),
            }
            for one in mined
        ]
        print_json({"windows": len(windows), "rows": rows, "classes": about})
        return
    lines = [
        [
            one.label,
            str(one.calls),
            str(one.rejected),
            "-" if math.isnan(one.separation) else f"{one.separation:.3f}",
            str(one.above),
            str(len(one.hard)),
            str(len(one.to_hear)),
        ]
        for one in mined
    ]
    say(table(_COLUMNS, lines), quiet)
    hard, to_hear = sum(len(one.hard) for one in mined), sum(len(one.to_hear) for one in mined)
    said = f"{hard} hard rejections, and {to_hear} to hear"
    say(f"{out}: {rows} rows, a window and a class each: {said}; of {len(windows)} windows", quiet)
