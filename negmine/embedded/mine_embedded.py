"""The hardest rejected windows of a database, and those that a person should hear next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from negmine.embedded.embedded_windows import EmbeddedWindows
from negmine.embedded.held_out_heads import score_class
from negmine.embedded.settings import EmbeddedSettings
from negmine.errors import InputError, shorten
from negmine.formats.negmine import COLUMNS
from negmine.mining.rules.duplicates import without_duplicates
from negmine.progress import Progress, no_progress
from negmine.scores.index import EmbeddingIndex
from negmine.storage.csv_tables import known_name, open_table, write_csv

# Where a row of the table is from: what people said in the database, or what is to be heard.
_SAID, _TO_HEAR = "perch-hoplite label", "perch-hoplite window"
# A ranking's head that is looked at first, as a multiple of the rows wanted.
_HEAD = 4


@dataclass(frozen=True)
class MinedClass:
    """What was chosen for one class.

    Attributes
    ----------
    hard, to_hear : int64 array
        Windows, the highest score first: rejected ones, and unlabelled ones.
    logits : float32 array, shape (N,)
        Of all windows, held out.
    calls, rejected : int
        Windows that are known.
    separation : float
        See `negmine.embedded.held_out_heads.Scored`.
    above : int
        Rejected windows that score higher than the median of the calls.
    """

    label: str
    hard: np.ndarray
    to_hear: np.ndarray
    logits: np.ndarray
    calls: int
    rejected: int
    separation: float
    above: int


def mine_windows(
    windows: EmbeddedWindows,
    classes: Sequence[str] = (),
    settings: EmbeddedSettings | None = None,
    progress: Progress = no_progress,
) -> tuple[list[MinedClass], list[str]]:
    """Rank the windows of a database for each class, by heads on their embeddings.

    Parameters
    ----------
    classes : sequence of str
        By default all that are annotated.

    Returns
    -------
    mined : list of MinedClass
    notes : list of str
        Of classes that are left out: a line for each reason.

    Raises
    ------
    InputError
        If a class is not annotated, or none can be mined.
    """
    settings = settings or EmbeddedSettings()
    for name in classes:
        known_name("--class", "class", name, windows.classes)
    wanted = tuple(dict.fromkeys(classes)) or windows.classes
    mined, single = [], []
    advance = progress("fitting", len(wanted) * settings.folds, "head")
    for label in wanted:
        known = windows.known(label)
        if len(np.unique(windows.recording[known.present])) < 2:
            single.append(label)
            advance(settings.folds)
            continue
        # of its own, so that a class is mined alike whatever others are
        rng = np.random.default_rng([settings.seed, *label.encode()])
        scored = score_class(windows, known, settings, rng, advance)
        logits = scored.logits
        sure = ~np.isnan(logits)
        calls, rejected = known.present & sure, known.absent & sure
        median = float(np.median(logits[calls])) if calls.any() else math.nan
        mined.append(
            MinedClass(
                label,
                _highest(windows, logits, rejected, settings),
                _highest(windows, logits, known.unlabelled & sure, settings),
                logits,
                int(known.present.sum()),
                int(known.absent.sum()),
                scored.separation,
                int((logits[rejected] > median).sum()),
            )
        )
    notes = []
    if single:
        notes.append(
            f"left out {len(single)} classes without calls in two recordings, which held-out "
            f"scores need: {shorten(single)}"
        )
    if not mined:
        raise InputError(
            notes[0] if notes else "the database has no annotations; label windows first"
        )
    return mined, notes


def _highest(
    windows: EmbeddedWindows, logits: np.ndarray, which: np.ndarray, settings: EmbeddedSettings
) -> np.ndarray:
    """Return the windows that score highest, without near-duplicates: int64."""
    rows = np.flatnonzero(which)
    rows = rows[np.argsort(-logits[rows], kind="stable")]
    most = settings.per_class
    head = _HEAD * most
    while True:
        here = windows.embeddings[rows[:head]].astype(np.float32)
        here /= np.maximum(np.linalg.norm(here, axis=1, keepdims=True), 1e-12)
        near = EmbeddingIndex(here).within(here, settings.min_distance)
        kept = without_duplicates(near, most)
        if len(kept) == most or head >= len(rows):
            return np.asarray(rows[kept])
        head *= _HEAD


def check_free(path: Path) -> None:
    """Check that the table may be written: nothing is there, or one of which nothing was heard.

    Raises
    ------
    InputError
        If verdicts are filled in, or it is no such table.
    """
    if not path.exists():
        return
    columns, rows = open_table(path)
    if columns != COLUMNS:
        raise InputError(
            f"{path}: exists and is no table of 'negmine mine-embedded'; choose another name for "
            "--out"
        )
    verdict, source = COLUMNS.index("verdict"), COLUMNS.index("source")
    heard = sum(bool(cells[verdict]) and cells[source] != _SAID for _, cells in rows)
    if heard:
        raise InputError(
            f"{path}: {heard} of its rows have a verdict that is not the database's; pass it as "
            "--annotations, and choose another name for --out"
        )


def write_mined(path: Path, windows: EmbeddedWindows, mined: Sequence[MinedClass]) -> int:
    """Write what was chosen, whole or not at all, in the columns of 'negmine import --out'.

    Returns
    -------
    int
        Rows.
    """
    rows = []
    for one in mined:
        for chosen, verdict, source in ((one.hard, "absent", _SAID), (one.to_hear, "", _TO_HEAR)):
            for row in chosen.tolist():
                number = int(windows.recording[row])
                start, end = windows.span_s[row].tolist()
                cells = (windows.names[number], one.label, verdict, start, end, "", "", "")
                score = round(float(one.logits[row]), 4)
                rows.append((*cells, windows.groups[number], "", score, source))
    write_csv(path, pd.DataFrame(rows, columns=list(COLUMNS)))
    return len(rows)
