"""SIGTERM and SIGHUP end a command as Ctrl-C does, with exit codes of their own.

Schedulers, ``timeout``, service managers and closed terminals send them. Imports nothing heavy.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_OTHERS = (signal.SIGTERM, signal.SIGHUP)

# The signal that asked the command at work to stop.
_asked: int = signal.SIGINT


def stop_code() -> int:
    """Return the exit code of a stopped command, as in shells: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + _asked


@contextmanager
def stopping_alike() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does.

    Outside the main thread, which alone receives signals, and where somebody has set a signal's
    action already, ``nohup`` for example, that stays as it is.
    """
    global _asked
    taken = []
    if threading.current_thread() is threading.main_thread():
        taken = [one for one in _OTHERS if signal.getsignal(one) is signal.SIG_DFL]
    if taken:
        _asked = signal.SIGINT
    owner, came = os.getpid(), set[int]()

    def stop(number: int, frame: FrameType | None) -> None:
        global _asked
        if os.getpid() != owner:  # a process that was forked: the usual end
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if came:
            # 'timeout' sends its signal twice: what is being saved is not to be torn
            return
        came.add(number)
        _asked = number
        current = signal.getsignal(signal.SIGINT)
        if callable(current):
            current(signal.SIGINT, frame)
        else:
            raise KeyboardInterrupt

    for one in taken:
        signal.signal(one, stop)
    try:
        yield
    finally:
        for one in taken:
            signal.signal(one, signal.SIG_DFL)
