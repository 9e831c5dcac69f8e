"""The demo's data: made soundscapes with few annotations, and the whole truth beside them.

A soundscape is a bed of wind, rain and noise with calls of some of the six classes, and
look-alikes that are none of them. As in the field, only a few calls are annotated as confirmed;
the rejected annotations are a simple detector's best-scoring errors, and so sit on look-alikes,
on other classes' calls and on parts of the bed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from negmine.audio.windows import to_samples
from negmine.audio.write import write_flac
from negmine.progress import Progress, no_progress
from negmine.storage.files import writing_folder
from training.demo.beds import ELSEWHERE, FIELD, background
from training.demo.calls import CLASSES, LOOKALIKES, CallKind, Samples
from training.demo.template_match import TemplateMatch, TemplateMatcher

ANNOTATION_COLUMNS = (
    "recording_id",
    "species_id",
    "songtype_id",
    "t_min",
    "f_min",
    "t_max",
    "f_max",
)
PEAK = 0.9
# The level of a sound over the bed's in its span and about its band: a band of its own width, or
# of `LISTEN_HZ` where that is wider. In its own few hertz a thin tone would drown at -8 dB.
SNR_DB = (-8.0, 12.0)
LISTEN_HZ = 2500.0
# Nothing begins or ends closer to a recording's ends, so that boxes rounded for CSV stay inside.
EDGE_S = 0.01
MIN_SECONDS = 2.0
MIN_SAMPLE_RATE = 12_000

# What each stream of randomness is for: part of its seed, so never renumber one.
_TRAIN, _TEST, _EXTERNAL, _TEMPLATES, _ANNOTATIONS = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A sound in a recording: seconds and Hz, rounded as they are written."""

    kind: CallKind
    t_min: float
    f_min: float
    t_max: float
    f_max: float


@dataclass(frozen=True)
class DataSize:
    """How much data there is.

    Attributes
    ----------
    train, test, external : int
        Recordings of each split.
    seconds : float
        Length of each recording, 2 s at the least.
    sample_rate : int
        In Hz, 12 kHz at the least, so that every class is below half of it.
    tp_per_class : int
        Calls of each class annotated as confirmed; all of them where train has fewer.
    fp_per_class : int
        Rejected detections of each class, at most.
    """

    train: int = 60
    test: int = 60
    external: int = 40
    seconds: float = 12.0
    sample_rate: int = 16_000
    tp_per_class: int = 10
    fp_per_class: int = 40

    def __post_init__(self) -> None:
        if self.seconds < MIN_SECONDS:
            raise ValueError(
                f"seconds={self.seconds} is shorter than the calls; use {MIN_SECONDS} or more"
            )
        if self.sample_rate < MIN_SAMPLE_RATE:
            raise ValueError(
                f"sample_rate={self.sample_rate} cannot hold the calls (in Hz; was it given in "
                f"kHz?); use {MIN_SAMPLE_RATE} or more"
            )


DATA_SIZE = DataSize()


