"""Scores of whole recordings, and detections in them, from one pass over each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit

from negmine.annotations.raven import Band
from negmine.audio.decode import Decode, decode_ahead
from negmine.audio.folder import SoundFolder, open_folder
from negmine.audio.read import promised, stream
from negmine.errors import AudioError, InputError, ModelError
from negmine.progress import Advance, Progress, no_advance, no_progress
from training.engine.checkpoint import Checkpoint
from training.evaluation.inference import Reading, RecordingScorer
from training.evaluation.settings import READING, ReadingSettings
from training.models.frozen import FrozenDetector
from training.models.network import Network


@dataclass(frozen=True)
class FoundRecording:
    """A recording to be scored.

    Attributes
    ----------
    promised_s : float
        Its length by its header.
    sample_rate : int
        Hz, as stored.
    """

    name: str
    path: Path
    promised_s: float
    sample_rate: int


@dataclass(frozen=True)
class Prediction:
    """What the models say of a recording: the mean of their probabilities.

    Attributes
    ----------
    clip : float array, shape (C,)
    windows : float array, shape (N, C)
    start_s, end_s : float arrays, shape (N,)
    audible : bool array, shape (N,)
        Windows that hold sound; the probabilities of the others are 0, as are the recording's where
        none does.
    silent_s : float
        Seconds of silence, which no score has heard.
    """

    clip: np.ndarray
    windows: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    duration_s: float
    audible: np.ndarray
    silent_s: float


def find_recordings(
    given: Sequence[Path], *, skip_bad: bool = False
) -> tuple[list[FoundRecording], list[str], list[SoundFolder]]:
    """Find the recordings that folders and files name.

    A recording is called by its file name without the suffix; where two share it, all by their path
    in the folder. A link goes by its own name, not by that of what it points to.

    Parameters
    ----------
    given : sequence of Path
        Folders, of which all sound files are taken, and files.
    skip_bad : bool
        Report files whose header is unreadable instead of failing on the first.

    Returns
    -------
    found : list of FoundRecording
    skipped : list of str
        One line for each unreadable file.
    folders : list of SoundFolder

    Raises
    ------
    InputError
        If a path is missing, a folder holds no sound, or two files have one name.
    AudioError
        If a header is unreadable and ``skip_bad`` is off, or if all are.
    """
    inside: dict[Path, str] = {}
    folders = []
    for root in given:
        if root.is_file():
            inside.setdefault(root.parent.resolve() / root.name, root.with_suffix("").name)
            continue
        if not root.is_dir():
            what = "not a sound file or a folder" if root.exists() else "no such file or folder"
            raise InputError(f"{root}: {what}")
        folders.append(folder := open_folder(root))
        for path in folder.paths:
            # the same file by two ways is one recording; another link to what it holds is not
            own = path.parent.resolve() / path.name
            inside.setdefault(own, Path(folder.name_of(path)).with_suffix("").as_posix())
    names = {path: path.stem for path in inside}
    if len(set(names.values())) < len(names):
        names = inside
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        first, second = [path for path, name in names.items() if name == twice[0]][:2]
        raise InputError(
            f"{second} and {first} share the recording name '{twice[0]}'; predict them one at a "
            "time, with another --out"
        )
    found, skipped = [], []
    for path, name in names.items():
        try:
            found.append(FoundRecording(name, path, *promised(path)))
        except AudioError as error:
            if not skip_bad:
                raise _to_be_mended(error) from error
            skipped.append(str(error))
    if not found:
        raise _none_is_readable(skipped)
    return found, skipped, folders


def open_scorers(
    models: Sequence[Path],
    device: torch.device,
    reading: ReadingSettings = READING,
) -> tuple[list[RecordingScorer], tuple[str, ...], list[Band]]:
    """Open checkpoints that score together.

    Returns
    -------
    scorers : list of RecordingScorer
    classes : tuple of str
    bands : list of (float, float)
        Where each class's detections are, in Hz: the first model's that has bands, else all that
        the first hears.

    Raises
    ------
    ModelError
        If they differ in their classes, or in the order of them.
    InputError
        If windows would leave gaps.
    """
    checkpoints = [Checkpoint.load(path) for path in models]
    classes = checkpoints[0].classes
    for path, checkpoint in zip(models, checkpoints, strict=True):
        if checkpoint.classes != classes:
            same = set(checkpoint.classes) == set(classes)
            raise ModelError(
                f"{path}: has {'another order of classes' if same else 'other classes'} than "
                f"{models[0]}; only models of the same classes can score together"
            )
    scorers = []
    networks: dict[str, Network] = {}
    for checkpoint in checkpoints:
        config = reading.of(checkpoint.config)
        hop_s = reading.hop_s
        if checkpoint.network and config.window_s != checkpoint.config.window_s:
            raise InputError(
                f"--window-s {config.window_s:g}: the windows of network "
                f"'{checkpoint.network['name']}' are {checkpoint.config.window_s:g} s; leave it out"
            )
        if hop_s and hop_s > config.window_s:
            raise InputError(
                f"--hop-s {hop_s:g} is longer than the windows of {config.window_s:g} s: what is "
                "between them would not be scored"
            )
        detector = checkpoint.detector(device)
        if isinstance(detector, FrozenDetector):
            # heads of one network share it, and what it has just said
            detector.base = networks.setdefault(detector.base.fingerprint, detector.base)
        scorers.append(
            RecordingScorer(detector, config, device, hop_s=hop_s, piece_s=reading.piece_s)
        )
    whole = (0.0, checkpoints[0].config.sample_rate / 2)
    bands = next((list(c.edges_hz) for c in checkpoints if c.edges_hz), [whole] * len(classes))
    return scorers, classes, bands


def read_ahead(
    scorers: Sequence[RecordingScorer],
    paths: Sequence[Path],
    *,
    decode: Decode = stream,
    advance: Advance = no_advance,
) -> Iterator[list[Reading] | AudioError]:
    """Yield one pass of each model over each recording; decode the next ones meanwhile.

    Parameters
    ----------
    advance : Advance
        Of a bar of seconds of sound.

    Yields
    ------
    list of Reading, or AudioError
        One a model; the error, for a recording that cannot be read.

    Raises
    ------
    ModelError
        If a model gives NaN.
    """
    rates = sorted({scorer.config.sample_rate for scorer in scorers})
    for path, blocks in zip(paths, decode_ahead(paths, rates, decode=decode), strict=True):
        passes = [(scorer.config.sample_rate, scorer.begin()) for scorer in scorers]
        try:
            for rate, block in blocks:
                for wanted, one in passes:
                    if wanted == rate:
                        one.add(block)
                advance(len(block) / rate / len(rates))
        except AudioError as error:
            yield error
            continue
        readings = [one.end() for _, one in passes]
        if not all(np.isfinite(r.clip).all() and np.isfinite(r.windows).all() for r in readings):
            raise ModelError(
                f"{path}: the model gives NaN or infinite scores; was training stable?"
            )
        yield readings


def predict(
    scorers: Sequence[RecordingScorer],
    recordings: Sequence[FoundRecording],
    *,
    skip_bad: bool = False,
    decode: Decode = stream,
    progress: Progress = no_progress,
) -> Iterator[Prediction | AudioError]:
    """Yield the models' joint prediction of each recording; the error, for one skipped.

    Raises
    ------
    ModelError
        If the models cut recordings into different windows, or one gives NaN.
    AudioError
        If a recording is unreadable and ``skip_bad`` is off, or if all are.
    """
    first = scorers[0]
    for scorer in scorers[1:]:
        if not np.allclose(scorer.grid, first.grid):
            raise ModelError(
                f"models cut windows of {first.grid[0]:.3f} s every {first.grid[1]:.3f} s, and of "
                f"{scorer.grid[0]:.3f} s every {scorer.grid[1]:.3f} s, as the strides of their "
                "networks make them; choose a --window-s that all can make, or one model at a time"
            )
    bad = []
    total = math.ceil(sum(one.promised_s for one in recordings)) + 1  # headers may say a bit less
    advance = progress("predicting", total, "s")
    paths = [found.path for found in recordings]
    for readings in read_ahead(scorers, paths, decode=decode, advance=advance):
        if isinstance(readings, AudioError):
            if not skip_bad:
                raise _to_be_mended(readings)
            bad.append(str(readings))
            yield readings
            continue
        # windows at a recording's very end may differ by one between strides
        count = min(len(reading.windows) for reading in readings)
        audible = np.any([reading.audible[:count] for reading in readings], axis=0)
        clip = np.mean([_probabilities(reading.clip) for reading in readings], axis=0)
        windows = np.mean([_probabilities(r.windows[:count]) for r in readings], axis=0)
        yield Prediction(
            clip if audible.any() else np.zeros_like(clip),
            np.where(audible[:, np.newaxis], windows, 0.0),
            readings[0].start_s[:count],
            np.minimum(readings[0].end_s[:count], readings[0].duration_s),
            readings[0].duration_s,
            audible,
            min(reading.silent_s for reading in readings),
        )
    if len(bad) == len(recordings):
        raise _none_is_readable(bad)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    # in float32, every logit above 17 would be 1
    return np.asarray(expit(logits.astype(np.float64)))


def _to_be_mended(error: AudioError) -> AudioError:
    return AudioError(f"{error}; repair or remove it, or pass --skip-bad")


def _none_is_readable(skipped: Sequence[str]) -> AudioError:
    return AudioError(f"none of {len(skipped)} recordings is readable; the first: {skipped[0]}")
