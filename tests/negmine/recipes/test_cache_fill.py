"""What a cache is filled with: true to half a step, written whole, and written once."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.errors import DamageError
from negmine.progress import Progress, no_progress
from negmine.recipes import cache_fill
from negmine.recipes.cache_files import Clips, Piece
from negmine.recipes.cache_fill import Item, fill

STEP = 1 / 32767

Make = Callable[[int], np.ndarray]


def clips_of(lengths: list[int], seed: int = 0, peak: float = 1.0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(peak * rng.uniform(-1, 1, n)).astype(np.float32) for n in lengths]


def filled(
    folder: Path,
    keys: list[str],
    lengths: list[int],
    make: Make,
    progress: Progress = no_progress,
) -> Clips:
    def item(i: int) -> Item:
        return Item(keys[i], keys[i], lengths[i], lambda: [make(i)])

    cache = fill(folder, [item(i) for i in range(len(keys))], progress=progress).cache
    return Clips(cache, [Piece(key, 0, n) for key, n in zip(keys, lengths, strict=True)])


def store_of(
    folder: Path,
    clips: list[np.ndarray],
    progress: Progress = no_progress,
) -> Clips:
    keys = [f"clip {i}" for i in range(len(clips))]
    return filled(folder, keys, [len(c) for c in clips], lambda i: clips[i], progress)


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


def test_a_piece_ends_where_its_entry_goes_on(tmp_path: Path) -> None:
    ramp = np.arange(10, dtype=np.float32) / np.float32(16)
    cache = fill(tmp_path, [Item("a", "a", 10, lambda: [ramp])]).cache
    clips = Clips(cache, [Piece("a", 2, 3), Piece("a", 8, 5)])
    assert clips.read(0, 1, 4).tolist() == [3 / 16, 4 / 16, 0, 0]
    assert clips.read(0, 5, 2).tolist() == [0, 0]
    assert clips.read(1, 0, 5).tolist() == [8 / 16, 9 / 16, 0, 0, 0]


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
    keys, lengths = [f"clip {i}" for i in range(3)], [30, 0, 17]

    def progress(what: str, total: int, unit: str = "file", /) -> Any:
        done.append(total)
        return lambda: None

    again = filled(tmp_path, keys, lengths, unreachable, progress)
    for i in range(3):
        np.testing.assert_array_equal(first.read(i, 0, 30), again.read(i, 0, 30))
    assert not done


def test_another_key_is_another_clip_and_the_same_is_made_once(tmp_path: Path) -> None:
    filled(tmp_path, ["a", "b"], [4, 6], lambda i: np.full([4, 6][i], 0.1, np.float32))
    made = []

    def make(i: int) -> np.ndarray:
        made.append(i)
        return np.full(6, 0.9, np.float32)

    store = filled(tmp_path, ["c", "b", "c"], [6, 6, 6], make)
    assert made == [0] or made == [2]
    got = [store.read(i, 0, 1)[0] for i in range(3)]
    assert got == [pytest.approx(x, abs=STEP) for x in (0.9, 0.1, 0.9)]


def test_progress_is_told_of_every_clip(tmp_path: Path) -> None:
    totals, done = [], []

    def progress(what: str, total: int, unit: str = "file", /) -> Any:
        totals.append(total)
        return lambda: done.append(1)

    clips = [np.zeros(5, dtype=np.float32)] * 70
    store_of(tmp_path, clips, progress)
    assert (totals, len(done)) == ([70], 70)
    store_of(tmp_path, clips, progress)
    assert totals == [70]


def test_clips_stay_in_order_however_long_each_takes(tmp_path: Path) -> None:
    def slow_first(i: int) -> np.ndarray:
        time.sleep(0.02 if i == 0 else 0)
        return np.full(2, i / 100, np.float32)

    store = filled(tmp_path, [str(i) for i in range(70)], [2] * 70, slow_first)
    got = [float(store.read(i, 0, 1)[0]) for i in range(70)]
    np.testing.assert_allclose(got, np.arange(70) / 100, atol=STEP)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupted_writing_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    clips, keys = clips_of([5] * 80), [str(i) for i in range(80)]

    def stopped(i: int) -> np.ndarray:
        if i == 70:
            raise error("stopped")
        return clips[i]

    with pytest.raises(error, match="stopped"):
        filled(tmp_path / "cache", keys, [5] * 80, stopped)
    assert not (tmp_path / "cache").exists()
    store = filled(tmp_path / "cache", keys, [5] * 80, lambda i: clips[i])
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


def test_packs_end_where_they_would_be_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_fill, "PACK", 10)
    clips = clips_of([4, 4, 4, 25, 1, 9])
    store = store_of(tmp_path, clips)
    sizes = sorted(path.stat().st_size // 2 for path in tmp_path.glob("*.i16"))
    assert sizes == [4, 8, 10, 25]
    for i, clip in enumerate(clips):
        np.testing.assert_allclose(store.read(i, 0, len(clip)), clip, atol=STEP)


def test_what_was_unused_for_longest_is_removed_beyond_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cache_fill, "MOST_BYTES", 200)

    def fill_with(name: str) -> Clips:
        return filled(tmp_path, [name], [40], lambda i: np.full(40, 0.5, np.float32))

    def names() -> int:
        return len(list(tmp_path.glob("*.i16")))

    first = fill_with("a")
    for name, age in (("b", 300), ("c", 200), ("a", 100)):
        before = set(tmp_path.glob("*.json"))
        fill_with(name)
        for index in set(tmp_path.glob("*.json")) - before:
            os.utime(index, (age, age))
    assert (names(), capsys.readouterr().err) == (3, "")
    fill_with("d")  # beside it at most two, of which b and c were used longer ago than a
    assert names() == 3
    assert "removed" in capsys.readouterr().err
    assert fill(tmp_path, [Item("a", "a", 40, lambda: [unreachable(0)])]).made == 0
    # what was mapped before is read on
    assert first.read(0, 0, 40).all()


def test_files_of_an_earlier_version_are_named_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "0123.i16").write_bytes(b"0000")
    (tmp_path / "0123.json").write_text('{"scales": [1.0]}')
    (tmp_path / "recordings-45").mkdir()
    for _ in range(2):
        store_of(tmp_path, clips_of([9]))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "earlier version are not read, but made again; remove 0123.i16 and 1 more" in said[0]


def test_two_that_fill_at_once_make_each_clip_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make(i: int) -> np.ndarray:
        made.append(i)
        time.sleep(0.02)
        return np.full(5, i / 10, np.float32)

    def fill_all(_: int) -> Clips:
        return filled(tmp_path, [str(i) for i in range(9)], [5] * 9, make)

    with ThreadPoolExecutor(2) as threads:
        for store in threads.map(fill_all, range(2)):
            np.testing.assert_allclose(store.read(8, 0, 5), 0.8, atol=STEP)
    assert sorted(made) == list(range(9))


def test_a_clip_whose_pack_is_gone_is_an_error_and_never_silence(tmp_path: Path) -> None:
    store = pickle.loads(pickle.dumps(store_of(tmp_path, clips_of([9]))))
    (data,) = tmp_path.glob("*.i16")
    data.write_bytes(b"")
    with pytest.raises(DamageError, match="missing or cut short"):
        store.read(0, 0, 9)
