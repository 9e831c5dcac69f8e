"""An audit's folder: clips under neutral names, a page to hear them, verdicts to fill, and the key.

listen.html       hears the clips and takes verdicts, offline
verdicts.csv      clip, class, verdict, note
clips/            FLAC; the names say nothing, the order is random
key.parquet       what each clip is; not for the listener
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from negmine.audio import write_flac
from negmine.audit_sample import (
    Claim,
    DrawSettings,
    Frame,
    PoolFrame,
    SelectionFrame,
    draw_claims,
    draw_controls,
)
from negmine.csv_tables import read_rows
from negmine.errors import InputError, OutputError, did_you_mean, shorten
from negmine.pool import Pool, open_pool
from negmine.render import render
from negmine.selection import Selection, open_selection
from negmine.tables import read_table, write_table, writing_folder

FORMAT = "negmine-audit"
VERSION = "1"

CLIPS, KEY, PAGE, VERDICTS = "clips", "key.parquet", "listen.html", "verdicts.csv"
COLUMNS = ("clip", "class", "verdict", "note")
WORDS = ("present", "absent", "unsure")

_KEY_COLUMNS = {
    "clip": pa.string(),
    "recipe": pa.string(),
    "class": pa.string(),
    "control": pa.bool_(),
    "kind": pa.string(),
    "certificate": pa.string(),
    "confidence": pa.float64(),
    "hardness": pa.string(),
    "score": pa.float64(),
    "stratum": pa.string(),
    "stratum_size": pa.int64(),
}

# Where the page's list of clips goes.
_MARK = "__CLIPS__"


@dataclass(frozen=True)
class Key:
    """What each clip of an audit is.

    Attributes
    ----------
    clips : tuple of str
        Names of the files in ``clips/``, in the order of hearing.
    claims : tuple of Claim
    about : mapping
        ``source`` (``pool`` or ``selection``), ``path``, ``pool``, ``pool_digest``, ``by``,
        ``seed``, ``population`` (claims that might have been drawn), and the pool's ``settings``.
    """

    clips: tuple[str, ...]
    claims: tuple[Claim, ...]
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a listener said of one clip: a word of `WORDS`, or nothing yet."""

    word: str
    note: str


def draw_audit(
    source: Path,
    out: Path,
    settings: DrawSettings,
    *,
    progress: Callable[[str, int, str], Callable[..., object]],
) -> Key:
    """Draw a sample of a pool or a selection and write its folder, whole or not at all.

    Parameters
    ----------
    source : Path
        A pool's folder, or a selection.
    out : Path
        A new folder, or one with an audit whose verdicts nobody began to fill.
    settings : DrawSettings
    progress : callable
        Given a title, a number and a unit, returns what to call after each clip.

    Raises
    ------
    InputError
        If verdicts stand in ``out``, it is no audit's folder, or the sample does not fit.
    PoolError
        If the source is no pool and no selection.
    AudioError
        If a clip cannot be rendered.
    """
    check_free(out)
    opened: Pool | Selection = open_pool(source) if source.is_dir() else open_selection(source)
    frame: Frame
    if isinstance(opened, Pool):
        pool, frame, usual = opened, PoolFrame(opened), ("certificate", "kind")
    else:
        pool, frame, usual = opened.open_pool(), SelectionFrame(opened), ("certificate", "hardness")
    for name in settings.classes:
        if name not in pool.classes:
            raise InputError(f"--class {name}: no such class{did_you_mean(name, pool.classes)}")
    classes = settings.classes or pool.classes
    by = settings.by or usual
    claims = draw_claims(frame, classes, by, settings)
    claims += draw_controls(pool, claims, settings)
    order = np.random.default_rng([settings.seed, 3]).permutation(len(claims))
    shuffled = tuple(claims[i] for i in order)
    digest = hashlib.blake2b(
        repr((pool.digest, [(c.recipe, c.label, c.stratum) for c in shuffled])).encode(),
        digest_size=3,
    ).hexdigest()
    width = len(str(len(shuffled)))
    # the audit's own mark in the names tells verdicts of another audit
    names = tuple(f"{digest}-{i:0{width}d}.flac" for i in range(1, len(shuffled) + 1))
    about = {
        "source": "pool" if isinstance(opened, Pool) else "selection",
        "path": str(source.resolve()),
        "pool": str(pool.path.resolve()),
        "pool_digest": pool.digest,
        "by": list(by),
        "seed": settings.seed,
        "settings": dict(pool.settings),
    }
    key = Key(names, shuffled, about)
    advance = progress("rendering", len(names), "clip")
    with writing_folder(out, replace=out.exists()) as folder:
        (folder / CLIPS).mkdir()
        for name, claim in zip(names, shuffled, strict=True):
            table = pool.calls if claim.control else pool.recipes
            recipe = table[table.row_of(claim.recipe)]
            write_flac(folder / CLIPS / name, render(recipe), pool.sample_rate)
            advance()
        write_verdicts(folder / VERDICTS, key)
        (folder / PAGE).write_text(listening_page(key, digest), encoding="utf-8")
        _write_key(folder / KEY, key)
    return key


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
        filled = sum(bool(v or note) for _, (_, _, v, note) in read_rows(out / VERDICTS, COLUMNS))
        if filled:
            raise InputError(
                f"{out / VERDICTS}: holds {filled} verdicts or notes, which drawing anew would "
                "lose; choose another folder for --out"
            )


