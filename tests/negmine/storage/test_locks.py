"""One process at a time, the holder named, and what a killed one left removed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from negmine.errors import OutputError
from negmine.storage import locks
from negmine.storage.litter import sweep
from negmine.storage.locks import only_here, only_writer

Lock = Callable[[Path], object]

PROGRAM = """
import sys, time
from pathlib import Path
from negmine.storage import locks
with getattr(locks, sys.argv[1])(Path(sys.argv[2])):
    print("in", flush=True)
    time.sleep(60)
"""


@contextmanager
def another(lock: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock."""
    command = [sys.executable, "-c", PROGRAM, lock, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "in\n"
            yield other
        finally:
            other.kill()


@pytest.mark.parametrize("lock", ["only_here", "only_writer"])
def test_the_other_is_named_and_a_killed_one_lets_go(lock: str, tmp_path: Path) -> None:
    path, ours = tmp_path / "new" / "pool", getattr(locks, lock)
    with another(lock, path) as other:
        said = rf"pool: another run .* process {other.pid} on \S+ since 20.*'-c {lock} .*; wait"
        for _ in range(2):  # whoever asks does not wipe out who holds it
            with pytest.raises(OutputError, match=said), ours(path):
                pass
    with ours(path), ours(path):
        pass


def test_a_lock_is_entered_again_by_its_own_thread_alone(tmp_path: Path) -> None:
    found: list[Exception] = []

    def enter() -> None:
        try:
            with only_here(tmp_path):
                pass
        except OutputError as error:
            found.append(error)

    def run() -> None:
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()

    (tmp_path / "new").mkdir()
    with only_here(tmp_path):
        with only_here(tmp_path / "new" / ".."):
            pass
        run()
        assert len(found) == 1
    run()
    assert len(found) == 1


def test_nothing_stays(tmp_path: Path) -> None:
    with only_writer(tmp_path / "pool"), only_here(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / ".lock.json").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_waited_for_where_that_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with another("only_here", tmp_path) as other:
        threading.Timer(0.5, other.kill).start()
        with only_here(tmp_path, wait=True):
            pass
        assert f"process {other.pid} on" in capsys.readouterr().err


def test_many_processes_take_turns(tmp_path: Path) -> None:
    # lock files come and go: a process must not hold one that another has removed
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from negmine.storage.locks import only_writer\n"
        "count = Path(sys.argv[1])\n"
        "for _ in range(15):\n"
        "    with only_writer(count, wait=True):\n"
        "        count.write_text(str(int(count.read_text()) + 1))\n"
    )
    count = tmp_path / "count"
    count.write_text("0")
    command = [sys.executable, "-c", program, str(count)]
    started = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(4)]
    assert [one.wait() for one in started] == [0] * 4
    assert count.read_text() == "60"


def test_children_of_a_killed_holder_are_waited_for(tmp_path: Path) -> None:
    # a process that was forked has the lock until it ends, too
    program = PROGRAM.replace(
        "    time", "    import os\n    time.sleep(3 if os.fork() == 0 else 60)#"
    )
    command = [sys.executable, "-c", program, "only_here", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        time.sleep(0.3)
        other.kill()
        other.wait()
        with only_here(tmp_path):
            pass


def test_what_a_killed_run_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_LEFT_S", 0.0)
    run = tmp_path / "run"
    program = PROGRAM.replace(
        "    print",
        "    from negmine.storage.files import writing, writing_folder\n"
        "    a = writing(Path(sys.argv[2], 'last.pt')); a.__enter__()\n"
        "    b = writing_folder(Path(sys.argv[2], 'part')); (b.__enter__() / 'x').write_text('x')\n"
        "    print",
    )
    command = [sys.executable, "-c", program, "only_here", str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        other.kill()
    (run / ".mine.tmp").write_text("a user's own")
    assert len(list(run.iterdir())) == 5
    with only_here(run):
        names = {p.name for p in run.iterdir()}
    assert names == {".lock", ".lock.json", ".mine.tmp"}


def test_others_unfinished_files_stay_until_they_are_old(tmp_path: Path) -> None:
    young, old = tmp_path / ".a.csv.0123abcd.tmp", tmp_path / ".a.csv.0123abce.tmp"
    folder = tmp_path / ".pool.0123abcf.tmp"
    folder.mkdir()
    for path in (young, old, folder / "still written"):
        path.write_text("x")
    for path in (old, folder):
        os.utime(path, (1, 1))
    sweep(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {young.name, folder.name}


def test_a_folder_lost_between_two_renames_is_put_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (".pool.0123abcd.old", ".other.0123abcd.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pool.json").write_text(name)
    (tmp_path / "other").mkdir()
    sweep(tmp_path, 0.0)
    assert {p.name for p in tmp_path.iterdir()} == {"pool", "other"}
    assert (tmp_path / "pool" / "pool.json").read_text() == ".pool.0123abcd.old"
    assert re.search(r"pool: put back: a run was killed", capsys.readouterr().err)


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_signals_that_end_a_command_end_it_alike(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    program = (
        "import signal, sys, time, click\n"
        # as from a terminal: what runs these tests in the background may ignore them
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "from negmine.cli.console import CleanCommand\n"
        "from negmine.storage.files import writing\n"
        "from pathlib import Path\n"
        "@click.command(cls=CleanCommand)\n"
        "def run():\n"
        "    with writing(Path(sys.argv[1])):\n"
        "        print('in', flush=True)\n"
        "        time.sleep(60)\n"
        "run([])"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "out")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        other.send_signal(number)
        _, err = other.communicate()
    assert (other.returncode, err) == (code, "Error: stopped; the same command resumes from here\n")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_left_inside_a_folder_is_removed_too(tmp_path: Path) -> None:
    path = tmp_path / "pool"
    left = [path / ".pool.json.0123abcd.tmp", path / "parts" / ".0001.0123abcd.tmp"]
    (path / "parts").mkdir(parents=True)
    with another("only_writer", path) as other:
        other.kill()
        other.wait()
    for file in left:
        file.write_text("half")
        os.utime(file, (time.time() - 60,) * 2)
    with only_writer(path):
        assert not any(file.exists() for file in left)


def test_a_holder_that_has_not_said_its_name_yet_is_waited_for(tmp_path: Path) -> None:
    with another("only_here", tmp_path) as other:
        holder = tmp_path / ".lock.json"
        said = holder.read_bytes()
        holder.unlink()
        threading.Timer(0.3, holder.write_bytes, [said]).start()
        with pytest.raises(OutputError, match=f"process {other.pid} on"), only_here(tmp_path):
            pass
