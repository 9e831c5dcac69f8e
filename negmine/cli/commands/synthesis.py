"""The command ``negmine synthesise``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from negmine.cli.console import Bars, CleanCommand, NameType, print_json, quiet_and_json, say
from negmine.cli.goes_with import Beside, check_goes_with
from negmine.cli.scoring_options import (
    batch_size_option,
    cache_option,
    compile_option,
    device_option,
    model_option,
    open_cache,
)
from negmine.limits import LAST_SEED, MOST_ROWS
from negmine.notices import warn_each
from negmine.text_tables import table

if TYPE_CHECKING:
    from negmine.synthesis.found import Synthesised

_GO_WITH = (
    (("fp", "songtypes"), (Beside("tp"),)),
    (("max_doubt",), (Beside("scores"),)),
)

# Arms in the printed table.
_SHOWN = 15


@click.command(cls=CleanCommand)
@click.argument("pool", type=click.Path(path_type=Path))
@model_option
@click.option(
    "--budget",
    type=click.IntRange(1, MOST_ROWS),
    default=5000,
    show_default=True,
    help="Forwards of the model: clips scored in the search.",
)
@click.option(
    "--class",
    "classes",
    type=NameType(),
    multiple=True,
    metavar="CLASS",
    help="A class to find negatives of. Repeatable.  [default: all]",
)
@click.option(
    "--per-class",
    type=click.IntRange(1, MOST_ROWS),
    default=50,
    show_default=True,
    help="A find must score above the lowest of this many hardest negatives of its class.",
)
@click.option(
    "--above",
    type=float,
    metavar="LOGIT",
    help="A score that a find must be above in any case.",
)
@click.option(
    "--min-distance",
    type=click.FloatRange(0, 2),
    default=0.02,
    show_default=True,
    help="Nearer embeddings (1 - cosine) are the same sound: the highest-scoring is kept.",
)
@click.option(
    "--max-doubt",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Clips that hold the class with a higher estimated probability are neither parents nor "
    "finds; goes with --scores.",
)
@click.option(
    "--scores",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of 'negmine mine' for scores: the search starts from those of the whole pool, and "
    "rows that have none are scored first, besides the budget. What the search scores is kept "
    "there.  [default: from none]",
)
@click.option(
    "--tp",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Confirmed calls, RFCX's columns: bands may be transplanted, rejected detections moved.",
)
@click.option(
    "--fp",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Rejected detections, beside --tp.",
)
@click.option(
    "--songtypes",
    type=click.Choice(["merge", "split"]),
    default="merge",
    show_default=True,
    help="As the pool was built.",
)
@cache_option
@batch_size_option
@device_option
@compile_option
@click.option(
    "--seed", type=click.IntRange(0, LAST_SEED), default=0, show_default=True, help="Of all draws."
)
@quiet_and_json
def synthesise(
    pool: Path,
    model: Path,
    budget: int,
    classes: tuple[str, ...],
    per_class: int,
    above: float | None,
    min_distance: float,
    max_doubt: float,
    scores: Path | None,
    tp: Path | None,
    fp: Path | None,
    songtypes: Literal["merge", "split"],
    cache: Path | None,
    batch_size: int,
    device: str,
    compiled: bool,
    seed: int,
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
    check_goes_with(_GO_WITH)
    from negmine.annotations import read_rfcx
    from negmine.models.scorer import load_scorer
    from negmine.pool import open_pool
    from negmine.scores.embed import score_pool
    from negmine.storage.locks import only_writer
    from negmine.synthesis.pool import rules_for, synthesise_into
    from negmine.synthesis.settings import SynthesisSettings

    annotations = read_rfcx(tp, fp, songtypes=songtypes) if tp else None
    warn_each(annotations.notes if annotations else ())
    open_pool(pool)  # where there is none, nothing is made beside it
    # what is added at the end must fit the pool as it was opened
    with only_writer(pool), Bars(quiet or as_json) as bars:
        opened, scorer = open_pool(pool), load_scorer(model, device, compiled=compiled)
        reader = open_cache(pool, opened.sources, scorer.sample_rate, cache)
        settings = SynthesisSettings(
            budget=budget,
            seed=seed,
            per_class=per_class,
            threshold={} if above is None else dict.fromkeys(scorer.classes, above),
            classes=classes,
            min_distance=min_distance,
            max_doubt=max_doubt,
            batch_size=batch_size,
            moves=rules_for(opened, annotations),
        )
        known = of_calls = None
        if scores is not None:
            on_rows = bars("scoring", len(opened) + len(opened.calls), "clip")
            known, of_calls = score_pool(
                scorer, opened, scores, batch_size=batch_size, reader=reader, on_rows=on_rows
            )
        advance = bars("searching", budget, "clip")
        done = synthesise_into(
            scorer,
            opened,
            settings,
            scores=known,
            calls=of_calls,
            reader=reader,
            on_scored=lambda recipes, embeddings, logits: advance(len(recipes)),
            store=known.store if known else None,
        )
    if as_json:
        print_json({"pool": str(pool), "added": done.added, **_summary(done.search)})
    else:
        say(_text(done.search), quiet)
        say(f"{pool}: {done.added} recipes added", quiet)
    if done.search.stopped:
        raise KeyboardInterrupt


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
            for f in search.families
        ],
    }


def _text(search: Synthesised) -> str:
    rows = [
        [f.move, f.kind, f.label or "any", str(f.forwards), str(f.found), f"{f.best:.2f}"]
        for f in search.families[:_SHOWN]
    ]
    more = len(search.families) - len(rows)
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
