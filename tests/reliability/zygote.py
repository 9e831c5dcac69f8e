"""A process that has everything imported, and forks a child for each command it is asked to run.

An import of torch takes seconds, a fork some milliseconds. Each command still runs in a process of
its own: with its own standard output, its own signals, its own memory, nothing left of another.
Run as ``python -m reliability.zygote SOCKET``; spoken to by `reliability.commands`.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from importlib import import_module
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

# What the commands import when they run.
_EARLY = (
    "faiss", "matplotlib.backends.backend_agg", "matplotlib.figure", "pandas", "scipy.signal",
    "negmine.audit.draw", "negmine.building", "negmine.recipes.cache_items", "negmine.cli.main",
    "negmine.mining.mine", "negmine.pool.render_files", "negmine.report.html",
    "negmine.synthesis.into_pool", "training.cli.main", "training.cli.ensemble",
    "training.cli.score", "training.schedules.crossval", "training.evaluation.evaluate",
    "training.schedules.loop", "training.evaluation.members", "training.evaluation.predict",
    "training.evaluation.predict_files", "training.engine.run", "training.engine.scorer",
    "training.schedules.stages",
)  # fmt: skip


def main(address: str) -> None:
    """Serve until the process is ended."""
    for name in _EARLY:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the minders
    with Listener(address, backlog=8) as listener:
        while True:
            connection = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _mind(connection)
            connection.close()


def _mind(connection: Connection) -> None:
    """Start one command, and say its id, then how it ended and the memory it took."""
    request = connection.recv()
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run(**request)
    connection.send(pid)
    _, status, used = os.wait4(pid, 0)
    connection.send((os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024))
    os._exit(0)


def _run(
    arguments: list[str], output: str, folder: str, more_bytes: int, environment: dict[str, str]
) -> None:
    """Be a command: this process ends with it."""
    os.setsid()
    # whoever started the tests in the background made them deaf to it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.update(environment)
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(Path(output) / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (mapped + more_bytes, resource.RLIM_INFINITY))
    sys.argv = ["negmine", *arguments]
    code: Any = 1
    try:
        import_module("negmine.cli.main").main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    main(sys.argv[1])
