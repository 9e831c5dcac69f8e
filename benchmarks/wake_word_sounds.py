"""Composes a wake word with spoken confusables, by free speech synthesizers.

    python -m benchmarks.wake_word_sounds DATA

Needs the programs espeak-ng and flite (Debian: apt-get install espeak-ng flite). The word is "okay
robin". DATA gets, at 16 kHz:

- positives/: the word, once a file of 2.5 s, by variants of espeak-ng's voices;
- negatives/confusables, speech, noise: to train with;
- test/positives/: the word by voices that train nothing, flite's and other variants of espeak-ng;
- test/negatives/: files of a minute without it, of the same unheard voices: in most of them noise
  of some kind, sentences, and words that sound like it at `CONFUSABLES_PER_HOUR`.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click
import numpy as np
import soundfile as sf
import soxr

RATE = 16_000
WORD = "okay robin"
CONFUSABLES = (
    "okay robot", "oak cabin", "okay cabin", "hockey robin", "okay rubbing", "okay roman",
    "okay", "robin", "a coat robbing", "the key robin", "okay dobbin", "okay robert",
    "or k robbing", "go get robin", "okay raven", "rocky robin",
)  # fmt: skip
SENTENCES = (
    "the weather will be fine in the north", "please put the kettle on the stove",
    "we have to leave before nine", "my sister plays the piano every evening",
    "there is a train at ten past four", "what did you say about the garden",
    "turn left behind the old station", "three of them came back with nothing",
    "nobody knows how long it will take", "a small dog barked at the postman",
    "is there any bread left in the kitchen", "the meeting was moved to thursday",
)  # fmt: skip
CONFUSABLES_PER_HOUR, SENTENCES_PER_HOUR = 60, 240
# Variants of espeak-ng's voices; a voice of the test trains nothing.
TRAIN_VARIANTS = ("m1", "m2", "m3", "m4", "m5", "f1", "f2", "f3")
TEST_VARIANTS = ("m7", "m8", "f4", "f5")
TRAIN_ACCENTS, TEST_ACCENTS = ("en-us", "en-gb"), ("en-gb-scotland", "en-us-nyc")
FLITE = ("kal16", "awb", "rms", "slt")

Voice = Callable[[str, np.random.Generator], np.ndarray]


def espeak(accents: Sequence[str], variants: Sequence[str]) -> Voice:
    """Return a voice that draws accent, variant, speed and pitch."""

    def say(text: str, rng: np.random.Generator) -> np.ndarray:
        voice = f"{rng.choice(accents)}+{rng.choice(variants)}"
        speed, pitch = str(rng.integers(120, 220)), str(rng.integers(20, 80))
        return _read(["espeak-ng", "-v", voice, "-s", speed, "-p", pitch, "--stdout", text])

    return say


def flite(text: str, rng: np.random.Generator) -> np.ndarray:
    """Say a text by one of flite's voices, at some speed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        stretch = f"duration_stretch={rng.uniform(0.8, 1.3):.2f}"
        _run(["flite", "-voice", str(rng.choice(FLITE)), "--setf", stretch, "-t", text, str(path)])
        return _at_rate(*sf.read(path, dtype="float32"))


def _read(command: list[str]) -> np.ndarray:
    # espeak-ng does not know how long its header should say that the sound is
    return _at_rate(*sf.read(io.BytesIO(_run(command)), dtype="float32"))


def _run(command: list[str]) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=60)
    if done.returncode:
        raise click.ClickException(f"{' '.join(command)}: {done.stderr.decode().strip()}")
    return done.stdout


def _at_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    return np.asarray(soxr.resample(samples, rate, RATE), dtype=np.float32)


def unheard(text: str, rng: np.random.Generator) -> np.ndarray:
    """Say a text by a voice of the test."""
    voice = flite if rng.random() < 0.5 else espeak(TEST_ACCENTS, TEST_VARIANTS)
    return voice(text, rng)


