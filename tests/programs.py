"""Programs run as a user would, beside modules that a test puts before those installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
HASH_SEEDS = ("1", "2")


def run_beside(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a folder whose modules come before those installed."""
    paths = [str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def with_hash_seeds(arguments: Callable[[str], list[str]]) -> None:
    """Run a program once with each of `HASH_SEEDS`, at the same time.

    Parameters
    ----------
    arguments : callable
        Given the seed, returns the program's text and its arguments.
    """
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", *arguments(seed)],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path},
        )
        for seed in HASH_SEEDS
    ]
    assert [process.wait(300) for process in started] == [0] * len(started)
