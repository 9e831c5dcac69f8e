"""Near-duplicates: what is found of copies, what is found where there is none, and what it costs.

    python -m benchmarks.acoustic DATA

DATA holds ``train/``, ``external/`` and ``test/``, of which hardly two share sound. Files of one
folder may: whether a pair that is found does is decided from the samples themselves, by the peak of
their whitened cross-correlation (Knapp and Carter, "The generalized correlation method for
estimation of time delay", 1976). Copies are made of files drawn from all folders.
"""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import click
import numpy as np
import soundfile as sf
import soxr

from negmine.audio.folder import open_folder
from negmine.audio.read import read_span
from negmine.building.dedup.acoustic import SAMPLE_RATE, AcousticPrint, print_all, print_of
from negmine.building.dedup.acoustic_match import (
    MOST,
    candidate_offsets,
    compare,
    disagreements,
    find_matches,
)

FOLDERS = ("train", "external", "test")
# A peak this many standard deviations high does not come from different sounds.
PEAK = 8.0

Sound = tuple[np.ndarray, int]


def peak_of(first: Path, first_s: float, second: Path, second_s: float, length_s: float) -> float:
    """Return the highest peak of the whitened cross-correlation, in standard deviations."""
    spans = [
        np.fft.rfft(read_span(path, start_s, length_s, SAMPLE_RATE))
        for path, start_s in ((first, first_s), (second, second_s))
    ]
    cross = spans[0] * np.conj(spans[1])
    correlation = np.fft.irfft(cross / np.maximum(np.abs(cross), 1e-20))
    return float(np.abs(correlation).max() / correlation.std())


def lossy(sound: Sound, kind: str, subtype: str, level: float) -> tuple[Sound, float]:
    """Encode and decode a sound; return it and its kbit/s."""
    samples, rate = sound
    file = io.BytesIO()
    with sf.SoundFile(file, "w", rate, 1, subtype, format=kind, compression_level=level) as out:
        # libsndfile fails on long writes of Vorbis
        for at in range(0, len(samples), 4096):
            out.write(samples[at : at + 4096])
    file.seek(0)
    read, _ = sf.read(file, dtype="float32")
    return (read, rate), 8e-3 * file.getbuffer().nbytes * rate / len(samples)


def cut(sound: Sound, seconds: float, rng: np.random.Generator) -> Sound:
    """Cut some seconds from anywhere in a sound."""
    samples, rate = sound
    count = min(len(samples), round(seconds * rate))
    first = int(rng.integers(0, len(samples) - count + 1))
    return samples[first : first + count], rate


def at_rate(sound: Sound, rate: int) -> Sound:
    return soxr.resample(sound[0], sound[1], rate), rate


def quieter(sound: Sound, db: float) -> Sound:
    """Change a sound's gain, in 16 bits."""
    return np.round(sound[0] * 10 ** (-db / 20) * 32768).astype(np.float32) / 32768, sound[1]


def under(sound: Sound, db: float, rng: np.random.Generator) -> Sound:
    """Add white noise that is louder than the sound by some decibels."""
    level = np.sqrt(np.mean(np.square(sound[0]))) * 10 ** (db / 20)
    return sound[0] + rng.normal(0, level, len(sound[0])).astype(np.float32), sound[1]


def copies(rng: np.random.Generator) -> dict[str, Callable[[Sound], Sound]]:
    """Return what is done to a sound, by what the table calls it."""

    def encoded(kind: str, subtype: str, level: float) -> Callable[[Sound], Sound]:
        return lambda sound: lossy(sound, kind, subtype, level)[0]

    ogg, mp3 = ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")
    return {
        "30 dB quieter, 16 bits": lambda sound: quieter(sound, 30),
        "at 22.05 kHz": lambda sound: at_rate(sound, 22_050),
        "at 8 kHz": lambda sound: at_rate(sound, 8000),
        "Vorbis, middle quality": encoded(*ogg, 0.5),
        "Vorbis, lowest quality": encoded(*ogg, 1.0),
        "MP3, middle quality": encoded(*mp3, 0.5),
        "MP3, low quality": encoded(*mp3, 0.8),
        "10 s of it": lambda sound: cut(sound, 10, rng),
        "5 s of it": lambda sound: cut(sound, 5, rng),
        "3 s of it": lambda sound: cut(sound, 3, rng),
        "2 s of it": lambda sound: cut(sound, 2, rng),
        "5 s, 12 dB quieter, 22.05 kHz, Vorbis, middle": lambda sound: lossy(
            at_rate(quieter(cut(sound, 5, rng), 12), 22_050), *ogg, 0.5
        )[0],
        "5 s, MP3, low quality": lambda sound: lossy(cut(sound, 5, rng), *mp3, 0.8)[0],
        "noise 6 dB below it": lambda sound: under(sound, -6, rng),
        "noise as loud as it": lambda sound: under(sound, 0, rng),
        "2 % faster": lambda sound: (
            soxr.resample(sound[0], round(sound[1] * 1.02), sound[1]),
            sound[1],
        ),
    }


