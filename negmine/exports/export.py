"""Export of selections, pools and annotations: one folder, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from negmine import __version__
from negmine.annotations.class_bands import read_bands
from negmine.building.holdout import read_names
from negmine.errors import InputError, OutputError, shorten
from negmine.exports import writer_of
from negmine.exports.job import Job, Writer
from negmine.exports.rows import Band, ClipRow
from negmine.exports.settings import ExportSettings
from negmine.pool.held_out import unmatched_note
from negmine.progress import Progress, no_progress
from negmine.recipes.source import Source
from negmine.storage.csv_tables import safe_cell
from negmine.storage.files import write_json, writing_folder
from negmine.storage.locks import only_writer

# What makes a folder one that may be replaced.
ABOUT = "export.json"


@dataclass(frozen=True)
class Rows:
    """What is exported, and where it comes from.

    Attributes
    ----------
    source : str
        For the record.
    sample_rate : int
        Of clips, in Hz, unless settings name another.
    notes : tuple of str
        What there is to know of them, a line each.
    sources : iterable of Source
        All that could have been drawn on.
    """

    rows: Sequence[ClipRow]
    classes: tuple[str, ...]
    source: str
    sample_rate: int
    notes: tuple[str, ...] = ()
    sources: Iterable[Source] = ()


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Attributes
    ----------
    rows : int
        That were to be exported.
    written : int
        Rows of the tables, labels, or clips: of which, ``unit`` says.
    left_out : mapping of str to int
        By reason.
    notes : tuple of str
        What the format could not hold, and what else there is to know.
    """

    out: Path
    format: str
    rows: int
    written: int
    unit: str
    left_out: Mapping[str, int]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "out": str(self.out), "notes": list(self.notes)}


def export(
    what: Rows,
    to: str,
    out: Path,
    settings: ExportSettings | None = None,
    *,
    replace: bool = False,
    progress: Progress = no_progress,
) -> ExportReport:
    """Write rows in the format of another tool, as a folder.

    Parameters
    ----------
    what : Rows
        Of `negmine.exports.sources`.
    to : str
        One of `negmine.exports.NAMES`.
    out : Path
        A new folder.
    replace : bool
        Replace an earlier export that is there.

    Raises
    ------
    InputError
        If there is nothing to write, or the format cannot name what there is.
    OutputError
        If something is there already, or the folder cannot be written.
    AudioError
        If a recording that a clip needs is missing or was changed.
    """
    settings = settings or ExportSettings()
    check_free(out, replace=replace)
    what, held = without_held_out(what, settings.holdout)
    if not what.rows:
        raise InputError(f"{what.source}: no row to export; {held} draw on what is held out")
    bands: dict[str, Band] = {}
    if settings.band_table:
        bands = read_bands(Path(settings.band_table), what.classes)
    with only_writer(out), writing_folder(out, replace=replace) as folder:
        job = Job(
            what.rows, what.classes, folder, out, settings,
            settings.sample_rate or what.sample_rate, progress, bands,
        )  # fmt: skip
        if held:
            job.leave_out("rows that draw on what is held out", held)
        form = writer_of(to)
        written = form.write(job)
        if not written and not job.already:
            reasons = "; ".join(f"{count} {reason}" for reason, count in job.left_out.items())
            raise InputError(f"{what.source}: nothing of it can be written as {to}: {reasons}")
        notes = (*what.notes, *_lost(form, to, what), *job.notes)
        done = ExportReport(out, to, len(what.rows) + held, written, form.unit, job.left_out, notes)
        write_json(
            folder / ABOUT,
            {
                "negmine": __version__,
                "source": what.source,
                "classes": list(what.classes),
                "settings": settings.to_dict(),
                **done.to_dict(),
            },
        )
    return done


def check_free(out: Path, *, replace: bool) -> None:
    """Check that a folder may be written: there is none, an empty one, or an export to replace.

    Raises
    ------
    OutputError
        If it may not.
    """
    if not out.is_dir():
        return  # what writes folders says what else it is
    inside = sorted(path.name for path in out.iterdir())
    if not inside:
        return
    if ABOUT not in inside:
        raise OutputError(
            f"{out}: is a folder of something else ({shorten(inside, 3)}); choose another --out"
        )
    if not replace:
        raise OutputError(
            f"{out}: an export is there already; choose another --out, or pass --force to replace "
            "it"
        )


def without_held_out(what: Rows, names: Sequence[str]) -> tuple[Rows, int]:
    """Leave out rows that draw on recordings or groups; return how many do, too.

    Raises
    ------
    InputError
        If a file of names cannot be read.
    """
    if not names:
        return what, 0
    held = read_names(names)
    kept = [row for row in what.rows if not row.recipe.draws_on(frozenset(held))]
    line = unmatched_note(held, what.sources)
    notes = (*what.notes, line) if line else what.notes
    return replace(what, rows=kept, notes=notes), len(what.rows) - len(kept)


def _lost(form: Writer, to: str, what: Rows) -> list[str]:
    """Say what of the rows a format cannot hold."""
    notes, rows = [], what.rows
    if form.spreadsheet and any(safe_cell(name) != name for name in what.classes):
        notes.append(
            "classes whose names spreadsheets take for formulas have an apostrophe before them"
        )
    sure = [a.confidence for row in rows for a in row.labels.absent.values() if a.confidence < 1]
    if "confidence" in form.lacks and sure:
        notes.append(
            f"{to} holds no confidence: {len(sure)} absences of less than 1, the least "
            f"{min(sure):.3g}, are written as any other"
        )
    if "score" in form.lacks and any(row.scores for row in rows):
        notes.append(f"{to} holds no score: those of the selection are left out")
    return notes
