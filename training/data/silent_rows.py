"""The plug-in that shows a network silence: rows in which nothing calls, far below all else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negmine.audio.windows import to_samples
from negmine.recipes.certificates import Certificate
from negmine.recipes.labels import PartialLabels
from training.config import TrainConfig
from training.data.rows import Example, Row, RowKind
from training.data.streams import Stream

# How many a step has on average; and the range of their level, in dB of full scale: from below the
# rounding of 16 bits to where quiet recordings begin. At the front end's own floor all frames are
# equal, and what a network makes of that hangs on its rounding.
_PER_STEP = 0.25
_LEVEL_DB = (-110.0, -75.0)

# What a run calls them among its inputs.
SILENCE = "rows of silence"


class SilentRows:
    """White noise so faint that it is silence or nearly so, certified free of every class.

    Without it a network extends what it learnt of loud sound to levels that it never met, and the
    faintest recordings may score as high as calls.
    """

    description = "{:g} a step at {:g} to {:g} dB".format(_PER_STEP, *_LEVEL_DB)

    def prepare(
        self, config: TrainConfig, classes: Sequence[str], held_out: frozenset[str]
    ) -> None:
        """See `training.data.steps.RowSource.prepare`."""
        self._seed = config.seed
        self._length = to_samples(config.clip_s, config.sample_rate)
        self._labels = PartialLabels.certified(classes, Certificate.SYNTHETIC)

    def rows(self, step: int) -> list[Row]:
        """Return a row in some steps: the same for the same step."""
        rng = np.random.default_rng([self._seed, step, Stream.SILENCE])
        if rng.random() >= _PER_STEP:
            return []
        level = 10 ** (rng.uniform(*_LEVEL_DB) / 20)
        noise = rng.standard_normal(self._length, dtype=np.float32) * np.float32(level)
        return [Row(noise, self._labels, RowKind.POOL)]

    def transform(self, example: Example, step: int, index: int) -> Example:
        """Return the row as it is."""
        return example
