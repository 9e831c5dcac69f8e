"""The windows of a perch-hoplite database: where they are, and what embeds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from negmine.errors import InputError
from negmine.extras import what_is_missing
from negmine.formats.hoplite import DATABASE, offsets, open_database, readable
from negmine.recipes.clip_labels import MIN_CALL_SHARE

INDEX = "usearch.index"
# ``LabelType`` of perch-hoplite 1.0
ABSENT, PRESENT = 0, 1
_PIECE = 20_000
_EXACT_S = 1e-6


@dataclass(frozen=True)
class EmbeddedWindows:
    """Windows, in the order of the database.

    Attributes
    ----------
    recording : int64 array, shape (N,)
        Number of each window's recording.
    span_s : float64 array, shape (N, 2)
        Beginning and end, in seconds of the recording.
    embeddings : float16 array, shape (N, D)
        As the database holds them.
    names, groups : dict of int to str
        File name and deployment of each recording.
    labels : tuple of (int, float, float, str, int)
        Recording, beginning, end, class and ``label_type`` of each annotation.
    notes : tuple of str
        What was left out, one line each.
    """

    recording: np.ndarray
    span_s: np.ndarray
    embeddings: np.ndarray
    names: dict[int, str]
    groups: dict[int, str]
    labels: tuple[tuple[int, float, float, str, int], ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.recording)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted({label for *_, label, _ in self.labels}))

    def known(self, label: str) -> KnownWindows:
        """Return what the annotations say of a class in each window.

        A window holds the class if half of it, or of a positive annotation, is in the other; it
        does not if negative ones cover it. What an annotation only touches is not known.
        """
        present, absent, doubtful, touched = np.zeros((4, len(self)), dtype=bool)
        for number, start, end, name, kind in self.labels:
            rows = self._rows.get(number)
            if name != label or rows is None:
                continue
            first, last = self.span_s[rows].T
            length = last - first
            shared = np.minimum(last, end) - np.maximum(first, start)
            here = shared > _EXACT_S
            touched[rows] |= here
            if kind == ABSENT:
                absent[rows] |= here & (shared >= length - _EXACT_S)
                continue
            doubtful[rows] |= here
            if kind == PRESENT:
                least = MIN_CALL_SHARE * np.minimum(length, end - start)
                present[rows] |= here & (shared >= least - _EXACT_S)
        return KnownWindows(present & ~absent, absent & ~doubtful, ~touched)

    @cached_property
    def _rows(self) -> dict[int, np.ndarray]:
        """Return the windows of each recording."""
        order = np.argsort(self.recording, kind="stable")
        numbers, starts = np.unique(self.recording[order], return_index=True)
        return dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True))


@dataclass(frozen=True)
class KnownWindows:
    """Of one class: bool arrays, shape (N,). What is none of the three is not sure."""

    present: np.ndarray
    absent: np.ndarray
    unlabelled: np.ndarray


def open_windows(folder: Path) -> EmbeddedWindows:
    """Open the windows, embeddings and annotations of a database.

    Parameters
    ----------
    folder : Path
        Holds ``hoplite.sqlite`` and ``usearch.index``, or is the former.

    Raises
    ------
    InputError
        If it is none of perch-hoplite's, USearch is not installed, or nothing is embedded.
    """
    if not folder.is_dir():
        if folder.name != DATABASE:
            raise InputError(f"{folder}: not a {DATABASE}; name that file, or the folder it is in")
        folder = folder.parent
    file = folder / DATABASE
    with closing(open_database(folder)) as database, readable(file):
        deployments = dict(database.execute("SELECT id, project || '/' || name FROM deployments"))
        recordings = database.execute("SELECT id, filename, deployment_id FROM recordings")
        names, groups = {}, {}
        for number, name, deployment in recordings:
            names[number], groups[number] = str(name), str(deployments.get(deployment, ""))
        windows = database.execute("SELECT id, recording_id, offsets FROM windows ORDER BY id")
        rows = [
            (key, number, *offsets(f"{file} window {key}", blob)) for key, number, blob in windows
        ]
        said = database.execute(
            "SELECT id, recording_id, offsets, label, label_type FROM annotations ORDER BY id"
        )
        labels = tuple(
            (number, *offsets(f"{file} annotation {key}", blob), str(label), kind)
            for key, number, blob, label, kind in said
        )
    if not rows:
        raise InputError(
            f"{folder}: the database has no windows; embed recordings with perch-hoplite"
        )
    for key, number, *_ in rows:
        if number not in names:
            raise InputError(f"{file} window {key}: no recording {number!r:.40}; damaged?")
    keys = np.array([row[0] for row in rows], dtype=np.uint64)
    embeddings, found = _embeddings(folder / INDEX, keys)
    notes = []
    if lost := int((~found).sum()):
        notes.append(f"left out {lost} of {len(keys)} windows that {folder / INDEX} does not hold")
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        notes.append(
            f"{len(twice)} file names are of several recordings, such as '{twice[0]}'; the column "
            "group tells them apart"
        )
    kept = np.flatnonzero(found)
    return EmbeddedWindows(
        np.array([rows[i][1] for i in kept], dtype=np.int64),
        np.array([rows[i][2:] for i in kept], dtype=np.float64).reshape(-1, 2),
        embeddings,
        names,
        groups,
        labels,
        tuple(notes),
    )


def _embeddings(path: Path, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read the embeddings of windows: float16, shape (n, D), and which windows have one."""
    index = _index(path)
    embeddings = np.zeros((len(keys), int(index.ndim)), dtype=np.float16)
    found = np.zeros(len(keys), dtype=bool)
    for start in range(0, len(keys), _PIECE):
        rows: Sequence[Any] = index.get(keys[start : start + _PIECE])
        here = embeddings[start : start + _PIECE]
        for place, row in enumerate(rows):
            if row is not None:
                here[place], found[start + place] = row, True
        found[start : start + _PIECE] &= np.isfinite(here).all(axis=1)
    if not found.any():
        raise InputError(f"{path}: holds none of the {len(keys)} windows of its database")
    return embeddings if found.all() else embeddings[found], found


def _index(path: Path) -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        missing = what_is_missing(error) or "this needs usearch: python -m pip install usearch"
        raise InputError(missing) from error
    if not path.is_file():
        raise InputError(f"{path}: no such file; embeddings of perch-hoplite are there")
    try:
        index = Index.restore(path, view=True)
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(f"{path}: not readable as an index of USearch: {error}") from error
    if index is None:
        raise InputError(f"{path}: not an index of USearch; damaged?")
    return index
