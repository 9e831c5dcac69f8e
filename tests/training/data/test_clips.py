"""The store of decoded clips: true to half a step, written whole, and written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.progress import Progress, no_progress
from training.data.clips import ClipStore

STEP = 1 / 32767


def clips_of(lengths: list[int], seed: int = 0, peak: float = 1.0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(peak * rng.uniform(-1, 1, n)).astype(np.float32) for n in lengths]


def store_of(
    folder: Path,
    clips: list[np.ndarray],
    progress: Progress = no_progress,
) -> ClipStore:
    keys = [(i, "clip") for i in range(len(clips))]
    return ClipStore.open(folder, keys, [len(c) for c in clips], lambda i: clips[i], progress)


def unreachable(index: int) -> np.ndarray:
    raise AssertionError(f"clip {index} was decoded again")


@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=5),
    peak=st.sampled_from([1e-5, 0.3, 1.0, 1.7, 40.0]),
    seed=st.integers(0, 50),
)
def test_error_is_below_half_a_step(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], peak: float, seed: int
) -> None:
    clips = clips_of(lengths, seed, peak)
    store = store_of(tmp_path_factory.mktemp("clips"), clips)
    assert len(store) == len(clips)
    for i, clip in enumerate(clips):
        scale = max(1.0, float(np.abs(clip).max(initial=0.0)))
        error = np.abs(store.read(i, 0, len(clip)).astype(np.float64) - clip)
        # float32 carries 24 bits, so its own rounding is a 500th of a step
        assert error.max(initial=0.0) <= 0.503 * scale * STEP


def test_nothing_clips_above_1(tmp_path: Path) -> None:
    loud = np.array([0.0, 3.7, -3.7, 1.0], dtype=np.float32)
    quiet = np.array([0.5, -1.0], dtype=np.float32)
    store = store_of(tmp_path, [loud, quiet])
    np.testing.assert_allclose(store.read(0, 0, 4), loud, atol=0.51 * 3.7 * STEP)
    np.testing.assert_allclose(store.read(1, 0, 2), quiet, atol=0.51 * STEP)


@pytest.mark.parametrize(
    ("start", "length"), [(0, 5), (2, 3), (2, 10), (5, 4), (9, 2), (0, 0), (4, 1)]
)
def test_read_past_the_end_is_padded_and_never_the_next_clip(
    tmp_path: Path, start: int, length: int
) -> None:
    clips = [np.full(n, (i + 1) / 10, np.float32) for i, n in enumerate([5, 0, 7])]
    store = store_of(tmp_path, clips)
    want = np.zeros(length, np.float32)
    inside = clips[0][start : start + length]
    want[: len(inside)] = inside
    got = store.read(0, start, length)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, atol=STEP)
    assert not store.read(1, 0, 3).any()
    np.testing.assert_allclose(store.read(2, 0, 7), clips[2], atol=STEP)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_store_without_samples(tmp_path: Path, lengths: list[int]) -> None:
    for _ in range(2):
        store = store_of(tmp_path, clips_of(lengths))
        assert len(store) == len(lengths)
        for i in range(len(lengths)):
            assert store.read(i, 0, 4).tolist() == [0.0] * 4


def test_second_opening_decodes_nothing(tmp_path: Path) -> None:
    clips = clips_of([30, 0, 17])
    first, done = store_of(tmp_path, clips), []
    keys, lengths = [(i, "clip") for i in range(3)], [30, 0, 17]
    again = ClipStore.open(tmp_path, keys, lengths, unreachable, lambda: done.append(1))
    for i in range(3):
        np.testing.assert_array_equal(first.read(i, 0, 30), again.read(i, 0, 30))
    assert not done


@pytest.mark.parametrize(
    ("keys", "lengths"), [(["a", "c"], [4, 6]), (["a", "b"], [6, 4]), (["b", "a"], [4, 6])]
)
def test_other_keys_or_lengths_are_another_store(
    tmp_path: Path, keys: list[str], lengths: list[int]
) -> None:
    ClipStore.open(tmp_path, ["a", "b"], [4, 6], lambda i: np.full([4, 6][i], 0.1, np.float32))
    store = ClipStore.open(tmp_path, keys, lengths, lambda i: np.full(lengths[i], 0.9, np.float32))
    assert store.read(0, 0, 1)[0] == pytest.approx(0.9, abs=STEP)


def test_progress_is_told_of_every_clip(tmp_path: Path) -> None:
    totals, done = [], []

    def progress(what: str, total: int, unit: str = "file", /) -> Callable[[], object]:
        totals.append(total)
        return lambda: done.append(1)

    clips = [np.zeros(5, dtype=np.float32)] * 70
    store_of(tmp_path, clips, progress)
    assert (totals, len(done)) == ([70], 70)
    store_of(tmp_path, clips, progress)
    assert totals == [70]


def test_clips_stay_in_order_however_long_each_takes(tmp_path: Path) -> None:
    import time

    def slow_first(i: int) -> np.ndarray:
        time.sleep(0.02 if i == 0 else 0)
        return np.full(2, i / 100, np.float32)

    store = ClipStore.open(tmp_path, list(range(70)), [2] * 70, slow_first)
    got = [float(store.read(i, 0, 1)[0]) for i in range(70)]
    np.testing.assert_allclose(got, np.arange(70) / 100, atol=STEP)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupted_writing_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    clips = clips_of([5] * 80)

    def stopped(i: int) -> np.ndarray:
        if i == 70:
            raise error("stopped")
        return clips[i]

    with pytest.raises(error, match="stopped"):
        ClipStore.open(tmp_path / "cache", list(range(80)), [5] * 80, stopped)
    assert list((tmp_path / "cache").iterdir()) == []
    store = ClipStore.open(tmp_path / "cache", list(range(80)), [5] * 80, lambda i: clips[i])
    np.testing.assert_allclose(store.read(79, 0, 5), clips[79], atol=STEP)


@pytest.mark.parametrize("damage", ["removed", "cut short", "index removed"])
def test_damaged_store_is_decoded_again(tmp_path: Path, damage: str) -> None:
    clips = clips_of([9, 9])
    store_of(tmp_path, clips)
    (data,) = tmp_path.glob("*.i16")
    if damage == "removed":
        data.unlink()
    elif damage == "cut short":
        data.write_bytes(data.read_bytes()[:20])
    else:
        data.with_suffix(".json").unlink()
    store = store_of(tmp_path, clips)
    np.testing.assert_allclose(store.read(1, 0, 9), clips[1], atol=STEP)
