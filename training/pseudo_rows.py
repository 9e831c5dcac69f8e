"""Rows of random windows of the training recordings, with pseudo labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negmine.annotations import Annotations
from negmine.audio import read_span
from negmine.errors import InputError
from negmine.labels import label_clip
from negmine.recordings import Recordings
from negmine.windows import Span, to_microseconds
from training.config import TrainConfig
from training.data import Soft
from training.rows import Example, Row, RowKind

# Distinguishes this plug-in's random numbers from the trainer's own in the same step.
_STREAM = 5


class PseudoRows:
    """A plug-in of the trainer: windows from anywhere in the training recordings.

    Boxes show a recording where something was found; windows from anywhere show its beds. What a
    person said of a window stays known; pseudo labels say the rest.

    Parameters
    ----------
    soft : Soft
    annotations : Annotations
    recordings : Recordings
    """

    def __init__(self, soft: Soft, annotations: Annotations, recordings: Recordings) -> None:
        self._soft = soft
        self._annotations = annotations
        self._recordings = recordings
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
        self._names = [
            name
            for name, info in self._recordings.infos.items()
            if name not in held_out and info.duration_s >= config.clip_s
        ]
        if not self._names:
            raise InputError(f"no recording is as long as a crop of {config.clip_s:g} s")

    def rows(self, step: int) -> list[Row]:
        """The rows added in a step: the same for the same step."""
        config = self._config
        rng = np.random.default_rng([config.seed, step, _STREAM])
        found = []
        for _ in range(config.pseudo_per_step):
            name = self._names[rng.integers(len(self._names))]
            info = self._recordings.infos[name]
            start_s = to_microseconds(rng.uniform(0, info.duration_s - config.clip_s))
            clip = Span(start_s, start_s + config.clip_s)
            boxes = self._annotations.by_recording.get(name, ())
            labels = label_clip(boxes, clip, beyond_per_s=config.beyond_per_s)
            samples = read_span(info.path, start_s, config.clip_s, config.sample_rate)
            found.append(Row(samples, labels, RowKind.POOL, self._soft(name, clip)))
        return found

    def transform(self, example: Example, step: int, index: int) -> Example:
        """Rows stay as they are."""
        return example
