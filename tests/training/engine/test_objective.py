"""Losses by name: the named function, however the step is split."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from conftest import tiny_config

from training.config import Loss
from training.data.rows import Batch
from training.engine.objective import mean_loss, summed_loss
from training.losses import losses


def batch(rows: int = 7, classes: int = 5) -> tuple[torch.Tensor, Batch]:
    draw = torch.Generator().manual_seed(0)

    def uniform() -> torch.Tensor:
        return torch.rand(rows, classes, generator=draw)

    known = uniform() < 0.6
    weight = torch.where(known, uniform(), (uniform() < 0.5).float())
    logits = torch.randn(rows, classes, generator=draw)
    return logits, Batch(torch.zeros(rows, 4), uniform().round(), known, weight)


@pytest.mark.parametrize("name", [name for name in get_args(Loss) if name != "large"])
def test_parts_of_a_step_add_up_to_its_loss(name: str) -> None:
    config = tiny_config(loss=name, lsep_bce=0.3)
    logits, whole = batch()
    parts = whole.split(3)
    assert [len(part) for part in parts] == [3, 2, 2]
    total, first = 0.0, 0
    for part in parts:
        total += float(summed_loss(config, logits[first : first + len(part)], part))
        first += len(part)
    assert total == pytest.approx(float(summed_loss(config, logits, whole)), rel=1e-5)


def test_each_name_is_its_loss() -> None:
    logits, b = batch()
    t, k, w = b.targets, b.known, b.weight
    expected = {
        "bce": losses.bce_loss(logits, t, k, w, "sum"),
        "lsoft": losses.lsoft_bce_loss(logits, t, k, 0.3, False, w, "sum"),
        "lsep": 5 * losses.lsep_loss(logits, t, k, None, "sum"),
        "asymmetric": losses.asymmetric_loss(logits, t, k, w, "sum"),
        "hill": losses.hill_loss(logits, t, k, w, "sum"),
        "splc": losses.splc_loss(logits, t, k, w, "sum"),
        "large": losses.large_loss(logits, t, k, w, "sum", rate=0.4),
    }
    assert expected.keys() == set(get_args(Loss))
    for name, want in expected.items():
        config = tiny_config(
            loss=name, lsoft=0.3, lsoft_detach=False, lsep_bce=0.0, large_loss_rate=0.4
        )
        torch.testing.assert_close(summed_loss(config, logits, b), want)
    assert len({round(float(value), 4) for value in expected.values()}) == len(expected)


def test_rows_of_plug_ins_do_not_dilute() -> None:
    assert float(mean_loss(torch.tensor(30.0), own=3, classes=5)) == 2.0
