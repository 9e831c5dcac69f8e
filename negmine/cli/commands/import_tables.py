"""The command ``negmine import``."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.console import Bars, CleanCommand, as_one, note, print_json, quiet_and_json, say
from negmine.cli.data import SortedFiles, reading_options, with_tables_of_folders
from negmine.notices import warn
from negmine.text_tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from negmine.annotations.import_report import ImportReport
    from negmine.formats.recognise import Table

# Lines of one kind that are printed; all are in --json.
_SHOWN = 10
# Tables of one format and folder that are each shown by themselves; more are shown as one.
_APART = 4


@dataclass(frozen=True)
class _Sources(SortedFiles):
    """Tables, and the folders of the recordings that they name."""

    recordings: tuple[Path, ...]


class _ImportCommand(CleanCommand):
    """Lists the formats behind its help."""

    headings = ("Data",)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line a format."""
        from negmine.formats import NAMES, format_of

        with formatter.section("Formats"):
            formatter.write_dl([(name, format_of(name).title) for name in NAMES])


@click.command("import", cls=_ImportCommand)
@click.argument(
    "tables", nargs=-1, type=click.Path(path_type=Path), callback=with_tables_of_folders
)
@click.option(
    "--recordings",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder of the recordings: which are there is then shown. Repeatable.",
)
@reading_options
@as_one(_Sources, "data")
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="One table of all, CSV, for --annotations.",
)
@quiet_and_json
def import_tables(data: _Sources, out: Path | None, quiet: bool, as_json: bool) -> None:
    """Show what is understood of TABLES, and of folders of sorted clips, before anything is built.

    A table's format is recognised by its content. Nothing is changed; --out writes one validated
    table of all that was read.

    \b
    Example:
      negmine import detections.csv checked.txt --recordings field/ --out annotations.csv
      negmine build-pool field/ --annotations annotations.csv --out pool
      negmine import --positives ding/ --negative-files street/
    """
    from negmine.annotations.import_report import write_entries
    from negmine.cli.tables import import_of

    with Bars(quiet or as_json) as bars:
        report = import_of(data, data.recordings, bars)
    if as_json:
        print_json(report.to_dict())
    else:
        _show(report, quiet)
    if report.stops:
        warn(f"build-pool and train would stop with: {report.stops}")
    if out is not None:
        rows = write_entries(out, report.resolved)
        note(f"{out}: {rows} rows written", quiet)


def _show(report: ImportReport, quiet: bool) -> None:
    from negmine.formats.recognise import joined_notes

    found = report.resolved
    for tables in _alike(report.tables):
        count = sum((one.verdicts for one in tables), Counter[str]())
        verdicts = ", ".join(f"{count[word]} {word}" for word in ("present", "absent", "unknown"))
        more = f" and {len(tables) - 1} more tables" if len(tables) > 1 else ""
        say(f"{tables[0].path}{more}: {tables[0].format}: {verdicts}", quiet)
        _list("", joined_notes(tables), quiet)
    headers = ["class", "present", "absent", "unknown", "recordings"]
    rows = [
        [name, *(str(count[key]) for key in headers[1:])] for name, count in report.by_class.items()
    ]
    say(table(headers, rows), quiet)
    spans = report.spans
    said = f"{spans['whole_recordings']} rows are of whole recordings"
    if spans["median_s"] is not None:
        said += (
            f"; the others of {spans['shortest_s']:g} to {spans['longest_s']:g} s, half of them up "
            f"to {spans['median_s']:g} s"
        )
    say(f"{said}; {spans['without_band']} rows have no frequencies", quiet)
    _list("taken to be the call: ", [one.to_text() for one in report.calls], quiet)
    if report.recordings_known:
        named = {entry.recording for entry in found.entries} | set(found.missing)
        say(f"{len(named) - len(found.missing)} of {len(named)} recordings are there", quiet)
        _list("not there: ", list(found.missing.values()), quiet)
    _list("", found.notes.text(), quiet)
    pairs = [f"{one} and {other}" for one, other in found.contradictions]
    _list("contradict each other: ", pairs, quiet)
    _list("not in its recording: ", report.beyond, quiet)


def _alike(tables: Sequence[Table]) -> list[list[Table]]:
    """Put many tables of one format and folder together, as of a table a recording."""
    alike: defaultdict[tuple[str, Path], list[Table]] = defaultdict(list)
    for one in tables:
        alike[one.format, one.path.parent].append(one)
    found: list[list[Table]] = []
    for same in alike.values():
        found += [same] if len(same) > _APART else [[one] for one in same]
    return found


def _list(what: str, lines: Sequence[str], quiet: bool) -> None:
    for line in lines[:_SHOWN]:
        say(f"  {what}{line}", quiet)
    if len(lines) > _SHOWN:
        say(f"  and {len(lines) - _SHOWN} lines more; --json lists them", quiet)
