"""A stream of sound, scored window by window as it comes, with the numbers of ``predict``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from negmine.errors import ModelError
from training.evaluation.inference import RecordingScorer


@dataclass(frozen=True)
class HeardWindows:
    """The next windows of a stream.

    Attributes
    ----------
    scores : float64 array, shape (n, C)
        Probabilities; 0 where a window holds no sound.
    start_s, end_s : float64 arrays, shape (n,)
    heard_s : float
        Seconds of the stream so far.
    """

    scores: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    heard_s: float


def listen(scorer: RecordingScorer, blocks: Iterable[np.ndarray]) -> Iterator[HeardWindows]:
    """Score a stream; memory holds some seconds of it, however long it is.

    A window is scored once the sound after it that its scores depend on is there: 2 s for a
    network that is trained as a whole, none for a head on a frozen one; and in pieces of
    ``scorer.piece_s``. A network that looks at a whole piece (EfficientNet) gives what ``predict``
    gives with pieces as long.

    Parameters
    ----------
    blocks : iterable of float32 array, shape (n,)
        Mono, at the scorer's rate.

    Raises
    ------
    ModelError
        If the model gives NaN.
    """
    one = scorer.begin(clip=False)
    rate = scorer.config.sample_rate
    samples = 0
    for block in blocks:
        one.add(block)
        samples += len(block)
        found = one.take()
        if len(found.start_s):
            yield _heard(found.logits, found.audible, found.start_s, found.end_s, samples / rate)
    last = one.end()
    end_s = np.minimum(last.end_s, last.duration_s)
    yield _heard(last.windows, last.audible, last.start_s, end_s, last.duration_s)


def _heard(
    logits: np.ndarray,
    audible: np.ndarray,
    start_s: np.ndarray,
    end_s: np.ndarray,
    heard_s: float,
) -> HeardWindows:
    if not np.isfinite(logits).all():
        raise ModelError("the model gives NaN or infinite scores; was training stable?")
    scores = np.where(audible[:, np.newaxis], expit(logits.astype(np.float64)), 0.0)
    return HeardWindows(scores, start_s, end_s, heard_s)
