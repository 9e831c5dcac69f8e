"""The command ``doctor``. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from negmine import __version__
from negmine.cli.console import CleanCommand, print_json, quiet_and_json, say
from negmine.text_tables import table


@click.command(cls=CleanCommand)
@quiet_and_json
def doctor(quiet: bool, as_json: bool) -> None:
    """Check this installation, and say what to do about each problem.

    It looks at the versions of libraries and whether they load, the kinds of sound files that can
    be read, processors, bf16, GPUs, memory, the disk here, and the terminal's encoding. It ends
    with 1 where something does not work; --quiet prints the problems alone.

    \b
    Example:
      negmine doctor --quiet
    """
    from training.doctor.check import Check
    from training.doctor.libraries import check_libraries
    from training.doctor.machine import check_machine

    checks = [Check("negmine", __version__), *check_machine(Path.cwd()), *check_libraries()]
    problems = [check for check in checks if check.state == "problem"]
    if as_json:
        print_json({"ok": not problems, "checks": [asdict(check) for check in checks]})
    else:
        rows = [[check.name, check.state, _printable(check.found)] for check in checks]
        say(table(["check", "state", "found"], rows) + "\n", quiet)
        for check in checks:
            if check.state != "ok":
                say(_printable(check.to_line()), quiet and check.state != "problem")
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        say(count if problems else "all that negmine needs works", quiet)
    if problems:
        raise SystemExit(1)


def _printable(text: str) -> str:
    """Convert text for any terminal."""
    return text.encode("ascii", "backslashreplace").decode("ascii")
