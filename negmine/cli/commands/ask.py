"""The command ``negmine ask``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from negmine.asking.settings import AskSettings
from negmine.cli.console import (
    Bars,
    CleanCommand,
    GroupedOption,
    as_one,
    print_json,
    quiet_and_json,
    say,
    say_opened,
)
from negmine.cli.data import LenientDataFiles, Sites, data_files, site_of
from negmine.cli.scoring_options import Scoring, compile_option, device_option, open_models
from negmine.cli.settings import with_settings
from negmine.cli.tables import read_tables_of
from negmine.notices import warn_each
from negmine.text_tables import table


@click.command(cls=CleanCommand)
@data_files(LenientDataFiles)
@click.option(
    "--unlabelled",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder of the recordings to choose from.",
)
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    required=True,
    multiple=True,
    help="A checkpoint, or what a plug-in reads. Repeatable: several are scored as one model.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The table to fill in, CSV.",
)
@as_one(Scoring, "scoring")
@as_one(Sites, "sites")
@with_settings(AskSettings)
@click.option(
    "--sites",
    type=click.Path(dir_okay=False, path_type=Path),
    cls=GroupedOption,
    needs=["--per-site"],
    help="CSV with columns recording_id, site: for --per-site.",
)
@click.option(
    "--site-regex",
    cls=GroupedOption,
    needs=["--per-site"],
    help="What of a recording's name is its site: for --per-site.",
)
@click.option(
    "--scores",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for scores, as of 'negmine mine'.  [default: scores beside OUT]",
)
@click.option("--skip-bad", is_flag=True, help="Report unreadable files and continue without them.")
@device_option
@compile_option
@quiet_and_json
def ask(
    data: LenientDataFiles,
    unlabelled: Path,
    scoring: Scoring,
    out: Path,
    settings: AskSettings,
    sites: Sites,
    quiet: bool,
    as_json: bool,
) -> None:
    """Choose the windows of unlabelled recordings that a person should hear, for each class.

    OUT is a table to fill in: 'present', 'absent' or 'unsure' in its column 'verdict'. Filled in,
    it is --verdicts of build-pool, train, loop, and of the next 'negmine ask'. RECORDINGS and the
    tables say what was judged already.

    \b
    Example:
      negmine ask train/ --tp train_tp.csv --fp train_fp.csv --model run0/best.pt \\
          --unlabelled field/ --per-class 10 --out heard.csv
      negmine train train/ --tp train_tp.csv --fp train_fp.csv \\
          --verdicts heard.csv --verdict-recordings field/ --out run1
    """
    by_site = site_of(sites)
    from negmine.annotations.recordings import open_annotated, open_unlabelled
    from negmine.annotations.sites import alike_sites
    from negmine.annotations.verdicts import read_verdicts, with_verdicts
    from negmine.asking.ask import Judgements, report_rows
    from negmine.asking.ask import ask as choose
    from negmine.asking.table import check_free, write_asked
    from negmine.storage.files import write_json
    from negmine.storage.locks import only_writer

    check_free(out)
    tables = read_tables_of(data, data.folders)
    heard = [v for path in data.verdicts for v in read_verdicts(path, tables.classes)]
    tables = with_verdicts(tables, heard)
    warn_each(tables.notes)
    scorers = open_models(scoring)
    with Bars(quiet or as_json) as bars:
        opened, annotations = open_annotated(
            data.folders, tables, beside=data.verdict_recordings, skip_bad=data.skip_bad,
            progress=lambda total: bars("reading recordings", total),
        )  # fmt: skip
        field = open_unlabelled(
            unlabelled, skip_bad=data.skip_bad,
            progress=lambda total: bars("reading unlabelled", total),
        )  # fmt: skip
        bars.close()
        for folder in (opened, field):
            say_opened(folder, quiet or as_json)
            warn_each(f"skipped {line}" for line in folder.skipped)
            warn_each(folder.notes)
        if by_site is not None:
            warn_each(alike_sites(by_site(field.infos)))
        asked = choose(
            scorers, field, Judgements(annotations, opened, heard),
            scoring.scores or out.parent / "scores", settings, site_of=by_site, progress=bars,
        )  # fmt: skip
    with only_writer(out, wait=True):
        write_asked(out, asked)
        write_json(out.with_suffix(".report.json"), asked.report)
    warn_each(_lacking(asked.report, settings.per_class))
    if as_json:
        print_json(asked.report)
        return
    headers = ["class", "windows", "asked", "threshold", "highest", "lowest"]
    say(table(headers, report_rows(asked)), quiet)
    say(f"{out}: {len(asked.rows)} windows to hear", quiet)


def _lacking(report: Any, per_class: int) -> list[str]:
    """Return what a person should know of what is asked, a line each."""
    from negmine.asking.judged import LEAST_HELD_OUT
    from negmine.errors import shorten

    classes = report["classes"]
    lines = []
    if few := [name for name, of_class in classes.items() if of_class["asked"] < per_class]:
        lines.append(
            f"{len(few)} of {len(classes)} classes get fewer than {per_class} windows "
            f"({shorten(few, 5)}): there are no more that share no sound"
        )
    limits = {name: of_class["threshold"] for name, of_class in classes.items()}
    own = [name for name, limit in limits.items() if limit and not limit["held_out"]]
    if own:
        lines.append(
            f"the thresholds of {len(own)} of {len(classes)} classes ({shorten(own, 5)}) are of "
            f"calls that a model trained on, and may be too high: fewer than {LEAST_HELD_OUT} "
            "calls are held out; name models of several folds by --model"
        )
    if report["short_recordings"]:
        lines.append(f"{report['short_recordings']} recordings are shorter than half a window")
    if report["silent_windows"]:
        lines.append(f"{report['silent_windows']} windows hold no sound, and are not asked")
    return lines
