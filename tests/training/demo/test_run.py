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
from training.demo.run_demo import _NAMES, TINY, DemoResult


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


@pytest.mark.parametrize(
    ("after", "said"), [(0.0, "from 0 to 0 false"), (7.0, "from 0 to 7 false")]
)
def test_a_control_without_false_positives_is_no_claim(after: float, said: str) -> None:
    rates = {"alone": 0.0, "base": after, "random": 10.0, "mined": 5.0}
    arms = {
        _NAMES[arm]: {"lwlrap": 1.0, "fp/h@0.7": rate, "neg@3": 0.0} for arm, rate in rates.items()
    }
    text = DemoResult(arms, Path("x.png"), 1.0).to_text()
    assert said in text
    assert "Mined ones: -50 % against" in text
