"""Thresholds of a model's classes, from verdicts on recordings that it held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from negmine import __version__
from negmine.annotations import Annotations
from negmine.annotations.recordings import Recordings
from negmine.audio.decode import Decode
from negmine.audio.read import stream
from negmine.errors import InputError, shorten
from negmine.progress import Progress, no_progress
from training.calibration.choose import LEAST, TOO_FEW, ThresholdChoice, choose
from training.calibration.judged_rates import Judged, intraclass_correlation
from training.calibration.judged_spans import Models, Spans, models_of, score_spans
from training.calibration.settings import CalibrateSettings
from training.calibration.site_windows import SiteWindows, count_windows
from training.calibration.table import COLUMNS
from training.engine.checkpoint import Checkpoint
from training.evaluation.predict import FoundRecording, open_scorers
from training.evaluation.settings import ReadingSettings

# Judged spans of another length than this many windows are said to be so.
_FITS = 2.0


@dataclass(frozen=True)
class JudgedData:
    """What people said, and where.

    Attributes
    ----------
    annotations : Annotations
        Tables of calls and rejections, and verdicts.
    recordings : Recordings
        The annotated ones.
    on_windows : frozenset of str
        ``where`` of the verdicts on windows: those of ``--verdicts``.
    site : sequence of FoundRecording
        Recordings of the site; empty without one.
    site_name : str
    """

    annotations: Annotations
    recordings: Recordings
    on_windows: frozenset[str] = frozenset()
    site: Sequence[FoundRecording] = ()
    site_name: str = ""


@dataclass(frozen=True)
class Calibration:
    """A table of thresholds.

    Attributes
    ----------
    table : DataFrame
        A row a class, with `training.calibration.table.COLUMNS`.
    about : dict
        What stands beside it in JSON.
    notes : tuple of str
        What a person must know of it, a line each.
    """

    table: pd.DataFrame
    about: dict[str, Any]
    notes: tuple[str, ...]


def calibrate(
    paths: Sequence[Path],
    judged: JudgedData,
    settings: CalibrateSettings,
    device: torch.device,
    *,
    skip_bad: bool = False,
    decode: Decode = stream,
    progress: Progress = no_progress,
) -> Calibration:
    """Choose each class's threshold.

    Raises
    ------
    InputError
        If every model was trained on all that was judged, or other classes are judged.
    """
    if settings.fp_per_hour is not None and not judged.site:
        raise InputError("--fp-per-hour is counted at a site: name its recordings by --site")
    checkpoints = [Checkpoint.load(path) for path in paths]
    scorers, classes, _ = open_scorers(paths, device, ReadingSettings(readout="max"))
    if judged.annotations.classes != classes:
        raise InputError(
            f"the tables judge the classes {shorten(judged.annotations.classes)}, and the model "
            f"has {shorten(classes)}; are these the tables it was trained with?"
        )
    models = models_of(checkpoints, scorers, [one.name for one in judged.site])
    names = {one.name for one in judged.site}
    at_site = {
        box.where
        for box in judged.annotations.boxes
        if box.where in judged.on_windows and box.recording in names
    }
    spans = score_spans(models, judged.annotations, judged.recordings, at_site, progress)
    if not len(spans.column):
        raise InputError(
            f"every model was trained on all {spans.left_out} judged spans, so that their scores "
            "there say nothing; train folds with 'negmine train --seeds 1', and name the models of "
            "all of them by --model"
        )
    site = None
    if judged.site:
        site = count_windows(
            models, judged.site, len(classes), skip_bad=skip_bad, decode=decode, progress=progress
        )
    choices, at_all = _choose(spans, site, classes, settings)
    table = _table(classes, choices)
    window_s, hop_s = scorers[0].grid
    of = _precision_of(spans, site, judged, at_all)
    about: dict[str, Any] = {
        "negmine": __version__,
        "models": [one.fingerprint for one in checkpoints],
        "classes": list(classes),
        "window_s": window_s,
        "hop_s": hop_s,
        "settings": settings.to_dict(),
        "precision_of": of,
        "site": _about(site, judged),
        "spans": {"judged": len(spans.column), "left_out": spans.left_out},
        "probability": {
            name: one.probability.to_dict()
            for name, one in zip(classes, choices, strict=True) if one.probability
        },
    }  # fmt: skip
    notes = (of, *_notes(spans, site, classes, choices, models, window_s))
    return Calibration(table, about, notes)


def _choose(
    spans: Spans, site: SiteWindows | None, classes: Sequence[str], settings: CalibrateSettings
) -> tuple[list[ThresholdChoice], bool]:
    """Choose for every class; return whether verdicts of the site were counted, too."""
    at_site = site is not None and bool(spans.at_site.any())
    # without verdicts of the site its windows say how many there are, not how many are right
    counts = spans.at_site if at_site or settings.fp_per_hour is not None else spans.at_site >= 0
    each = []
    for column in range(len(classes)):
        mine = np.flatnonzero(counts & (spans.column == column))
        each.append(Judged(spans.logit[mine], spans.present[mine], spans.recording[mine]))
    rho = intraclass_correlation(each)
    use = site if at_site or settings.fp_per_hour is not None else None
    found = [
        choose(one, settings, rho, use.of(column) if use else None)
        for column, one in enumerate(each)
    ]
    if site is not None and use is None:
        found = [replace(one, per_hour=_rate(site, i, one)) for i, one in enumerate(found)]
    return found, at_site


def _rate(site: SiteWindows, column: int, choice: ThresholdChoice) -> float:
    """Return how many windows an hour of a site reach a threshold; NaN without one."""
    if math.isnan(choice.logit):
        return math.nan
    return site.of(column).above(choice.logit) / site.hours


def _table(classes: Sequence[str], choices: Sequence[ThresholdChoice]) -> pd.DataFrame:
    rows = []
    for name, one in zip(classes, choices, strict=True):
        found = one.found
        chosen = not math.isnan(one.logit)
        # rounded down: the score that chose it reaches it
        value = math.floor(1e9 / (1 + math.exp(-one.logit))) / 1e9 if chosen else math.nan
        ends = (found.precision, found.low, found.high) if chosen else (math.nan,) * 3
        more = str(int(one.more)) if math.isfinite(one.more) else ""
        rates = (one.per_hour, one.fp_per_hour, one.fp_low, one.fp_high)
        rows.append(
            (
                name, value, *(round(end, 4) for end in ends), found.present, found.absent, more,
                *(round(rate, 4) for rate in rates),
                one.probability.method if one.probability else "", one.status,
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _precision_of(spans: Spans, site: SiteWindows | None, judged: JudgedData, at_site: bool) -> str:
    """Say in a line what the precision is a precision of."""
    if at_site and site is not None:
        return (
            f"precision is that of windows of {judged.site_name} ({site.hours:.3g} h), estimated "
            f"from {int(spans.at_site.sum())} verdicts on windows there, each weighted by how many "
            "windows score like it; it holds if these were chosen at random or by their score"
        )
    return (
        f"precision is that of the {len(spans.column)} judged spans themselves, "
        f"{100 * spans.present.mean():.0f} % of which are confirmed: it is not that of a site, "
        "where calls may be far rarer; for that, hear windows of the site ('negmine ask "
        "--strategy half') and name it by --site"
    )


def _about(site: SiteWindows | None, judged: JudgedData) -> dict[str, Any] | None:
    if site is None:
        return None
    return {
        "name": judged.site_name,
        "recordings": site.recordings,
        "left_out": site.left_out,
        "hours": site.hours,
    }


def _notes(
    spans: Spans,
    site: SiteWindows | None,
    classes: Sequence[str],
    choices: Sequence[ThresholdChoice],
    models: Models,
    window_s: float,
) -> list[str]:
    notes = []
    if spans.left_out:
        notes.append(
            f"left out {spans.left_out} of {spans.left_out + len(spans.column)} judged spans: "
            "every model was trained on their recordings; models of all folds ('negmine train "
            "--seeds 1') leave none out"
        )
    if site is not None and site.left_out:
        notes.append(
            f"left out {site.left_out} recordings of the site: every model was trained on them"
        )
    if site is not None:
        notes += [f"skipped {line}" for line in site.skipped]
    if site is not None and not spans.at_site.any():
        notes.append(
            "no verdict of --verdicts is on a window of the site: detections_per_hour says how "
            "many there are, and nothing how many of them are right"
        )
    if site is not None and models.new:
        notes.append("the models are taken not to have been trained on recordings of the site")
    if not window_s / _FITS <= spans.length_s <= window_s * _FITS:
        notes.append(
            f"half of the judged spans are longer than {spans.length_s:.2f} s, and windows are of "
            f"{window_s:.2f} s: a span is judged by its best window, and precision is that of spans"
        )
    chosen = [
        name for name, one in zip(classes, choices, strict=True)
        if not math.isnan(one.logit) and one.more > 0
    ]  # fmt: skip
    if chosen:
        notes.append(
            f"the thresholds of {len(chosen)} of {len(classes)} classes ({shorten(chosen)}) are "
            "estimates: the interval of their precision begins below what is wanted; see "
            "precision_low, and more_verdicts for how many it takes"
        )
    few = [name for name, one in zip(classes, choices, strict=True) if one.status == TOO_FEW]
    if few:
        notes.append(
            f"{len(few)} of {len(classes)} classes have too few verdicts ({shorten(few)}): it "
            f"takes {LEAST} confirmed and {LEAST} rejected of each; they have no threshold"
        )
    return notes
