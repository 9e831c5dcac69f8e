"""Run negmine's command in processes of its own, and judge how it ended."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

# What one command on the tests' small data may take, with room for a busy machine.
LONGEST_S = 60.0
MOST_BYTES = 2 << 30
LONGEST_LINE = 2000

# Of Ctrl-C, and of SIGTERM.
STOPPED = (130, 143)

# How lines on standard error begin: click's, negmine's, and what a held Ctrl-C answers.
_LINES = ("warning: ", "Error: ", "Usage: ", "Try '", "stopping after ")

# Unfinished files and folders, whoever wrote them.
_LITTER = re.compile(r"\..*\.(tmp|old)|tmp\w{8}")


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (the negative signal that ended it), and what it printed."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float
    most_bytes: int

    @property
    def said(self) -> str:
        """The last line of standard error."""
        return (self.err.strip().splitlines() or [""])[-1]

    def faults(self, codes: tuple[int, ...] = (0, 1, 2)) -> list[str]:
        """What no command may do, however its input is damaged."""
        found = []
        if self.code not in codes:
            found.append(f"ended with {self.code}")
        if "Traceback" in self.err:
            found.append("a traceback")
        found += text_faults(self.out) + text_faults(self.err)
        lines = self.err.splitlines()
        errors = [line for line in lines if line.startswith("Error: ")]
        if len(errors) != (self.code != 0) or (errors and lines[-1] != errors[0]):
            found.append(f"{len(errors)} lines of error for exit code {self.code}")
        for line in lines:
            if line and not line.startswith(_LINES):
                found.append(f"an odd line: {line[:200]}")
                break
        if self.seconds > LONGEST_S:
            found.append(f"took {self.seconds:.0f} s")
        if "out of memory" in self.err:
            found.append("memory ran out")
        return found


def text_faults(text: str) -> list[str]:
    """Characters that no line of output may hold, and lines that nobody reads."""
    found = []
    odd = {c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"}
    if odd:
        found.append(f"control characters {sorted(map(ord, odd))}")
    if any(len(line) > LONGEST_LINE for line in text.splitlines()):
        found.append(f"a line of {max(map(len, text.splitlines()))} characters")
    return found


class Running:
    """A command under way."""

    def __init__(self, arguments: tuple[str, ...], connection: Connection, output: Path) -> None:
        self._arguments, self._connection, self._output = arguments, connection, output
        self._began = time.monotonic()
        self.pid: int = connection.recv()

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return not self._connection.poll()

    @property
    def said(self) -> str:
        """What it has written to standard error so far."""
        path = self._output / "stderr"  # made as the command starts
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a command that has ended gets none."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self) -> Ended:
        """Wait for the end; a command that takes far too long is killed."""
        with self._connection:
            if not self._connection.poll(1.5 * LONGEST_S):
                os.killpg(self.pid, signal.SIGKILL)
            code, most_bytes = self._connection.recv()
        seconds = time.monotonic() - self._began
        out, err = ((self._output / name).read_text("utf-8", "replace") for name in _STREAMS)
        return Ended(self._arguments, code, out, err, seconds, most_bytes)


_STREAMS = ("stdout", "stderr")


class Commands:
    """Starts commands; made once a session by `serving`."""

    def __init__(self, address: str, output: Path) -> None:
        self._address, self._output, self._count = address, output, 0

    def start(
        self, *arguments: object, folder: Path, environment: Mapping[str, str] | None = None
    ) -> Running:
        """Start ``negmine ARGUMENTS`` in a folder, with more in its environment."""
        self._count += 1
        output = self._output / str(self._count)
        output.mkdir()
        words = tuple(str(argument) for argument in arguments)
        connection = Client(self._address)
        connection.send(
            {
                "arguments": list(words),
                "output": str(output),
                "folder": str(folder),
                "more_bytes": MOST_BYTES,
                "environment": dict(environment or {}),
            }
        )
        return Running(words, connection, output)

    def run(self, *arguments: object, folder: Path) -> Ended:
        """Run ``negmine ARGUMENTS`` in a folder to its end."""
        return self.start(*arguments, folder=folder).end()

    def done(self, *arguments: object, folder: Path) -> Ended:
        """Run what must end well."""
        ended = self.run(*arguments, folder=folder)
        assert ended.code == 0, ended
        assert not ended.faults(), ended.faults()
        return ended


@contextmanager
def serving() -> Iterator[Commands]:
    """A process that forks commands, for as long as the block lasts."""
    tests = Path(__file__).parent.parent
    path = os.pathsep.join(filter(None, [str(tests), os.environ.get("PYTHONPATH", "")]))
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryDirectory(prefix="negmine-") as folder:
        address = f"{folder}/socket"
        process = subprocess.Popen(
            [sys.executable, "-m", "reliability.zygote", address],
            env=os.environ | one | {"PYTHONPATH": path, "COLUMNS": "100"},
            cwd=tests.parent,
        )
        try:
            while not Path(address).exists():
                assert process.poll() is None, "the process that forks commands does not start"
                time.sleep(0.02)
            yield Commands(address, Path(folder))
        finally:
            process.kill()
            process.wait()


def contents(folder: Path) -> dict[str, str]:
    """A digest of each file below a folder but lock files, by its relative path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _is_lock(path):
            name = path.relative_to(folder).as_posix()
            found[name] = hashlib.blake2b(_content(path), digest_size=8).hexdigest()
    return found


def _content(path: Path) -> bytes:
    """A file's bytes; of a report of mining all but how many scores it found already there."""
    content = path.read_bytes()
    if not path.name.endswith(".report.json"):
        return content
    try:
        report = json.loads(content)
        report = {name: report[name] for name in report if name not in ("scored", "seal")}
    except (ValueError, TypeError):
        return content
    return json.dumps(report).encode()


def at(files: dict[str, str], made: str) -> dict[str, str]:
    """Those of some files that are called so, or lie in a folder called so."""
    return {name: digest for name, digest in files.items() if f"{name}/".startswith(f"{made}/")}


def but_scores(files: dict[str, str]) -> dict[str, str]:
    """All but stores of scores: those are kept by row, and which rows share a file is chance."""
    return {name: digest for name, digest in files.items() if "scores" not in name.split("/")}


def litter(folder: Path) -> list[str]:
    """Unfinished files and folders that nobody is writing any more."""
    return [str(path) for path in folder.rglob("*") if _LITTER.fullmatch(path.name)]


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Names whose values differ, or that only one of two has."""
    return [
        f"{name} {'is missing' if name not in found else 'is new' if name not in expected else ''}"
        f"{'differs' if name in found and name in expected else ''}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]


def _is_lock(path: Path) -> bool:
    return path.name.startswith(".") and ".lock" in path.name
