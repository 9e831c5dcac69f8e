"""Pseudo labels: what models say of unlabelled windows.

Each recording is labelled by the model that held it out, so that no model labels what it trained
on. Raw probabilities make poor labels: partly labelled training leaves their level arbitrary. The
label of a class is instead ``sigmoid((logit - centre) / temperature)``, and what sets the centre is
one of `training.schedules.settings.Level`.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.special import expit

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.audio.read import AudioInfo
from negmine.audio.windows import Span
from negmine.errors import AudioError, InputError, ModelError
from negmine.settings import read_record
from negmine.storage.files import write_table
from negmine.storage.parquet import read_table
from negmine.storage.text_files import parse_json
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunContext
from training.evaluation.inference import Reading, RecordingScorer
from training.evaluation.predict import read_ahead
from training.schedules.settings import PseudoSettings

FORMAT = "negmine-pseudo-labels"
VERSION = "2"

# A class with fewer confirmed calls takes the centre of all classes' calls together.
_MIN_CALLS = 5


@dataclass(frozen=True)
class WindowLabels:
    """Labels of one recording's windows.

    Attributes
    ----------
    start_s, end_s : float64 arrays, shape (N,)
    values : float32 array, shape (N, C)
        Probabilities; while they are being made, logits.
    """

    start_s: np.ndarray
    end_s: np.ndarray
    values: np.ndarray

    def over(self, span: Span) -> np.ndarray | None:
        """Return the highest values of windows that share half of themselves, or of the span."""
        shared = np.minimum(self.end_s, span.end_s) - np.maximum(self.start_s, span.start_s)
        inside = shared >= 0.5 * np.minimum(self.end_s - self.start_s, span.duration_s) - 1e-9
        return self.values[inside].max(axis=0) if inside.any() else None


class PseudoLabels:
    """Soft labels of recordings, on a grid of windows.

    Parameters
    ----------
    models : sequence of str
        Fingerprints of those that labelled.
    settings : PseudoSettings, optional
        How they did.
    given : str
        Digest of what they labelled, and by whose calls; empty where an earlier version wrote it.
    """

    def __init__(
        self,
        classes: Sequence[str],
        recordings: Mapping[str, WindowLabels],
        models: Sequence[str],
        settings: PseudoSettings | None = None,
        given: str = "",
    ) -> None:
        self.given = given
        self.settings = settings or PseudoSettings()
        self.classes, self.recordings, self.models = tuple(classes), recordings, tuple(models)
        digest = hashlib.blake2b(repr((self.classes, self.models)).encode(), digest_size=16)
        for name, windows in sorted(recordings.items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(windows.values, dtype=np.float32).tobytes())
        self.description = digest.hexdigest()

    def __call__(self, recording: str, span: Span) -> np.ndarray | None:
        """Return the labels of a span of a recording: float32, shape (C,); None without any."""
        windows = self.recordings.get(recording)
        return windows.over(span) if windows else None

    def write(self, path: Path) -> None:
        """Write the labels as Parquet, whole or not at all."""
        names = sorted(self.recordings)
        counts = [len(self.recordings[name].values) for name in names]
        values = np.concatenate([self.recordings[name].values for name in names]).astype(np.float32)
        columns = {
            "recording": pa.array(np.repeat(names, counts)),
            "start_s": np.concatenate([self.recordings[name].start_s for name in names]),
            "end_s": np.concatenate([self.recordings[name].end_s for name in names]),
            "probabilities": pa.FixedSizeListArray.from_arrays(
                pa.array(values.ravel()), len(self.classes)
            ),
        }
        metadata = {
            "format": FORMAT,
            "version": VERSION,
            "classes": "\n".join(self.classes),
            "models": " ".join(self.models),
            "settings": json.dumps(self.settings.to_dict()),
            "given": self.given,
        }
        write_table(path, pa.table(columns), metadata)

    @classmethod
    def read(cls, path: Path, classes: Sequence[str]) -> PseudoLabels:
        """Read labels of these classes.

        Raises
        ------
        PoolError
            If the file is missing or no such table.
        InputError
            If it is of other classes or of another version, or damaged.
        """
        kinds = {
            "recording": pa.string(),
            "start_s": pa.float64(),
            "end_s": pa.float64(),
            "probabilities": pa.list_(pa.float32(), len(classes)),
        }
        table, metadata = read_table(path, kinds)
        if (metadata.get("format"), metadata.get("version")) != (FORMAT, VERSION):
            raise InputError(f"{path}: no pseudo labels of version {VERSION}; remove it")
        if metadata["classes"].split("\n") != list(classes):
            raise InputError(f"{path}: pseudo labels of other classes; choose another --out")
        names = table.column("recording").to_numpy()
        start_s, end_s = (table.column(name).to_numpy() for name in ("start_s", "end_s"))
        flat = table.column("probabilities").combine_chunks().flatten().to_numpy()
        values = flat.reshape(-1, len(classes))
        found: dict[str, WindowLabels] = {}
        edges = np.flatnonzero(names[1:] != names[:-1]) + 1
        for rows in np.split(np.arange(len(names)), edges):
            if len(rows):
                found[str(names[rows[0]])] = WindowLabels(start_s[rows], end_s[rows], values[rows])
        try:
            found_settings = parse_json(metadata["settings"], str(path))
            settings = read_record(PseudoSettings, found_settings, str(path))
        except (KeyError, TypeError, ValueError, InputError) as error:
            raise InputError(f"{path}: does not say how its labels were made; remove it") from error
        models, given = metadata["models"].split(), metadata.get("given", "")
        return cls(classes, found, models, settings, given)


def label_recordings(
    checkpoints: Sequence[Checkpoint],
    annotations: Annotations,
    recordings: Recordings,
    context: RunContext,
    settings: PseudoSettings | None = None,
    *,
    others: Sequence[Mapping[str, AudioInfo]] = (),
    in_fold: bool = False,
    title: str = "labelling",
) -> PseudoLabels:
    """Label every recording with a model that did not train on it.

    Parameters
    ----------
    checkpoints : sequence of Checkpoint
        One a fold.
    annotations : Annotations
        Whose confirmed calls set each class's centre.
    context : RunContext
        Its device scores; a bar of this title counts recordings.
    others : sequence of mapping of str to AudioInfo
        Recordings without annotations: for each checkpoint, those that it labels.
    in_fold : bool
        Recordings that no model held out are labelled by the first, which trained on them.

    Raises
    ------
    InputError
        If a recording was held out by no model, and ``in_fold`` is off.
    AudioError
        If a recording cannot be read.
    """
    s = settings or PseudoSettings()
    labelled_by: defaultdict[int, dict[str, Path]] = defaultdict(dict)
    for name, info in recordings.infos.items():
        held_out_by = [i for i, c in enumerate(checkpoints) if name in c.held_out]
        if not held_out_by and not in_fold:
            raise InputError(
                f"recording '{name}' was held out by none of {len(checkpoints)} models, and no "
                "model may label what it trained on; train all folds, or pass --pseudo-in-fold"
            )
        labelled_by[held_out_by[0] if held_out_by else 0][name] = info.path
    for number, infos in enumerate(others):
        labelled_by[number].update({name: info.path for name, info in infos.items()})
    found: dict[str, WindowLabels] = {}
    device = context.device
    advance = context.progress(title, sum(map(len, labelled_by.values())))
    for number, paths in sorted(labelled_by.items()):
        checkpoint = checkpoints[number]
        hop_s = min(s.hop_s, checkpoint.config.window_s)
        detector = checkpoint.detector(device)
        scorer = RecordingScorer(detector, checkpoint.config, device, hop_s=hop_s)
        for name, read in zip(paths, read_ahead([scorer], list(paths.values())), strict=True):
            if isinstance(read, AudioError):
                raise read
            if read[0].audible.any():
                found[name] = _windows(read[0])
            advance()
    centres = call_centres(found, annotations, s.quantile)
    if s.level == "share":
        windows = np.concatenate([w.values for w in found.values()])
        centres = share_centres(windows, centres, s.quantile, s.temperature)
    labels = {
        name: WindowLabels(w.start_s, w.end_s, _calibrated(w.values, centres, s.temperature))
        for name, w in found.items()
    }
    return PseudoLabels(annotations.classes, labels, [c.fingerprint for c in checkpoints], s)


def _windows(reading: Reading) -> WindowLabels:
    # silence has no pseudo labels
    audible = reading.audible
    return WindowLabels(reading.start_s[audible], reading.end_s[audible], reading.windows[audible])


def _calibrated(logits: np.ndarray, centres: np.ndarray, temperature: float) -> np.ndarray:
    return np.asarray(expit((logits - centres) / temperature), dtype=np.float32)


def call_centres(
    logits: Mapping[str, WindowLabels], annotations: Annotations, quantile: float
) -> np.ndarray:
    """Compute a low quantile of each class's confirmed calls.

    Parameters
    ----------
    logits : mapping of str to WindowLabels
        By recording.
    quantile : float
        A class with fewer than five calls takes that of all classes' calls.

    Returns
    -------
    float64 array, shape (C,)

    Raises
    ------
    ModelError
        If no confirmed call is in a window.
    """
    columns = {name: column for column, name in enumerate(annotations.classes)}
    scores: list[list[float]] = [[] for _ in columns]
    for box in annotations.confirmed:
        windows = logits.get(box.recording)
        best = windows.over(box.span) if windows else None
        if best is not None:
            scores[columns[box.label]].append(float(best[columns[box.label]]))
    every = [score for of_class in scores for score in of_class]
    if not every:
        raise ModelError("no confirmed call is in a window: nothing to set pseudo labels by")
    pooled = float(np.quantile(every, quantile))
    return np.array(
        [np.quantile(own, quantile) if len(own) >= _MIN_CALLS else pooled for own in scores]
    )


def share_centres(
    logits: np.ndarray, thresholds: np.ndarray, quantile: float, temperature: float
) -> np.ndarray:
    """Find centres that give each class as much label as windows may hold it.

    Of the windows that hold a class, as many should score above a quantile of its confirmed calls
    as of the calls: ``1 - quantile``. So the share of windows with the class is at most ``P(window
    above) / (1 - quantile)``, with equality where no other window scores so high (the bound on a
    class's prior of Blanchard, Lee and Scott, *Semi-supervised novelty detection*, JMLR 2010). A
    centre is where the mean label of all windows is that share.

    Parameters
    ----------
    logits : float array, shape (N, C)
        Of all windows.
    thresholds : float array, shape (C,)
        The quantile of each class's confirmed calls.
    quantile : float
        Below 1.
    temperature : float
        In logits.

    Returns
    -------
    float64 array, shape (C,)
        A share is taken for half at most.
    """
    above = (logits >= thresholds).mean(axis=0)
    # half a window, so that a class which no window reaches has a share
    share = np.clip(above / (1.0 - quantile), 0.5 / len(logits), 0.5)
    low = logits.min(axis=0) - 40.0 * temperature
    high = logits.max(axis=0) + 40.0 * temperature
    for _ in range(60):
        middle = (low + high) / 2
        more = expit((logits - middle) / temperature).mean(axis=0) > share
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.asarray((low + high) / 2, dtype=np.float64)
