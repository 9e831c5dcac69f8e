"""Ctrl-C, held back until what is under way is whole."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType


class HeldInterrupt:
    """From `hold` to `release`, a first Ctrl-C is kept in `asked`; a second does not wait.

    Outside the main thread, which alone receives signals, it does nothing.
    """

    def __init__(self) -> None:
        self._asked = False
        self._held = False

    def hold(self) -> None:
        """Begin to hold Ctrl-C back."""
        self._held = threading.current_thread() is threading.main_thread()
        if self._held:
            self._former = signal.signal(signal.SIGINT, self._on_signal)

    def release(self) -> None:
        """Leave Ctrl-C as it was."""
        if self._held:
            signal.signal(signal.SIGINT, self._former)

    @property
    def asked(self) -> bool:
        """Whether a Ctrl-C was held back."""
        return self._asked

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        print("\nstopping after this step; Ctrl-C again stops at once", file=sys.stderr)
