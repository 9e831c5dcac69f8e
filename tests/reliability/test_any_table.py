"""Tables of verdicts of any format, with faults: annotations that hold together, or one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from reliability.conftest import Trials
from reliability.refusals import RefusedError, one_line
from reliability.sizes import sized
from reliability.table_faults import Rows, faulty

from negmine.annotations.assemble import assemble
from negmine.annotations.schema import Annotations
from negmine.formats.negmine import COLUMNS
from negmine.formats.recognise import read_entries
from negmine.storage.names import is_name

PLAIN: Rows = [
    line.split(",")
    for line in (
        "file,species,start,end,correct,low_freq,site,score",
        "rec00.wav,owl,0.5,1.25,yes,800,hill,0.5",
        "rec00.wav,owl,2,3.5,no,,hill,0.25",
        "site 1/réc02.flac,owl,,,1,10.5,lake,1",
        "00123,owl,1e-1,2,?,,lake,",
    )
]
OWN: Rows = [
    list(COLUMNS),
    ["rec00", "owl", "present", "0.5", "1.0", "800.0", "", "a", "hill", "Ann", "0.5", "t row 2"],
    ["rec01", "wren", "present", "0.5", "1.0", "", "", "", "", "", "", "t row 3"],
    ["rec01", "*", "absent", "", "", "", "", "", "", "", "", "t row 4"],
]


@sized
@pytest.mark.parametrize("rows", [PLAIN, OWN], ids=["plain", "negmine"])
def test_a_faulty_table_of_verdicts_is_annotations_or_one_line(
    rows: Rows, times: int, tmp_path: Path, trials: Trials
) -> None:
    path = tmp_path / "table.csv"

    @settings(max_examples=50 * times, phases=(Phase.generate, Phase.shrink))
    @given(faulty(rows))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            with one_line():
                entries, _ = read_entries([path])
                found = assemble(entries)
        except RefusedError:
            trials.count("refused")
            return
        hold_together(found)
        trials.count("annotations")

    check()
    trials.check()


def hold_together(found: Annotations) -> None:
    """Check what `negmine.annotations.schema` promises."""
    assert set(found.classes) == {box.label for box in found.confirmed}
    assert {box.label for box in found.boxes} <= set(found.classes)
    for box in found.boxes:
        assert is_name(box.recording)
        assert is_name(box.label)
        assert 0 <= box.span.start_s < box.span.end_s
        assert 0 <= box.f_min_hz < box.f_max_hz
    for line in found.notes:
        assert "\n" not in line
