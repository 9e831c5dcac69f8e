"""The command ``negmine mine``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from negmine.cli.console import Bars, CleanCommand, as_one, print_json, quiet_and_json, say
from negmine.cli.scoring_options import (
    CachedScoring,
    cache_option,
    compile_option,
    device_option,
    open_cache,
    open_models,
    pool_option,
)
from negmine.cli.settings import with_settings
from negmine.mining.settings import MineSettings
from negmine.notices import warn
from negmine.settings import Count, setting

if TYPE_CHECKING:
    from negmine.mining.mine import Mined
    from negmine.mining.strata import Heard
    from negmine.models.scorer import Scorer
    from negmine.pool import Pool
    from negmine.recipes.cache import CachedReader


class MineRunSettings(MineSettings, frozen=True):
    """Which negatives are chosen."""

    control: bool = setting(
        False,
        "Also write random negatives to OUT with '.control': of each class as many of each kind, "
        "of as many known classes and the same confidence.",
        common=True,
    )
    budget: Count | None = setting(
        None,
        "First search for harder negatives with this many forwards of the model, and add them to "
        "the pool; 'negmine synthesise' has all settings.",
        flag="--synthesise",
        metavar="BUDGET",
        common=True,
    )


@dataclass(frozen=True)
class _Listened:
    """What people said: tables of what is never chosen, of verdicts, and folders of audits."""

    exclude: Path | None
    verdicts: tuple[Path, ...]
    audits: tuple[Path, ...]


@click.command(cls=CleanCommand)
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    required=True,
    multiple=True,
    help="A checkpoint, or what a plug-in reads.",
)
@pool_option
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The selection, Parquet.",
)
@as_one(CachedScoring, "scoring")
@as_one(_Listened, "listened")
@with_settings(MineRunSettings)
@click.option(
    "--exclude",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV with columns recipe and class, as of 'negmine audit read': never chosen.",
)
@click.option(
    "--verdicts",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A table of 'negmine ask', filled in: what shares sound with a window in which somebody "
    "heard the class is never chosen for it, and doubt goes by what was heard. Repeatable.",
)
@click.option(
    "--audit",
    "audits",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder of 'negmine audit draw' of this pool, or of a selection from it, with verdicts: "
    "doubt goes by them, and what was heard is never chosen. Repeatable.",
)
@click.option(
    "--report",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write an HTML page of what was chosen, as 'negmine report' does.",
)
@click.option(
    "--scores",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for scores.  [default: scores beside OUT]",
)
@cache_option
@device_option
@compile_option
@quiet_and_json
def mine(
    scoring: CachedScoring,
    pool: Path,
    out: Path,
    settings: MineRunSettings,
    listened: _Listened,
    page: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score a pool with a model and choose, per class, the certified negatives that fool it most.

    What is too likely to hold the class after all is not chosen: it is written beside OUT, with
    '.review', for a person to listen to.

    \b
    Example:
      negmine mine --model run0/best.pt --pool pool --out hard.parquet --control
      negmine mine --model run0/best.pt --pool pool --out hard.parquet \\
          --strategy "window:low=0.9,high=0.999 + quota:by=group,most=5"
    """  # fmt: skip
    from negmine.annotations.verdicts import read_verdicts
    from negmine.cli.commands.report import check_page
    from negmine.mining.exclusions import heard_present, heard_rows, read_exclusions
    from negmine.mining.mine import mine as run_mining
    from negmine.mining.mine_report import model_name
    from negmine.pool import open_pool
    from negmine.storage.locks import only_writer

    if len(scoring.models) > 1:
        raise click.UsageError(
            "mining scores with one model; that several score as one was removed, it gained "
            "nothing: name one --model"
        )
    if page:
        check_page(page)
    opened = open_pool(pool)
    excluded = read_exclusions(listened.exclude, opened) if listened.exclude else frozenset()
    heard = [one for path in listened.verdicts for one in read_verdicts(path, opened.classes)]
    audited = [one for path in listened.audits for one in _audited(path, opened)]
    (scorer,) = open_models(scoring)
    if scorer.clip_s != opened.clip_s:
        warn(f"the pool's clips are {opened.clip_s:g} s, the model's were {scorer.clip_s:g} s")
    if scorer.sample_rate != opened.sample_rate:
        warn(
            f"the pool was built at {opened.sample_rate} Hz, and its clips are resampled for "
            f"the model, which receives {scorer.sample_rate} Hz"
        )
    reader = open_cache(pool, opened.sources, scorer.sample_rate, scoring.cache)
    kept = scoring.scores or out.parent / "scores"
    with Bars(quiet) as bars:
        if settings.budget:
            opened = _synthesise(opened, scorer, settings.budget, kept, settings, reader, bars)
        if listened.verdicts:
            contradicted = heard_present(heard, opened)
            excluded |= contradicted
            warn(
                f"verdicts: {len(contradicted)} absences of the pool share sound with a window in "
                "which the class was heard, and are not chosen; rejected windows become negatives "
                "by 'negmine build-pool --verdicts'"
            )
        total = len(opened) + len(opened.calls)
        mined = run_mining(
            scorer, opened, kept, settings,
            exclude=excluded, heard=[*heard_rows(heard, opened), *audited],
            reader=reader, on_rows=bars("scoring", total, "clip"),
        )  # fmt: skip
    report = mined.report.to_dict() | {
        "selection": mined.selection.digest,
        "model_name": model_name(scoring.models[0]),
        "command": shlex.join(["negmine", *sys.argv[1:]]),
    }
    with only_writer(out, wait=True):
        _write(mined, report, out, settings.control)
    if page:
        from negmine.report.html import Beside, clips_to_render, write_report

        with Bars(quiet) as bars:
            advance = bars("rendering", clips_to_render(mined.selection, opened), "clip")
            write_report(
                page, mined.selection, opened, report, beside=Beside(str(out)), on_clip=advance
            )
    if as_json:
        print_json(report)
        return
    say(mined.report.to_text(), quiet)
    if mined.review.rows:
        say(f"{beside(out, 'review')}: {len(mined.review.rows)} to listen to", quiet)
    say(f"{out}: {len(mined.selection.rows)} negatives", quiet)


