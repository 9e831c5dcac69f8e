"""What tables say, before anything is built of them: for people, for scripts, and as one table."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negmine.annotations.assemble import WINDOW_S, Resolved
from negmine.annotations.whole import loud_span
from negmine.audio.read import probe_all, promised
from negmine.audio.windows import Span
from negmine.errors import AudioError
from negmine.formats.entry import EVERY_CLASS, Entry
from negmine.formats.negmine import COLUMNS
from negmine.formats.recognise import Table
from negmine.progress import Progress, no_progress
from negmine.storage.csv_tables import write_csv
from negmine.storage.names import sorted_names

VERDICTS = ("present", "absent", "unknown")


@dataclass(frozen=True)
class CallSpan:
    """Where in a file a call is taken to be that a row gives to the whole file."""

    recording: str
    label: str
    span: Span
    duration_s: float

    def to_text(self) -> str:
        """Describe it in one line."""
        return (
            f"{self.recording}: '{self.label}' from {self.span.start_s:g} to {self.span.end_s:g} s "
            f"of {self.duration_s:.2f} s"
        )


@dataclass(frozen=True)
class ImportReport:
    """What was understood.

    Attributes
    ----------
    tables : tuple of Table
        Each table by itself.
    resolved : Resolved
        What they come to together.
    beyond : tuple of str
        Rows that are not in their recording, with why.
    calls : tuple of CallSpan
        Where calls of whole recordings are taken to be.
    stops : str
        The error that the commands would end with; empty without one.
    recordings_known : bool
        Whether folders of recordings were named.
    """

    tables: tuple[Table, ...]
    resolved: Resolved
    beyond: tuple[str, ...] = ()
    calls: tuple[CallSpan, ...] = ()
    stops: str = ""
    recordings_known: bool = False

    @property
    def by_class(self) -> dict[str, Counter[str]]:
        """Verdicts of each class, and recordings that have one."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        heard: defaultdict[str, set[str]] = defaultdict(set)
        for entry in self.resolved.entries:
            found[entry.label][entry.verdict] += 1
            heard[entry.label].add(entry.recording)
        for name, recordings in heard.items():
            found[name]["recordings"] = len(recordings)
        named = sorted_names(name for name in found if name != EVERY_CLASS)
        order = [*named, *([EVERY_CLASS] if EVERY_CLASS in found else [])]
        return {name: found[name] for name in order}

    @property
    def spans(self) -> dict[str, float | int | None]:
        """How many rows are of a whole recording, and how long the spans of the others are."""
        entries = self.resolved.entries
        lengths = [entry.span.duration_s for entry in entries if entry.span is not None]
        known = np.quantile(lengths, [0, 0.5, 1]).round(3).tolist() if lengths else [None] * 3
        return {
            "whole_recordings": len(entries) - len(lengths),
            "without_band": sum(entry.band_hz is None for entry in entries),
            **dict(zip(("shortest_s", "median_s", "longest_s"), known, strict=True)),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return it for scripts."""
        found = self.resolved
        return {
            "tables": [_of_table(table) for table in self.tables],
            "classes": {
                name: {key: count[key] for key in (*VERDICTS, "recordings")}
                for name, count in self.by_class.items()
            },
            "spans": self.spans,
            "recordings": len({entry.recording for entry in found.entries}),
            "recordings_not_found": dict(found.missing) if self.recordings_known else None,
            "groups": len(set(found.groups.values())),
            "names_that_are_no_class": dict(found.unmapped),
            "contradictions": [list(pair) for pair in found.contradictions],
            "not_in_their_recording": list(self.beyond),
            "calls_of_whole_recordings": [
                {
                    "recording": one.recording,
                    "class": one.label,
                    "t_min": one.span.start_s,
                    "t_max": one.span.end_s,
                    "duration_s": one.duration_s,
                }
                for one in self.calls
            ],
            "notes": list(found.notes.text()),
            "stops": self.stops or None,
        }


def _of_table(table: Table) -> dict[str, Any]:
    count = table.verdicts
    return {
        "table": str(table.path),
        "format": table.format,
        **{word: count[word] for word in VERDICTS},
        "left_out": dict(table.notes.dropped),
        "repaired": dict(table.notes.repaired),
        "notes": list(table.notes.text()),
    }


def beyond_files(entries: Sequence[Entry], paths: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the rows whose span or band is not in their file, as its header has it.

    Parameters
    ----------
    paths : mapping of str to Path
        Of the recordings that are there. Those that cannot be opened are left to the commands.
    """
    lines: list[str] = []
    known: dict[str, tuple[float, float]] = {}
    for entry in entries:
        if entry.recording not in paths:
            continue
        if entry.recording not in known:
            try:
                duration_s, rate = promised(paths[entry.recording])
            except AudioError:
                duration_s, rate = math.inf, 0
            known[entry.recording] = duration_s, rate / 2 or math.inf
        duration_s, nyquist_hz = known[entry.recording]
        where = f"{entry.where}: recording '{entry.recording}'"
        if entry.span is not None and (
            entry.span.start_s >= duration_s or entry.span.end_s > duration_s + WINDOW_S
        ):
            lines.append(
                f"{where} ends at {duration_s:.2f} s, and the row is of {entry.span.start_s:g} to "
                f"{entry.span.end_s:g} s"
            )
        elif entry.band_hz is not None and entry.band_hz[0] >= nyquist_hz:
            lines.append(
                f"{where} holds nothing above {nyquist_hz:g} Hz, and the row is of "
                f"{entry.band_hz[0]:g} Hz and more"
            )
    return tuple(lines)


def call_spans(
    entries: Sequence[Entry], paths: Mapping[str, Path], progress: Progress = no_progress
) -> tuple[CallSpan, ...]:
    """Return where the calls of whole recordings are taken to be: see `negmine.annotations.whole`.

    Files that cannot be read are left to the commands, which say so.
    """
    whole = [
        entry
        for entry in entries
        if entry.verdict == "present" and entry.span is None and entry.recording in paths
    ]
    if not whole:
        return ()
    wanted = {entry.recording: paths[entry.recording] for entry in whole}
    try:
        infos, _ = probe_all(
            wanted.values(), skip_bad=True, on_done=progress("reading whole files", len(wanted))
        )
    except AudioError:
        return ()
    read = {name: infos[path] for name, path in wanted.items() if path in infos}
    return tuple(
        CallSpan(one.recording, one.label, loud_span(info), info.duration_s)
        for one in whole
        if (info := read.get(one.recording)) is not None
    )


def write_entries(path: Path, found: Resolved) -> int:
    """Write what tables say as one table, which `negmine.formats.negmine` reads; return its rows.

    Rows that contradict each other are written as unknown.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    import pandas as pd

    unsure = {where for pair in found.contradictions for where in pair}
    kept = {entry.where for entry in found.agreed}
    rows = [
        (
            entry.recording,
            entry.label,
            "unknown" if entry.where in unsure and entry.where not in kept else entry.verdict,
            *(("", "") if entry.span is None else map(_number, _edges(entry))),
            *(("", "") if entry.band_hz is None else map(_number, entry.band_hz)),
            entry.songtype,
            entry.group,
            entry.judge,
            "" if entry.score is None else _number(entry.score),
            entry.where,
        )
        for entry in found.entries
    ]
    write_csv(path, pd.DataFrame(rows, columns=list(COLUMNS), dtype=object))
    return len(rows)


def _edges(entry: Entry) -> tuple[float, float]:
    return (entry.span.start_s, entry.span.end_s) if entry.span else (0.0, 0.0)


def _number(value: float) -> str:
    """Write a number so that reading gives it back; nothing where it has no end."""
    return repr(float(value)) if math.isfinite(value) else ""
