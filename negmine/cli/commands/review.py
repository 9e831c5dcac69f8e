"""The command ``negmine review``."""

from __future__ import annotations

from collections.abc import Sequence
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
from negmine.cli.settings import with_settings
from negmine.notices import warn, warn_each
from negmine.review.settings import ReviewSettings
from negmine.text_tables import table

if TYPE_CHECKING:
    from negmine.annotations.listener_errors import ListenerErrors
    from negmine.intervals import Rate
    from negmine.pool import Pool
    from negmine.review.review_clips import ReviewClip, ReviewClips
    from negmine.review.session import ReviewSession

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
@click.argument("source", metavar="SELECTION_OR_TABLE_OR_AUDIT", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=_FILE,
    help="The table of verdicts; what it holds is gone on with.  [default: beside a selection or "
    "table, with .verdicts.csv; of an audit its verdicts.csv]",
)
@click.option("--listener", default="", help="Who listens: kept beside each verdict.")
@click.option(
    "--recordings",
    type=click.Path(file_okay=False, path_type=Path),
    multiple=True,
    help="Folder of the recordings that a table names. Repeatable.",
)
@click.option(
    "--bands",
    type=_FILE,
    help="CSV with columns class, f_min, f_max (Hz): bands to mark and play.  [default: those of "
    "the confirmed calls of the pool]",
)
@click.option(
    "--pool",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the selection's pool is now; of a table, the pool whose calls and rejections are "
    "controls.  [default: where the selection's was, or as it was beside it]",
)
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
    """Judge clips by ear on a local page: a SELECTION's, a TABLE's to fill in, or an AUDIT's.

    SELECTION is what 'negmine mine' chose, or doubted (hard.review.parquet); TABLE is of 'negmine
    ask'; AUDIT is the folder of 'negmine audit draw'. Each verdict is on the disk before the next
    clip shows, and the same command goes on where the last one ended. OUT is --verdicts of
    build-pool, train, loop, mine and ask; that of an audit is for 'negmine audit read'. Ctrl-C ends
    the review.

    \b
    Example:
      negmine review hard.review.parquet --listener anna
      negmine review ask.csv --recordings field/ -o heard.csv
      negmine review audit
    """
    from negmine.review.clip_folder import VERDICTS
    from negmine.review.clip_order import in_order
    from negmine.review.controls import with_controls
    from negmine.review.review_sound import ClipSounds
    from negmine.review.server import ReviewServer
    from negmine.review.session import ReviewSession
    from negmine.review.verdict_table import VerdictTable
    from negmine.storage.locks import only_writer

    found = _opened(source, places)
    clips = in_order(found, settings, source)
    warn_each(found.notes)
    controls: list[ReviewClip] = []
    if found.pool is not None:
        clips, controls = with_controls(
            clips, found.clips, found.pool, settings.controls, settings.seed
        )
    _tell_controls(controls, found.pool is not None, settings.controls, quiet or as_json)
    bands = _bands(places.bands, sorted({clip.label for clip in clips}), found.pool)
    out = places.out or (
        source / VERDICTS if source.is_dir() else source.with_suffix(".verdicts.csv")
    )
    with only_writer(out):
        kept = VerdictTable(out, page.listener)
        sounds = ClipSounds(bands, settings.context_s, found.pool)
        # some clips of an audit are controls, which would be taken for what was found
        session = ReviewSession(clips, sounds, kept, tells=not source.is_dir())
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
    _show(session, as_json, quiet)


def _show(session: ReviewSession, as_json: bool, quiet: bool) -> None:
    """Say what was judged, how far listeners agree, and what the listener's errors are."""
    from negmine.annotations.verdict_rows import verdict_rows
    from negmine.review.listeners_agreement import agreements

    out = session.table.path
    agreed = agreements(verdict_rows(out, may_be_empty=True) if out.exists() else [])
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
    for line in [
        *filter(None, [session.outlook_text()]),
        *(one.to_text() for one in agreed),
        *error_lines(*session.errors()),
    ]:
        say(line, quiet)
    beside = ", with those on controls" if any(clip.known for clip in session.clips) else ""
    say(f"{out}: {len(session.table)} verdicts; {session.given} given now{beside}", quiet)


