"""Drawing an audit: what is heard, and under which names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from negmine.audio.write import write_flac
from negmine.audit.audit_folder import KEY, Key, write_key, write_verdicts
from negmine.audit.frames import Claim, Frame, PoolFrame, SelectionFrame
from negmine.audit.sample import draw_sample
from negmine.audit.settings import DrawSettings
from negmine.errors import InputError, OutputError, did_you_mean
from negmine.mining.selection import open_selection
from negmine.pool import open_pool
from negmine.pool.recipe_table import RecipeTable
from negmine.recipes.render import render
from negmine.report.clips import listening_gain_db
from negmine.review.clip_folder import CLIPS, EXAMPLES, VERDICTS, write_examples
from negmine.storage.csv_tables import read_rows
from negmine.storage.files import writing_folder


def draw_audit(
    source: Path,
    out: Path,
    settings: DrawSettings,
    *,
    pool: Path | None = None,
    progress: Callable[[str, int, str], Callable[..., object]],
) -> Key:
    """Draw a sample of a pool or a selection and write its folder, whole or not at all.

    Parameters
    ----------
    source : Path
        A pool's folder, or a selection.
    out : Path
        A new folder, or one with an audit without any verdict yet.
    pool : Path, optional
        Where a selection's pool is now.
    progress : callable
        Given a title, a number and a unit, returns what to call after each clip.

    Raises
    ------
    InputError
        If ``out`` holds verdicts, it is not an audit's folder, or the sample does not fit.
    PoolError
        If the source is neither a pool nor a selection.
    AudioError
        If a clip cannot be rendered.
    """
    check_free(out)
    frame: Frame
    if source.is_dir():
        kind, opened = "pool", open_pool(source)
        frame, usual = PoolFrame(opened), ("certificate", "kind")
    else:
        selection = open_selection(source, pool)
        kind, opened = "selection", selection.open_pool()
        frame, usual = SelectionFrame(selection), ("certificate", "hardness")
    for name in settings.classes:
        if name not in opened.classes:
            raise InputError(f"--class {name}: no such class{did_you_mean(name, opened.classes)}")
    by = tuple(dict.fromkeys(settings.by)) or usual
    shuffled, examples = draw_sample(frame, opened, by, settings)
    digest = hashlib.blake2b(
        repr((opened.digest, [(c.recipe, c.label, c.stratum) for c in shuffled])).encode(),
        digest_size=3,
    ).hexdigest()
    width = len(str(len(shuffled)))
    # the audit's own mark in the names tells verdicts of another audit
    names = tuple(f"{digest}-{i:0{width}d}.flac" for i in range(1, len(shuffled) + 1))
    about = {
        "source": kind,
        "path": str(source.resolve()),
        "pool": str(opened.path.resolve()),
        "pool_digest": opened.digest,
        "by": list(by),
        "seed": settings.seed,
        "settings": dict(opened.settings),
    }
    key = Key(names, tuple(shuffled), about)
    shown = {
        label: [f"{digest}-class{number}-{i}" for i in range(1, len(ids) + 1)]
        for number, (label, ids) in enumerate(examples.items(), start=1)
    }
    advance = progress("rendering", len(names), "clip")
    with writing_folder(out, replace=out.exists()) as folder:
        (folder / CLIPS).mkdir()
        for name, claim in zip(names, shuffled, strict=True):
            table = opened.calls if claim.control else opened.recipes
            _write_clip(folder / CLIPS / name, table, claim.recipe)
            advance()
        if any(shown.values()):
            (folder / EXAMPLES).mkdir()
            write_examples(folder, shown)
        for label, files in shown.items():
            for name, recipe_id in zip(files, examples[label], strict=True):
                _write_clip(folder / EXAMPLES / f"{name}.flac", opened.calls, recipe_id)
        write_verdicts(folder / VERDICTS, key, opened.clip_s)
        write_key(folder / KEY, key)
    return key


def _write_clip(path: Path, table: RecipeTable, recipe_id: str) -> None:
    """Write a clip as FLAC, amplified for listening."""
    recipe = table[table.row_of(recipe_id)]
    samples, rate = render(recipe), recipe.sample_rate
    louder = samples * np.float32(10 ** (listening_gain_db(samples, rate) / 20))
    write_flac(path, louder, rate)


def check_free(out: Path) -> None:
    """Check that an audit may be written to a folder: nothing of value is in it.

    Raises
    ------
    OutputError, InputError
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError(f"{out}: is a file; choose a folder for --out")
    if not (out / KEY).is_file():
        if any(out.iterdir()):
            raise InputError(f"{out}: holds other files; choose a new folder for --out")
        return
    if (out / VERDICTS).is_file():
        filled = sum(bool(word) for _, (word,) in read_rows(out / VERDICTS, ("verdict",)))
        if filled:
            raise InputError(
                f"{out / VERDICTS}: holds {filled} verdicts, which drawing again would lose; "
                "choose another folder for --out"
            )


def describe_claims(claims: Sequence[Claim]) -> dict[str, dict[str, int]]:
    """Describe each stratum: how many it holds, how many were drawn."""
    out: dict[str, dict[str, int]] = {}
    for claim in claims:
        if not claim.control:
            one = out.setdefault(claim.stratum, {"claims": claim.stratum_size, "drawn": 0})
            one["drawn"] += 1
    return dict(sorted(out.items()))
