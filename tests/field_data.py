"""Recordings of a made-up site and what people said of them, for the tutorials of the docs.

An owl hoots low, a frog trills high; a pump and a squeak are taken for them. The same seed writes
the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

RATE = 16000
SECONDS = 9.0
RECORDINGS = 12
OWL, FROG = "Boreal Owl", "Wood Frog"
BANDS = {OWL: (300.0, 900.0), FROG: (1800.0, 3200.0)}
SCIENTIFIC = {OWL: "Aegolius funereus", FROG: "Lithobates sylvaticus"}


@dataclass(frozen=True)
class Heard:
    """What a person said of a window of 3 s: which class, where, whether it calls, the score."""

    recording: str
    label: str
    start_s: float
    present: bool
    score: float

    @property
    def end_s(self) -> float:
        return self.start_s + 3.0


def sound(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Make a call, or what is taken for one: 3 s, some of it silent."""
    t = np.arange(round(3 * RATE)) / RATE
    shift = rng.uniform(0.9, 1.1)
    hz, beat = {OWL: (600, 2.0), FROG: (2500, 16.0), "pump": (550, 9.0), "squeak": (2600, 1.0)}[kind]
    wave = np.sin(2 * np.pi * hz * shift * t) * (np.sin(2 * np.pi * beat * t) > 0)
    inside = (t > rng.uniform(0.2, 0.6)) & (t < rng.uniform(2.2, 2.7))
    return np.asarray(0.15 * wave * inside, dtype=np.float32)


def make_field(root: Path, seed: int = 0) -> list[Heard]:
    """Write field/, and other/ which holds neither; return the verdicts on field/."""
    rng = np.random.default_rng(seed)
    for name in ("field", "other"):
        (root / name).mkdir(parents=True)
    heard = []
    for i in range(RECORDINGS):
        site = "NESW"[i % 4]
        name = f"{site}1_202405{i + 1:02d}_040000"
        samples = rng.normal(0, 0.01, round(SECONDS * RATE)).astype(np.float32)
        kinds = [OWL, FROG, "pump" if i % 2 else "squeak"]
        for place, kind in enumerate(rng.permutation(np.array(kinds, dtype=object))):
            start = round(3 * place * RATE)
            samples[start : start + 3 * RATE] += sound(kind, rng)
            label = {"pump": OWL, "squeak": FROG}.get(kind, kind)
            score = float(rng.uniform(0.3, 0.99))
            heard.append(Heard(name, label, 3.0 * place, kind in BANDS, round(score, 4)))
        sf.write(root / "field" / f"{name}.wav", samples, RATE, subtype="PCM_16")
    for name in ("rain", "river", "road"):
        noise = rng.normal(0, 1, round(12 * RATE))
        smooth = np.convolve(noise, np.ones(2 + len(name)) / (2 + len(name)), mode="same")
        sf.write(root / "other" / f"{name}.wav", 0.1 * smooth.astype(np.float32), RATE)
    return heard


def birdnet(root: Path, heard: list[Heard]) -> None:
    """Write BirdNET-Analyzer's CSV of results, with a column that a reviewer filled in."""
    head = "Start (s),End (s),Scientific name,Common name,Confidence,File,Checked\n"
    (root / "checked.csv").write_text(head + "".join(_birdnet_rows(heard)), encoding="utf-8")


def _birdnet_rows(heard: list[Heard]) -> Iterator[str]:
    for i, one in enumerate(heard):
        verdict = "" if i % 9 == 8 else "yes" if one.present else "no"
        yield (
            f"{one.start_s},{one.end_s},{SCIENTIFIC[one.label]},{one.label},{one.score},"
            f"field/{one.recording}.wav,{verdict}\n"
        )
