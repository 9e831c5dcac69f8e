"""Ways of joining scores, each against a slow version and against what it is for."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from training.evaluation import ensemble
from training.metrics import lwlrap


def scores_with_ties(members: int = 3, clips: int = 7, classes: int = 5) -> np.ndarray:
    """Probabilities of which many are equal, within rows, columns and across members."""
    return np.random.default_rng(0).integers(0, 6, (members, clips, classes)) / 6


def slow(members: np.ndarray, how: str) -> np.ndarray:
    count, clips, classes = members.shape
    out = np.zeros((clips, classes))
    for n, c in itertools.product(range(clips), range(classes)):
        parts = []
        for member in members:
            row, column, s = list(member[n]), list(member[:, c]), member[n, c]
            if how == "mean":
                parts.append(s)
            elif how == "rank":
                below = sum(other < s for other in column)
                equal = sum(other == s for other in column)
                parts.append((below + (equal + 1) / 2) / clips)
            elif how == "row-scaled":
                low, high = min(row), max(row)
                parts.append((s - low) / (high - low) if high > low else 0.0)
            elif how == "max":
                parts.append(s / max(row) if max(row) > 0 else 0.0)
            else:
                parts.append(sum(s - other for other in row) / classes)
        out[n, c] = sum(parts) / count
    return out


@pytest.mark.parametrize("how", ensemble.JOINS)
@pytest.mark.parametrize("shape", [(3, 7, 5), (1, 4, 3), (2, 1, 4), (2, 5, 1)])
def test_joins_are_their_formulas(how: ensemble.How, shape: tuple[int, int, int]) -> None:
    members = scores_with_ties(*shape)
    assert ensemble.join(members, how) == pytest.approx(slow(members, how), abs=1e-12)


def test_rows_scaled_to_their_maximum() -> None:
    members = scores_with_ties()
    members[0, 0] = 0  # a row that says nothing
    got = ensemble.join(members, "row-scaled", "max")
    assert got == pytest.approx(slow(members, "max"), abs=1e-12)


def test_ranks_do_not_see_a_members_scale() -> None:
    members = scores_with_ties()
    bent = np.stack([members[0], np.exp(5 * members[1]), 100 * members[2] - 3])
    assert ensemble.rank_mean(bent) == pytest.approx(ensemble.rank_mean(members), abs=1e-12)
    assert not np.allclose(ensemble.mean(bent), ensemble.mean(members))


def test_row_scaling_does_not_see_a_clips_scale_and_level() -> None:
    members = scores_with_ties()
    rng = np.random.default_rng(1)
    scale, level = rng.uniform(0.1, 9, (2, 3, 7, 1))
    bent = members * scale + level
    assert ensemble.row_scaled_mean(bent) == pytest.approx(
        ensemble.row_scaled_mean(members), abs=1e-12
    )


def test_pairwise_differences_rank_a_clips_classes_as_the_mean_does() -> None:
    members = np.random.default_rng(2).random((4, 200, 6))
    truth = np.random.default_rng(3).random((200, 6)) < 0.3
    mean, pairwise = ensemble.mean(members), ensemble.pairwise_mean(members)
    assert (mean.argsort(axis=1) == pairwise.argsort(axis=1)).all()
    assert lwlrap(truth, pairwise) == lwlrap(truth, mean)
    assert (mean.argsort(axis=0) != pairwise.argsort(axis=0)).any()  # clips stand otherwise
    assert pairwise.sum(axis=1) == pytest.approx(np.zeros(200), abs=1e-12)


def test_the_order_of_members_does_not_matter() -> None:
    members = np.random.default_rng(4).random((3, 6, 4))
    for how in ensemble.JOINS:
        got = ensemble.join(members[::-1], how)
        assert got == pytest.approx(ensemble.join(members, how), abs=1e-15)


def test_flat_rows_are_zeros_and_tiny_ones_do_not_overflow() -> None:
    tiny = np.array([[[0.0, 5e-324, 0.0], [0.2, 0.2, 0.2]]])
    assert ensemble.row_scaled_mean(tiny).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert np.isfinite(ensemble.row_scaled_mean(tiny, "max")).all()


@pytest.mark.parametrize(
    ("members", "how", "message"),
    [
        ([], "mean", "no members"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], "mean", "member 1 has shape (2, 4)"),
        ([np.zeros(3)], "rank", "member 0 has shape (3,)"),
        ([np.array([[0.0, np.nan]])], "rank", "member 0 is not finite at clip 0, class 1"),
        ([np.zeros((2, 3))], "median", "'median', expected one of mean, rank"),
    ],
)
def test_what_cannot_be_joined(members: list[np.ndarray], how: ensemble.How, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ensemble.join(members, how)


def test_rows_of_logits_have_no_maximum_to_scale_to() -> None:
    members = [np.ones((2, 2)), np.array([[1.0, 2.0], [3.0, -0.5]])]
    with pytest.raises(ValueError, match=r"member 1 is negative at clip 1, class 1.*logits"):
        ensemble.row_scaled_mean(members, "max")
    with pytest.raises(ValueError, match="'sum'"):
        ensemble.row_scaled_mean(members, "sum")  # type: ignore[arg-type]
