"""BirdNET-Analyzer's results as CSV and Parquet, in the columns of version 2.4 and of later ones.

Its Raven tables are read by `negmine.formats.raven`, those for Kaleidoscope by
`negmine.formats.kaleidoscope`, its labels for Audacity by `negmine.formats.audacity`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from negmine.formats.chosen_columns import ChosenColumns
from negmine.formats.detections import detections
from negmine.formats.entry import Entry, Notes
from negmine.formats.format import Format, Head, Options
from negmine.formats.parquet_sheet import columns_in_parquet, open_any_sheet

_CSV = ("Start (s)", "End (s)", "Confidence", "File")
# before 2.0, and still written as its table for R
_R_TABLE = ("filepath", "start", "end", "scientific_name", "common_name", "confidence")
_SETTINGS = ("lat", "lon", "week", "overlap", "sensitivity", "min_conf", "species_list", "model")


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    choice = ChosenColumns(open_any_sheet(path, notes), options)
    of = {
        "recording": choice.needed("recording", "File", "filepath"),
        # translated, but the one name that all of its tables have
        "class": choice.needed("class", "Common name", "Scientific name"),
        "t_min": choice.needed("t_min", "Start (s)", "start"),
        "t_max": choice.needed("t_max", "End (s)", "end"),
        "score": choice.of("score", "Confidence"),
    }
    yield from detections(choice, of, *_SETTINGS, "Scientific name", "Common name")


def _recognises(head: Head) -> bool:
    columns = set(head.columns or columns_in_parquet(head))
    named = {"common name", "scientific name"} & {name.lower() for name in columns}
    return (set(_CSV) <= columns and bool(named)) or set(_R_TABLE) <= columns


FORMAT = Format("BirdNET-Analyzer: CSV and Parquet", _recognises, _read)
