"""Every command that writes where another is at work is refused, and names the other."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import Data, make_pool
from reliability.commands import Commands

from negmine.cli.main import main
from negmine.pool import open_pool
from negmine.storage.locks import only_here, only_writer
from training.engine.checkpoint import Checkpoint

TINY = [
    *("--sample-rate", 8000, "--clip-s", 1, "--n-mels", 16, "--window-s", 0.5, "--folds", 2),
    *("--tp-per-step", 4, "--fp-per-step", 2, "--steps-per-epoch", 2, "--epochs", 1),
    *("--patience", 0, "--device", "cpu"),
]
BUILD = ("--clip-s", 1, "--sample-rate", 8000)
TRAINING = {
    "train": ("train",),
    "seeds": ("train", "--seeds", 1),
    "recipe": ("train", "--recipe", "rfcx"),
    "loop": ("loop", "--pool", "POOL"),
}


def call(*arguments: object) -> Result:
    """A command in a thread of its own: a lock that this one holds is then another's."""
    found: list[Result] = []
    words = [str(a) for a in arguments]
    thread = threading.Thread(target=lambda: found.append(CliRunner().invoke(main, words)))
    thread.start()
    thread.join()
    return found[0]


def assert_refused(result: Result, place: Path) -> None:
    assert result.exit_code == 1, result.output
    last = result.stderr.splitlines()[-1]
    assert re.search(rf"^Error: {place}: another run is at work there: process \d+ on ", last)


@pytest.mark.parametrize("how", TRAINING)
def test_a_run_in_the_folder_of_another(
    how: str, shared_data: Data, shared_pool: Path, tmp_path: Path
) -> None:
    command, *more = (str(shared_pool) if a == "POOL" else a for a in TRAINING[how])
    with only_here(tmp_path / "run"):
        result = call(command, *shared_data.options, *more, *TINY, "-o", tmp_path / "run")
    assert_refused(result, tmp_path / "run")


@pytest.mark.parametrize("more", [[], ["--append"], ["--force"]])
def test_a_build_of_a_pool_that_another_builds(
    more: list[str], shared_data: Data, tmp_path: Path
) -> None:
    with only_writer(tmp_path / "pool"):
        result = call("build-pool", *shared_data.options, *BUILD, "-o", tmp_path / "pool", *more)
    assert_refused(result, tmp_path / "pool")


def test_what_writes_a_pool_or_its_clips(
    shared_pool: Path, shared_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with only_writer(out):
        assert_refused(call("pool", "merge", shared_pool, "-o", out), out)
    with only_here(out):
        assert_refused(call("render", shared_pool, "-o", out), out)
        assert_refused(call("cache", shared_pool, "-o", out), out)
    model = ("--model", shared_checkpoint)
    with only_writer(shared_pool):
        assert_refused(call("synthesise", shared_pool, *model), shared_pool)
        mine = ("mine", "--pool", shared_pool, *model, "-o", tmp_path / "h.parquet")
        assert_refused(call(*mine, "--synthesise", 10), shared_pool)


def test_an_audit_where_another_draws(shared_pool: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    with only_writer(out):
        assert_refused(call("audit", "draw", shared_pool, "-o", out), out)
        # of a drawing that was killed
        (tmp_path / ".audit.0123abcd.tmp").mkdir()
    (tmp_path / ".audit.lock.json").write_text("{}")
    os.utime(tmp_path / ".audit.0123abcd.tmp", (0, 0))
    assert call("audit", "draw", shared_pool, "-o", out, "--sample", 30).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["audit"]


def test_two_appends_at_once_lose_no_row(commands: Commands, data: Data, tmp_path: Path) -> None:
    pool = make_pool(data, tmp_path / "pool", mix=0)
    before = len(open_pool(pool))
    command = ["build-pool", *data.options, *BUILD, "--append", "-q", "--mix", 5, "-o", pool]
    runs = [commands.start(*command, "--seed", seed, folder=tmp_path) for seed in (1, 2)]
    both = [run.end() for run in runs]
    ended = sum(one.code == 0 for one in both)
    assert ended + sum("another run is at work there" in one.err for one in both) == 2
    assert len(open_pool(pool)) == before + 5 * ended
    assert sum(part["recipes"].get("mix", 0) for part in _parts(pool)) == 5 * ended


def _parts(pool: Path) -> list[Any]:
    from negmine.pool.files import read_info

    parts: list[Any] = read_info(pool)["parts"]
    return parts


def test_a_run_ended_by_sigterm_keeps_its_last_step(
    commands: Commands, shared_data: Data, tmp_path: Path
) -> None:
    # two signals, to all processes of the group: as 'timeout' sends them
    command = ["train", *shared_data.options, *TINY, "-o", tmp_path / "run", "--workers", 1]
    run = commands.start(*command, "--steps-per-epoch", 100_000, folder=tmp_path)
    while run.alive and not (tmp_path / "run" / "run.json").exists():  # the first step comes next
        time.sleep(0.1)
    time.sleep(3)
    for _ in range(2):
        os.killpg(run.pid, signal.SIGTERM)
    ended = run.end()
    assert ended.code == 143, ended
    assert ended.err.splitlines()[-1] == "Error: stopped; the same command resumes from here"
    assert Checkpoint.load(tmp_path / "run" / "last.pt").step > 0
    assert not (tmp_path / "run" / ".lock").exists()
