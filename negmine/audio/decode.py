"""Decoding recordings ahead of their consumer, in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from queue import Full, Queue

from negmine.arrays import FloatSamples
from negmine.audio.read import stream

# Blocks of some seconds that wait for their listener: a minute or two of each recording.
_WAITING = 16

Block = tuple[int, FloatSamples]
# Given a file and a rate in Hz, yields its samples: `negmine.audio.read.stream` is one.
Decode = Callable[[Path, int], Iterator[FloatSamples]]
_Waiting = Queue[Block | BaseException | None]


class _StoppedError(Exception):
    """The consumer has stopped."""


def decode_ahead(
    paths: Sequence[Path],
    sample_rates: Sequence[int],
    *,
    decode: Decode = stream,
    threads: int = 3,
) -> Iterator[Iterator[Block]]:
    """Yield each file's samples at some rates, while the next files are being decoded.

    Parameters
    ----------
    sample_rates : sequence of int
        Hz; a file is decoded once for each.
    decode : Decode
    threads : int
        Files that are decoded at a time. Decoding releases the interpreter lock.

    Yields
    ------
    iterator of (int, float32 array)
        A rate, and the next block at it: see `negmine.audio.read.stream`. To be listened to before
        the next file's is. A file that cannot be read raises its error there.
    """
    stop = threading.Event()

    def put(waiting: _Waiting, item: Block | BaseException | None) -> None:
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except Full:
                continue
        raise _StoppedError

    def decode_all(path: Path, waiting: _Waiting) -> None:
        try:
            for rate in sample_rates:
                for block in decode(path, rate):
                    put(waiting, (rate, block))
            put(waiting, None)
        except _StoppedError:
            pass
        except BaseException as error:  # whatever it is, the consumer must receive it
            put(waiting, error)

    def start(pool: ThreadPoolExecutor, path: Path) -> _Waiting:
        waiting: _Waiting = Queue(_WAITING)
        pool.submit(decode_all, path, waiting)
        return waiting

    rest = iter(paths)
    with ThreadPoolExecutor(threads) as pool:
        try:
            # no more files than threads: each has one, so none can hold another up
            ahead = [start(pool, path) for path in islice(rest, threads)]
            while ahead:
                yield _listen(ahead.pop(0))
                ahead += [start(pool, path) for path in islice(rest, 1)]
        finally:
            stop.set()


def _listen(waiting: _Waiting) -> Iterator[Block]:
    while (item := waiting.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item
