"""Pooling, against plain loops over the values of a map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.models.readout import clip_pool, pool_frames, window_pool, window_times

pytestmark = pytest.mark.usefixtures("one_thread")

Pool = Callable[[Tensor], Tensor]

MAPS = st.tuples(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 12), st.integers(0, 99)
)


def feature_map(
    batch: int = 2, size: int = 5, bands: int = 3, frames: int = 11, seed: int = 0
) -> Tensor:
    """Values of both signs, some of them exactly 0, and a row without a positive one."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 2, (batch, size, bands, frames)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = 0.0
    values[-1, -1] = -np.abs(values[-1, -1])
    return torch.from_numpy(values)


def positive_mean(features: Tensor) -> Tensor:
    """As the readouts make it: (B, D, F, T) -> (B, D)."""
    return clip_pool(pool_frames(features, "positive"))[:, 0]


def power_mean(features: Tensor) -> Tensor:
    return clip_pool(pool_frames(features, "power"))[:, 0]


def window_means(features: torch.Tensor, window: int, hop: int) -> torch.Tensor:
    """Positive means of windows: (B, D, F, T) -> (B, N, D)."""
    return window_pool(pool_frames(features, "positive"), window, hop)[:, :, 0]


def slow_positive_mean(values: np.ndarray) -> float:
    positive = [float(v) for v in values.ravel() if v > 0]
    return sum(positive) / len(positive) if positive else 0.0


def slow_power_mean(values: np.ndarray) -> float:
    positive = [float(v) for v in values.ravel() if v > 0]
    return sum(v * v for v in positive) / sum(positive) if positive else 0.0


def slow_windows(frames: int, window: int, hop: int) -> list[tuple[int, int]]:
    spans, start = [], 0
    while True:
        spans.append((start, min(start + window, frames)))
        if start + window >= frames:
            return spans
        start += hop


@given(MAPS)
def test_positive_mean_is_that_of_a_plain_loop(shape: tuple[int, int, int, int, int]) -> None:
    features = feature_map(*shape)
    want = [[slow_positive_mean(channel) for channel in row] for row in features.numpy()]
    np.testing.assert_allclose(positive_mean(features).numpy(), want, rtol=1e-5, atol=1e-6)


@given(MAPS)
def test_power_mean_is_that_of_a_plain_loop(shape: tuple[int, int, int, int, int]) -> None:
    features = feature_map(*shape)
    want = [[slow_power_mean(channel) for channel in row] for row in features.numpy()]
    np.testing.assert_allclose(power_mean(features).numpy(), want, rtol=1e-5, atol=1e-6)


@given(MAPS, st.integers(1, 15), st.integers(1, 6))
def test_window_means_are_those_of_a_plain_loop(
    shape: tuple[int, int, int, int, int], window: int, hop: int
) -> None:
    features = feature_map(*shape)
    hop = min(hop, window)
    spans = slow_windows(features.shape[-1], window, hop)
    want = [
        [[slow_positive_mean(channel[:, a:b]) for channel in row] for a, b in spans]
        for row in features.numpy()
    ]
    got = window_means(features, window, hop)
    assert got.shape == (features.shape[0], len(spans), features.shape[1])
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-4, atol=1e-5)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 50))
def test_window_times_are_those_of_a_plain_loop(frames: int, window: int, hop: int) -> None:
    hop = min(hop, window)
    start, end = window_times(frames, window, hop)
    assert list(zip(start.tolist(), end.tolist(), strict=True)) == slow_windows(frames, window, hop)
    covered = {f for a, b in zip(start.tolist(), end.tolist(), strict=True) for f in range(a, b)}
    assert covered == set(range(frames))
    assert len(window_means(torch.ones(1, 1, 1, frames), window, hop)[0]) == len(start)


@pytest.mark.parametrize("pool", [positive_mean, power_mean])
def test_map_without_positive_value_gives_0(pool: Pool) -> None:
    features = -torch.rand(2, 3, 4, 5)
    features[0] = 0.0
    assert torch.equal(pool(features), torch.zeros(2, 3))


def test_window_without_positive_value_gives_0_beside_one_with() -> None:
    features = torch.full((1, 1, 2, 6), -1.0)
    features[..., 4] = 3.0
    assert window_means(features, 2, 2)[0, :, 0].tolist() == [0.0, 0.0, 3.0]


@pytest.mark.parametrize("calls", [1, 2, 7])
def test_calling_often_counts_no_more_than_calling_once(calls: int) -> None:
    call = torch.tensor([[0.5, 2.0, -1.0], [1.5, -3.0, 4.0]])
    once = torch.full((1, 1, 2, 30), -2.0)
    once[0, 0, :, 3:6] = call
    often = torch.full((1, 1, 2, 30), -2.0)
    for i in range(calls):
        often[0, 0, :, 4 * i : 4 * i + 3] = call
    torch.testing.assert_close(positive_mean(often), positive_mean(once))
    torch.testing.assert_close(power_mean(often), power_mean(once))


@pytest.mark.parametrize("window", [11, 12, 500])
def test_window_as_long_as_the_map_or_longer_is_the_whole_map(window: int) -> None:
    features = feature_map()
    got = window_means(features, window, max(1, window // 2))
    torch.testing.assert_close(got, positive_mean(features).unsqueeze(1))
    start, end = window_times(11, window, max(1, window // 2))
    assert (start.tolist(), end.tolist()) == ([0], [11])


def test_last_window_is_not_diluted_by_its_filling() -> None:
    features = torch.full((1, 1, 1, 7), 2.0)
    assert window_means(features, 4, 4)[0, :, 0].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("pool", [positive_mean, power_mean, lambda x: window_means(x, 3, 1)])
def test_half_precision_maps_are_pooled_in_float32(pool: Pool) -> None:
    features = feature_map(frames=300).to(torch.bfloat16)
    got = pool(features)
    assert got.dtype == torch.float32
    assert torch.equal(got, pool(features.float()))


@pytest.mark.parametrize("pool", [positive_mean, power_mean])
def test_gradient_reaches_positive_values_alone_and_is_finite(pool: Pool) -> None:
    x = torch.tensor([[[[1.0, -1.0, 3.0]]], [[[-1.0, -2.0, -3.0]]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(pool(x).sum(), x)
    assert torch.isfinite(gradient).all()
    assert (gradient[x < 0] == 0).all()
    assert (gradient[0, 0, 0, 2] > 0).all()


def test_each_positive_value_pulls_the_mean_alike() -> None:
    x = torch.tensor([[[[1.0, -1.0, 3.0, 0.5]]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(positive_mean(x).sum(), x)
    torch.testing.assert_close(gradient, torch.tensor([[[[1 / 3, 0.0, 1 / 3, 1 / 3]]]]))
