"""How much sound a file holds by its structure, against what its header counts.

A decoder believes the header, and so takes a part for the whole where that counts too little: a
WAV's 32-bit size wraps at 4 GiB, a recorder that lost power never wrote it, files were joined end
to end. So the structure is followed here, from header to header: no sample is decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from shlex import quote
from typing import Any, BinaryIO

from negmine.errors import AudioError

# Less than this beyond the header's count is padding, or a tag, and no loss.
TOLERANCE_S = 0.1

# The sizes that recorders of streams write, who know none.
_NO_SIZE = ((0x7FFF0000, 0x80010000), (0xFFFF0000, 0xFFFFFFFF))

# Metadata that is known to follow the sound, even where it is cut short itself.
_METADATA = frozenset(
    b"LIST|list|bext|iXML|axml|_PMX|id3 |ID3 |guan|wamd|cue |plst|smpl|inst|labl|fact|PEAK|acid|"
    b"JUNK|junk|FLLR|PAD |MARK|COMT|NAME|AUTH|ANNO|APPL|INST|(c) |info|strg|free|umid".split(b"|")
)

# How much of the end of a FLAC file is searched for its last frame.
_FLAC_TAIL = 1 << 20


@dataclass(frozen=True)
class Extent:
    """The sound of a file: what its header counts, and what the file holds.

    Attributes
    ----------
    counted : int or None
        None where the header says that it does not know, or counts nothing.
    held : int
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
        path : Path
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


def find_extent(path: Path, *, whole: bool) -> Extent | None:
    """Follow a file's structure.

    Parameters
    ----------
    path : Path
    whole : bool
        Also read streams of frames from end to end, to see whether files were joined: where the
        file is decoded anyway. Else no more is read than headers and the last megabyte.

    Returns
    -------
    Extent or None
        None for a container that is not followed here, or one that is damaged: the decoder says so.

    Raises
    ------
    AudioError
        If it holds several streams one after the other, of which a decoder reads the first, or its
        last part is cut off.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        data = _Bytes(file)
        for magic, follow in _CHUNKED.items():
            if data[: len(magic)] == magic:
                return follow(path, data)
        if data[:4] == b"fLaC":
            return _flac(path, data, whole)
        if whole and data[:4] == b"OggS":
            _check_ogg(path, data)
        named = path.suffix.lower() == ".mp3"
        if whole and (named or data[:3] == b"ID3" or _MpegFrame.at(data, 0)):
            return _mp3(path, data)
    return None


class _Bytes:
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


# ---- containers of chunks


def _riff(path: Path, data: _Bytes) -> Extent | None:
    order = ">" if data[:4] == b"RIFX" else "<"
    size64 = None
    for name, at, size in _chunks(data, 12, f"{order}4sI", pad=2):
        if name == b"ds64" and size >= 16:
            size64 = data.unpack("<Q", at + 8)[0]
        if name == b"data":
            if size == 0xFFFFFFFF and size64 is not None:
                size = size64
            unknown = any(first <= size <= last for first, last in _NO_SIZE)
            again = f"write it again: ffmpeg -ignore_length 1 -i {_names(path)}"
            if len(data) - at > 1 << 32 and data[:4] in (b"RIFF", b"RIFX"):
                again = f"a WAV's 32-bit size ends at 4 GiB: {again}"
            if unknown and size > len(data) - at:
                return Extent(None, len(data) - at, None, again)
            held = _held(data, at, size, f"{order}4sI", b"data", pad=2)
            return Extent(size, held, None, again)
    return None


def _aiff(path: Path, data: _Bytes) -> Extent | None:
    for name, at, size in _chunks(data, 12, ">4sI", pad=2):
        if name == b"SSND":
            held = _held(data, at, size, ">4sI", name, pad=2) - 8
            # libsndfile reads one that counts nothing to its end
            return Extent(size - 8 if size > 8 else None, held, None, _with_sox(path))
    return None


def _w64(path: Path, data: _Bytes) -> Extent | None:
    for name, at, size in _chunks(data, 40, "<16sQ", pad=8, own=24):
        if name[:4] == b"data":
            held = len(data) - at
            # libsndfile reads to the end of the file, whatever is counted; sizes are padded to 8
            if 0 < size <= held - 8:
                raise AudioError(
                    f"{path}: {held - size} bytes follow its {size} bytes of sound, and the "
                    f"decoder takes them for sound; write it again: ffmpeg -i {_names(path)}"
                )
            return Extent(size if size > held else None, held, None, _with_sox(path))
    return None


def _caf(path: Path, data: _Bytes) -> Extent | None:
    for name, at, size in _chunks(data, 8, ">4sQ"):
        if name == b"data":
            unknown = size == (1 << 64) - 1
            held = (
                len(data) - at if unknown else _held(data, at, size, ">4sQ", name)
            ) - 4  # after a count of edits
            return Extent(None if unknown else max(0, size - 4), held, None, _with_sox(path))
    return None


def _au(path: Path, data: _Bytes) -> Extent | None:
    order = ">" if data[:4] == b".snd" else "<"
    if len(data) < 24:
        return None
    start, size = data.unpack(f"{order}II", 4)
    counted = None if size == 0xFFFFFFFF else size
    return Extent(counted, max(0, len(data) - start), None, _with_sox(path))


def _with_sox(path: Path) -> str:
    return f"write it again: sox --ignore-length {_names(path)}"


def _names(path: Path) -> str:
    """Quote a file, and the name of what to make of it, for a shell."""
    return f"{quote(path.name)} {quote(path.stem + '-whole.flac')}"


def _chunks(
    data: _Bytes, at: int, header: str, *, pad: int = 1, own: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, place and size of each chunk; ``own`` is what a size counts of its own header."""
    length = struct.calcsize(header)
    while at + length <= len(data):
        name, size = data.unpack(header, at)
        yield name, at + length, max(0, size - own)
        at += length + max(0, size - own)
        at += -at % pad


