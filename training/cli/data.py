"""What the commands that train open first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from negmine.cli.console import Bars, note, say_found
from negmine.notices import warn, warn_each

if TYPE_CHECKING:
    from negmine.annotations import Annotations
    from negmine.annotations.recordings import Recordings
    from training.config import TrainConfig


def warn_if_emulated(device: Any, precision: str) -> None:
    """Warn of a precision that a processor only imitates."""
    from training.engine.precision import emulated

    if emulated(device, precision):
        warn(f"this processor emulates {precision}, many times slower than fp32: use fp32")


def at_own_rate(
    config: TrainConfig,
    named: int | None,
    recordings: Recordings,
    annotations: Annotations,
    other: int | None,
    quiet: bool,
) -> TrainConfig:
    """Set the rate that the run works at; report what rate and length do to the data.

    Parameters
    ----------
    config : TrainConfig
    named : int or None
        By the user.
    recordings : Recordings
    annotations : Annotations
    other : int or None
        Of a model to start from, or of a pool: taken where none is named.
    quiet : bool
    """
    from negmine.annotations.long_boxes import long_note
    from negmine.annotations.rates import own_rate, rate_note, upsampled_note
    from negmine.annotations.recordings import short_note

    infos = recordings.infos.values()
    rate = named or other or own_rate(infos)
    note(rate_note(infos, rate), quiet)
    for line in (
        upsampled_note((info.sample_rate for info in infos), rate),
        long_note(annotations, config.clip_s),
        short_note(infos, config.clip_s),
    ):
        if line:
            warn(line)
    return replace(config, sample_rate=rate)


class Heard(NamedTuple):
    """Tables of verdicts, and the folder of the recordings they name."""

    verdicts: tuple[Path, ...] = ()
    recordings: Path | None = None


class Cautions:
    """Warns of each thing once, whatever bar is open: runs of a loop or of several seeds repeat."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._said: set[str] = set()

    def __call__(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._bars.close()
            warn(line)


def open_data(
    recordings: Path,
    tp: Path,
    fp: Path | None,
    songtypes: Any,
    heard: Heard,
    skip_bad: bool,
    bars: Bars,
    quiet: bool,
) -> tuple[Recordings, Annotations]:
    """Open annotated recordings and their annotations; warn of unreadable files."""
    from negmine.annotations import read_rfcx
    from negmine.annotations.recordings import open_annotated
    from negmine.annotations.verdicts import add_verdicts

    found = add_verdicts(read_rfcx(tp, fp, songtypes=songtypes), heard.verdicts)
    warn_each(found.notes)
    opened, annotations = open_annotated(
        recordings,
        found,
        beside=heard.recordings,
        skip_bad=skip_bad,
        progress=lambda total: bars("reading recordings", total),
    )
    bars.close()  # else the first warning would be on the bar's line
    say_found(opened.folder, quiet, len(opened.infos), "annotated")
    for line in opened.skipped:
        warn(f"skipped {line}")
    warn_each(opened.notes)
    if fp is not None and not annotations.rejected:
        warn(f"{fp}: no rejected detection in it, nor of it in these recordings")
    return opened, annotations
