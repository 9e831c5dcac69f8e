"""How much sound a file holds by its structure, against what its header counts.

A decoder believes the header, and so takes a part for the whole where that counts too little: a
WAV's 32-bit size wraps at 4 GiB, a recorder that lost power never wrote it, files were joined end
to end. So the structure is followed here, from header to header: no sample is decoded.
"""

from __future__ import annotations

from pathlib import Path

from negmine.audio.chunked import CHUNKED
from negmine.audio.file_structure import Extent, FileBytes
from negmine.audio.framed import MpegFrame, check_ogg, flac_extent, mp3_extent


def find_extent(path: Path, *, whole: bool) -> Extent | None:
    """Follow a file's structure.

    Parameters
    ----------
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
        data = FileBytes(file)
        for magic, follow in CHUNKED.items():
            if data[: len(magic)] == magic:
                return follow(path, data)
        if data[:4] == b"fLaC":
            return flac_extent(path, data, whole)
        if whole and data[:4] == b"OggS":
            check_ogg(path, data)
        named = path.suffix.lower() == ".mp3"
        if whole and (named or data[:3] == b"ID3" or MpegFrame.at(data, 0)):
            return mp3_extent(path, data)
    return None
