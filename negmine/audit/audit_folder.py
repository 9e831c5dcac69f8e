"""An audit's folder: clips to judge (`negmine.review.clip_folder`), and the key.

verdicts.csv      a table of verdicts, a row a clip
clips/            FLAC; the names say nothing, the order is random
examples/         confirmed calls of each class, to know it by
examples.csv      the class of each
key.parquet       what each clip is; not for the listener
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from negmine.annotations.verdict_rows import COLUMNS, UNSURE, verdict_rows
from negmine.audit.frames import Claim
from negmine.errors import InputError, shorten
from negmine.storage.csv_tables import safe_cell
from negmine.storage.files import write_table
from negmine.storage.parquet import read_table
from negmine.storage.text_files import parse_json

FORMAT = "negmine-audit"
VERSION = "1"

KEY = "key.parquet"

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
    "doubt": pa.float64(),
    "stratum": pa.string(),
    "stratum_size": pa.int64(),
}


@dataclass(frozen=True)
class Key:
    """What each clip of an audit is.

    Attributes
    ----------
    clips : tuple of str
        Names of the files in ``clips/``, in the order of hearing.
    about : mapping
        ``source`` (``pool`` or ``selection``), ``path``, ``pool``, ``pool_digest``, ``by``,
        ``seed``, and the pool's ``settings``.
    """

    clips: tuple[str, ...]
    claims: tuple[Claim, ...]
    about: Mapping[str, Any]


@dataclass(frozen=True)
class ClipVerdict:
    """What was said of one clip: one of `verdict_rows.WORDS`, or nothing yet."""

    word: str


def write_verdicts(path: Path, key: Key, clip_s: float) -> None:
    """Write the table to fill in."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, claim in zip(key.clips, key.claims, strict=True):
            writer.writerow([Path(name).stem, safe_cell(claim.label), 0.0, clip_s, "", ""])


def write_key(path: Path, key: Key) -> None:
    """Write what each clip is, as Parquet."""
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
    return Key(tuple(clips), claims, parse_json(metadata["about"], str(path)))


def read_clip_verdicts(path: Path, key: Key) -> list[ClipVerdict]:
    """Read what listeners filled in, in the key's order: ``unsure`` where sure ones disagree.

    Raises
    ------
    InputError
        If a word is no verdict, a clip is missing, twice there with a word of one listener, or of
        another audit, its class was changed, or no verdict is filled in.
    """
    expected = {Path(name).stem: c.label for name, c in zip(key.clips, key.claims, strict=True)}
    said: dict[str, dict[str, str]] = {}
    for row in verdict_rows(path):
        clip = row.recording
        if clip not in expected:
            raise InputError(f"{row.where}: '{clip}' is not in the key: verdicts of another audit?")
        if row.label != expected[clip]:
            raise InputError(
                f"{row.where}: asks for class '{row.label}', but '{clip}' was drawn for "
                f"'{expected[clip]}'; verdicts of another audit?"
            )
        words = said.setdefault(clip, {})
        if row.word and row.listener in words:
            raise InputError(
                f"{row.where}: '{clip}' has a second verdict of the same listener; keep one row"
            )
        if row.word:
            words[row.listener] = row.word
    if missing := [clip for clip in expected if clip not in said]:
        raise InputError(
            f"{path}: no row for {shorten(missing, 3)}; leave a verdict empty rather than its row "
            "out"
        )
    if not any(said.values()):
        raise InputError(
            f"{path}: no verdict is filled in yet; listen to the clips with 'negmine review'"
        )
    return [ClipVerdict(_together(said[clip].values())) for clip in expected]


def _together(words: Collection[str]) -> str:
    """Return what listeners say together of a clip; empty where nothing was said."""
    sure = set(words) - {UNSURE}
    return sure.pop() if len(sure) == 1 else UNSURE if words else ""
