"""Containers of chunks: WAV, RF64, AIFF, W64, CAF, and AU with its one header."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from negmine.audio.file_structure import Extent, FileBytes, shell_names
from negmine.errors import AudioError

# The sizes that recorders of streams write, who know none.
_NO_SIZE = ((0x7FFF0000, 0x80010000), (0xFFFF0000, 0xFFFFFFFF))

# Metadata that is known to follow the sound, even where it is cut short itself.
_METADATA = frozenset(
    b"LIST|list|bext|iXML|axml|_PMX|id3 |ID3 |guan|wamd|cue |plst|smpl|inst|labl|fact|PEAK|acid|"
    b"JUNK|junk|FLLR|PAD |MARK|COMT|NAME|AUTH|ANNO|APPL|INST|(c) |info|strg|free|umid".split(b"|")
)


def _riff(path: Path, data: FileBytes) -> Extent | None:
    order = ">" if data[:4] == b"RIFX" else "<"
    size64 = None
    for name, at, size in _chunks(data, 12, f"{order}4sI", pad=2):
        if name == b"ds64" and size >= 16:
            size64 = data.unpack("<Q", at + 8)[0]
        if name == b"data":
            if size == 0xFFFFFFFF and size64 is not None:
                size = size64
            unknown = any(first <= size <= last for first, last in _NO_SIZE)
            again = f"write it again: ffmpeg -ignore_length 1 -i {shell_names(path)}"
            if len(data) - at > 1 << 32 and data[:4] in (b"RIFF", b"RIFX"):
                again = f"a WAV's 32-bit size ends at 4 GiB: {again}"
            if unknown and size > len(data) - at:
                return Extent(None, len(data) - at, None, again)
            held = _held(data, at, size, f"{order}4sI", b"data", pad=2)
            return Extent(size, held, None, again)
    return None


def _aiff(path: Path, data: FileBytes) -> Extent | None:
    for name, at, size in _chunks(data, 12, ">4sI", pad=2):
        if name == b"SSND":
            held = _held(data, at, size, ">4sI", name, pad=2) - 8
            # libsndfile reads one that counts nothing to its end
            return Extent(size - 8 if size > 8 else None, held, None, _with_sox(path))
    return None


def _w64(path: Path, data: FileBytes) -> Extent | None:
    for name, at, size in _chunks(data, 40, "<16sQ", pad=8, own=24):
        if name[:4] == b"data":
            held = len(data) - at
            # libsndfile reads to the end of the file, whatever is counted; sizes are padded to 8
            if 0 < size <= held - 8:
                raise AudioError(
                    f"{path}: {held - size} bytes follow its {size} bytes of sound, and the "
                    f"decoder takes them for sound; write it again: ffmpeg -i {shell_names(path)}"
                )
            return Extent(size if size > held else None, held, None, _with_sox(path))
    return None


def _caf(path: Path, data: FileBytes) -> Extent | None:
    for name, at, size in _chunks(data, 8, ">4sQ"):
        if name == b"data":
            unknown = size == (1 << 64) - 1
            held = (
                len(data) - at if unknown else _held(data, at, size, ">4sQ", name)
            ) - 4  # after a count of edits
            return Extent(None if unknown else max(0, size - 4), held, None, _with_sox(path))
    return None


def _au(path: Path, data: FileBytes) -> Extent | None:
    order = ">" if data[:4] == b".snd" else "<"
    if len(data) < 24:
        return None
    start, size = data.unpack(f"{order}II", 4)
    counted = None if size == 0xFFFFFFFF else size
    return Extent(counted, max(0, len(data) - start), None, _with_sox(path))


def _with_sox(path: Path) -> str:
    return f"write it again: sox --ignore-length {shell_names(path)}"


def _chunks(
    data: FileBytes, at: int, header: str, *, pad: int = 1, own: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, place and size of each chunk; ``own`` is what a size counts of its own header."""
    length = struct.calcsize(header)
    while at + length <= len(data):
        name, size = data.unpack(header, at)
        yield name, at + length, max(0, size - own)
        at += length + max(0, size - own)
        at += -at % pad


def _held(data: FileBytes, at: int, size: int, header: str, sound: bytes, *, pad: int = 1) -> int:
    """Count bytes of sound from ``at``: as counted, where chunks follow; else to the end."""
    end, rest = at + size, len(data) - at
    if end >= len(data):
        return rest
    for first in {end + -end % pad, end}:  # some writers forget to pad
        reached = first
        for name, start, length in _chunks(data, first, header, pad=pad):
            last = start + length
            if name == sound or not all(32 <= letter < 127 for letter in name):
                break
            if last > len(data):
                reached = len(data) if name in _METADATA else reached
                break
            reached = last
        # a few bytes more: padding, or a tag
        if reached > first and len(data) - reached <= 4096:
            return size
    return rest


# ---- streams of frames


CHUNKED: dict[bytes, Callable[[Path, FileBytes], Extent | None]] = {
    b"RIFF": _riff,
    b"RIFX": _riff,
    b"RF64": _riff,
    b"BW64": _riff,
    b"FORM": _aiff,
    b"riff": _w64,
    b"caff": _caf,
    b".snd": _au,
    b"dns.": _au,
}
