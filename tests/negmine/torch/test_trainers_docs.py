"""The worked examples of docs/trainers.md, run."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from conftest import Data
from exporting import exported, make_selection
from torch.utils.data import TensorDataset

from negmine.torch import add_argument, click_option, known_bce, mixed_loader

PAGE = Path(__file__).parents[3] / "docs" / "trainers.md"
EXAMPLES = dict(
    re.findall(
        r"<!-- example: (\w+) -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
)
CLASSES = ["0", "1"]


@pytest.fixture
def given(
    shared_data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> dict[str, Any]:
    """What a reader of the page has already: a model, rows of their own, a selection."""
    make_selection(shared_data, tmp_path)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = torch.nn.Linear(8000, len(CLASSES))
    ones = torch.ones(24, len(CLASSES))
    return {
        "CLASSES": CLASSES,
        "VALIDATION": ["rec00"],
        "add_argument": add_argument,
        "argparse": argparse,
        "click_option": click_option,
        "known_bce": known_bce,
        "mixed_loader": mixed_loader,
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), 0.1),
        "own": TensorDataset(torch.zeros(24, 8000), ones, ones),
        "pd": pd,
    }


def run(name: str, given: dict[str, Any]) -> None:
    exec(compile(EXAMPLES[name], f"{PAGE.name}: {name}", "exec"), given)


def test_the_page_has_an_example_for_each_trainer() -> None:
    assert set(EXAMPLES) == {"pytorch", "lightning", "opensoundscape"}


@pytest.mark.parametrize("flags", [[], ["--hard-negatives", "hard.parquet"]])
def test_plain_pytorch(
    flags: list[str], given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", *flags])
    before = given["model"].weight.clone()
    run("pytorch", given)
    # own rows are zeros, which move the bias alone: sound comes from the hard negatives
    assert torch.equal(given["model"].weight, before) == (not flags)


# what the two libraries do of their own
@pytest.mark.filterwarnings("ignore")
def test_lightning(given: dict[str, Any]) -> None:
    lightning = pytest.importorskip("lightning")
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    before = given["model"].weight.clone()
    run("lightning", given | {"lightning": lightning, "QUIET": {**quiet, "accelerator": "cpu"}})
    assert not torch.equal(given["model"].weight, before)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_opensoundscape(given: dict[str, Any], tmp_path: Path) -> None:
    opensoundscape = pytest.importorskip("opensoundscape")
    selection = tmp_path / "hard.parquet"
    exported(selection, "opensoundscape", tmp_path / "hard", render="mixed", cells="own")
    table = pd.read_csv(tmp_path / "hard" / "labels.csv", index_col=[0, 1, 2])
    assert table.isna().to_numpy().any()
    names = {
        **given,
        "opensoundscape": opensoundscape,
        "own_table": table.fillna(1.0).head(8),
        "MODEL": {"sample_rate": 8000, "arch_weights": None},
    }
    run("opensoundscape", names)
    parameters = list(names["cnn"].network.parameters())
    assert not any(p.isnan().any() for p in parameters)
