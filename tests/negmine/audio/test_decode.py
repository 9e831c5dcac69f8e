"""Decoding ahead: whatever the threads do, the listener hears each file whole and in order."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import SAMPLE_RATE

from negmine.audio.decode import decode_ahead
from negmine.audio.read import stream
from negmine.errors import AudioError


def write_files(folder: Path, seconds: list[float]) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [folder / f"{i}.wav" for i in range(len(seconds))]
    for path, length in zip(paths, seconds, strict=True):
        sf.write(path, rng.normal(0, 0.1, round(length * SAMPLE_RATE)), SAMPLE_RATE)
    return paths


def decoding() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_each_file_is_heard_whole_at_each_rate_in_turn(tmp_path: Path, threads: int) -> None:
    paths = write_files(tmp_path, [0.5, 30.0, 1.0, 7.0, 0.1])
    rates = [4000, SAMPLE_RATE]
    heard = 0
    for path, blocks in zip(paths, decode_ahead(paths, rates, threads=threads), strict=True):
        found = list(blocks)
        assert [rate for rate, _ in found] == sorted(rate for rate, _ in found)
        for wanted in rates:
            np.testing.assert_array_equal(
                np.concatenate([block for rate, block in found if rate == wanted]),
                np.concatenate(list(stream(path, wanted))),
            )
        heard += 1
    assert heard == len(paths)
    assert not decoding()


def test_a_broken_file_raises_in_its_turn_and_the_next_is_heard(tmp_path: Path) -> None:
    paths = write_files(tmp_path, [1.0, 1.0, 1.0])
    paths[1].write_bytes(b"no sound")
    files = decode_ahead(paths, [SAMPLE_RATE])
    assert sum(len(block) for _, block in next(files)) == SAMPLE_RATE
    with pytest.raises(AudioError, match=r"1\.wav: not readable as audio"):
        list(next(files))
    assert sum(len(block) for _, block in next(files)) == SAMPLE_RATE
    assert next(files, None) is None


def test_whoever_leaves_early_leaves_no_thread_behind(tmp_path: Path) -> None:
    # 150 s are more blocks than wait for their listener, so that every thread is held up
    paths = write_files(tmp_path, [150.0] * 3 + [1.0] * 3)
    files = decode_ahead(paths, [SAMPLE_RATE])
    next(next(files))
    time.sleep(0.3)
    assert decoding()
    files.close()  # type: ignore[attr-defined]
    assert not decoding()


def test_an_error_of_the_listener_ends_the_threads_too(tmp_path: Path) -> None:
    paths = write_files(tmp_path, [150.0] * 4)

    def listen() -> None:
        for blocks in decode_ahead(paths, [SAMPLE_RATE]):
            next(blocks)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        listen()
    assert not decoding()
