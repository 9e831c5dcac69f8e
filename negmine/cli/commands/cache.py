"""The command ``negmine cache``."""

from __future__ import annotations

from pathlib import Path

import click

from negmine.cli.console import Bars, CleanCommand, print_json, quiet_and_json, say, say_found
from negmine.limits import MOST_HZ, MOST_WORKERS


@click.command(cls=CleanCommand)
@click.argument("sound", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="The cache's folder.  [default: 'cache' in a pool; a folder of recordings needs it]",
)
@click.option(
    "--sample-rate",
    type=click.IntRange(1, MOST_HZ),
    help="Hz.  [default: the pool's; a folder of recordings needs it]",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=2,
    show_default=True,
    help="Files decoded at a time; the result is the same.",
)
@quiet_and_json
def cache(
    sound: Path,
    out: Path | None,
    sample_rate: int | None,
    workers: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Decode the SOUND of a pool, or a folder of recordings, once, so that rendering is a copy.

    Run again, it decodes what is new, checks all the rest, and resumes where it was stopped.

    \b
    Example:
      negmine cache pool
    """
    from negmine.audio.folder import open_folder
    from negmine.pool import open_pool
    from negmine.recipes.cache_items import build_cache, sounds_of_folder
    from negmine.storage.locks import only_here

    if (sound / "pool.json").is_file():
        pool = open_pool(sound)
        sounds = list(pool.sources)
        out, sample_rate = out or sound / "cache", sample_rate or pool.sample_rate
    elif out is None or sample_rate is None:
        raise click.UsageError(f"{sound} is not a pool: name --out and --sample-rate")
    else:
        folder = open_folder(sound)
        say_found(folder, quiet)
        sounds = sounds_of_folder(folder.paths)
    with only_here(out), Bars(quiet) as bars:
        report = build_cache(
            out,
            sounds,
            sample_rate,
            workers=workers,
            progress=bars,
        )
    if as_json:
        print_json(
            {
                "cache": str(out),
                "sounds": report.sounds,
                "decoded": report.decoded,
                "hours": report.hours,
                "sample_rate": report.sample_rate,
            }
        )
    say(
        f"{out}: {report.sounds} sounds, {report.hours:.2f} h at {report.sample_rate} Hz; "
        f"{report.decoded} decoded now, the others checked",
        quiet or as_json,
    )
