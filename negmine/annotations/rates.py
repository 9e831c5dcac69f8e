"""The sample rate that a pool or a run works at, and what can be heard at it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from negmine.annotations import Annotation, Annotations
from negmine.audio.read import AudioInfo
from negmine.errors import AnnotationError

# The highest rate that is taken without being asked for.
UNASKED_HZ = 32_000

# The rates that files commonly have, to name one that holds a call.
_COMMON = (8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000, 256_000, 384_000)


def own_rate(infos: Iterable[AudioInfo]) -> int:
    """Return the rate of most recordings, the lower of equals, but at most `UNASKED_HZ`."""
    counts = Counter(info.sample_rate for info in infos)
    return min(UNASKED_HZ, min(counts, key=lambda rate: (-counts[rate], rate), default=UNASKED_HZ))


def rate_note(infos: Iterable[AudioInfo], sample_rate: int) -> str:
    """Format one line: the rate, and those of the files."""
    counts = Counter(info.sample_rate for info in infos)
    rates = ", ".join(f"{counts[rate]} at {rate} Hz" for rate in sorted(counts))
    change = "" if set(counts) == {sample_rate} else " (resampled)"
    return f"sound at {sample_rate} Hz{change}; files: {rates}"


def upsampled_note(rates: Iterable[int], sample_rate: int, advice: str = "") -> str | None:
    """Name the files of a lower rate than the run works at; None where there are none.

    Parameters
    ----------
    rates : iterable of int
        Of the files, in Hz.
    advice : str, optional
        What to do about it; by default, to choose the lower rate.
    """
    rates = list(rates)
    lower = [rate for rate in rates if rate < sample_rate]
    if not lower:
        return None
    advice = advice or f"a model may learn that; --sample-rate {min(lower)} gives all the same band"
    return (
        f"{len(lower)} of {len(rates)} sound files are of {min(lower)} Hz or more, below the "
        f"{sample_rate} Hz of the model: resampled, they hold nothing above {min(lower) // 2} Hz; "
        f"{advice}"
    )


def check_audible(
    annotations: Annotations, infos: Mapping[str, AudioInfo], sample_rate: int
) -> None:
    """Check that the confirmed calls are in the band of the sample rate.

    That band ends at half the sample rate, of the model and of the file. A box that begins at 0 Hz
    and ends where the file's band does, or beyond, says nothing of frequencies.

    Raises
    ------
    AnnotationError
        If boxes are wholly or mostly above it, naming the first, their class and what to do.
    """
    unheard: dict[str, list[Annotation]] = {}
    for box in annotations.confirmed:
        of_file = infos[box.recording].sample_rate / 2
        top = min(box.f_max_hz, of_file)
        if box.f_min_hz <= 0 and top >= of_file:
            continue
        if box.f_min_hz >= of_file or (box.f_min_hz + top) / 2 >= sample_rate / 2:
            unheard.setdefault(box.label, []).append(box)
    for name, boxes in unheard.items():
        box = boxes[0]
        file_hz = infos[box.recording].sample_rate
        total = sum(one.label == name for one in annotations.confirmed)
        where = (
            f"{box.where}: class '{name}' calls from {box.f_min_hz:g} to {box.f_max_hz:g} Hz "
            f"({len(boxes)} of its {total} confirmed calls are as high)"
        )
        if box.f_min_hz >= file_hz / 2:
            raise AnnotationError(
                f"{where}, and its recording '{box.recording}' of {file_hz} Hz holds nothing above "
                f"{file_hz / 2:g} Hz; correct f_min and f_max, or take the rows out"
            )
        wanted = _rate_for(list(chain(*unheard.values())), infos)
        raise AnnotationError(
            f"{where}, and at --sample-rate {sample_rate} the model receives up to "
            f"{sample_rate / 2:g} Hz; pass --sample-rate {wanted}"
        )


def _rate_for(boxes: Sequence[Annotation], infos: Mapping[str, AudioInfo]) -> int:
    """Choose a common rate that holds all of these boxes, or that of their files."""
    wanted = 2 * max(box.f_max_hz for box in boxes)
    most = max(infos[box.recording].sample_rate for box in boxes)
    if not math.isfinite(wanted):
        return most
    return min([most, *(rate for rate in _COMMON if rate >= wanted)])
