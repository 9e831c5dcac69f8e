"""Reading what the options of `negmine.cli.data` name. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.data import DataFiles, SortedFiles, TableFiles, folder_and_classes
from negmine.notices import warn_each
from negmine.progress import Progress, no_progress

if TYPE_CHECKING:
    from negmine.annotations import Annotations
    from negmine.annotations.assemble import Assembly
    from negmine.annotations.import_report import ImportReport
    from negmine.annotations.recording_names import RecordingNames
    from negmine.formats.recognise import Table


def read_annotations(data: TableFiles, folders: Sequence[Path] = ()) -> Annotations:
    """Read the tables and what verdicts add to them; warn of what is odd in them.

    Parameters
    ----------
    folders : sequence of Path
        Those of the recordings.

    Raises
    ------
    click.UsageError
        If nothing says what calls.
    """
    found, names = _read_tables(data, folders)
    if isinstance(data, DataFiles) and data.verdicts:
        from negmine.annotations.verdicts import add_verdicts

        found = add_verdicts(found, data.verdicts)
        if data.present_only:
            assert names is not None
            found = found.present_only(names.paths, "verdicts")
    warn_each(found.notes)
    return found


def read_tables_of(
    data: TableFiles, folders: Sequence[Path] = (), *, keep_uncalled: bool = False
) -> Annotations:
    """Read the tables alone: see `read_annotations`.

    Parameters
    ----------
    keep_uncalled : bool
        See `negmine.annotations.assemble.annotations_of`.
    """
    return _read_tables(data, folders, keep_uncalled=keep_uncalled)[0]


def _read_tables(
    data: TableFiles, folders: Sequence[Path], *, keep_uncalled: bool = False
) -> tuple[Annotations, RecordingNames | None]:
    """Read the tables; return also the recordings, where they were looked for."""
    from negmine.annotations import read_rfcx
    from negmine.annotations.assemble import annotations_of, resolve
    from negmine.formats.recognise import joined_notes

    others = [*data.tables, *_sorted_folders(data)]
    if data.tp is None and not others:
        raise click.UsageError(
            "nothing says what calls: name a table with --annotations, or --tp and --fp, or a "
            "folder of sound files of one class with --positives"
        )
    if data.tp and not (others or data.class_table or data.present_only or keep_uncalled):
        read = read_rfcx(
            data.tp, data.fp, songtypes=data.songtypes, skip_uncalled=data.skip_uncalled
        )
        return read, None
    tables = all_tables(data)
    entries = (entry for one in tables for entry in one.entries)
    how = assembly_of(data, folders)
    found = annotations_of(
        resolve(entries, how), skip_uncalled=data.skip_uncalled, keep_uncalled=keep_uncalled
    )
    return found.noting(joined_notes(tables)), how.recordings


def _sorted_folders(data: TableFiles) -> tuple[str, ...]:
    return (*data.positives, *data.negative_files) if isinstance(data, SortedFiles) else ()


def all_tables(data: TableFiles) -> list[Table]:
    """Read what all tables and folders say, each by itself."""
    from negmine.annotations.rfcx_tables import rfcx_entries
    from negmine.formats.entry import EVERY_CLASS, Notes
    from negmine.formats.folders import of_folder
    from negmine.formats.recognise import Table, read_tables

    tables = []
    if data.tp is not None:
        tables.append(Table(data.tp, "rfcx", tuple(rfcx_entries(data.tp, "present")), Notes()))
    if data.fp is not None:
        tables.append(Table(data.fp, "rfcx", tuple(rfcx_entries(data.fp, "absent")), Notes()))
    tables += read_tables(data.tables, data.read_as)
    if not isinstance(data, SortedFiles):
        return tables
    for text in data.positives:
        (folder, classes), notes = folder_and_classes(text), Notes()
        if not classes:
            classes = (folder.absolute().name,)
            notes.say(
                f"--positives {folder}: by the folder's name, the class is '{classes[0]}'; "
                f"--positives {folder}=CLASS names another"
            )
        tables.append(Table(folder, "folder", tuple(of_folder(folder, classes, "present")), notes))
    for text in data.negative_files:
        folder, classes = folder_and_classes(text)
        found = tuple(of_folder(folder, classes or (EVERY_CLASS,), "absent"))
        tables.append(Table(folder, "folder", found, Notes()))
    return tables


def import_of(
    data: SortedFiles, recordings: Sequence[Path], progress: Progress = no_progress
) -> ImportReport:
    """Report what tables say, and what the commands would stop at.

    Raises
    ------
    click.UsageError
        If no table is named.
    """
    from negmine.annotations.assemble import annotations_of, resolve
    from negmine.annotations.import_report import ImportReport, beyond_files, call_spans
    from negmine.errors import InputError

    tables = all_tables(data)
    if not tables:
        raise click.UsageError("no table: name some, such as: negmine import checked.csv")
    how = assembly_of(data, [*recordings, *data.sorted_folders])
    found = resolve((entry for one in tables for entry in one.entries), how)
    paths = how.recordings.paths if how.recordings else {}
    beyond = beyond_files(found.entries, paths)
    calls = call_spans(found.agreed, paths, progress)
    stops = beyond[0] if beyond else ""
    try:
        made = annotations_of(found, skip_uncalled=how.skip_uncalled)
        if how.recordings and recordings:
            made.check_recordings(paths, how.recordings.hint)
    except InputError as error:
        stops = str(error)
    return ImportReport(tuple(tables), found, beyond, calls, stops, bool(recordings))


def assembly_of(data: TableFiles, folders: Sequence[Path]) -> Assembly:
    """Return how entries become annotations, as options and folders of recordings say."""
    from negmine.annotations.assemble import Assembly
    from negmine.annotations.class_names import read_classes

    return Assembly(
        read_classes(data.class_table) if data.class_table else None,
        _names_in(data, folders),
        data.songtypes,
        data.present_only,
        data.skip_uncalled,
    )


def _names_in(data: TableFiles, folders: Sequence[Path]) -> RecordingNames | None:
    """Name the recordings in folders, and in that of verdicts; None where no folder is named."""
    from negmine.annotations.recording_names import RecordingNames
    from negmine.audio.folder import open_folder

    beside = data.verdict_recordings if isinstance(data, DataFiles) else None
    every = [*folders, *([] if beside is None else [beside])]
    return RecordingNames([open_folder(folder) for folder in every]) if every else None
