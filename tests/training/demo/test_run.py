"""The demo from end to end, on as little as it takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from negmine.mining.selection import open_selection
from negmine.pool import open_pool
from training.cli.main import demo
from training.demo.calls import CLASSES
from training.demo.run_demo import TINY


@pytest.mark.usefixtures("one_thread")
def test_the_tiny_demo_makes_all_that_the_full_one_does_and_goes_on(tmp_path: Path) -> None:
    call = ["--tiny", "--out", str(tmp_path), "--json"]
    first = CliRunner().invoke(demo, call)
    assert first.exit_code == 0, first.output
    result = json.loads(first.stdout)
    assert list(result["arms"]) == [
        "TP + FP",
        "+ random certified negatives",
        "+ more random ones (control)",
        "+ mined ones, as many",
    ]
    for scores in result["arms"].values():
        assert 0 < scores["lwlrap"] <= 1
        assert np.isfinite(scores["fp/h@0.7"])
    assert Path(result["picture"]).is_file()
    run = tmp_path / "run-tiny-seed0"
    chosen = open_selection(run / "round1" / "hard.parquet").rows
    assert len(chosen) == TINY.per_class * len(CLASSES)
    assert {row.recipe for row in chosen} <= set(open_pool(run / "pool").recipes.ids)
    weights = (run / "round1" / "last.pt").stat().st_mtime_ns
    again = json.loads(CliRunner().invoke(demo, call).stdout)
    assert again["arms"] == result["arms"]
    assert (run / "round1" / "last.pt").stat().st_mtime_ns == weights