def _audited(folder: Path, pool: Pool) -> list[Heard]:
    """Read what a listener said of rows of the pool.

    Raises
    ------
    InputError
        If it is an audit of another pool, or holds no verdict.
    """
    from negmine.audit.audit_folder import KEY, read_clip_verdicts, read_key
    from negmine.audit.hidden_rates import Audit
    from negmine.errors import InputError
    from negmine.review.clip_folder import VERDICTS

    key = read_key(folder / KEY)
    if key.about["pool_digest"] not in pool.digests:
        raise InputError(
            f"--audit {folder}: of another pool, {key.about['pool']}, or of {pool.path} before it "
            "was rebuilt; draw an audit of this one"
        )
    return Audit(key, read_clip_verdicts(folder / VERDICTS, key)).rows()


def _write(mined: Mined, report: Mapping[str, Any], out: Path, control: bool) -> None:
    """Write the selection and the files beside it; remove what an earlier one left there."""
    from negmine.storage.files import write_json

    write_json(out.with_suffix(".report.json"), report)
    parts = {"control": mined.control if control else None, "review": mined.review}
    for name, part in parts.items():
        path = beside(out, name)
        if part is not None and (part.rows or name == "control"):
            part.write(path)
        elif path.exists():
            path.unlink()
            warn(f"{path}: removed: it was beside an earlier selection of this name")
    mined.selection.write(out)


def _synthesise(
    pool: Pool,
    scorer: Scorer,
    budget: int,
    scores: Path,
    settings: MineSettings,
    reader: CachedReader | None,
    bars: Bars,
) -> Pool:
    """Add what a search finds to the pool; one that was searched so already stays as it is."""
    from negmine.pool import open_pool
    from negmine.scores.embed import score_pool
    from negmine.storage.locks import only_writer
    from negmine.synthesis.into_pool import rules_for, synthesise_into
    from negmine.synthesis.searches import describe_search, find_search
    from negmine.synthesis.settings import SynthesisSettings

    with only_writer(pool.path):
        pool = open_pool(pool.path)
        search = SynthesisSettings(
            budget=budget,
            seed=settings.seed,
            per_class=settings.per_class,
            # what mining would send to review is not searched for either
            max_doubt=min(SynthesisSettings().max_doubt, settings.max_doubt),
            batch_size=settings.batch_size,
        )
        rules = rules_for(pool, None)
        described = describe_search(pool.path, scorer.fingerprint, search, rules)
        if found := find_search(pool.path, described):
            warn(
                f"{pool.path}: not searched again: the same search added {found['kept']} recipes "
                "before"
            )
            return pool
        on_rows = bars("scoring", len(pool) + len(pool.calls), "clip")
        known = score_pool(
            scorer, pool, scores, batch_size=settings.batch_size, reader=reader, on_rows=on_rows
        )
        advance = bars("searching", budget, "clip")
        done = synthesise_into(
            scorer,
            pool,
            search,
            rules,
            known=known,
            reader=reader,
            on_scored=lambda recipes, embeddings, logits: advance(len(recipes)),
        )
        if done.search.stopped:
            raise KeyboardInterrupt
        return open_pool(pool.path)


def beside(out: Path, what: str) -> Path:
    """Return the name of what is written beside a selection: ``hard.review.parquet``."""
    return out.with_suffix(f".{what}{out.suffix}")
