"""The command ``negmine synthesise``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from negmine.cli.console import (
    Bars,
    CleanCommand,
    as_one,
    print_json,
    quiet_and_json,
    say,
)
from negmine.cli.data import TableFiles, table_files
from negmine.cli.scoring_options import (
    CachedScoring,
    cache_option,
    compile_option,
    device_option,
    model_option,
    open_cache,
    open_models,
)
from negmine.cli.settings import with_settings
from negmine.cli.tables import read_annotations
from negmine.synthesis.settings import SynthesisSettings
from negmine.text_tables import table

if TYPE_CHECKING:
    from negmine.annotations import Annotations
    from negmine.synthesis.found import Synthesised

# Arms in the printed table.
_SHOWN = 15


@click.command(cls=CleanCommand)
@click.argument("pool", type=click.Path(path_type=Path))
@model_option
@as_one(CachedScoring, "scoring")
@with_settings(SynthesisSettings)
@click.option(
    "--scores",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of 'negmine mine' for scores: the search starts from those of the whole pool, and "
    "rows that have none are scored first, besides the budget. What the search scores is kept "
    "there.  [default: from none]",
)
@table_files
@cache_option
@device_option
@compile_option
@quiet_and_json
def synthesise(
    pool: Path,
    scoring: CachedScoring,
    settings: SynthesisSettings,
    data: TableFiles,
    quiet: bool,
    as_json: bool,
) -> None:
    """Search for harder negatives: mix, move and transplant what a model scores high in a POOL.

    What is found is added to the pool as ordinary recipes, with what they were made of in
    ancestry.parquet. Stopped by Ctrl-C, it adds what was found by then.

    \b
    Example:
      negmine synthesise pool --model run0/best.pt --budget 5000 --tp train_tp.csv --fp train_fp.csv
    """
    from negmine.pool import open_pool
    from negmine.scores.embed import score_pool
    from negmine.storage.locks import only_writer
    from negmine.synthesis.into_pool import rules_for, synthesise_into

    roots = open_pool(pool).sources.roots  # where there is none, nothing is made beside it
    annotations = None
    if data.tp or data.tables:
        annotations = _in_pool(data, roots)
    # what is added at the end must fit the pool as it was opened
    with only_writer(pool), Bars(quiet or as_json) as bars:
        opened, (scorer,) = open_pool(pool), open_models(scoring)
        reader = open_cache(pool, opened.sources, scorer.sample_rate, scoring.cache)
        known = None
        if scoring.scores is not None:
            total, size = len(opened) + len(opened.calls), settings.batch_size
            known = score_pool(
                scorer, opened, scoring.scores, batch_size=size, reader=reader,
                on_rows=bars("scoring", total, "clip"),
            )  # fmt: skip
        advance = bars("searching", settings.budget, "clip")
        done = synthesise_into(
            scorer,
            opened,
            settings,
            rules_for(opened, annotations),
            known=known,
            reader=reader,
            on_scored=lambda recipes, embeddings, logits: advance(len(recipes)),
        )
    if as_json:
        print_json({"pool": str(pool), "added": done.added, **_summary(done.search)})
    else:
        say(_text(done.search), quiet)
        say(f"{pool}: {done.added} recipes added", quiet)
    if done.search.stopped:
        raise KeyboardInterrupt


def _in_pool(data: TableFiles, roots: Mapping[str, Path]) -> Annotations:
    """Read what tables say of the recordings of a pool; files are opened if verdicts need them."""
    from negmine.annotations.recordings import open_annotated
    from negmine.annotations.whole import is_open

    others = ("external", "unlabelled")
    named = {root: None for name, root in roots.items() if not name.startswith(others)}
    folders = [root for root in named if root.is_dir()]
    found = read_annotations(data, folders)
    if any(map(is_open, found.boxes)):
        _, found = open_annotated(folders, found, skip_bad=True)
    return found


def _summary(search: Synthesised) -> dict[str, Any]:
    return {
        "forwards": search.forwards,
        "finds": len(search.finds),
        "kept": len(search.kept),
        "refused": len(search.refused),
        "doubt_auc": search.doubt_auc,
        "families": [
            {
                "kind": f.kind,
                "class": f.label,
                "move": f.move,
                "forwards": f.forwards,
                "found": f.found,
                "best": f.best,
            }
            for f in search.arms
        ],
    }


def _text(search: Synthesised) -> str:
    rows = [
        [f.move, f.kind, f.label or "any", str(f.forwards), str(f.found), f"{f.best:.2f}"]
        for f in search.arms[:_SHOWN]
    ]
    more = len(search.arms) - len(rows)
    rest = f"\nand {more} more arms" if more > 0 else ""
    refused = "nothing refused: without scores, or 20 calls and 20 rejections, there is no doubt"
    if search.doubt_auc is not None:
        refused = (
            f"{len(search.refused)} refused as parents and finds, by doubt that tells calls from "
            f"rejections with AUC {search.doubt_auc:.3f}"
        )
    return (
        table(["move", "of kind", "for class", "forwards", "found", "best"], rows)
        + rest
        + f"\n{search.forwards} forwards, {len(search.finds)} finds, {len(search.kept)} kept"
        + f"\n{refused}"
    )
