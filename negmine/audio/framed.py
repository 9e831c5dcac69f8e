"""Streams of frames: FLAC, MP3, and Ogg's pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from negmine.audio.file_structure import Extent, FileBytes, shell_names
from negmine.errors import AudioError

# How much of the end of a FLAC file is searched for its last frame.
_FLAC_TAIL = 1 << 20


def check_ogg(path: Path, data: FileBytes) -> None:
    """See that the streams of an Ogg file begin together, and that its last page is whole."""
    again = f"ffmpeg -i {shell_names(path)}"
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


def flac_extent(path: Path, data: FileBytes, whole: bool) -> Extent | None:
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
    remedy = f"write it again: ffmpeg -i {shell_names(path)}"
    return Extent(total or None, held, rate, remedy, exact=True) if held else None


def _end_of_flac(data: FileBytes, at: int, first: _FlacFrame, largest: int) -> int:
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


def _second_flac(data: FileBytes) -> int:
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


def mp3_extent(path: Path, data: FileBytes) -> Extent | None:
    """Count the frames of an MP3 file; the first says how many there are, or nothing does."""
    at = 0
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        head = data[at : at + 10]
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if head[5] & 0x10 else 0)
    first = MpegFrame.at(data, at)
    if first is None:
        at = _next_frame(data, at, None)
        first = MpegFrame.at(data, at) if at >= 0 else None
    if first is None:
        return None
    head = data[at : at + min(first.length, 200)]
    tag = max(head.find(b"Xing"), head.find(b"Info"))
    tagged = tag >= 0 and len(head) >= tag + 12 and bool(head[tag + 7] & 1)
    counted = int.from_bytes(head[tag + 8 : tag + 12], "big") if tagged else 0
    frames, at = 0, at + first.length
    while at < len(data):
        frame = MpegFrame.at(data, at)
        if frame is None or frame.rate != first.rate:
            # a tag between two joined files, or at the end
            at = _next_frame(data, at, first)
            if at < 0:
                break
            continue
        frames += 1
        at += frame.length
    again = f"write it again: ffmpeg -i {shell_names(path)}"
    # the padding of an encoder, which decoders take away, is no loss
    held = max(0, frames - 2)
    return Extent(counted * first.samples or None, held * first.samples, first.rate, again)


def _next_frame(data: FileBytes, at: int, like: MpegFrame | None) -> int:
    """Find where two frames of that rate, or of any one, follow one another, or -1."""
    while (at := data.find(b"\xff", at + 1)) >= 0:
        frame = MpegFrame.at(data, at)
        if frame and (like is None or frame.rate == like.rate):
            after = MpegFrame.at(data, at + frame.length)
            if after and after.rate == frame.rate:
                return at
    return -1


@dataclass(frozen=True)
class MpegFrame:
    """The header of an MPEG audio frame of layer III."""

    length: int
    rate: int
    samples: int

    @classmethod
    def at(cls, data: FileBytes, at: int) -> MpegFrame | None:
        return _mpeg_frame(data[at : at + 4])


@lru_cache(maxsize=1000)  # few differ in a file
def _mpeg_frame(content: bytes) -> MpegFrame | None:
    head = int.from_bytes(content, "big")
    version, layer = head >> 19 & 3, head >> 17 & 3
    bits, rate = head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or version == 1 or layer != 1 or bits in (0, 15) or rate == 3:
        return None
    hz = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 1152 if version == 3 else 576
    kbps = (_KBPS_1 if version == 3 else _KBPS_2)[bits - 1]
    return MpegFrame(samples * kbps * 125 // hz + (head >> 9 & 1), hz, samples)


_KBPS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