def _held(data: _Bytes, at: int, size: int, header: str, sound: bytes, *, pad: int = 1) -> int:
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


def _check_ogg(path: Path, data: _Bytes) -> None:
    """See that the streams of an Ogg file begin together, and that its last page is whole."""
    again = f"ffmpeg -i {_names(path)}"
    at, begun = 0, False
    while (at := data.find(b"OggS", at)) >= 0:
        page = data[at : at + 27]
        if len(page) < 27:
            raise AudioError(f"{path}: truncated in an Ogg page; to keep what is there: {again}")
        starts = bool(page[5] & 2)
        if starts and begun:
            raise AudioError(
                f"{path}: an Ogg chain: streams one after the other, of which the first alone can "
                f"be decoded, {at} of {len(data)} bytes; join them: {again}"
            )
        begun = begun or not starts
        at += 27 + page[26] + sum(data[at + 27 : at + 27 + page[26]])
        if at > len(data):
            raise AudioError(
                f"{path}: truncated: its last Ogg page ends {at - len(data)} bytes beyond the "
                f"file; to keep what is there: {again}"
            )


def _flac(path: Path, data: _Bytes, whole: bool) -> Extent | None:
    """Find the length of a FLAC file by its last frame, which holds its own position."""
    if len(data) < 42:
        return None
    if whole and (second := _second_flac(data)) >= 0:
        raise AudioError(
            f"{path}: FLAC files one after the other, of which the first alone can be decoded, "
            f"{second} of {len(data)} bytes; take them apart, or join them again with 'sox'"
        )
    (largest,) = data.unpack(">H", 10)
    packed = int.from_bytes(data[18:26], "big")
    rate, total = packed >> 44, packed & ((1 << 36) - 1)
    at, last = 4, False
    while not last and at + 4 <= len(data):
        head = data[at : at + 4]
        last = bool(head[0] & 0x80)
        at += 4 + int.from_bytes(head[1:], "big")
    first = _FlacFrame.read(data[at : at + 16])
    if first is None or not rate:
        return None
    held = _end_of_flac(data, at, first, largest)
    remedy = f"write it again: ffmpeg -i {_names(path)}"
    return Extent(total or None, held, rate, remedy, exact=True) if held else None


def _end_of_flac(data: _Bytes, at: int, first: _FlacFrame, largest: int) -> int:
    """Find where the last frame ends, in samples; 0 where none is found.

    Bytes of sound may look like a header: one counts if another frame ends where it begins.
    """
    sync, start = data[at : at + 2], max(at, len(data) - _FLAC_TAIL)
    tail = data[start : len(data)]
    place, later = len(tail), dict[int, int]()
    while (place := tail.rfind(sync, 0, place)) >= 0:
        frame = _FlacFrame.read(tail[place : place + 16])
        if frame and frame.like(first) and frame.samples <= largest:
            begin = frame.begin(first.samples)
            end = begin + frame.samples
            if end in later:
                return later[end]
            if start + place == at:
                return end
            later[begin] = end
    return 0


def _second_flac(data: _Bytes) -> int:
    """Find where another FLAC file begins, or -1."""
    at = 4
    while (at := data.find(b"fLaC", at)) >= 0:
        if data[at + 5 : at + 8] == b"\0\0\x22":
            return at
        at += 4
    return -1


