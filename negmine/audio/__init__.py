"""Sound files: found, measured, read and written, and what is done to their samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from negmine.lazy import lazily

if TYPE_CHECKING:
    from negmine.audio.read import probe, read_all, read_span, stream

__all__ = ["probe", "read_all", "read_span", "stream"]

__getattr__ = lazily(__name__, dict.fromkeys(__all__, "read"))
