"""The command ``negmine review``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.console import (
    CleanCommand,
    as_one,
    given,
    note,
    print_json,
    quiet_and_json,
    say,
)
from negmine.cli.scoring_options import moved_pool_option
from negmine.cli.settings import with_settings
from negmine.notices import warn, warn_each
from negmine.review.settings import ReviewSettings
from negmine.text_tables import table

if TYPE_CHECKING:
    from negmine.review.review_clips import ReviewClips

_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class Places:
    """Where what a review needs is, and where its verdicts go."""

    out: Path | None
    recordings: tuple[Path, ...]
    bands: Path | None
    pool: Path | None


@dataclass(frozen=True)
class Page:
    """How the page is served."""

    listener: str
    port: int
    browser: bool


@click.command(cls=CleanCommand)
@click.argument("source", metavar="SELECTION_OR_TABLE", type=_FILE)
@click.option(
    "-o",
    "--out",
    type=_FILE,
    help="The table of verdicts; what it holds is gone on with.  [default: SELECTION_OR_TABLE with "
    ".verdicts.csv]",
)
@click.option("--listener", default="", help="Who listens: kept beside each verdict.")
@click.option(
    "--recordings",
    type=click.Path(file_okay=False, path_type=Path),
    multiple=True,
    help="Folder of the recordings that a table names. Repeatable.",
)
@click.option(
    "--bands", type=_FILE, help="CSV with columns class, f_min, f_max (Hz): bands to mark and play."
)
@moved_pool_option
@with_settings(ReviewSettings)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="On 127.0.0.1.  [default: a free one]"
)
@click.option(
    "--browser/--no-browser", default=True, help="Open the page, or only say where it is."
)
@as_one(Places, "places")
@as_one(Page, "page")
@quiet_and_json
def review(
    source: Path,
    places: Places,
    settings: ReviewSettings,
    page: Page,
    quiet: bool,
    as_json: bool,
) -> None:
    """Judge clips by ear on a local page: a SELECTION's, or the windows of a TABLE to fill in.

    SELECTION is what 'negmine mine' chose, or doubted (hard.review.parquet); TABLE is of 'negmine
    ask'. Each verdict is on the disk before the next clip shows, and the same command goes on
    where the last one ended. OUT is --verdicts of build-pool, train, loop, mine and ask. Ctrl-C
    ends the review.

    \b
    Example:
      negmine review hard.review.parquet --listener anna
      negmine review ask.csv --recordings field/ -o heard.csv
    """
    from negmine.annotations.verdicts import verdict_rows
    from negmine.review.listeners_agreement import agreements
    from negmine.review.review_clips import in_order
    from negmine.review.review_sound import ClipSounds
    from negmine.review.server import ReviewServer
    from negmine.review.session import ReviewSession
    from negmine.review.verdict_table import VerdictTable
    from negmine.storage.locks import only_writer

    found = _opened(source, places)
    warn_each(found.notes)
    clips = in_order(found, settings, source)
    bands = _bands(places.bands, sorted({clip.label for clip in clips}))
    out = places.out or source.with_suffix(".verdicts.csv")
    with only_writer(out):
        kept = VerdictTable(out, page.listener)
        sounds = ClipSounds(bands, settings.context_s, found.pool)
        session = ReviewSession(clips, sounds, kept)
        if kept.others:
            note(f"{out}: {kept.others} rows of other listeners stay as they are", quiet or as_json)
        with ReviewServer(session, page.port) as server:
            click.echo(f"review of {len(clips)} clips at {server.url} (Ctrl-C ends it)", err=True)
            if page.browser and click.launch(server.url) != 0:
                warn("no browser could be opened; open the address above in one")
            try:
                server.serve_forever(poll_interval=0.1)
            except KeyboardInterrupt:
                click.echo(err=True)
    kept_rows = verdict_rows(out, may_be_empty=True) if out.exists() else []
    agreed = agreements(kept_rows)
    summary = session.summary() | {"agreement": [one.to_dict() for one in agreed]}
    if as_json:
        print_json(summary)
        return
    columns = ["present", "absent", "unsure", "left"]
    rows = [
        [label, *(str(counts[name]) for name in columns)]
        for label, counts in summary["classes"].items()
    ]
    say(table(["class", *columns], rows), quiet)
    for one in agreed:
        kappa = f"{one.kappa:.2f}" if one.kappa == one.kappa else "undefined"
        say(
            f"'{one.first}' and '{one.second}' agree on {one.same} of {one.both} clips of which "
            f"both are sure; Cohen's kappa {kappa}",
            quiet,
        )
    say(f"{out}: {len(kept)} verdicts, {session.given} of them given now", quiet)


def _opened(source: Path, places: Places) -> ReviewClips:
    from negmine.review.review_clips import clips_of_selection, clips_of_table

    if source.suffix.lower() == ".csv":
        if not places.recordings:
            raise click.UsageError(
                f"{source} is a table: name its recordings' folder by --recordings"
            )
        if given("pool"):
            warn("--pool has no effect: a table has none")
        return clips_of_table(source, places.recordings)
    if places.recordings:
        warn("--recordings has no effect: a selection's pool says where its recordings are")
    return clips_of_selection(source, places.pool)


def _bands(path: Path | None, classes: list[str]) -> dict[str, tuple[float, float]]:
    """Read the bands of the classes that are reviewed; those of others are not needed."""
    from negmine.annotations.class_bands import read_bands
    from negmine.errors import shorten
    from negmine.storage.csv_tables import read_rows

    if path is None:
        return {}
    named = {name for _, (name,) in read_rows(path, ("class",))}
    bands = read_bands(path, tuple(named))
    if missing := [name for name in classes if name not in bands]:
        warn(f"{path}: names no band for {len(missing)} classes ({shorten(missing, 5)})")
    return bands
