"""Acoustic fingerprints: copies are found whatever was done to them, and nothing else is."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
from scipy.signal import butter, sosfilt

from negmine.building.dedup.acoustic import (
    BITS,
    FRAME,
    HIGHEST_HZ,
    HOP,
    HOP_S,
    LAG,
    LOWEST_HZ,
    SAMPLE_RATE,
    AcousticPrint,
    acoustic_print,
    print_all,
    print_of,
)
from negmine.building.dedup.acoustic_files import FILE, read_prints, write_prints
from negmine.building.dedup.acoustic_match import (
    MOST,
    SPREAD,
    SharedSound,
    disagreements,
    find_matches,
)

RATE = 32_000


def soundscape(seed: int, seconds: float = 12.0, rate: int = RATE) -> np.ndarray:
    """Swaying noise and some sweeps: float32, shape (T,)."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    times = np.arange(count) / rate
    out = rng.normal(0, 0.02, count) * (1.2 + np.sin(2 * np.pi * rng.uniform(0.1, 1) * times))
    for _ in range(int(seconds)):
        at, length = rng.integers(0, count - rate), rng.integers(rate // 10, rate // 2)
        low, rise = rng.uniform(500, 5000), rng.uniform(-2000, 2000)
        t = np.arange(length) / rate
        sweep = np.sin(2 * np.pi * (low * t + rise * t * t / 2)) * np.hanning(length)
        out[at : at + length] += rng.uniform(0.02, 0.2) * sweep
    return out.astype(np.float32)


def fingerprint(samples: np.ndarray, rate: int = RATE) -> AcousticPrint:
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
    return print_of([np.asarray(samples, dtype=np.float32)])


def encoded(samples: np.ndarray, kind: str, subtype: str, quality: float) -> np.ndarray:
    """Samples after a lossy encoder."""
    file = io.BytesIO()
    with sf.SoundFile(
        file, "w", RATE, 1, format=kind, subtype=subtype, compression_level=quality
    ) as out:
        for at in range(0, len(samples), 4096):
            out.write(samples[at : at + 4096])
    file.seek(0)
    read, _ = sf.read(file, dtype="float32")
    return np.asarray(read)


def at_rate(samples: np.ndarray, rate: int) -> AcousticPrint:
    return fingerprint(soxr.resample(samples, RATE, rate), rate)


COPIES = {
    "ogg": lambda x: fingerprint(encoded(x, "OGG", "VORBIS", 0.6)),
    "poor ogg": lambda x: fingerprint(encoded(x, "OGG", "VORBIS", 1.0)),
    "mp3": lambda x: fingerprint(encoded(x, "MP3", "MPEG_LAYER_III", 0.7)),
    "30 dB quieter": lambda x: fingerprint(np.round(x * 0.03 * 32768) / 32768),
    "44.1 kHz": lambda x: at_rate(x, 44_100),
    "8 kHz": lambda x: at_rate(x, 8000),
    "filtered": lambda x: fingerprint(sosfilt(butter(2, 1500, fs=RATE, output="sos"), x)),
    "5 s of it": lambda x: fingerprint(x[round(3.217 * RATE) : round(8.217 * RATE)]),
    "poor 5 s": lambda x: fingerprint(
        encoded(x[round(3.217 * RATE) : round(8.217 * RATE)] * 0.3, "OGG", "VORBIS", 0.9)
    ),
    "inside more": lambda x: fingerprint(np.concatenate([soundscape(99), x, soundscape(98)])),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_found_where_it_lies(kind: str) -> None:
    original = soundscape(0)
    prints = [fingerprint(original), fingerprint(soundscape(1)), COPIES[kind](original)]
    (match,) = find_matches(prints)
    assert (match.first, match.second) == (0, 2)
    assert match.disagreement < MOST
    lag_s = {"5 s of it": -3.217, "poor 5 s": -3.217, "inside more": 12.0}.get(kind, 0.0)
    # an encoder may put some milliseconds of silence before its sound
    assert match.second_s - match.first_s == pytest.approx(lag_s, abs=0.06)
    assert match.shared_s > 0.85 * min(12.0, len(prints[2]) * HOP_S)


def test_the_match_is_the_same_in_the_other_order() -> None:
    original = soundscape(0)
    prints = [fingerprint(original), fingerprint(original[4 * RATE :])]
    (one,), (other,) = find_matches(prints), find_matches(prints[::-1])
    assert (one.first_s, one.second_s) == (other.second_s, other.first_s)
    assert one.first_s - one.second_s == pytest.approx(4.0, abs=HOP_S / 2)
    assert (one.shared_s, one.disagreement) == (other.shared_s, other.disagreement)


def tone(hz: float, seconds: float = 12.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def noise(seed: int, level: float = 0.05, seconds: float = 12.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE))


def song() -> np.ndarray:
    """A trill of one species, always the same: a sweep every 0.25 s from 1 to 4 kHz."""
    t = np.arange(RATE // 5) / RATE
    note = np.sin(2 * np.pi * (1000 * t + 7500 * t * t)) * np.hanning(len(t))
    out = np.zeros(12 * RATE)
    for at in range(0, len(out) - len(t), RATE // 4):
        out[at : at + len(t)] += 0.3 * note
    return out


HUM = sum(tone(hz) for hz in range(100, 2000, 100)) / 20
DIFFERENT = {
    "silence": (np.zeros(12 * RATE), np.zeros(12 * RATE)),
    "an offset": (np.full(12 * RATE, 0.1), np.full(12 * RATE, 0.1)),
    "one tone": (tone(1000), tone(1000)),
    "noise": (noise(1), noise(2)),
    "silence but for noise": (noise(1) * (noise(0) > 0.12), noise(2) * (noise(0) > 0.12)),
    "a tone in noise": (tone(1000) + noise(1), tone(1000) + noise(2)),
    "hum in noise": (HUM + noise(1, 0.003), HUM + noise(2, 0.003)),
    "the same song": (song() + noise(1, 0.003), song() + noise(2, 0.003)),
    "the same call": (soundscape(1) + song(), soundscape(2) + song()),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_different_recordings_are_no_copies(kind: str) -> None:
    first, second = DIFFERENT[kind]
    assert find_matches([fingerprint(first), fingerprint(second)]) == []


def test_a_loud_song_without_pause_hides_in_the_mean_and_not_in_the_median() -> None:
    first, second = (fingerprint(song() + noise(seed, 0.003)) for seed in (1, 2))
    known = first.known & second.known
    differ = (first.bits ^ second.bits) & known
    bits = [int(np.sum([bin(word).count("1") for word in words])) for words in (differ, known)]
    assert bits[0] / bits[1] < MOST
    assert disagreements(first, second, 0)[2].min() > MOST


def test_the_sum_of_what_differs_is_tossed_coins() -> None:
    prints = [fingerprint(soundscape(seed, 30.0)) for seed in range(8)]
    found = []
    for i, first in enumerate(prints):
        for second in prints[i + 1 :]:
            for offset in range(-300, 300, 50):
                _, length, disagreement, heard = disagreements(first, second, offset)
                assert length == 96
                found += [np.stack([disagreement, heard])]
    disagreement, heard = np.concatenate(found, axis=1)
    assert disagreement.mean() == pytest.approx(0.5, abs=0.01)
    assert (disagreement.std() * np.sqrt(heard * HOP_S)).max() < 1.2 * SPREAD
    assert disagreement.min() > MOST + 3 * SPREAD / np.sqrt(3)


def test_bits_are_those_of_a_slow_transform() -> None:
    samples = soundscape(3, 2.0, SAMPLE_RATE)
    found = print_of([samples])
    edges = np.rint(np.geomspace(LOWEST_HZ, HIGHEST_HZ, BITS + 2) * FRAME / SAMPLE_RATE).astype(int)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)

    def slope(frame: int) -> np.ndarray:
        spectrum = np.abs(np.fft.fft(samples[frame * HOP : frame * HOP + FRAME] * window)) ** 2
        bands = [spectrum[a:b].mean() for a, b in pairwise(edges)]
        return np.diff(10 * np.log10(bands))

    assert len(found) == (len(samples) - FRAME) // HOP + 1 - LAG
    for frame in (0, 17, len(found) - 1):
        change = slope(frame + LAG) - slope(frame)
        for bit in range(BITS):
            known = bool(found.known[frame] >> bit & 1)
            assert known == (abs(change[bit]) > 0.5)
            if known:
                assert bool(found.bits[frame] >> bit & 1) == (change[bit] > 0)


def test_blocks_of_any_length_give_the_same(tmp_path: Path) -> None:
    samples = soundscape(4, 3.0, SAMPLE_RATE)
    whole = print_of([samples])
    pieces = print_of(np.split(samples, [1, 1, 700, 5000, 30_000]))
    sf.write(tmp_path / "sound.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    for other in (pieces, acoustic_print(tmp_path / "sound.wav")):
        for name in ("bits", "known", "keys", "frames"):
            assert np.array_equal(getattr(whole, name), getattr(other, name))


@pytest.mark.parametrize("count", [0, 1, FRAME, FRAME + HOP * LAG, 5000])
def test_short_sound_is_no_error_and_matches_nothing(count: int) -> None:
    short = print_of([soundscape(0, 2.0, SAMPLE_RATE)[:count]])
    assert find_matches([short, short, fingerprint(soundscape(0))]) == []
    assert find_matches([]) == []


def test_prints_are_made_once_and_kept(tmp_path: Path) -> None:
    paths = {}
    for seed in range(3):
        paths[f"{seed:032x}"] = tmp_path / f"{seed}.flac"
        sf.write(paths[f"{seed:032x}"], soundscape(seed, 2.0), RATE)
    made: list[None] = []
    prints = print_all(paths, on_done=lambda: made.append(None))
    assert len(made) == 3
    assert read_prints(tmp_path) == {}
    write_prints(tmp_path, prints)
    read = read_prints(tmp_path)
    before = (tmp_path / FILE).stat().st_mtime_ns
    write_prints(tmp_path, read)
    assert (tmp_path / FILE).stat().st_mtime_ns == before
    for path in list(paths.values())[1:]:
        path.unlink()
    again = print_all(paths, read, on_done=lambda: made.append(None))
    assert len(made) == 3
    assert list(again) == list(paths)
    for name, one in prints.items():
        assert np.array_equal(one.bits, again[name].bits)
        assert np.array_equal(one.keys, again[name].keys)
    (tmp_path / FILE).write_bytes(b"spoilt")
    assert read_prints(tmp_path) == {}


def test_many_copies_of_one_sound_are_all_linked() -> None:
    original = soundscape(0, 6.0)
    rng = np.random.default_rng(0)
    prints = [fingerprint(original[rng.integers(0, 3000) :]) for _ in range(40)]
    matches: list[SharedSound] = find_matches(prints)
    linked = {0}
    for _ in prints:
        for match in matches:
            if {match.first, match.second} & linked:
                linked |= {match.first, match.second}
    assert linked == set(range(40))
