"""Reviews that are served: in this process, or by the command."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reliability.commands import Commands, Running

from negmine.review.server import ReviewServer
from negmine.review.session import ReviewSession


@contextmanager
def served(session: ReviewSession) -> Iterator[ReviewServer]:
    with ReviewServer(session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def started_review(commands: Commands, source: Path, *options: object) -> tuple[Running, str]:
    """Start the command, and return it with the page's address."""
    words = ("review", source, "--no-browser", "--json", *options)
    running = commands.start(*words, folder=source.parent)
    end = time.monotonic() + 30
    while running.alive and time.monotonic() < end:
        if found := re.search(r"http://\S+", running.said):
            return running, found[0]
        time.sleep(0.02)
    raise AssertionError(running.said)
