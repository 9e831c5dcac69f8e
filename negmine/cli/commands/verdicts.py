"""The command ``negmine verdicts``."""

from __future__ import annotations

from pathlib import Path

import click

from negmine.cli.commands.review import error_lines
from negmine.cli.console import CleanCommand, print_json, quiet_and_json, say
from negmine.notices import warn_each
from negmine.text_tables import table

_FILE = click.Path(dir_okay=False, path_type=Path)

# Disagreements that are listed; --disagreed writes all.
_SHOWN = 10


@click.command(cls=CleanCommand)
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True, type=_FILE)
@click.option("-o", "--out", type=_FILE, help="One table of all: --verdicts of other commands.")
@click.option(
    "--disagreed",
    type=_FILE,
    help="A table to fill in of what two listeners disagree on, for 'negmine review'.",
)
@quiet_and_json
def verdicts(
    tables: tuple[Path, ...], out: Path | None, disagreed: Path | None, quiet: bool, as_json: bool
) -> None:
    """Compare tables of verdicts by their listeners, and merge them.

    Each span and class has one row in OUT: the word of those who are sure, and 'unsure' where two
    of them disagree. What listeners said of blind controls is kept beside OUT, as it was beside the
    tables.

    \b
    Example:
      negmine verdicts anna.csv ben.csv -o both.csv --disagreed again.csv
      negmine review again.csv --recordings field/ --listener carla
    """
    from negmine.annotations.listener_errors import errors_of, listeners_confidence
    from negmine.review.merge_verdicts import merge_verdicts, write_merged

    if out is not None and out == disagreed:
        raise click.UsageError("--out and --disagreed name one file")
    merged = merge_verdicts(tables)
    warn_each(merged.notes)
    write_merged(merged, out, disagreed)
    found = merged.to_dict()
    if as_json:
        print_json(found)
        return
    words = ["present", "absent", "unsure"]
    people = [[name, *(str(of[w]) for w in words)] for name, of in found["listeners"].items()]
    together = ["together", *(str(found["words"][w]) for w in words)]
    say(table(["listener", *words], [*people, together]), quiet)
    for name in found["listeners"]:
        confidence = listeners_confidence(merged.verdicts, merged.controls, name)
        for line in error_lines(errors_of(merged.controls, name), confidence):
            say(f"'{name}': {line}", quiet)
    for one in merged.agreements():
        say(one.to_text(), quiet)
    if merged.disagreed:
        cells = [
            [r.recording, r.label, f"{r.span.start_s:g}", f"{r.span.end_s:g}", r.listener]
            for r in merged.disagreed[:_SHOWN]
        ]
        say(f"\n{len(merged.disagreed)} clips are unsure, since two disagree; the first:", quiet)
        say(table(["recording", "class", "t_min", "t_max", "listeners"], cells), quiet)
    say(f"{len(merged.rows)} clips{f' in {out}' if out else ''}", quiet)