def write_verdicts(path: Path, key: Key) -> None:
    """The table to fill."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, claim in zip(key.clips, key.claims, strict=True):
            writer.writerow([name, claim.label, "", ""])


def listening_page(key: Key, digest: str) -> str:
    """The page that hears the clips: it knows their names and classes, and nothing else."""
    clips = [[n, c.label] for n, c in zip(key.clips, key.claims, strict=True)]
    text = json.dumps({"audit": digest, "clips": clips}, ensure_ascii=False)
    # a class's name must not end the script that the list stands in
    text = text.replace("<", "\\u003c")
    template = Path(__file__).with_name("audit_listen.html").read_text(encoding="utf-8")
    return template.replace(_MARK, text)


def _write_key(path: Path, key: Key) -> None:
    names = ["label" if name == "class" else name for name in _KEY_COLUMNS][1:]
    columns = {"clip": pa.array(key.clips, pa.string())}
    for column, name in zip(list(_KEY_COLUMNS)[1:], names, strict=True):
        values = [getattr(claim, name) for claim in key.claims]
        columns[column] = pa.array(values, _KEY_COLUMNS[column])
    metadata = {"format": FORMAT, "version": VERSION, "about": json.dumps(dict(key.about))}
    write_table(path, pa.table(columns), metadata)


def read_key(path: Path) -> Key:
    """Read an audit's key.

    Raises
    ------
    PoolError
        If it is not readable.
    InputError
        If it is no audit's, or of another version.
    """
    table, metadata = read_table(path, _KEY_COLUMNS)
    if metadata.get("format") != FORMAT or "about" not in metadata:
        raise InputError(f"{path}: not a key written by 'negmine audit draw'")
    if metadata.get("version") != VERSION:
        raise InputError(
            f"{path}: a key of version {metadata.get('version')}; this negmine reads version "
            f"{VERSION}; draw the audit again"
        )
    clips, *values = (table.column(name).to_pylist() for name in _KEY_COLUMNS)
    assert len(values) == len(fields(Claim))
    claims = tuple(Claim(*row) for row in zip(*values, strict=True))
    return Key(tuple(clips), claims, json.loads(metadata["about"]))


def read_verdicts(path: Path, key: Key) -> list[Verdict]:
    """What a listener filled in, in the key's order.

    Raises
    ------
    InputError
        If a word is none of `WORDS`, a clip is missing, twice there or of another audit, its class
        was changed, or no verdict is filled in.
    """
    expected = {name: claim.label for name, claim in zip(key.clips, key.claims, strict=True)}
    found: dict[str, Verdict] = {}
    for where, (clip, label, word, note) in read_rows(path, COLUMNS):
        if clip not in expected:
            raise InputError(f"{where}: '{clip}' is not in the key: verdicts of another audit?")
        if clip in found:
            raise InputError(f"{where}: '{clip}' is there twice; keep one row of it")
        if label != expected[clip]:
            raise InputError(
                f"{where}: asks for class '{label}', but '{clip}' was drawn for "
                f"'{expected[clip]}'; verdicts of another audit?"
            )
        if word and word.lower() not in WORDS:
            raise InputError(
                f"{where}: verdict '{word}'{did_you_mean(word.lower(), WORDS)}; write "
                f"{', '.join(WORDS)}, or nothing"
            )
        found[clip] = Verdict(word.lower(), note)
    if missing := [clip for clip in key.clips if clip not in found]:
        raise InputError(
            f"{path}: no row for {shorten(missing, 3)}; leave a verdict empty rather than its row "
            "out"
        )
    if not any(verdict.word for verdict in found.values()):
        raise InputError(f"{path}: no verdict is filled in yet; hear the clips with {PAGE}")
    return [found[clip] for clip in key.clips]


def describe_claims(claims: Sequence[Claim]) -> dict[str, dict[str, int]]:
    """For each stratum: how many it holds, how many were drawn."""
    out: dict[str, dict[str, int]] = {}
    for claim in claims:
        if not claim.control:
            one = out.setdefault(claim.stratum, {"claims": claim.stratum_size, "drawn": 0})
            one["drawn"] += 1
    return dict(sorted(out.items()))
