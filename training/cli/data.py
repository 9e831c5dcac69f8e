"""What the commands that train open first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from negmine.cli.console import (
    Bars,
    Failure,
    GroupedOption,
    note,
    say,
    say_opened,
)
from negmine.cli.data import LenientDataFiles
from negmine.cli.settings import given_settings
from negmine.cli.stopping import stop_code
from negmine.cli.tables import read_annotations
from negmine.errors import InputError
from negmine.notices import warn, warn_each
from training.backbone_kinds import kind_of
from training.data.settings import ONE_CLASS_MIX

if TYPE_CHECKING:
    from negmine.annotations import Annotations
    from negmine.annotations.recordings import Recordings
    from training.cli.settings import RunSettings
    from training.config import TrainConfig
    from training.data.settings import Grouping, HardUse

Run = TypeVar("Run", bound="RunSettings")

skip_bad_option = click.option(
    "--skip-bad",
    cls=GroupedOption,
    group="Run",
    is_flag=True,
    help="Report unreadable recordings and continue without them.",
)


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Say, where a command that writes at its end is stopped, that nothing was written."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Failure("stopped; nothing was written", stop_code()) from error


def warn_if_emulated(device: Any, precision: str) -> None:
    """Warn of a precision that a processor only imitates."""
    from training.engine.precision import emulated

    if emulated(device, precision):
        warn(f"this processor emulates {precision}, many times slower than fp32: use fp32")


def at_own_rate(
    settings: RunSettings,
    recordings: Recordings,
    annotations: Annotations,
    other: int | None,
    quiet: bool,
) -> TrainConfig:
    """Set the rate that the run works at; report what rate and length do to the data.

    Parameters
    ----------
    settings : RunSettings
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
    rate = settings.named_rate or other or own_rate(infos)
    note(rate_note(infos, rate), quiet)
    for line in (
        upsampled_note((info.sample_rate for info in infos), rate),
        long_note(annotations, settings.clip_s),
        short_note(infos, settings.clip_s),
    ):
        if line:
            warn(line)
    return settings.config.replace(sample_rate=rate)


def band_table(
    settings: RunSettings, classes: tuple[str, ...], *, staged: bool = False
) -> Path | None:
    """Return the table of bands, if a run or a stage of its own may use it.

    Where it names every class, ``--band-margin`` is warned of.
    """
    if settings.band_table is None or not (staged or settings.uses_bands):
        return None
    table = Path(settings.band_table)
    given = any(one.path == ("band_margin",) for one in given_settings(type(settings)))
    if given and settings.bands != "off":
        from negmine.annotations.class_bands import warn_of_margin

        warn_of_margin(table, classes)
    return table


def check_mix_by(settings: RunSettings, classes: Sequence[str]) -> None:
    """Check that ``--hard-mix-by``, where it is given, can be followed.

    Raises
    ------
    InputError
        If no negative can have fooled another class, as there is none.
    """
    given = any(one.path == ("hard", "mix_by") for one in given_settings(type(settings)))
    if given and settings.hard.mix_by == "other" and len(classes) == 1:
        raise InputError(
            f"--hard-mix-by other: '{classes[0]}' is the only class; leave it out, or take own"
        )


def with_one_class(settings: Run, classes: Sequence[str], quiet: bool) -> Run:
    """Mix random negatives into rows where there is one class alone, unless settings say how many.

    Not with a frozen network, to which mixed sound is new each time.
    """
    samples = settings.samples
    given = samples.model_fields_set
    frozen = kind_of(settings.backbone) == "frozen"
    if "negative_mix" in given or frozen or samples.negatives is None or len(classes) > 1:
        if "negative_mix_snr_db" in given and samples.negatives and not samples.negative_mix:
            warn("--negative-mix-snr has no effect without --negative-mix")
        return settings
    say(
        f"one class: {ONE_CLASS_MIX:.0%} of the rows get a random negative mixed in "
        "(--negative-mix)",
        quiet,
    )
    return settings.replace(samples=samples.replace(negative_mix=ONE_CLASS_MIX))


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


def open_data(data: LenientDataFiles, bars: Bars, quiet: bool) -> tuple[Recordings, Annotations]:
    """Open annotated recordings and their annotations; warn of unreadable files."""
    from negmine.annotations.recordings import open_annotated

    opened, annotations = open_annotated(
        data.folders,
        read_annotations(data, data.folders),
        beside=data.verdict_recordings,
        skip_bad=data.skip_bad,
        progress=lambda total: bars("reading recordings", total),
    )
    bars.close()  # else the first warning would be on the bar's line
    say_opened(opened, quiet, "annotated")
    for line in opened.skipped:
        warn(f"skipped {line}")
    warn_each(opened.notes)
    if data.fp is not None and not annotations.rejected:
        warn(f"{data.fp}: no rejected detection in it, nor of it in these recordings")
    return opened, annotations


def fold_groups(settings: Grouping, opened: Recordings) -> dict[str, str] | None:
    """Return what each recording stays together with in folds: its site, or its tables' group.

    Sites are those of ``--sites`` or ``--site-regex``, where folds are asked to be of sites. None
    where each recording is by itself.
    """
    named = settings.groups(opened.infos)
    if named is None and opened.groups:
        return {name: opened.group(name) for name in opened.infos}
    return named


def selections(texts: Sequence[str], use: HardUse) -> list[tuple[Path, HardUse]]:
    """Read ``--hard-negatives``, each a file or a file and its share, as ``hard.parquet:2``.

    Returns
    -------
    list of (Path, HardUse)
        Rows of a step and of mixing are shared out in proportion.

    Raises
    ------
    click.UsageError
        If a share is not above 0, or a file is given twice.
    """
    found: dict[Path, float] = {}
    for text in texts:
        name, colon, share = text.rpartition(":")
        number = _number(share) if colon and not Path(text).exists() else None
        path = Path(text if number is None else name)
        if number is not None and not 0 < number < math.inf:
            raise click.UsageError(f"--hard-negatives {text}: the share {share} is not above 0")
        if path in found:
            raise click.UsageError(f"--hard-negatives {path}: given twice; add up the shares")
        found[path] = 1.0 if number is None else number
    total = sum(found.values())
    return [
        (path, use.replace(ratio=use.ratio * share / total, mix=use.mix * share / total))
        for path, share in found.items()
    ]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
