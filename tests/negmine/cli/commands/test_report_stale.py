"""A report that a kill left beside another selection is not shown as that selection's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from negmine.mining.selection import Chosen, Selection
from negmine.report.read_report import report_beside
from negmine.storage.files import write_json


def test_a_report_of_another_selection_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = Chosen("a", "0", 1.0, 1, "fp", "verified", 1.0, "", 0.5, 0.0)
    chosen = Selection((row,), tmp_path / "pool", "digest", "model")
    report = {"classes": {}, "selection": chosen.digest}
    write_json(tmp_path / "hard.report.json", report)
    path = tmp_path / "hard.parquet"
    assert report_beside(path, chosen) is not None
    assert report_beside(tmp_path / "hard.review.parquet", replace(chosen, rows=())) is not None
    assert capsys.readouterr().err == ""
    assert report_beside(path, replace(chosen, rows=())) is None
    assert "hard.report.json: not of this selection: left out" in capsys.readouterr().err
    # one of an earlier version does not say
    write_json(tmp_path / "hard.report.json", {"classes": {}})
    assert report_beside(path, chosen) is not None
