"""Recordings of a made-up site and what people said of them, for the tutorials of the docs.

An owl hoots low, a frog trills high; a pump and a squeak are taken for them. The same seed writes
the same bytes.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

RATE = 16000
SECONDS = 9.0
RECORDINGS = 12
OWL, FROG = "Boreal Owl", "Wood Frog"
FIRST_S, LAST_S = 0.5, 2.3  # where in its window it sounds
BANDS = {OWL: (300.0, 900.0), FROG: (1800.0, 3200.0)}
# Hz, and beats a second
BEATS = {OWL: (600, 2.0), FROG: (2500, 16.0), "pump": (550, 9.0), "squeak": (2600, 1.0)}
SCIENTIFIC = {OWL: "Aegolius funereus", FROG: "Lithobates sylvaticus"}


@dataclass(frozen=True)
class Heard:
    """What a person said of a sound: which class, in which window of 3 s, whether it calls."""

    recording: str
    label: str
    window_s: float
    present: bool
    score: float

    @property
    def start_s(self) -> float:
        return self.window_s + FIRST_S

    @property
    def end_s(self) -> float:
        return self.window_s + LAST_S


def sound(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Make a window of a call, or of what is taken for one."""
    t = np.arange(round(3 * RATE)) / RATE
    shift = rng.uniform(0.9, 1.1)
    hz, beat = {OWL: (600, 2.0), FROG: (2500, 16.0), "pump": (550, 9.0), "squeak": (2600, 1.0)}[
        kind
    ]
    wave = np.sin(2 * np.pi * hz * shift * t) * (np.sin(2 * np.pi * beat * t) > 0)
    inside = (t > FIRST_S) & (t < LAST_S)
    return np.asarray(0.15 * wave * inside, dtype=np.float32)


def make_field(root: Path, seed: int = 0) -> list[Heard]:
    """Write field/, and other/ which holds neither; return the verdicts on field/."""
    rng = np.random.default_rng(seed)
    for name in ("field", "other"):
        (root / name).mkdir(parents=True)
    heard = []
    for i in range(RECORDINGS):
        name = f"{'ABCDEF'[i % 6]}1_202405{i + 1:02d}_040000"
        samples = rng.normal(0, 0.01, round(SECONDS * RATE)).astype(np.float32)
        kinds = [[OWL, FROG], [OWL, "squeak"], [FROG, "pump"]][i % 3]
        kinds = [*kinds, "pump" if i % 2 else "squeak"]
        for place, kind in enumerate(rng.permutation(np.array(kinds, dtype=object))):
            start = round(3 * place * RATE)
            samples[start : start + 3 * RATE] += sound(kind, rng)
            label = {"pump": OWL, "squeak": FROG}.get(kind, kind)
            score = float(rng.uniform(0.3, 0.99))
            heard.append(Heard(name, label, 3.0 * place, str(kind) in BANDS, round(score, 4)))
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
            f"{one.window_s},{one.window_s + 3},{SCIENTIFIC[one.label]},{one.label},{one.score},"
            f"field/{one.recording}.wav,{verdict}\n"
        )


