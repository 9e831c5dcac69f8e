"""The command ``listen``. Imports nothing heavy."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from negmine.cli.console import CleanCommand, GroupedOption, as_one, note, quiet_and_json, say
from negmine.cli.scoring_options import device_option
from negmine.cli.settings import with_settings
from negmine.cli.stopping import stop_code
from negmine.errors import visible
from negmine.limits import MOST_HZ
from negmine.notices import warn
from training.cli.thresholds import (
    check_one,
    of_each_class,
    open_thresholds,
    thresholds_option,
    warn_of_smoothing,
)
from training.evaluation.settings import ActivationSettings

if TYPE_CHECKING:
    import numpy as np

    from training.calibration.table import Thresholds
    from training.evaluation.activations import Activation

# Seconds that a piece of the stream has: what is heard is scored so much later.
PIECE_S = 1.0


@dataclass(frozen=True)
class _Stream:
    """Where the sound comes from."""

    file: Path | None
    microphone: bool
    input_device: str | None
    rate: int | None
    channels: int
    encoding: Any


@click.command(cls=CleanCommand)
@click.argument("model", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("file", required=False, type=click.Path(allow_dash=True, path_type=Path))
@click.option("--microphone", is_flag=True, help="Listen to a microphone: needs negmine[listen].")
@click.option(
    "--input-device",
    cls=GroupedOption,
    needs=["--microphone"],
    help="Name or number of the microphone.  [default: the system's]",
)
@click.option(
    "--rate",
    type=click.IntRange(1000, MOST_HZ),
    help="Hz of raw samples that '-' gives; without, it gives a WAV.",
)
@click.option(
    "--channels",
    cls=GroupedOption,
    needs=["--rate"],
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Of raw samples, interleaved.",
)
@click.option(
    "--encoding",
    cls=GroupedOption,
    needs=["--rate"],
    type=click.Choice(["s16le", "s24le", "s32le", "f32le"]),
    default="s16le",
    show_default=True,
    help="Of raw samples.",
)
@as_one(_Stream, "stream")
@with_settings(ActivationSettings)
@thresholds_option
@device_option
@quiet_and_json
def listen(
    model: Path,
    stream: _Stream,
    settings: ActivationSettings,
    thresholds: Path | None,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score a stream with MODEL as it comes: a FILE, '-' (a pipe), or a microphone.

    Prints each activation when it is found: its window, class, score, and with a table of
    thresholds the probability that it is right; with --json, an object a line. Scores are those of
    'negmine predict'. Ctrl-C ends it with a summary.

    \b
    Example:
      negmine listen run1/best.pt --microphone --threshold 0.8 --refractory-s 5
      arecord -f S16_LE -r 32000 -t raw | negmine listen run1/best.pt - --rate 32000 \\
          --thresholds thresholds.csv --json
    """
    if (stream.file is None) != stream.microphone:
        raise click.UsageError("name one source: FILE, '-' for a pipe, or --microphone")
    if stream.rate and str(stream.file) != "-":
        warn("--rate has no effect without '-': files and microphones know their own")
    check_one(settings.threshold, thresholds)
    from training.engine.scorer import choose_device
    from training.evaluation.activations import Activations
    from training.evaluation.listening import listen as score
    from training.evaluation.predict import open_scorers

    reading = settings.reading.replace(piece_s=PIECE_S)
    (scorer,), classes, _ = open_scorers([model], choose_device(device), reading)
    table = open_thresholds(thresholds, [model], scorer.grid[0]) if thresholds else None
    warn_of_smoothing(thresholds, settings.smooth_s)
    values = of_each_class(settings.threshold, table, len(classes))
    counter = Activations(values, settings, scorer.grid[1])
    _tell(scorer, quiet)
    counts = dict.fromkeys(classes, 0)
    heard_s, stopped = 0.0, False
    try:
        for part in score(scorer, _blocks(stream, scorer.config.sample_rate)):
            heard_s = part.heard_s
            for one in counter.take(part.scores, part.start_s, part.end_s):
                counts[classes[one.label]] += 1
                _print(one, classes[one.label], table, as_json)
    except KeyboardInterrupt:
        stopped = True
    _summarise(counts, heard_s, quiet, as_json)
    if stopped:
        click.get_current_context().exit(stop_code())


def _tell(scorer: Any, quiet: bool) -> None:
    """Say what is scored, and where that is not what ``predict`` scores."""
    window_s, hop_s = scorer.grid
    hop = "side by side" if hop_s == window_s else f"every {hop_s:.3f} s"
    note(f"listening at {scorer.config.sample_rate} Hz, windows of {window_s:.3f} s {hop}", quiet)
    if not scorer.detector.frozen and scorer.config.backbone != "small":
        piece = scorer.piece / scorer.config.sample_rate
        warn(
            f"backbone {scorer.config.backbone} may look at a whole piece of sound: its scores are "
            f"those of 'negmine predict --piece-s {piece:g}'"
        )


def _blocks(stream: _Stream, sample_rate: int) -> Iterator[np.ndarray]:
    from negmine.audio import live
    from negmine.audio.read import stream as decoded

    if stream.microphone:
        return live.microphone_blocks(sample_rate, stream.input_device, warn)
    assert stream.file is not None
    if str(stream.file) != "-":
        return decoded(stream.file, sample_rate)
    raw = live.RawSamples(stream.rate, stream.channels, stream.encoding) if stream.rate else None
    return live.piped_blocks(sys.stdin.fileno(), sample_rate, raw)


def _print(one: Activation, name: str, table: Thresholds | None, as_json: bool) -> None:
    """Print one activation at once, whatever reads it."""
    import numpy as np

    probability = None
    if table is not None:
        found = float(table.probability(np.array([one.label]), np.array([one.score]))[0])
        probability = None if np.isnan(found) else found
    if as_json:
        value = {
            "start_s": round(one.start_s, 4), "end_s": round(one.end_s, 4), "class": name,
            "score": one.score, "probability": probability,
        }  # fmt: skip
        line = json.dumps(value, ensure_ascii=False)
    else:
        line = f"{one.start_s:10.2f} {one.end_s:10.2f}  {one.score:.4f}  "
        line += f"{probability:.4f}  {name}" if probability is not None else name
    click.echo(visible(line))
    sys.stdout.flush()


def _summarise(counts: dict[str, int], heard_s: float, quiet: bool, as_json: bool) -> None:
    total = sum(counts.values())
    if as_json:
        click.echo(json.dumps({"heard_s": round(heard_s, 3), "activations": counts}))
        return
    each = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    say(f"{total} activations in {heard_s:.1f} s{': ' if each else ''}{each}", quiet)