def bed(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Make a background, at a level from still to loud: coloured noise, a hum, or chords."""
    count = round(seconds * RATE)
    times = np.arange(count) / RATE
    spectrum = np.fft.rfft(rng.normal(size=count))
    slope = rng.uniform(0, 1.2)
    noise = np.fft.irfft(spectrum / np.arange(1, len(spectrum) + 1) ** slope, count)
    sound = noise / noise.std()
    kind = rng.integers(3)
    if kind == 1:
        base = rng.uniform(50, 250)
        hum = [np.sin(2 * np.pi * base * k * times) / k for k in range(1, 9)]
        sound = 0.3 * sound + np.sum(hum, axis=0)
    elif kind == 2:
        chord = np.zeros(count)
        for start in np.arange(0, seconds, rng.uniform(0.2, 0.6)):
            after = times - start
            rings = np.exp(-after.clip(0) * 4) * (after >= 0)
            for step in rng.integers(-12, 24, 3):
                chord += rings * np.sin(2 * np.pi * 220 * 2 ** (step / 12) * after)
        sound = 0.2 * sound + chord
    level = 10 ** (rng.uniform(-60, -25) / 20)
    return np.asarray(level * sound / sound.std(), dtype=np.float32)


def place(sound: np.ndarray, said: np.ndarray, at: int, rng: np.random.Generator) -> None:
    """Add something that is said to a background, at some level."""
    part = said[: len(sound) - at]
    level = 10 ** (rng.uniform(-32, -18) / 20)
    sound[at : at + len(part)] += part * (level / max(float(part.std()), 1e-6))


def scene(seconds: float, spoken: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Make a background in which things are said, one after another."""
    sound = bed(seconds, rng)
    room = len(sound) - sum(len(one) for one in spoken)
    gaps = np.sort(rng.integers(0, max(1, room), len(spoken)))
    past = 0
    for one, gap in zip(spoken, gaps.tolist(), strict=True):
        place(sound, one, min(past + gap, len(sound) - 1), rng)
        past += len(one)
    return sound


def write(folder: Path, sounds: Iterable[np.ndarray]) -> None:
    """Write sounds as numbered files, none louder than full scale."""
    folder.mkdir(parents=True)
    for number, sound in enumerate(sounds):
        peak = float(np.abs(sound).max())
        sf.write(folder / f"{folder.name}{number:04d}.flac", sound / max(1.0, peak), RATE)


def compose(data: Path, positives: int, hours: float, seed: int) -> None:
    """Write all folders of DATA."""
    rng = np.random.default_rng(seed)
    heard = espeak(TRAIN_ACCENTS, TRAIN_VARIANTS)
    write(data / "positives", [scene(2.5, [heard(WORD, rng)], rng) for _ in range(positives)])
    confusables = [scene(2.5, [heard(text, rng)], rng) for text in CONFUSABLES for _ in range(8)]
    write(data / "negatives" / "confusables", confusables)
    said = [
        scene(10, [heard(text, rng) for text in rng.choice(SENTENCES, 2)], rng) for _ in range(60)
    ]
    write(data / "negatives" / "speech", said)
    write(data / "negatives" / "noise", [bed(10, rng) for _ in range(60)])
    tests = [scene(2.5, [unheard(WORD, rng)], rng) for _ in range(positives)]
    write(data / "test" / "positives", tests)

    def minutes() -> Iterator[np.ndarray]:
        for _ in range(round(60 * hours)):
            texts = [
                *rng.choice(CONFUSABLES, rng.poisson(CONFUSABLES_PER_HOUR / 60)),
                *rng.choice(SENTENCES, rng.poisson(SENTENCES_PER_HOUR / 60)),
            ]
            rng.shuffle(texts)
            yield scene(60, [unheard(text, rng) for text in texts], rng)

    write(data / "test" / "negatives", minutes())


@click.command(help=__doc__)
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--positives", default=150, show_default=True, help="Of training, and of the test.")
@click.option("--hours", default=1.0, show_default=True, help="Negative sound of the test.")
@click.option("--seed", default=0, show_default=True)
def main(data: Path, positives: int, hours: float, seed: int) -> None:
    for program in ("espeak-ng", "flite"):
        if not shutil.which(program):
            raise click.ClickException(
                f"the program {program} is not here; on Debian: apt-get install espeak-ng flite"
            )
    if data.exists():
        raise click.ClickException(f"{data} is there already; choose another folder")
    whole = data.with_name(f".{data.name}.tmp")
    shutil.rmtree(whole, ignore_errors=True)
    compose(whole, positives, hours, seed)
    whole.rename(data)
    click.echo(f"{data}: {positives} + {positives} positives, {hours:g} h of negative test sound")


if __name__ == "__main__":
    main()
