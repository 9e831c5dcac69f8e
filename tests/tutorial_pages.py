"""The commands of the tutorials, run, and what pages say they print.

    python tests/tutorial_pages.py

writes the outputs of docs/tutorials again, as they are now. In a page, a block of ``sh`` is run,
and a block of ``text`` right below it is lines of what it prints, in their order; ``...`` leaves
some out. A block below ``<!-- file: NAME -->`` is a file of the reader's. ``<!-- not run -->``
marks commands that are only parsed. Trainings are cut short by `SHORT`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shlex
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import field_data
from click.testing import CliRunner
from onnx_models import make_model

from negmine.cli.main import main

PAGES = Path(__file__).parents[1] / "docs" / "tutorials"
SHORT = ["--epochs=2", "--steps-per-epoch=2", "--tp-per-step=6", "--fp-per-step=4", "--n-mels=16"]
SHORTENED = ("train", "loop")
# their numbers hang on arithmetic that differs between processors
VARYING = ("evaluate", "listen", "loop", "mine", "mine-embedded", "predict", "report", "train")

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]+) -->\n)?```(?P<kind>\w+)[^\n]*\n(?P<body>.*?)```", re.DOTALL
)
_BARS = re.compile(r"[^\r\n]*?(?:\d+%\|[^\]\n]*\]|: \d+\w+ \[[^\]\n]*\])")
_NUMBER = re.compile(r"(?<!\w)[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?%?|\bnan\b")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its kind, its text, what is marked above it, and its place."""

    kind: str
    body: str
    mark: str
    span: tuple[int, int]

    @property
    def commands(self) -> list[list[str]]:
        lines = self.body.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks_of(page: str) -> list[Block]:
    found = _BLOCK.finditer(page)
    return [Block(m["kind"], m["body"], m["mark"] or "", m.span("body")) for m in found]


@dataclass(frozen=True)
class Printed:
    """What a block of commands printed, and the lines that the page shows of it."""

    block: Block
    lines: list[str]
    varying: bool

    def unmatched(self, any_number: bool = False) -> tuple[str, list[str]]:
        """Return the block's text with the lines as they are now, and those that are not there.

        With ``any_number`` a line is the same whatever its numbers are.
        """
        any_number |= self.varying
        left, new, missing = iter(self.lines), [], []
        for shown in self.block.body.splitlines():
            found = shown
            if shown.strip() not in ("", "..."):
                rest = list(left)
                same = [
                    n
                    for n, line in enumerate(rest)
                    if plain(line, any_number) == plain(shown, any_number)
                ]
                if same:
                    found, left = rest[same[0]], iter(rest[same[0] + 1 :])
                else:
                    missing.append(shown)
                    left = iter(rest)
            new.append(found)
        return "".join(f"{line}\n" for line in new), missing


def plain(line: str, any_number: bool) -> str:
    """Return a line without what its numbers change: themselves, rules, and spaces."""
    line = _NUMBER.sub("#", line) if any_number else line
    return " ".join(re.sub("-{2,}", "--", line).split())


def run_page(path: Path, folder: Path, make: Callable[[Path], None]) -> Iterator[Printed]:
    """Run a page in a folder that ``make`` fills, and yield each output that it shows."""
    make(folder)
    with contextlib.chdir(folder):
        lines: list[str] = []
        varying = False
        for block in blocks_of(path.read_text(encoding="utf-8")):
            if block.mark.startswith("file: "):
                (folder / block.mark.removeprefix("file: ")).write_text(block.body)
            elif block.kind == "sh":
                lines, varying = [], False
                for words in block.commands:
                    lines += _run(words, block.mark == "not run", folder)
                    varying |= words[0] != "negmine" or words[1] in VARYING
            elif block.kind == "text":
                yield Printed(block, lines, varying)


def _run(words: list[str], parsed_alone: bool, folder: Path) -> list[str]:
    """Run a command and return the lines it prints, bars left out."""
    program, *arguments = words
    if program == "python" and not parsed_alone:
        printed = io.StringIO()
        with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(printed):
            runpy.run_path(arguments[0], run_name="__main__")
        return printed.getvalue().splitlines()
    if program != "negmine":
        assert parsed_alone, f"not run: {shlex.join(words)}"
        return []
    if parsed_alone:
        parse(arguments)
        return []
    short = SHORT if arguments[0] in SHORTENED else []
    result = CliRunner().invoke(main, [*arguments, *short])
    assert result.exit_code == 0, f"{shlex.join(words)}: {result.output}"
    plain = _BARS.sub("", result.output).replace("\r", "").replace(f"{folder}/", "")
    return [line.rstrip() for line in plain.splitlines() if line.strip()]


def parse(arguments: list[str]) -> None:
    """Read a command's options without running it, whether or not its files are there."""
    import click

    def any_path(self: click.Path, value: str, *_: object) -> Path | str:
        return Path(value) if self.type is not None else value

    with mock.patch.object(click.Path, "convert", any_path):
        context = click.Context(main)
        command: click.Command = main
        while isinstance(command, click.Group):
            found = command.get_command(context, arguments[0])
            assert found is not None, f"no command {arguments[0]}"
            command, arguments = found, arguments[1:]
        command.make_context(command.name, list(arguments))


def _tables(write: Callable[[Path, list[field_data.Heard]], None]) -> Callable[[Path], None]:
    return lambda root: write(root, field_data.make_field(root))


def _kaggle(root: Path) -> None:
    test = root / "later"
    field_data.rfcx(test, field_data.make_field(test, seed=1))
    (test / "field").rename(root / "test")
    for name in ("test_truth.csv", "test_events.csv"):
        (test / name).rename(root / name)
    field_data.rfcx(root, field_data.make_field(root))
    (root / "field").rename(root / "train")


def _own_model(root: Path) -> None:
    field_data.rfcx(root, field_data.make_field(root))
    make_model(root / "model.onnx")


# What the reader of each page has.
MADE: dict[str, Callable[[Path], None]] = {
    "arbimon": _tables(field_data.arbimon),
    "birdnet": _tables(field_data.birdnet),
    "hoplite": _tables(field_data.hoplite),
    "kaggle": _kaggle,
    "own-model": _own_model,
    "own-trainer": _tables(field_data.rfcx),
    "raven": _tables(field_data.raven),
    "wake-word": field_data.wake_word,
}


def rewrite(path: Path) -> list[str]:
    """Write a page's outputs as they are now, and return lines that nothing prints any more."""
    with tempfile.TemporaryDirectory() as folder:
        shown = list(run_page(path, Path(os.path.realpath(folder)), MADE[path.stem]))
    page = path.read_text(encoding="utf-8")
    gone = []
    for printed in reversed(shown):
        new, missing = printed.unmatched(any_number=True)
        start, end = printed.block.span
        page = page[:start] + new + page[end:]
        gone += missing
        if missing:
            print("\n".join(["--- printed:", *printed.lines]))
    path.write_text(page, encoding="utf-8")
    return gone


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("error")
    for name in sys.argv[1:] or MADE:
        for line in rewrite(PAGES / f"{name}.md"):
            print(f"{name}: not printed: {line}")
