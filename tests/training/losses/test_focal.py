"""Focal weights: which cells they change, and by how much."""

from __future__ import annotations

import pytest
import torch

from training.losses.focal import focal_weight


def test_a_known_zero_weighs_as_much_as_it_fools_the_model() -> None:
    logits = torch.tensor([[0.0, 2.0, -30.0]], requires_grad=True)
    known, zeros = torch.ones(1, 3, dtype=torch.bool), torch.zeros(1, 3)
    found = focal_weight(logits, zeros, known, torch.tensor([[1.0, 0.5, 1.0]]), 2.0)
    high = 0.5 * torch.sigmoid(torch.tensor(2.0)).item() ** 2
    assert found[0].tolist() == pytest.approx([0.25, high, 0.0], abs=1e-6)
    assert not found.requires_grad


def test_calls_pseudo_labels_and_unknown_cells_keep_their_weight() -> None:
    weight = torch.tensor([[1.0, 0.7, 0.3, 1.0]])
    targets = torch.tensor([[1.0, 0.2, 0.0, 0.0]])
    known = torch.tensor([[True, True, False, True]])
    found = focal_weight(torch.zeros(1, 4), targets, known, weight, 1.0)
    assert found[0].tolist() == pytest.approx([1.0, 0.7, 0.3, 0.5])


def test_power_zero_changes_nothing_and_half_precision_is_widened() -> None:
    logits = torch.full((2, 2), 11.0, dtype=torch.float16)
    weight, known = torch.rand(2, 2), torch.ones(2, 2, dtype=torch.bool)
    found = focal_weight(logits, torch.zeros(2, 2), known, weight, 0.0)
    torch.testing.assert_close(found, weight)
    assert focal_weight(logits, torch.zeros(2, 2), known, weight, 2.0).dtype == torch.float32