def fingerprint(sound: Sound) -> AcousticPrint:
    samples, rate = sound
    resampled = samples if rate == SAMPLE_RATE else soxr.resample(samples, rate, SAMPLE_RATE)
    return print_of([np.asarray(resampled, dtype=np.float32)])


@click.command()
@click.argument("data", type=click.Path(file_okay=False, path_type=Path))
@click.option("--originals", default=60, show_default=True, help="Files that are copied.")
@click.option("--checked", default=200, show_default=True, help="Pairs checked by their samples.")
@click.option("--chance", default=20_000, show_default=True, help="Offsets of different sounds.")
@click.option("--seed", default=0, show_default=True)
def main(data: Path, originals: int, checked: int, chance: int, seed: int) -> None:
    """Print the tables."""
    paths = [path for name in FOLDERS for path in open_folder(data / name).paths]
    folder = [path.relative_to(data).parts[0] for path in paths]
    hours = sum(sf.info(path).duration for path in paths) / 3600
    started, wall = time.process_time(), time.perf_counter()
    prints = list(print_all({str(path): path for path in paths}).values())
    made, waited = time.process_time() - started, time.perf_counter() - wall
    started = time.process_time()
    matches = find_matches(prints)
    compared = time.process_time() - started
    print(
        f"{len(paths)} files, {hours:.2f} h: fingerprints {made / hours:.1f} s of processor time "
        f"per hour of sound ({waited:.0f} s waited in all), comparing all {compared:.1f} s; "
        f"{sum(one.bits.nbytes * 2 + one.keys.nbytes * 2 for one in prints) / hours / 1e6:.1f} MB "
        "an hour\n"
    )
    print("| folders | pairs | found | of those drawn, the samples agree | shared s, median |")
    print("|---|--:|--:|--:|--:|")
    sizes, rng = Counter(folder), np.random.default_rng(seed)
    across: list[str] = []
    for one, other in [*((name, name) for name in FOLDERS), *combinations(FOLDERS, 2)]:
        found = [m for m in matches if {folder[m.first], folder[m.second]} == {one, other}]
        pairs = sizes[one] * (sizes[one] - 1) // 2 if one == other else sizes[one] * sizes[other]
        drawn = [found[i] for i in sorted(rng.permutation(len(found))[:checked].tolist())]
        sure = sum(
            peak_of(paths[m.first], m.first_s, paths[m.second], m.second_s, min(m.shared_s, 6.0))
            > PEAK
            for m in drawn
        )
        shared = f"{np.median([m.shared_s for m in found]):.1f}" if found else ""
        if one != other:
            across += [f"{paths[m.first].name} and {paths[m.second].name}" for m in found]
        print(
            f"| {one}, {other} | {pairs:,} | {len(found):,} | {sure} of {len(drawn)} | {shared} |"
        )

    print(f"\nAcross folders: {', '.join(across) or 'none'}.", flush=True)
    tossed: list[float] = []
    while len(tossed) < chance:
        first, second = rng.integers(0, len(paths), 2)
        if folder[first] != folder[second]:
            offset = int(rng.integers(-len(prints[first]) // 2, len(prints[second]) // 2))
            tossed += disagreements(prints[first], prints[second], offset)[2].tolist()
    heard = np.array(tossed)[np.array(tossed) < 1]
    print(
        f"\nDisagreement of different sounds at {len(heard):,} windows of up to 3 s: mean "
        f"{heard.mean():.3f}, standard deviation {heard.std():.3f}, least {heard.min():.3f}; "
        f"a copy has {MOST} at most.\n"
    )

    chosen = rng.choice(len(paths), originals, replace=False).tolist()
    related = {(m.first, m.second) for m in matches}
    print("| copy | found | disagreement, median | found of a file of another folder |")
    print("|---|--:|--:|--:|")
    for title, change in copies(rng).items():
        made_of = [change(sf.read(paths[index], dtype="float32")) for index in chosen]
        both = [*prints, *map(fingerprint, made_of)]
        found_by = {}
        for (first, second), offsets in candidate_offsets(both).items():
            if second >= len(paths) > first:
                tries = [compare(both[first], both[second], offset) for offset in offsets]
                if agreed := [one for one in tries if one]:
                    found_by[first, second - len(paths)] = min(a.disagreement for a in agreed)
        right = [found_by[i, at] for at, i in enumerate(chosen) if (i, at) in found_by]
        wrong = sum(
            folder[first] != folder[chosen[at]]
            and not {(first, chosen[at]), (chosen[at], first)} & related
            for first, at in found_by
        )
        middle = np.median(right) if right else np.nan
        print(f"| {title} | {len(right) / originals:.0%} | {middle:.2f} | {wrong} |", flush=True)


if __name__ == "__main__":
    main()
