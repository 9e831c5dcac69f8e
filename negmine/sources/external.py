"""``external``: windows of sound that the user declares free of classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from negmine.audio import SILENCE_RMS
from negmine.labels import Certificate, PartialLabels
from negmine.recipe import Layer, Recipe
from negmine.recordings import Recordings
from negmine.windows import to_microseconds

# What fills less of a window than this makes none: a file so short would be mostly padding, and the
# window moved back for the end of a longer one mostly a copy of its neighbour.
_MIN_FILL = 0.5


def external_clips(
    recordings: Recordings,
    absent: Sequence[str],
    *,
    clip_s: float,
    sample_rate: int,
    confidence: float,
    silent: list[str],
) -> Iterator[Recipe]:
    """Windows on a grid of the clip's length; silent ones are skipped.

    A last window, moved back to end with the file, takes up a rest of half a clip or more.

    Parameters
    ----------
    recordings : Recordings
    absent : sequence of str
        The classes that the declaration covers.
    clip_s : float
    sample_rate : int
    confidence : float
        In the declaration.
    silent : list of str
        Filled with a line for each silent window.
    """
    labels = PartialLabels.certified(absent, Certificate.EXTERNAL, confidence)
    for name, info in recordings.infos.items():
        source = recordings.source(name)
        whole, rest = divmod(info.duration_s, clip_s)
        starts = [to_microseconds(i * clip_s) for i in range(int(whole))]
        if rest >= clip_s * _MIN_FILL:
            starts.append(to_microseconds(max(0.0, info.duration_s - clip_s)))
        for start_s in starts:
            if info.rms(start_s, start_s + clip_s) < SILENCE_RMS:
                silent.append(f"{info.path} at {start_s:g} s")
                continue
            yield Recipe("external", (Layer(source, start_s),), clip_s, sample_rate, labels)
