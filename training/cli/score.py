"""The commands that score recordings: ``predict``, ``evaluate``. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from negmine.cli.console import (
    Bars,
    CleanCommand,
    GroupedOption,
    as_one,
    print_json,
    quiet_and_json,
    say,
    say_found,
    say_opened,
)
from negmine.cli.scoring_options import decoding, device_option, sound_cache_option
from negmine.cli.settings import given_settings, unused, with_settings
from negmine.notices import warn, warn_each
from training.cli.data import all_or_nothing, skip_bad_option
from training.cli.negative import evaluate_negatives, refuse_with_negative
from training.cli.thresholds import open_thresholds, thresholds_option
from training.evaluation.settings import (
    ActivationSettings,
    EvaluateSettings,
    PredictSettings,
    ReadingSettings,
)

_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class _Given:
    """What a prediction is of."""

    recordings: tuple[Path, ...]
    skip_bad: bool
    cache: Path | None
    thresholds: Path | None


@dataclass(frozen=True)
class _Targets:
    """What a prediction writes."""

    out: Path
    detections: Path | None
    per_recording: Path | None


@dataclass(frozen=True)
class _Tables:
    """What an evaluation reads besides recordings, and writes."""

    negative: bool
    truth: Path | None
    events: Path | None
    thresholds: Path | None
    scores_out: Path | None
    classes_out: Path | None
    curves_out: Path | None


@dataclass(frozen=True)
class _Run:
    """How it is run."""

    cache: Path | None
    device: str


@click.command(cls=CleanCommand)
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    "models",
    type=_FILE,
    required=True,
    multiple=True,
    help="A checkpoint. Of several (--model A --model B), the mean of their probabilities.",
)
@click.option(
    "-o",
    "--out",
    type=_FILE,
    required=True,
    help="CSV, one row a recording: recording_id, s0, s1, ... (an RFCX submission's layout).",
)
@click.option(
    "--detections",
    type=_FILE,
    help="Raven selection table of detections, of all recordings one after the other.",
)
@click.option(
    "--per-recording",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for a selection table a recording.",
)
@click.option(
    "--thresholds",
    type=_FILE,
    cls=GroupedOption,
    needs=["--detections", "--per-recording"],
    help="Table of 'negmine calibrate' with these models: what counts as detected, in the place of "
    "--min-conf. Detections gain the columns Probability and Threshold.",
)
@as_one(_Given, "given")
@as_one(_Targets, "targets")
@with_settings(PredictSettings, warn=False)
@skip_bad_option
@sound_cache_option
@device_option
@quiet_and_json
def predict(
    given: _Given,
    models: tuple[Path, ...],
    targets: _Targets,
    settings: PredictSettings,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score RECORDINGS, folders or files of any length and rate, in one pass each.

    Files are written when all recordings are done, and replace those of an earlier call.

    \b
    Example:
      negmine predict field/ --model run1/best.pt --out predictions.csv --detections found.txt
    """
    out, detections = targets.out, targets.detections
    if out == detections:
        raise click.UsageError(f"--out and --detections are both {out}")
    min_conf = [one for one in given_settings(PredictSettings) if one.path == ("min_conf",)]
    if given.thresholds and min_conf:
        raise click.UsageError("--thresholds and --min-conf both say what counts; choose one")
    # windows of several models must be the same, whoever reads them
    read = settings.readout if len(models) == 1 else None
    lines = unused(settings.replace(readout=read or "max"))
    warn_each(lines)
    from training.engine.scorer import choose_device
    from training.evaluation.predict import find_recordings, open_scorers
    from training.evaluation.predict_files import Output, run_prediction

    scorers, classes, bands = open_scorers(models, choose_device(device), settings)
    if settings.readout is None and len(models) == 1:
        now = unused(settings.replace(readout=scorers[0].config.readout))
        warn_each(line for line in now if line not in lines)
    table = None
    if given.thresholds:
        table = open_thresholds(given.thresholds, models, scorers[0].grid[0])
    found, skipped, folders = find_recordings(given.recordings, skip_bad=given.skip_bad)
    for folder in folders:
        say_found(folder, quiet)
    _tell_lower((one.sample_rate for one in found), scorers[0].config.sample_rate)
    output = Output(out, detections, targets.per_recording, settings, table)
    with all_or_nothing(), Bars(quiet) as bars, decoding(given.cache) as decode:
        result = run_prediction(
            scorers, found, classes, bands, output,
            skip_bad=given.skip_bad, decode=decode, progress=bars,
        )  # fmt: skip
    skipped += result.skipped
    for line in skipped:
        warn(f"skipped {line}")
    for line in result.notes:
        warn(line)
    if as_json:
        by = {"thresholds": str(given.thresholds)} if given.thresholds else {}
        print_json(result.to_dict() | by | {"skipped": skipped})
        return
    say(f"{out}: {result.recordings} recordings, {result.hours:.2f} h of sound", quiet)
    for target in filter(None, (detections, targets.per_recording)):
        say(f"{target}: {sum(result.detections.values())} detections", quiet)