def make_soundscapes(
    out: Path, size: DataSize = DATA_SIZE, seed: int = 0, progress: Progress = no_progress
) -> None:
    """Write a small partly labelled data set, the same bytes for the same arguments.

    The folder holds ``train/``, ``test/`` and ``external/`` (other sound, none of the classes),
    mono 16-bit FLAC; ``train_tp.csv`` and ``train_fp.csv``, annotations in RFCX's columns; and
    ``classes.csv``. For scoring and audits, never for training, it also holds
    ``{train,test}_events.csv``, every call, and ``{train,test}_truth.csv``, one column a class.

    Parameters
    ----------
    out : Path
        A folder that does not exist yet, or is empty. It appears only when complete.
    seed : int
        Recording number i of a split depends on the seed, `seconds` and `sample_rate` alone.

    Raises
    ------
    FileExistsError
        If `out` is a file, or a folder with something in it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} exists and is not an empty folder; name a new one")
    sample_rate = size.sample_rate
    length = to_samples(size.seconds, sample_rate)
    advance = progress("making soundscapes", size.train + size.test + size.external)

    def recordings(
        split: int, name: str, count: int, beds: Sequence[str]
    ) -> Iterable[tuple[str, Samples, list[Placed]]]:
        """Compose and write one split, a recording at a time."""
        (partial / name).mkdir()
        for index in range(count):
            rng = _generator(seed, split, index)
            kinds = _other_kinds(rng, index) if split == _EXTERNAL else _field_kinds(rng)
            bed = background(rng, length, sample_rate, beds)
            samples, placed = compose(rng, bed, kinds, sample_rate)
            recording_id = f"{name}{index:04d}"
            write_flac(partial / name / f"{recording_id}.flac", samples, sample_rate)
            yield recording_id, samples, placed
            advance()

    with writing_folder(out) as partial:
        detect = TemplateMatcher(CLASSES, sample_rate, _generator(seed, _TEMPLATES))
        calls: dict[str, list[Placed]] = {}
        rejected: list[tuple[str, TemplateMatch]] = []
        for recording_id, samples, placed in recordings(_TRAIN, "train", size.train, FIELD):
            calls[recording_id] = placed
            rejected += [(recording_id, match) for match in reject(detect(samples), placed)]
        events = _write_truth(partial, "train", calls)
        confirmed = _confirm(events, size.tp_per_class, _generator(seed, _ANNOTATIONS))
        confirmed.to_csv(partial / "train_tp.csv", index=False)
        _best(rejected, size.fp_per_class).to_csv(partial / "train_fp.csv", index=False)

        calls = {name: placed for name, _, placed in recordings(_TEST, "test", size.test, FIELD)}
        _write_truth(partial, "test", calls)
        for _ in recordings(_EXTERNAL, "external", size.external, ELSEWHERE):
            pass
        _class_table(sample_rate).to_csv(partial / "classes.csv", index=False)


def compose(
    rng: np.random.Generator, bed: Samples, kinds: Iterable[CallKind], sample_rate: int
) -> tuple[Samples, list[Placed]]:
    """Put one rendition of each kind somewhere on a bed; they may overlap.

    Parameters
    ----------
    bed : float32 array, shape (T,)
    kinds : iterable of CallKind
        One item for each sound.

    Returns
    -------
    float32 array, shape (T,), with no peak above 0.9; and where each sound is.
    """
    samples = bed.copy()
    placed = []
    edge = round(EDGE_S * sample_rate)
    for kind in kinds:
        sound = kind.render(rng, sample_rate)
        start = int(rng.integers(edge, len(bed) - edge - len(sound.samples) + 1))
        stop = start + len(sound.samples)
        # Against the bed alone: a call should not shout because another sounds beneath it.
        local = _rms_about(bed[start:stop], sample_rate, sound.f_min_hz, sound.f_max_hz)
        gain = local * 10 ** (rng.uniform(*SNR_DB) / 20)
        samples[start:stop] += np.float32(gain) * sound.samples
        placed.append(
            Placed(
                kind,
                round(start / sample_rate, 4),
                round(sound.f_min_hz, 1),
                round(stop / sample_rate, 4),
                round(sound.f_max_hz, 1),
            )
        )
    peak = float(np.abs(samples).max())
    return (samples * np.float32(PEAK / peak) if peak > PEAK else samples), placed


def reject(
    matches: Iterable[TemplateMatch], placed: Iterable[Placed], margin_s: float = 0.1
) -> list[TemplateMatch]:
    """Return the detections that a person would reject: no call of their class is near."""
    calls = list(placed)
    return [
        match
        for match in matches
        if not any(
            call.kind is CLASSES[match.species_id]
            and match.overlaps(call.t_min, call.t_max, margin_s)
            for call in calls
        )
    ]


def _generator(seed: int, *stream: int) -> np.random.Generator:
    """Make the generator of one stream, whatever else is drawn and in which order."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=stream))


