"""Rows of random windows of recordings, annotated or not, with pseudo labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.audio.read import AudioInfo
from negmine.audio.windows import Span, to_microseconds
from negmine.errors import InputError
from negmine.recipes.cache import CachedReader
from negmine.recipes.clip_labels import label_clip
from negmine.recipes.reader import DIRECT, Reader
from negmine.recipes.source import Source
from training.config import TrainConfig
from training.data.box_rows import Soft
from training.data.rows import Example, Row, RowKind
from training.data.streams import Stream


class PseudoRows:
    """A plug-in of the trainer: windows from anywhere in recordings.

    Boxes show a recording where something was found; windows from anywhere show its beds. What a
    person said of a window stays known; pseudo labels say the rest.

    Parameters
    ----------
    recordings : Recordings
        The annotated ones.
    others : mapping of str to AudioInfo
        Recordings without annotations, by name: their windows are drawn from as well.
    groups : mapping of str to str
        What is held out together: a site, for example. Each recording alone by default.
    cache : Path, optional
        That holds all of them; without it each window is decoded again.
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
        self._reader: Reader = CachedReader(cache) if cache else DIRECT
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
            start_s = rng.uniform(0, info.duration_s - config.clip_s)
            if config.placements:
                step_s = config.clip_s / config.placements
                start_s = math.floor(start_s / step_s) * step_s
            start_s = to_microseconds(start_s)
            clip = Span(start_s, start_s + config.clip_s)
            boxes = self._annotations.touching(name, clip)
            labels = label_clip(boxes, clip, beyond_per_s=config.beyond_per_s)
            samples = self._reader.read(source_of(info), start_s, config.clip_s, config.sample_rate)
            found.append(Row(samples, labels, RowKind.POOL, self._soft(name, clip)))
        return found

    def transform(self, example: Example, step: int, index: int) -> Example:
        """Return the row as it is."""
        return example


def source_of(info: AudioInfo) -> Source:
    """Return a recording as readers know it: by its fingerprint."""
    name = info.path.name
    return Source(info.path.parent, name, info.fingerprint, info.duration_s, name)
