"""What a file's structure tells of its sound, and its bytes by place."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, BinaryIO

from negmine.errors import AudioError

# Less than this beyond the header's count is padding, or a tag, and no loss.
TOLERANCE_S = 0.1


@dataclass(frozen=True)
class Extent:
    """The sound of a file: what its header counts, and what the file holds.

    Attributes
    ----------
    counted : int or None
        None where the header says that it does not know, or counts nothing.
    rate : int or None
        Frames a second, where both are frames (Hz); None where they are bytes.
    remedy : str
        What to do where the header is wrong.
    exact : bool
        Whether ``held`` is known to the frame.
    """

    counted: int | None
    held: int
    rate: int | None
    remedy: str
    exact: bool = False

    @property
    def cut(self) -> float:
        """How many times more the header counts than the file holds; 1 where it does not."""
        return max(1.0, self.counted / self.held) if self.counted and self.held else 1.0

    def check(self, path: Path, frames: int, rate: int) -> None:
        """See that a decoder reads all that is there.

        Parameters
        ----------
        frames : int
            That the decoder finds.
        rate : int
            Hz.

        Raises
        ------
        AudioError
            If the file holds more, naming what header and file hold, and what to do.
        """
        if self.rate is not None:
            self._check_frames(path, min(frames, self.counted or frames), self.rate)
            return
        if self.counted is None or self.counted >= self.held:
            return
        if self.counted and frames:
            counted_s = frames / rate
            held_s = counted_s * self.held / self.counted
            if held_s > counted_s + TOLERANCE_S:
                raise AudioError(
                    f"{path}: its header counts {counted_s:.2f} s of sound, and the file holds "
                    f"{held_s:.2f} s ({self.counted} of {self.held} bytes); {self.remedy}"
                )
        elif self.held > 4096:
            raise AudioError(
                f"{path}: its header counts {self.counted} bytes of sound, and the file holds "
                f"{self.held}: was the recorder stopped? {self.remedy}"
            )

    def _check_frames(self, path: Path, frames: int, rate: int) -> None:
        """See that all frames are read: a decoder guesses how many where nothing counts them."""
        if self.held > frames + (0 if self.exact else TOLERANCE_S * rate):
            how = "its header counts" if self.counted else "nothing counts its sound; decoded are"
            raise AudioError(
                f"{path}: {how} {frames / rate:.3f} s of sound, and the file holds "
                f"{self.held / rate:.3f} s; {self.remedy}"
            )


class FileBytes:
    """A file's bytes by place, read in blocks: no more than one is held."""

    _BLOCK = 1 << 18

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._length = file.seek(0, 2)
        self._from, self._block = 0, b""

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> bytes:
        first, last = part.start or 0, min(part.stop, self._length)
        if first >= last:
            return b""
        if first < self._from or last > self._from + len(self._block):
            self._file.seek(first)
            self._from, self._block = first, self._file.read(max(self._BLOCK, last - first))
        return self._block[first - self._from : last - self._from]

    def unpack(self, form: str, at: int) -> tuple[Any, ...]:
        size = struct.calcsize(form)
        return struct.unpack(form, self[at : at + size].ljust(size, b"\0"))

    def find(self, wanted: bytes, at: int) -> int:
        """Return the first place from ``at`` on, or -1."""
        while at < self._length:
            block = self[at : at + self._BLOCK]
            if (found := block.find(wanted)) >= 0:
                return at + found
            at += max(1, len(block) - len(wanted) + 1)
        return -1


def shell_names(path: Path) -> str:
    """Quote a file, and the name of what to make of it, for a shell."""
    return f"{quote(path.name)} {quote(path.stem + '-whole.flac')}"