def _field_kinds(rng: np.random.Generator) -> list[CallKind]:
    """Draw a soundscape's kinds: about 2.5 classes, 1 to 3 calls each, 0 to 4 look-alikes."""
    present = rng.choice(len(CLASSES), min(rng.poisson(2.5), len(CLASSES)), replace=False)
    kinds = [CLASSES[index] for index in present for _ in range(rng.integers(1, 4))]
    return kinds + _lookalikes(rng, int(rng.integers(0, 5)))


def _other_kinds(rng: np.random.Generator, index: int) -> list[CallKind]:
    """Draw an external recording's kinds: look-alikes in turn, and up to 3 at random."""
    return [LOOKALIKES[index % len(LOOKALIKES)], *_lookalikes(rng, int(rng.integers(0, 4)))]


def _lookalikes(rng: np.random.Generator, count: int) -> list[CallKind]:
    return [LOOKALIKES[index] for index in rng.integers(0, len(LOOKALIKES), count)]


def _rms_about(samples: Samples, sample_rate: int, low_hz: float, high_hz: float) -> float:
    """Compute the RMS in a band, widened to `LISTEN_HZ`, by Parseval's theorem."""
    widen = max(0.0, LISTEN_HZ - (high_hz - low_hz)) / 2.0
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1.0 / sample_rate)
    inside = power[(hz >= low_hz - widen) & (hz <= high_hz + widen)]
    # A real signal has each of these frequencies twice: at +f and at -f.
    return float(np.sqrt(2.0 * inside.sum()) / len(samples))


def _write_truth(out: Path, split: str, calls: dict[str, list[Placed]]) -> pd.DataFrame:
    """Write a split's events and truth tables, and return the events."""
    species = {kind: index for index, kind in enumerate(CLASSES)}
    rows = [
        (recording_id, species[call.kind], 1, call.t_min, call.f_min, call.t_max, call.f_max)
        for recording_id, placed in calls.items()
        for call in sorted(placed, key=lambda call: call.t_min)
        if call.kind in species
    ]
    events = pd.DataFrame(rows, columns=list(ANNOTATION_COLUMNS))
    events.to_csv(out / f"{split}_events.csv", index=False)
    present = set(zip(events.recording_id, events.species_id, strict=True))
    truth = pd.DataFrame({"recording_id": list(calls)})
    for index in range(len(CLASSES)):
        truth[f"s{index}"] = [int((recording_id, index) in present) for recording_id in calls]
    truth.to_csv(out / f"{split}_truth.csv", index=False)
    return events


def _confirm(events: pd.DataFrame, per_class: int, rng: np.random.Generator) -> pd.DataFrame:
    """Confirm a few random calls of each class, in the order of the events."""
    shuffled = events.iloc[rng.permutation(len(events))]
    return shuffled.groupby("species_id").head(per_class).sort_index()


def _best(rejected: Sequence[tuple[str, TemplateMatch]], per_class: int) -> pd.DataFrame:
    """Return the best-scoring rejected detections of each class, by class, falling score."""
    ordered = sorted(rejected, key=lambda row: (row[1].species_id, -row[1].score))
    rows = [
        (recording_id, match.species_id, 1, match.t_min, match.f_min, match.t_max, match.f_max)
        for recording_id, match in ordered
    ]
    frame = pd.DataFrame(rows, columns=list(ANNOTATION_COLUMNS))
    return frame.groupby("species_id").head(per_class)


def _class_table(sample_rate: int) -> pd.DataFrame:
    """Tabulate the classes and the bands that hold them."""
    rows = [
        (index, kind.name, *(round(hz, 1) for hz in kind.band_hz(sample_rate)))
        for index, kind in enumerate(CLASSES)
    ]
    return pd.DataFrame(rows, columns=["species_id", "name", "f_min", "f_max"])
