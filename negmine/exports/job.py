"""What the writer of a format is given, and what it says of the format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from negmine.audio.windows import Span
from negmine.exports.clip_files import write_clips
from negmine.exports.rows import Band, ClipRow, PlacedRow, once, place_of
from negmine.exports.settings import ExportSettings
from negmine.progress import Progress

# The folder of clips, in the export's.
CLIPS = "clips"


@dataclass
class Job:
    """What a writer is given.

    Attributes
    ----------
    rows : sequence of ClipRow
    classes : tuple of str
    folder : Path
        Where files are written; renamed to ``out`` when all are.
    out : Path
        Where they will be: for tables that name them.
    settings : ExportSettings
    sample_rate : int
        Of clips, in Hz.
    bands : mapping of str to (float, float)
        Of classes, from a table.
    left_out, notes : dict of str to int, list of str
        What a writer could not write, by reason, and what else it has to say, a line each.
    already : int
        Of what was left out: what is there already, so that nothing new is no fault.
    """

    rows: Sequence[ClipRow]
    classes: tuple[str, ...]
    folder: Path
    out: Path
    settings: ExportSettings
    sample_rate: int
    progress: Progress
    bands: dict[str, Band] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    already: int = 0

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Count what is not written."""
        self.left_out[reason] = self.left_out.get(reason, 0) + count

    def clips(self, rows: Sequence[ClipRow]) -> list[str]:
        """Render rows, each sound once; return their files' paths in the export's folder."""
        write_clips({self.folder / CLIPS: rows}, self.sample_rate, self.progress)
        return [f"{CLIPS}/{row.name}.flac" for row in rows]

    def distinct(self) -> list[ClipRow]:
        """Return the rows, each sound once; say where labels contradict each other."""
        rows, lost = once(self.rows)
        if lost:
            self.notes.append(
                f"{lost} cells are unknown: one row has the class present, another absent, in the "
                "same sound"
            )
        return rows

    def placed(self) -> list[PlacedRow]:
        """Return each row as a span of a file, rendering those that are to be clips.

        Rows that no file holds are left out and counted, unless they are rendered.
        """
        how, found, clips = self.settings.render, [], list[ClipRow]()
        kinds: dict[str, int] = {}
        for row in self.rows:
            place = None if how == "all" else place_of(row.recipe)
            if place:
                source = place.source
                root = source.root.resolve()
                found.append(PlacedRow(row, root, source.name, place.span, source.duration_s))
            elif how != "none":
                clips.append(row)
            else:
                kinds[row.recipe.kind] = kinds.get(row.recipe.kind, 0) + 1
        if kinds:
            which = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
            self.leave_out(
                f"rows that are no span of one recording ({which}); --render mixed writes them as "
                "clips",
                sum(kinds.values()),
            )
        root = self.out.resolve()
        for row, name in zip(clips, self.clips(clips) if clips else [], strict=True):
            found.append(PlacedRow(row, root, name, _whole(row), row.recipe.duration_s))
        return found

    def band(self, row: ClipRow, label: str) -> Band:
        """Return the frequencies of what a row says of a class.

        Those of its box, else those of the table, else all that the sound's rate holds.
        """
        known = row.bands.get(label) or self.bands.get(label)
        if known:
            return known
        line = (
            "boxes of classes without a known band reach over all frequencies; --band-table names "
            "bands"
        )
        if line not in self.notes:
            self.notes.append(line)
        return 0.0, row.recipe.sample_rate / 2


def _whole(row: ClipRow) -> Span:
    return Span(0.0, row.recipe.duration_s)


@dataclass(frozen=True)
class Writer:
    """The writer of one format.

    Attributes
    ----------
    write : callable
        Given a `Job`, writes the files, and returns how many rows (of a table, or clips) they
        hold.
    cells : "own" or "all"
        What is written of a mined row unless settings say otherwise.
    unit : str
        What the writer counts.
    spreadsheet : bool
        Whether it is a table in which `negmine.storage.csv_tables.safe_cell` changes names.
    lacks : tuple of str
        What the format cannot hold of ``confidence`` (of an absence) and ``score``.
    """

    write: Callable[[Job], int]
    cells: Literal["own", "all"]
    unit: str
    lacks: tuple[str, ...] = ()
    spreadsheet: bool = False
