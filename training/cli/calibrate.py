"""The command ``calibrate``. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.console import (
    Bars,
    CleanCommand,
    as_one,
    print_json,
    quiet_and_json,
    say,
    say_found,
    say_opened,
)
from negmine.cli.data import LenientDataFiles, data_files
from negmine.cli.scoring_options import decoding, device_option, sound_cache_option
from negmine.cli.settings import with_settings
from negmine.cli.tables import read_tables_of
from negmine.notices import warn, warn_each
from negmine.text_tables import table as text_table
from training.calibration.settings import CalibrateSettings
from training.cli.data import all_or_nothing, skip_bad_option

if TYPE_CHECKING:
    import pandas as pd

    from training.evaluation.predict import FoundRecording

_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class _Scored:
    """What is scored, and by what."""

    models: tuple[Path, ...]
    site: Path | None
    cache: Path | None
    device: str


@click.command(cls=CleanCommand)
@data_files(LenientDataFiles)
@click.option(
    "--model",
    "models",
    type=_FILE,
    required=True,
    multiple=True,
    help="A checkpoint. Give those of all folds: each recording is scored by models that held it "
    "out.",
)
@click.option(
    "--site",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of a site's recordings: thresholds are for it. Precision is that of the site "
    "where --verdicts has windows of it.",
)
@click.option(
    "-o", "--out", type=_FILE, required=True, help="The table, CSV; beside it, what it is of, JSON."
)
@with_settings(CalibrateSettings)
@as_one(_Scored, "scored")
@skip_bad_option
@sound_cache_option
@device_option
@quiet_and_json
def calibrate(
    data: LenientDataFiles,
    scored: _Scored,
    out: Path,
    settings: CalibrateSettings,
    quiet: bool,
    as_json: bool,
) -> None:
    """Choose each class's threshold, for a precision or a rate of false positives.

    What people said of RECORDINGS is compared with the scores of models that held them out. The
    table says how sure each precision is, what it is a precision of, and how many more verdicts it
    takes. 'negmine predict --thresholds' uses it.

    \b
    Example:
      negmine train train/ --tp train_tp.csv --fp train_fp.csv --seeds 1 --folds 3 --out run
      negmine calibrate train/ --tp train_tp.csv --fp train_fp.csv --precision 0.8 \\
          --model run/seed0/fold0/best.pt --model run/seed0/fold1/best.pt \\
          --model run/seed0/fold2/best.pt --out thresholds.csv
      negmine predict field/ --model run/seed0/fold0/best.pt --model run/seed0/fold1/best.pt \\
          --model run/seed0/fold2/best.pt --thresholds thresholds.csv \\
          --out scores.csv --detections found.txt
    """
    from negmine.annotations.recordings import open_annotated
    from negmine.annotations.verdicts import read_verdicts, with_verdicts
    from negmine.storage.files import check_writable
    from negmine.storage.locks import only_writer
    from training.calibration.calibrate import JudgedData
    from training.calibration.calibrate import calibrate as choose
    from training.calibration.table import beside, write_thresholds
    from training.engine.scorer import choose_device
    from training.evaluation.predict import find_recordings

    if len(set(scored.models)) < len(scored.models):
        raise click.UsageError("--model: the same checkpoint twice")
    for path in (out, beside(out)):
        check_writable(path)
    tables = read_tables_of(data, data.folders)
    heard = [one for path in data.verdicts for one in read_verdicts(path, tables.classes)]
    tables = with_verdicts(tables, heard)
    warn_each(tables.notes)
    with all_or_nothing(), Bars(quiet) as bars, decoding(scored.cache) as decode:
        opened, annotations = open_annotated(
            data.folders, tables, beside=data.verdict_recordings or scored.site,
            skip_bad=data.skip_bad, progress=lambda total: bars("reading recordings", total),
        )  # fmt: skip
        bars.close()
        say_opened(opened, quiet)
        warn_each([*(f"skipped {line}" for line in opened.skipped), *opened.notes])
        site: list[FoundRecording] = []
        if scored.site is not None:
            site, skipped, folders = find_recordings([scored.site], skip_bad=data.skip_bad)
            for folder in folders:
                say_found(folder, quiet)
            warn_each(f"skipped {line}" for line in skipped)
        judged = JudgedData(
            annotations, opened, frozenset(one.where for one in heard), site, str(scored.site)
        )
        found = choose(
            scored.models, judged, settings, choose_device(scored.device),
            skip_bad=data.skip_bad, decode=decode, progress=bars,
        )  # fmt: skip
    with only_writer(out, wait=True):
        write_thresholds(out, found.table, found.about)
    for line in found.notes:
        warn(line)
    if as_json:
        print_json(found.about | {"table": found.table.to_dict("records"), "notes": found.notes})
        return
    say(_text(found.table), quiet)
    chosen = int(found.table["threshold"].notna().sum())
    say(f"{out}: thresholds of {chosen} of {len(found.table)} classes", quiet)


def _text(found: pd.DataFrame) -> str:
    """Return the table for a terminal."""
    rates = found["detections_per_hour"].notna().any()
    headers = ["class", "threshold", "precision", "95 %", "present", "absent", "more verdicts"]
    headers += ["detections/h", "fp/h", *(["95 %"])] if rates else []
    rows = []
    for row in found.to_dict("records"):
        cells = [
            str(row["class"]), _number(row["threshold"]), _number(row["precision"]),
            _ends(row["precision_low"], row["precision_high"]),
            str(row["present"]), str(row["absent"]), str(row["more_verdicts"]) or "-",
        ]  # fmt: skip
        if rates:
            ends = _ends(row["fp_per_hour_low"], row["fp_per_hour_high"])
            cells += [_number(row["detections_per_hour"]), _number(row["fp_per_hour"]), ends]
        rows.append([*cells, str(row["status"])])
    return text_table([*headers, "status"], rows)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"


def _ends(low: float, high: float) -> str:
    return "-" if low != low else f"{low:.3f}..{high:.3f}"