@click.command(cls=CleanCommand)
@click.argument("recordings", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--model",
    "models",
    type=_FILE,
    required=True,
    multiple=True,
    help="A checkpoint. Several (--model A --model B) are compared with the first, in pairs; with "
    "--negative, the mean of their probabilities is scored.",
)
@click.option(
    "--truth",
    type=_FILE,
    help="CSV: recording_id, s0, s1, ...: 1 where the class calls.  [required without --negative]",
)
@click.option(
    "--negative",
    is_flag=True,
    help="RECORDINGS hold no call of any class: count false activations an hour, at --threshold or "
    "--thresholds. No truth is needed.",
)
@thresholds_option
@click.option(
    "--events",
    type=_FILE,
    help="CSV of every call: recording_id, species_id, t_min, t_max. For false positives per hour, "
    "precision, and recall at a rate of false positives.",
)
@click.option(
    "--scores-out", type=_FILE, help="Write the clips' scores as CSV, an RFCX submission's layout."
)
@click.option(
    "--classes-out",
    type=_FILE,
    help="Write each class's metrics as CSV, with thresholds and intervals.",
)
@click.option(
    "--curves-out",
    type=_FILE,
    cls=GroupedOption,
    needs=["--events"],
    help="Write false positives an hour at each per cent of recall as CSV, for 'negmine plot det'.",
)
@as_one(_Tables, "tables")
@as_one(_Run, "run")
@with_settings(EvaluateSettings)
@with_settings(ActivationSettings, "activations")
@sound_cache_option
@device_option
@quiet_and_json
def evaluate(
    recordings: Path,
    models: tuple[Path, ...],
    tables: _Tables,
    settings: EvaluateSettings,
    activations: ActivationSettings,
    run: _Run,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score RECORDINGS in one pass each, and compare with their complete truth.

    \b
    Example:
      negmine evaluate test/ --model run1/best.pt --truth test_truth.csv --events test_events.csv
      negmine evaluate noise/ --model run1/best.pt --negative --threshold 0.8
    """
    if len(set(models)) < len(models):
        raise click.UsageError("--model: the same checkpoint twice")
    if tables.negative:
        refuse_with_negative(
            truth=tables.truth, events=tables.events, scores_out=tables.scores_out,
            curves_out=tables.curves_out, readout=settings.readout,
        )  # fmt: skip
        evaluate_negatives(
            recordings, models, activations, tables.thresholds, tables.classes_out, run.cache,
            run.device, quiet, as_json,
        )  # fmt: skip
        return
    if tables.truth is None:
        raise click.UsageError(
            "Missing option '--truth'; of recordings without any call, give --negative instead"
        )
    if tables.thresholds:
        warn("--thresholds has no effect without --negative")
    if tables.curves_out and tables.events is None:
        raise click.UsageError("--curves-out counts false positives: name every call with --events")
    if tables.scores_out and len(models) > 1:
        raise click.UsageError("--scores-out is of one model; give one --model")
    from training.cli.evaluation_tables import as_dict, as_text
    from training.engine.scorer import choose_device
    from training.evaluation.evaluate import evaluate_all, write_classes, write_curves
    from training.evaluation.predict import open_scorers
    from training.evaluation.truth import Truth, open_truth_recordings

    reading = ReadingSettings(readout=settings.readout)
    scorers, classes, _ = open_scorers(models, choose_device(run.device), reading)
    known = Truth(tables.truth, tables.events, classes)
    warn_each(known.notes)
    with Bars(quiet) as bars:
        opened = open_truth_recordings(recordings, known, bars)
        bars.close()
        say_opened(opened, quiet, "in the truth")
        rates = [info.sample_rate for info in opened.infos.values()]
        for rate in sorted({scorer.config.sample_rate for scorer in scorers}):
            _tell_lower(rates, rate)
        with decoding(run.cache) as decode:
            found = evaluate_all(
                scorers, opened, known, resamples=settings.resamples, decode=decode, progress=bars
            )
    warn_each(opened.notes)
    warn_each(dict.fromkeys(line for one in found for line in one.notes))
    if found[0].silent_s:
        warn(f"{found[0].silent_s:.1f} s of silence were left out of scores")
    if tables.events and len({f"{one.window_s:.3f} {one.hop_s:.3f}" for one in found}) > 1:
        warn(
            "the models cut windows of different lengths: false positives are counted in windows, "
            "and their numbers do not compare"
        )
    names = [str(model) for model in models]
    if tables.scores_out:
        found[0].scores.write(tables.scores_out)
    if tables.curves_out:
        write_curves(tables.curves_out, found, names)
    if tables.classes_out:
        write_classes(tables.classes_out, found, names)
    if as_json:
        print_json(as_dict(found, names))
        return
    say(as_text(found, names, settings.resamples, tables.events is not None), quiet)


def _tell_lower(rates: Iterable[int], sample_rate: int) -> None:
    """Warn of recordings that cannot hold the model's whole band."""
    from negmine.annotations.rates import upsampled_note

    advice = "it was trained on such sound, and its scores of them may be off"
    if lower := upsampled_note(rates, sample_rate, advice):
        warn(lower)
