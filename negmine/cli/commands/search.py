"""The command ``negmine search``."""

from __future__ import annotations

from pathlib import Path

import click

from negmine.cli.console import Bars, CleanCommand, as_one, print_json, quiet_and_json, say
from negmine.cli.scoring_options import (
    Scoring,
    compile_option,
    device_option,
    model_option,
    open_cache,
    open_models,
    pool_option,
)
from negmine.cli.settings import with_settings
from negmine.scores.settings import SearchSettings
from negmine.text_tables import table

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=CleanCommand)
@click.argument("clip", type=_FILE)
@pool_option
@model_option
@as_one(Scoring, "scoring")
@with_settings(SearchSettings)
@click.option("-o", "--out", type=_FILE, help="Write the table as CSV.")
@click.option("--png", type=_FILE, help="Draw the clip and its neighbours.")
@click.option(
    "--scores",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for scores, as of 'negmine mine'.  [default: scores beside POOL]",
)
@device_option
@compile_option
@quiet_and_json
def search(
    clip: Path,
    pool: Path,
    scoring: Scoring,
    settings: SearchSettings,
    out: Path | None,
    png: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Find what in a POOL sounds like a CLIP to a model.

    The pool is scored and indexed the first time; then a search takes moments.

    \b
    Example:
      negmine search strange.wav --pool pool --model run0/best.pt --png strange.png
    """  # fmt: skip
    at, label = settings.at, settings.label
    if settings.index and "memory_gib" in settings.model_fields_set:
        raise click.UsageError(
            "--index names an index and --memory lets one be chosen; pass one of the two"
        )
    if not clip.exists():
        raise click.UsageError(f"{clip}: no such file")
    from negmine.audio.read import probe, read_span
    from negmine.errors import InputError, did_you_mean
    from negmine.pool import check_classes, open_pool
    from negmine.report.spectrogram_grid import Panel, draw_grid
    from negmine.scores.embed import score_recipes
    from negmine.scores.pool_index import open_index
    from negmine.scores.search import find_neighbours, neighbour_table
    from negmine.storage.csv_tables import write_csv

    info = probe(clip)
    if at >= info.duration_s:
        raise InputError(f"{clip}: --at {at:g} s is beyond its end at {info.duration_s:g} s")
    opened, (scorer,) = open_pool(pool), open_models(scoring)
    check_classes(scorer.classes, opened.classes, f"pool {pool} does not fit the model")
    if label and label not in opened.classes:
        hint = did_you_mean(label, opened.classes)
        raise InputError(f"pool {pool}: no class '{label}'{hint}")
    if info.silent(at, at + opened.clip_s):
        raise InputError(
            f"{clip}: no sound from {at:g} s on for {opened.clip_s:g} s, so nothing sounds like it"
            f"{'; its channels cancel' if info.cancelled else ''}; choose another --at"
        )
    samples = read_span(clip, at, opened.clip_s, scorer.sample_rate)
    reader = open_cache(pool, opened.sources, scorer.sample_rate)
    with Bars(quiet or as_json) as bars:
        found = score_recipes(
            scorer, opened.recipes, scoring.scores or pool.parent / "scores",
            batch_size=settings.batch_size, reader=reader,
            on_rows=bars("scoring", len(opened), "clip"),
        )  # fmt: skip
        index, built = open_index(
            found, opened.digest, settings.index, settings.memory_gib,
            on_rows=bars("indexing", len(opened), "clip"),
        )  # fmt: skip
    neighbours, _ = find_neighbours(samples, scorer, opened, found, index, settings.count, label)
    shown = neighbour_table(neighbours, scorer.classes)
    if out:
        write_csv(out, shown)
    if png:
        rate = scorer.sample_rate
        panels = [Panel(samples, clip.name)] + [
            Panel(n.recipe.render(rate), f"{n.recipe.kind}  {n.similarity:.3f}") for n in neighbours
        ]
        draw_grid(png, panels, rate, f"what sounds like {clip.name}")
    if as_json:
        about = {"factory": index.info.factory, "recall": index.info.recall, "built": built}
        print_json({"index": about, "neighbours": shown.to_dict("records")})
        return
    what = f"index {index.info.factory} ({index.info.reason}), recall {index.info.recall:.3f}"
    say(f"{what}: {'built' if built else 'read'}", quiet)
    say(table(list(shown.columns), shown.astype(str).to_numpy().tolist()), quiet)
    for path in filter(None, (out, png)):
        say(f"{path}: written", quiet)