def arbimon(root: Path, heard: list[Heard]) -> None:
    """Write an export of Arbimon's pattern matching, as its page gives it."""
    rows = [
        "id,recording,site,year,month,day,hour,minute,species,songtype,x1,x2,y1,y2,frequency,"
        "validated,url,score,site_id"
    ]
    for i, one in enumerate(heard):
        verdict = "(not validated)" if i % 9 == 8 else "present" if one.present else "not present"
        day = one.recording.split("_")[1]
        low, high = BANDS[one.label]
        rows.append(
            f"{i + 1},{one.recording}.wav,{one.recording[:2]},{day[:4]},{day[4:6]},{day[6:]},4,0,"
            f"{SCIENTIFIC[one.label]},Song,{one.start_s},{one.end_s},{low},{high},{RATE},{verdict},"
            f"https://arbimon.org/,{one.score},7"
        )
    (root / "pattern_matching.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def raven(root: Path, heard: list[Heard]) -> None:
    """Write a selection table of Raven for each recording, with columns Species and Verdict."""
    (root / "selections").mkdir()
    head = "Selection View Channel Begin_Time_(s) End_Time_(s) Low_Freq_(Hz) High_Freq_(Hz)"
    columns = [*head.replace("_", "\0").split(), "Species", "Verdict"]
    for name in sorted({one.recording for one in heard}):
        lines = ["\t".join(columns).replace("\0", " ")]
        for i, one in enumerate([one for one in heard if one.recording == name], start=1):
            cells = [i, "Spectrogram 1", 1, one.start_s, one.end_s, *BANDS[one.label], one.label]
            lines.append("\t".join(map(str, [*cells, "y" if one.present else "n"])))
        path = root / "selections" / f"{name}.Table.1.selections.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def rfcx(root: Path, heard: list[Heard]) -> None:
    """Write train_tp.csv and train_fp.csv, and the truth and events of the recordings."""
    head = "recording_id,species_id,songtype_id,t_min,f_min,t_max,f_max\n"
    number = {OWL: 3, FROG: 7}
    for name, wanted in (("tp", True), ("fp", False)):
        rows = [
            f"{one.recording},{number[one.label]},1,{one.start_s},{BANDS[one.label][0]},"
            f"{one.end_s},{BANDS[one.label][1]}\n"
            for one in heard
            if one.present == wanted
        ]
        (root / f"train_{name}.csv").write_text(head + "".join(rows), encoding="utf-8")
    events = [
        f"{one.recording},{number[one.label]},{one.start_s},{one.end_s}\n"
        for one in heard
        if one.present
    ]
    text = "recording_id,species_id,t_min,t_max\n" + "".join(events)
    (root / "test_events.csv").write_text(text, encoding="utf-8")
    truth = ["recording_id,s3,s7\n"]
    for name in sorted({one.recording for one in heard}):
        calls = {one.label for one in heard if one.recording == name and one.present}
        truth.append(f"{name},{int(OWL in calls)},{int(FROG in calls)}\n")
    (root / "test_truth.csv").write_text("".join(truth), encoding="utf-8")


_HOPLITE = """
CREATE TABLE hoplite_metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE deployments (id INTEGER PRIMARY KEY, name TEXT, project TEXT);
CREATE TABLE recordings (id INTEGER PRIMARY KEY, filename TEXT, deployment_id INTEGER);
CREATE TABLE windows (id INTEGER PRIMARY KEY, recording_id INTEGER, offsets FLOAT_LIST);
CREATE TABLE annotations (id INTEGER PRIMARY KEY, recording_id INTEGER, offsets FLOAT_LIST,
    label TEXT, label_type INTEGER, provenance TEXT);
INSERT INTO deployments VALUES (1, 'north', 'hills');
"""


def hoplite(root: Path, heard: list[Heard]) -> None:
    """Write a perch-hoplite database: each window's levels of 16 bands as its embedding."""
    from usearch.index import Index

    folder = root / "hoplite_db"
    folder.mkdir()
    names = sorted({one.recording for one in heard})
    vectors = []
    with closing(sqlite3.connect(folder / "hoplite.sqlite")) as base:
        base.executescript(_HOPLITE)
        for number, name in enumerate(names, start=1):
            base.execute("INSERT INTO recordings VALUES (?, ?, 1)", (number, f"{name}.wav"))
            samples, _ = sf.read(root / "field" / f"{name}.wav")
            for start_s in np.arange(0.0, SECONDS - 2.9, 1.5):
                span = struct.pack("<2d", start_s, start_s + 3.0)
                row = "INSERT INTO windows (recording_id, offsets) VALUES (?, ?)"
                base.execute(row, (number, span))
                clip = samples[round(start_s * RATE) : round((start_s + 3) * RATE)]
                power = np.abs(np.fft.rfft(clip)) ** 2
                vectors.append(np.log10([part.sum() + 1e-3 for part in np.array_split(power, 16)]))
        rows = [
            (
                names.index(one.recording) + 1,
                struct.pack("<2d", one.window_s, one.window_s + 3),
                one.label,
                int(one.present),
            )
            for i, one in enumerate(heard)
            if i % 9 != 8
        ]
        base.executemany(
            "INSERT INTO annotations (recording_id, offsets, label, label_type, provenance) "
            "VALUES (?, ?, ?, ?, 'Ann')",
            rows,
        )
        base.commit()
    index = Index(ndim=16, metric="ip", dtype="f16")
    index.add(np.arange(1, len(vectors) + 1, dtype=np.uint64), np.array(vectors, dtype=np.float16))
    index.save(folder / "usearch.index")


def wake_word(root: Path, seed: int = 0) -> None:
    """Write hey/, files of a word; noise/ and later/, sound without it."""
    rng = np.random.default_rng(seed)
    t = np.arange(RATE) / RATE
    for name in ("hey", "noise", "later"):
        (root / name).mkdir(parents=True)
    for i in range(12):
        hz = 700 * rng.uniform(0.8, 1.2)
        word = np.sin(2 * np.pi * hz * t * (1 + 0.3 * t)) * ((t > 0.2) & (t < 0.8))
        samples = 0.2 * word + rng.normal(0, 0.005, RATE)
        sf.write(root / "hey" / f"voice{i:02d}.wav", samples.astype(np.float32), RATE)
    for folder, count in (("noise", 8), ("later", 2)):
        for i in range(count):
            samples = rng.normal(0, 0.03, 10 * RATE)
            for start in rng.integers(0, 9 * RATE, 4):
                hum = np.sin(2 * np.pi * rng.uniform(500, 900) * t) * (t < rng.uniform(0.2, 0.9))
                samples[start : start + RATE] += 0.1 * hum
            name = f"{'street' if i % 2 else 'kitchen'}{i}.wav"
            sf.write(root / folder / name, samples.astype(np.float32), RATE)
