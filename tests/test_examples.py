"""The worked examples in docstrings of what people call from Python, run one after the other."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from conftest import make_data

from negmine.building.build import build_pool
from negmine.mining.mine import mine
from negmine.pool.pool import open_pool
from negmine.scores.search import find_neighbours
from training.engine.train import train
from training.evaluation.evaluate import evaluate


def test_the_examples_print_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    make_data(tmp_path / "data")
    rows = "".join(f"rec{i:02d},1,{int(i % 2)}\n" for i in range(8))
    (tmp_path / "data" / "truth.csv").write_text("recording_id,s0,s1\n" + rows)
    monkeypatch.chdir(tmp_path)
    for function in (build_pool, open_pool, train, mine, find_neighbours, evaluate):
        (test,) = doctest.DocTestFinder().find(function, function.__name__, globs={})
        assert test.examples, f"{function.__name__} teaches by no example"
        said: list[str] = []
        failed = doctest.DocTestRunner().run(test, out=said.append).failed
        assert not failed, "".join(said)
