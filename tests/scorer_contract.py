"""What every scorer must keep to, whatever the model behind it: one suite for all of them."""

from __future__ import annotations

import re

import numpy as np

from negmine.audio.windows import to_samples
from negmine.models.scorer import Scorer


def check_scorer(scorer: Scorer, tolerance: float = 1e-4) -> None:
    """Check a scorer against the protocol.

    Parameters
    ----------
    scorer : Scorer
    tolerance : float
        By how much, of the largest value, a clip's outputs may differ with the batch it is in.

    Raises
    ------
    AssertionError
        Saying which rule is broken.
    """
    assert isinstance(scorer, Scorer), "it lacks a member of the protocol"
    _check_description(scorer)
    rng = np.random.default_rng(0)
    shape = (3, to_samples(scorer.clip_s, scorer.sample_rate))
    waveforms = (0.1 * rng.standard_normal(shape)).astype(np.float32)
    waveforms[1] *= np.sin(np.arange(shape[1]) / 9)
    before = waveforms.copy()
    embeddings, logits = scorer.score(waveforms)
    assert np.array_equal(waveforms, before), "the waveforms were changed"
    _check_outputs(scorer, embeddings, logits, rows=3)

    def same(found: tuple[np.ndarray, np.ndarray], rows: list[int]) -> bool:
        return all(
            np.allclose(part, whole[rows], rtol=0, atol=tolerance * np.abs(whole).max())
            for part, whole in zip(found, (embeddings, logits), strict=True)
        )

    assert same(scorer.score(waveforms), [0, 1, 2]), "the same clips scored differently"
    for rows in ([0], [1], [2], [2, 0, 1], [1, 1]):
        assert same(scorer.score(waveforms[rows]), rows), "a clip's scores depend on its batch"
    assert not same(scorer.score(waveforms[[1, 2, 0]]), [0, 1, 2]), "all clips score alike"

    silence = np.zeros(shape, dtype=np.float32)
    _check_outputs(scorer, *scorer.score(silence), rows=3)
    for length in (shape[1] * 2, shape[1] // 2):
        # a pool's clips need not be as long as those of training
        other = (0.1 * rng.standard_normal((2, length))).astype(np.float32)
        found = scorer.score(other)
        _check_outputs(scorer, *found, rows=2)
        assert found[0].shape[1] == embeddings.shape[1], "embeddings differ in width"


def _check_description(scorer: Scorer) -> None:
    assert isinstance(scorer.classes, tuple), "classes are no tuple"
    assert scorer.classes, "there are no classes"
    assert all(isinstance(name, str) and name for name in scorer.classes), "a class has no name"
    assert len(set(scorer.classes)) == len(scorer.classes), "a class is named twice"
    assert isinstance(scorer.sample_rate, int), "the sample rate is no whole number"
    assert scorer.sample_rate > 0, "the sample rate is not positive"
    assert scorer.clip_s > 0, "the length of clips is not positive"
    # its first 16 characters name a folder
    assert re.fullmatch(r"[\w.-]{16,}", scorer.fingerprint), "the fingerprint names no folder"
    assert isinstance(scorer.held_out, frozenset), "held_out is no frozenset"
    assert all(isinstance(name, str) for name in scorer.held_out), "held_out holds no names"


def _check_outputs(scorer: Scorer, embeddings: np.ndarray, logits: np.ndarray, rows: int) -> None:
    assert logits.shape == (rows, len(scorer.classes)), "logits are not (clips, classes)"
    assert embeddings.ndim == 2, "embeddings are not (clips, width)"
    assert embeddings.shape[0] == rows, "embeddings are not (clips, width)"
    for part in (embeddings, logits):
        assert isinstance(part, np.ndarray), "outputs are no numpy arrays"
        assert part.dtype == np.float32, "outputs are not float32"
        assert np.isfinite(part).all(), "outputs are not finite"
