"""Damaged sound files: all of the sound, or one line; never a part of it for the whole."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from reliability.commands import text_faults
from reliability.conftest import Trials
from reliability.sizes import sized

from negmine.audio.read import probe, stream
from negmine.errors import AudioError

RATE = 8000

# By name: suffix, format, subtype.
FORMATS = {
    "wav": (".wav", "WAV", "PCM_16"),
    "wav of 24 bits": (".wav", "WAV", "PCM_24"),
    "wav of floats": (".wav", "WAV", "FLOAT"),
    "wavex": (".wav", "WAVEX", "PCM_16"),
    "rf64": (".wav", "RF64", "PCM_16"),
    "w64": (".w64", "W64", "PCM_16"),
    "aiff": (".aiff", "AIFF", "PCM_16"),
    "caf": (".caf", "CAF", "PCM_16"),
    "flac": (".flac", "FLAC", "PCM_16"),
    "ogg": (".ogg", "OGG", "VORBIS"),
    "opus": (".opus", "OGG", "OPUS"),
    "mp3": (".mp3", "MP3", "MPEG_LAYER_III"),
}
# A decoder of MP3 drops up to two frames that an encoder padded: `negmine.audio.sound_file`.
MAY_LACK = {"mp3": 2 * 1152}
# Sizes in W64 are padded to eight bytes, and the decoder takes those for sound.
MAY_ADD = {"w64": 4}

Damage = Callable[[bytes, random.Random], tuple[bytes, str]]


def header(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """One to four neighbouring bytes of what comes before the samples changed."""
    damaged = bytearray(content)
    length = rng.randint(1, 4)
    start = rng.randrange(samples_begin(content) - length)
    value = rng.choice([bytes(length), b"\xff" * length, b"\x7f" * length, rng.randbytes(length)])
    damaged[start : start + length] = value
    return bytes(damaged), f"bytes {start} to {start + length} are {value.hex()}"


def cut(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """The end lost, sometimes on a round number of bytes."""
    unit = rng.choice([1, 1, 2, 4, 512, 4096])
    length = rng.randrange(len(content)) // unit * unit
    return content[:length], f"cut to {length} of {len(content)} bytes"


def grown(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Something more behind the end."""
    length = rng.choice([1, 2, 100, 4096, 10_000])
    kind = rng.choice(["zeros", "noise", "itself"])
    more = {"zeros": bytes(length), "noise": rng.randbytes(length), "itself": content}[kind]
    return content + more, f"{len(more)} bytes of {kind} behind the end"


@sized
@pytest.mark.parametrize("damage", [header, cut, grown], ids=lambda one: one.__name__)
@pytest.mark.parametrize("name", FORMATS)
def test_damaged_sound_is_whole_or_refused(
    name: str, damage: Damage, times: int, tmp_path: Path, trials: Trials
) -> None:
    suffix, container, subtype = FORMATS[name]
    rng = random.Random(f"{name} {damage.__name__}")
    content = encoded(container, subtype)
    path = tmp_path / f"sound{suffix}"
    path.write_bytes(content)
    whole = read(path)
    for _ in range(25 * times):
        damaged, how = damage(content, rng)
        path.write_bytes(damaged)
        try:
            found = read(path)
        except AudioError as error:
            if faults := text_faults(str(error)):
                trials.fault(how, faults)
            elif "\n" in str(error):
                trials.fault(how, "more than a line")
            else:
                trials.count("refused")
            continue
        except Exception as error:
            trials.fault(how, repr(error))
            continue
        reason = judged(found, whole, MAY_LACK.get(name, 0), MAY_ADD.get(name, 0))
        if reason in ("the same", "other by its header"):
            trials.count(reason)
        else:
            trials.fault(how, reason)
    trials.check()


def encoded(container: str, subtype: str) -> bytes:
    """Two seconds of noise, in a file's bytes."""
    samples = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
    file = io.BytesIO()
    sf.write(file, samples, RATE, format=container, subtype=subtype)
    return file.getvalue()


def samples_begin(content: bytes) -> int:
    """Where samples begin in a file without compression; a first page or frame where it has one."""
    # in AIFF without the offset of the first sample, which says how much to leave out
    for mark, more in ((b"SSND", 8), (b"data\xf3\xac\xd3\x11", 24), (b"data", 8)):
        if mark in content[:4200]:
            return content.index(mark) + more + 4 * (content[:4] == b"caff")
    return 128


Sound = tuple[tuple[int, int, str], np.ndarray]


def read(path: Path) -> Sound:
    """What the header says, and the samples, by the two ways of reading, which must agree."""
    info = probe(path)
    samples = np.concatenate([*stream(path, info.sample_rate), np.zeros(0, dtype=np.float32)])
    assert len(samples) == info.frames, f"{info.frames} frames probed, {len(samples)} read"
    return (info.sample_rate, info.channels, sf.info(path).subtype), samples


def judged(found: Sound, whole: Sound, may_lack: int, may_add: int) -> str:
    """What became of the sound."""
    if found[0] != whole[0]:
        return "other by its header"
    samples, expected = found[1], whole[1]
    if len(samples) == len(expected):
        return "the same" if np.array_equal(samples, expected) else "other samples"
    more = len(samples) - len(expected)
    if -may_lack <= more <= may_add:
        return "the same"
    return f"{more} samples more" if more > 0 else f"{-more} of {len(expected)} samples missing"
