"""The commands that score recordings: ``predict``, ``evaluate``. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from negmine.cli.console import (
    Bars,
    CleanCommand,
    Failure,
    print_json,
    quiet_and_json,
    say,
    tell_found,
)
from negmine.cli.goes_with import Beside, GoesWith, check_goes_with
from negmine.cli.scoring_options import device_option
from negmine.cli.stopping import stop_code
from negmine.notices import warn, warn_each
from negmine.text_tables import table
from training.config import READOUTS

if TYPE_CHECKING:
    import pandas as pd

_FILE = click.Path(dir_okay=False, path_type=Path)

_DETECTIONS = (Beside("detections"), Beside("per_recording"))
_OF_DETECTIONS: GoesWith = ((("hop_s", "min_conf", "merge", "top"), _DETECTIONS),)
_OF_WINDOWS: GoesWith = ((("window_s",), (*_DETECTIONS, Beside("readout", ("max", "lse")))),)


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
    "--readout",
    type=click.Choice(READOUTS),
    help="How a whole recording is read out.  [default: the checkpoint's]",
)
@click.option(
    "--window-s",
    type=click.FloatRange(0.05),
    help="Window of detections, and of the readouts max and lse.  [default: the checkpoint's]",
)
@click.option(
    "--hop-s",
    type=click.FloatRange(0, min_open=True),
    help="Step of the detections' windows.  [default: side by side]",
)
@click.option(
    "--min-conf",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Lowest probability of a detection.",
)
@click.option(
    "--merge",
    is_flag=True,
    help="Make one detection of a class's windows that follow one another.",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    help="Keep only this many detections of each class, the most probable.",
)
@click.option(
    "--piece-s",
    type=click.FloatRange(1),
    default=61.0,
    show_default=True,
    help="Longer recordings go through in pieces: less takes less memory.",
)
@click.option("--skip-bad", is_flag=True, help="Report unreadable recordings and continue.")
@device_option
@quiet_and_json
def predict(
    recordings: tuple[Path, ...],
    models: tuple[Path, ...],
    out: Path,
    detections: Path | None,
    per_recording: Path | None,
    readout: Any,
    window_s: float | None,
    hop_s: float | None,
    min_conf: float,
    merge: bool,
    top: int | None,
    piece_s: float,
    skip_bad: bool,
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
    if out == detections:
        raise click.UsageError(f"--out and --detections are both {out}")
    check_goes_with(_OF_DETECTIONS)
    from training.engine.scorer import choose_device
    from training.evaluation.predict import find_recordings, open_scorers
    from training.evaluation.predict_files import Output, run_prediction

    scorers, classes, bands = open_scorers(
        models,
        choose_device(device),
        readout=readout,
        window_s=window_s,
        hop_s=hop_s,
        piece_s=piece_s,
    )
    if len(scorers) == 1:
        # those of several models must be the same, whoever reads them
        check_goes_with(_OF_WINDOWS, {"readout": scorers[0].config.readout})
    found, skipped, folders = find_recordings(recordings, skip_bad=skip_bad)
    for folder in folders:
        tell_found(folder, quiet)
    _tell_lower((one.sample_rate for one in found), scorers[0].config.sample_rate)
    output = Output(out, detections, per_recording, min_conf, merge, top)
    try:
        with Bars(quiet) as bars:
            result = run_prediction(
                scorers, found, classes, bands, output, skip_bad=skip_bad, progress=bars
            )
    except KeyboardInterrupt as error:
        raise Failure("stopped; nothing was written", stop_code()) from error
    skipped += result.skipped
    for line in skipped:
        warn(f"skipped {line}")
    for line in result.notes:
        warn(line)
    if as_json:
        print_json(result.to_dict() | {"skipped": skipped})
        return
    say(f"{out}: {result.recordings} recordings, {result.hours:.2f} h of sound", quiet)
    for target in filter(None, (detections, per_recording)):
        say(f"{target}: {sum(result.detections.values())} detections", quiet)


@click.command(cls=CleanCommand)
@click.argument("recordings", type=click.Path(file_okay=False, path_type=Path))
@click.option("--model", type=_FILE, required=True, help="A checkpoint.")
@click.option(
    "--truth",
    type=_FILE,
    required=True,
    help="CSV: recording_id, s0, s1, ...: 1 where the class calls.",
)
@click.option(
    "--events",
    type=_FILE,
    help="CSV of every call: recording_id, species_id, t_min, t_max. For false positives per hour.",
)
@click.option(
    "--readout", type=click.Choice(READOUTS), help="Another readout than the checkpoint's."
)
@click.option(
    "--scores-out", type=_FILE, help="Write the clips' scores as CSV, an RFCX submission's layout."
)
@click.option(
    "--classes-out",
    type=_FILE,
    help="Write each class's average precision as CSV; with --events also its false positives.",
)
@device_option
@quiet_and_json
def evaluate(
    recordings: Path,
    model: Path,
    truth: Path,
    events: Path | None,
    readout: Any,
    scores_out: Path | None,
    classes_out: Path | None,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score RECORDINGS in one pass each, and compare with their complete truth.

    \b
    Example:
      negmine evaluate test/ --model run1/best.pt --truth test_truth.csv --events test_events.csv
    """
    from training.engine.scorer import choose_device
    from training.evaluation.evaluate import Truth, open_truth_recordings
    from training.evaluation.evaluate import evaluate as run_evaluation
    from training.evaluation.predict import open_scorers
    from training.metrics import NAMES

    scorers, classes, _ = open_scorers([model], choose_device(device), readout=readout)
    known = Truth(truth, events, classes)
    warn_each(known.notes)
    with Bars(quiet) as bars:
        total = len(known.present)
        opened = open_truth_recordings(recordings, known, bars)
        bars.close()
        tell_found(opened.folder, quiet, total, "in the truth")
        rates = (info.sample_rate for info in opened.infos.values())
        _tell_lower(rates, scorers[0].config.sample_rate)
        found = run_evaluation(scorers[0], opened, known, progress=bars)
    for line in opened.notes:
        warn(line)
    if found.silent_s:
        warn(f"{found.silent_s:.1f} s of silence were left out of scores")
    if scores_out:
        found.scores.write(scores_out)
    if classes_out:
        found.write_classes(classes_out)
    if as_json:
        print_json(found.metrics | {"classes": found.classes.to_dict("records")})
        return
    rows = [[name, f"{value:.4f}"] for name, value in found.metrics.items()]
    say(table(["metric", "value"], rows), quiet)
    if left := [name for name in NAMES if name not in found.metrics]:
        say(f"left out, the same for any model by this truth: {', '.join(left)}", quiet)
    say("", quiet)
    say(_class_table(found.classes), quiet)


def _tell_lower(rates: Iterable[int], sample_rate: int) -> None:
    """Warn of recordings that cannot hold the model's whole band."""
    from negmine.annotations.rates import told_upsampled

    advice = "it was trained on such sound, and its scores of them may be off"
    if lower := told_upsampled(rates, sample_rate, advice):
        warn(lower)


def _class_table(classes: pd.DataFrame) -> str:
    shown = [name for name in classes.columns if not name.startswith("threshold")]
    digits = {"ap": 3} | {name: 1 for name in shown if name.startswith("fp/h")}
    rows = [
        [f"{row[name]:.{digits[name]}f}" if name in digits else str(row[name]) for name in shown]
        for row in classes.to_dict("records")
    ]
    return table(shown, rows)