def error_lines(errors: ListenerErrors, confidence: float | None) -> list[str]:
    """Say how often a listener errs on controls, and what that makes of their absences."""
    from negmine.annotations.listener_errors import LEAST_CALLS

    if not errors.missed.trials + errors.false_calls.trials + errors.unsure:
        return []
    said = [
        f"{what} {rate.hits} of {rate.trials} {of} ({_percents(rate)})"
        for what, of, rate in (
            ("missed", "calls", errors.missed),
            ("false calls on", "rejections", errors.false_calls),
        )
        if rate.trials
    ]
    lines = [f"controls: {', '.join([*said, f'{errors.unsure} unsure'])}"]
    if confidence is not None:
        lines.append(
            f"by the controls, a verdict 'absent' has confidence {confidence:.3f}"
            if confidence
            else "by the controls, verdicts 'absent' say no more than chance: they count as unsure"
        )
    elif errors.missed.trials < LEAST_CALLS:
        lines.append(
            f"verdicts keep confidence 1: {errors.missed.trials} calls among the controls are too "
            f"few to say otherwise ({LEAST_CALLS} are needed)"
        )
    return lines


def _percents(rate: Rate) -> str:
    low, high = rate.interval()
    return f"{rate.estimate:.1%}, 95 % interval {low:.1%} to {high:.1%}"


def _tell_controls(
    controls: Sequence[ReviewClip], has_pool: bool, share: float, quiet: bool
) -> None:
    """Say how many controls there are, or why there is none."""
    if not share:
        return
    calls = sum(one.known == "present" for one in controls)
    if controls:
        note(
            f"{len(controls)} controls of known answer are mixed in ({calls} calls, "
            f"{len(controls) - calls} rejections); --controls 0 leaves them out",
            quiet,
        )
    elif has_pool:
        note("no controls: too few clips, or no other call or rejection in the pool", quiet)
    elif given("controls"):
        warn(
            "--controls has no effect: name by --pool the pool whose calls and rejections they are"
        )


def _opened(source: Path, places: Places) -> ReviewClips:
    from negmine.pool import open_pool
    from negmine.review.clip_folder import clips_of_folder
    from negmine.review.review_clips import clips_of_selection, clips_of_table, with_calls

    if source.is_dir():
        for option in ("recordings", "pool"):
            if given(option):
                warn(f"--{option} has no effect: the folder of an audit holds its own sound")
        return clips_of_folder(source)
    if source.suffix.lower() == ".csv":
        if not places.recordings:
            raise click.UsageError(
                f"{source} is a table: name its recordings' folder by --recordings"
            )
        found = clips_of_table(source, places.recordings)
        return found if places.pool is None else with_calls(found, open_pool(places.pool))
    if places.recordings:
        warn("--recordings has no effect: a selection's pool says where its recordings are")
    return clips_of_selection(source, places.pool)


def _bands(
    path: Path | None, classes: list[str], pool: Pool | None
) -> dict[str, tuple[float, float]]:
    """Read the bands of the classes that are reviewed; those of others are not needed."""
    from negmine.annotations.class_bands import read_bands
    from negmine.errors import shorten
    from negmine.review.pool_bands import pool_bands
    from negmine.storage.csv_tables import read_rows

    if path is None and pool is None:
        return {}
    if path is not None:
        named = {name for _, (name,) in read_rows(path, ("class",))}
        bands = read_bands(path, tuple(named))
    else:
        assert pool is not None
        path, bands = pool.path, pool_bands(pool)
    if missing := [name for name in classes if name not in bands]:
        warn(f"{path}: names no band for {len(missing)} classes ({shorten(missing, 5)})")
    return bands
