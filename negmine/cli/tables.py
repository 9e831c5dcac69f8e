"""Reading what the options of `negmine.cli.data` name. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.data import DataFiles, TableFiles, folder_and_classes
from negmine.notices import warn_each

if TYPE_CHECKING:
    from negmine.annotations import Annotations
    from negmine.annotations.assemble import Assembly
    from negmine.formats.entry import Entry


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
    found = read_tables_of(data, folders)
    if isinstance(data, DataFiles):
        from negmine.annotations.verdicts import add_verdicts

        found = add_verdicts(found, data.verdicts)
    warn_each(found.notes)
    return found


def read_tables_of(data: TableFiles, folders: Sequence[Path] = ()) -> Annotations:
    """Read the tables alone: see `read_annotations`."""
    from negmine.annotations import read_rfcx
    from negmine.annotations.assemble import assemble

    others = [*data.tables, *_sorted_folders(data)]
    if data.tp is None and not others:
        raise click.UsageError(
            "nothing says what calls: name a table with --annotations, or --tp and --fp, or a "
            "folder of sound files of one class with --positives"
        )
    if data.tp and not (others or data.class_table or data.present_only):
        return read_rfcx(
            data.tp, data.fp, songtypes=data.songtypes, skip_uncalled=data.skip_uncalled
        )
    entries, notes = all_entries(data)
    return assemble(entries, assembly_of(data, folders)).noting(notes)


def _sorted_folders(data: TableFiles) -> tuple[str, ...]:
    return (*data.positives, *data.negative_files) if isinstance(data, DataFiles) else ()


def all_entries(data: TableFiles) -> tuple[list[Entry], list[str]]:
    """Read what all tables and folders say; return a line for each thing to know of them, too."""
    from negmine.annotations.rfcx_tables import rfcx_entries
    from negmine.formats.entry import EVERY_CLASS
    from negmine.formats.folders import of_folder
    from negmine.formats.recognise import read_entries

    entries = rfcx_entries(data.tp, data.fp)
    read, notes = read_entries(data.tables, data.asked)
    entries += read
    if not isinstance(data, DataFiles):
        return entries, [*notes]
    said = [*notes]
    for text in data.positives:
        folder, classes = folder_and_classes(text)
        if not classes:
            classes = (folder.absolute().name,)
            said.append(
                f"--positives {folder}: by the folder's name, the class is '{classes[0]}'; "
                f"--positives {folder}=CLASS names another"
            )
        entries += of_folder(folder, classes, "present")
    for text in data.negative_files:
        folder, classes = folder_and_classes(text)
        entries += of_folder(folder, classes or (EVERY_CLASS,), "absent")
    return entries, said


def assembly_of(data: TableFiles, folders: Sequence[Path]) -> Assembly:
    """Return how entries become annotations, as options and folders of recordings say."""
    from negmine.annotations.assemble import Assembly
    from negmine.annotations.class_names import read_classes
    from negmine.annotations.recording_names import RecordingNames
    from negmine.audio.folder import open_folder

    return Assembly(
        read_classes(data.class_table) if data.class_table else None,
        RecordingNames([open_folder(folder) for folder in folders]) if folders else None,
        data.songtypes,
        data.present_only,
        data.skip_uncalled,
    )
