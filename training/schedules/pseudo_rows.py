"""Rows of random windows of recordings, annotated or not, with pseudo labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.audio.read import AudioInfo, read_span
from negmine.audio.windows import Span, to_microseconds
from negmine.errors import InputError
from negmine.progress import Progress
from negmine.recipes.cache import CachedReader
from negmine.recipes.cache_build import Sound, build_cache
from negmine.recipes.labels import label_clip
from negmine.recipes.source import Source
from negmine.storage.locks import only_here
from training.config import TrainConfig
from training.data.rows import Example, Row, RowKind
from training.data.steps import Soft
from training.data.streams import Stream


class PseudoRows:
    """A plug-in of the trainer: windows from anywhere in recordings.

    Boxes show a recording where something was found; windows from anywhere show its beds. What a
    person said of a window stays known; pseudo labels say the rest.

    Parameters
    ----------
    soft : Soft
    annotations : Annotations
    recordings : Recordings
        The annotated ones.
    others : mapping of str to AudioInfo
        Recordings without annotations, by name: their windows are drawn from as well.
    groups : mapping of str to str
        What is held out together: a site, for example. Each recording alone by default.
    cache : Path, optional
        A cache of all of them, see `decode_recordings`; without it each window is decoded again.
    """

    def __init__(
        self,
        soft: Soft,
        annotations: Annotations,
        recordings: Recordings,
        others: Mapping[str, AudioInfo] | None = None,
        groups: Mapping[str, str] | None = None,
        cache: Path | None = None,
    ) -> None:
        self._soft = soft
        self._annotations = annotations
        self._infos = recordings.infos | dict(others or {})
        self._groups = groups or {}
        self._cache = CachedReader(cache) if cache else None
        self.description = f"pseudo rows {soft.description}"

    def prepare(
        self, config: TrainConfig, classes: Sequence[str], held_out: frozenset[str]
    ) -> None:
        """Leave the validation fold out.

        Raises
        ------
        InputError
            If no recording is left that is as long as a crop.
        """
        self._config = config
        group = self._groups.get
        kept_out = {group(name, name) for name in held_out}
        self._names = [
            name
            for name, info in self._infos.items()
            if group(name, name) not in kept_out and info.duration_s >= config.clip_s
        ]
        if not self._names:
            raise InputError(f"no recording is as long as a crop of {config.clip_s:g} s")

    def rows(self, step: int) -> list[Row]:
        """Return the rows added in a step: the same for the same step."""
        config = self._config
        rng = np.random.default_rng([config.seed, step, Stream.PSEUDO_ROWS])
        found = []
        for _ in range(config.pseudo_per_step):
            name = self._names[rng.integers(len(self._names))]
            info = self._infos[name]
            start_s = to_microseconds(rng.uniform(0, info.duration_s - config.clip_s))
            clip = Span(start_s, start_s + config.clip_s)
            boxes = self._annotations.touching(name, clip)
            labels = label_clip(boxes, clip, beyond_per_s=config.beyond_per_s)
            samples = self._read(info, start_s)
            found.append(Row(samples, labels, RowKind.POOL, self._soft(name, clip)))
        return found

    def _read(self, info: AudioInfo, start_s: float) -> np.ndarray:
        span = start_s, self._config.clip_s, self._config.sample_rate
        if self._cache is None:
            return read_span(info.path, *span)
        return self._cache.read(_source(info), *span)

    def transform(self, example: Example, step: int, index: int) -> Example:
        """Return the row as it is."""
        return example


def decode_recordings(
    folder: Path, infos: Iterable[AudioInfo], sample_rate: int, progress: Progress
) -> Path:
    """Decode whole recordings once, to int16: 2 bytes a sample on disk.

    What is there already is checked, and not decoded again.

    Parameters
    ----------
    folder : Path
        A subfolder of it, named after the files, holds them: see `negmine.recipes.cache`.
    infos : iterable of AudioInfo
    sample_rate : int
        Hz.
    progress : Progress

    Returns
    -------
    Path
        The subfolder.

    Raises
    ------
    AudioError
        If a recording cannot be read, or changed since it was checked.
    OutputError
        If the folder cannot be written.
    """
    sounds = [Sound(info.path, info.fingerprint, info.duration_s) for info in infos]
    text = repr((sample_rate, [sound.fingerprint for sound in sounds]))
    name = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
    place = folder / f"recordings-{name}"
    with only_here(place, wait=True):
        build_cache(
            place, sounds, sample_rate, progress=lambda n: progress("decoding recordings", n)
        )
    return place


def _source(info: AudioInfo) -> Source:
    # the reader finds a sound by its fingerprint alone
    name = info.path.name
    return Source(info.path.parent, name, info.fingerprint, info.duration_s, name)
