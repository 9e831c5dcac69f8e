"""A review that is served in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

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
