"""What `export` writes is what the readers of the same formats understand."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Data

from negmine.annotations import Annotations, read_rfcx
from negmine.annotations.assemble import Assembly, assemble
from negmine.annotations.recording_names import RecordingNames
from negmine.audio.folder import open_folder
from negmine.exports.export import Rows, export
from negmine.exports.sources import rows_of_annotations
from negmine.formats.recognise import read_entries, read_tables

FILES = {
    "rfcx": ("rfcx", "train_*.csv"),
    "raven": ("raven", "selections.txt"),
    "audacity": ("audacity", "*.txt"),
    "hoplite": ("hoplite", "hoplite.sqlite"),
}


def verdicts(annotations: Annotations) -> list[tuple[object, ...]]:
    """What is said of whom, to the milliseconds and tenths of hertz that the formats keep."""
    return sorted(
        (b.recording, b.label, b.present, round(b.span.start_s, 3), round(b.span.end_s, 3))
        for b in annotations.boxes
    )


@pytest.mark.parametrize("to", FILES)
def test_annotations_come_back(shared_data: Data, tmp_path: Path, to: str) -> None:
    before = read_rfcx(shared_data.tp, shared_data.fp)
    export(rows_of_annotations(before, shared_data.recordings), to, tmp_path / "out")
    name, pattern = FILES[to]
    paths = sorted((tmp_path / "out").glob(pattern))
    assert {table.format for table in read_tables(paths)} == {name}
    entries, _ = read_entries(paths)
    files = RecordingNames([open_folder(shared_data.recordings)])
    after = assemble(entries, Assembly(recordings=files))
    assert verdicts(after) == verdicts(before)
    assert len(before.rejected) > 5
    if to in ("rfcx", "raven"):
        bands = [
            sorted((round(b.f_min_hz), round(b.f_max_hz)) for b in found.boxes)
            for found in (before, after)
        ]
        assert bands[0] == bands[1]


def test_birdnets_folders_say_for_each_clip_what_its_boxes_said(
    shared_data: Data, tmp_path: Path
) -> None:
    rows = rows_of_annotations(read_rfcx(shared_data.tp, shared_data.fp), shared_data.recordings)
    # one class alone, so that no two boxes are one sound
    own = [row for row in rows.rows if row.own == ("0",)]
    export(Rows(own, rows.classes, "boxes of 0", 8000), "birdnet", tmp_path / "out")
    (table,) = read_tables([tmp_path / "out"])
    assert table.format == "birdnet_folders"
    states = {True: "present", False: "absent"}
    assert sorted((Path(e.recording).name, e.label, e.verdict) for e in table.entries) == sorted(
        (f"{row.name}.flac", "0", states["0" in row.labels.present]) for row in own
    )