@dataclass(frozen=True)
class _FlacFrame:
    """The header of a FLAC frame."""

    variable: bool
    rate_code: int
    depth_code: int
    number: int
    samples: int

    def like(self, other: _FlacFrame) -> bool:
        mine = (self.variable, self.rate_code, self.depth_code)
        return mine == (other.variable, other.rate_code, other.depth_code)

    def begin(self, block: int) -> int:
        """Return the number of its first sample; ``block`` is the fixed samples a frame."""
        return self.number if self.variable else self.number * block

    @classmethod
    def read(cls, head: bytes) -> _FlacFrame | None:
        """Read the header at the beginning of some bytes; None where there is none."""
        if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[3] & 1:
            return None
        # a number of one to seven bytes, packed as UTF-8 packs its own
        ones = 8 - (head[4] ^ 0xFF).bit_length()
        if ones in (1, 8):
            return None
        number, after = head[4] & (0x7F >> ones), 5 + max(0, ones - 1)
        for byte in head[5:after]:
            if byte & 0xC0 != 0x80:
                return None
            number = number << 6 | byte & 0x3F
        size_code, rate_code = head[2] >> 4, head[2] & 15
        extra = {6: 1, 7: 2}.get(size_code, 0)
        if size_code == 0 or rate_code == 15:
            return None
        samples = (
            int.from_bytes(head[after : after + extra], "big") + 1
            if extra
            else 192
            if size_code == 1
            else 576 << (size_code - 2)
            if size_code < 6
            else 256 << (size_code - 8)
        )
        end = after + extra + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
        if end >= len(head) or _crc8(head[:end]) != head[end]:
            return None
        return cls(bool(head[1] & 1), rate_code, head[3] >> 1 & 7, number, samples)


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x107 if crc & 0x80 else 0)
    return crc


def _mp3(path: Path, data: _Bytes) -> Extent | None:
    """Count the frames of an MP3 file; the first says how many there are, or nothing does."""
    at = 0
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        head = data[at : at + 10]
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if head[5] & 0x10 else 0)
    first = _MpegFrame.at(data, at)
    if first is None:
        at = _next_frame(data, at, None)
        first = _MpegFrame.at(data, at) if at >= 0 else None
    if first is None:
        return None
    head = data[at : at + min(first.length, 200)]
    tag = max(head.find(b"Xing"), head.find(b"Info"))
    tagged = tag >= 0 and len(head) >= tag + 12 and bool(head[tag + 7] & 1)
    counted = int.from_bytes(head[tag + 8 : tag + 12], "big") if tagged else 0
    frames, at = 0, at + first.length
    while at < len(data):
        frame = _MpegFrame.at(data, at)
        if frame is None or frame.rate != first.rate:
            # a tag between two joined files, or at the end
            at = _next_frame(data, at, first)
            if at < 0:
                break
            continue
        frames += 1
        at += frame.length
    again = f"write it again: ffmpeg -i {_names(path)}"
    # the padding of an encoder, which decoders take away, is no loss
    held = max(0, frames - 2)
    return Extent(counted * first.samples or None, held * first.samples, first.rate, again)


def _next_frame(data: _Bytes, at: int, like: _MpegFrame | None) -> int:
    """Find where two frames of that rate, or of any one, follow one another, or -1."""
    while (at := data.find(b"\xff", at + 1)) >= 0:
        frame = _MpegFrame.at(data, at)
        if frame and (like is None or frame.rate == like.rate):
            after = _MpegFrame.at(data, at + frame.length)
            if after and after.rate == frame.rate:
                return at
    return -1


@dataclass(frozen=True)
class _MpegFrame:
    """The header of an MPEG audio frame of layer III."""

    length: int
    rate: int
    samples: int

    @classmethod
    def at(cls, data: _Bytes, at: int) -> _MpegFrame | None:
        return _mpeg_frame(data[at : at + 4])


@lru_cache(maxsize=1000)  # few differ in a file
def _mpeg_frame(content: bytes) -> _MpegFrame | None:
    head = int.from_bytes(content, "big")
    version, layer = head >> 19 & 3, head >> 17 & 3
    bits, rate = head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or version == 1 or layer != 1 or bits in (0, 15) or rate == 3:
        return None
    hz = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 1152 if version == 3 else 576
    kbps = (_KBPS_1 if version == 3 else _KBPS_2)[bits - 1]
    return _MpegFrame(samples * kbps * 125 // hz + (head >> 9 & 1), hz, samples)


_KBPS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)

_CHUNKED: dict[bytes, Callable[[Path, _Bytes], Extent | None]] = {
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
