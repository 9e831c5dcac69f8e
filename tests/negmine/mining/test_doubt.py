"""Doubt: what a certificate and a model together say, held against simulated truth."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from negmine.mining.doubt import NO_STRATUM, DoubtModel, clip_features
from negmine.mining.likelihood import MOST_HEARD, Evidence, bounds
from negmine.mining.strata import Stratum, slope_of_verdicts

_FIRST, _OTHERS = slice(0, 60), slice(60, 400)


def evidence(rng: np.random.Generator, mean: float, count: int) -> Evidence:
    features = rng.normal(mean, 1.0, size=(count, 2))
    return Evidence(features, [f"rec{i % 40}" for i in range(count)])


def test_relative_scores_do_not_turn_round_where_scores_are_negative() -> None:
    calls, near = np.array([-5.0, -4.0, -3.0, -2.0, -1.0]), np.array([0.5, 0.25, 0.0])
    found = clip_features(np.array([-3.0, -1.0, 1.0]), calls, near)
    np.testing.assert_allclose(found, [[0.0, 0.5], [1.0, 0.25], [2.0, 0.0]])
    assert clip_features(np.ones(3), np.zeros(0), near)[:, 0].tolist() == [0.0] * 3
    # calls that all score alike do not make every row infinitely far
    np.testing.assert_allclose(clip_features(np.array([1.0]), np.zeros(4), near[:1])[:, 0], [2.0])


def test_doubt_is_the_share_of_hidden_calls_it_names() -> None:
    rng = np.random.default_rng(0)
    model = DoubtModel(evidence(rng, 1.0, 400), evidence(rng, -1.0, 1200))
    # two features a deviation of 1 and a distance of 2 apart: AUC is Phi(2 sqrt 2 / sqrt 2)
    assert model.auc == pytest.approx(0.977, abs=0.01)
    hidden_share, rows = 0.05, 40_000
    hidden = rng.random(rows) < hidden_share
    features = rng.normal(np.where(hidden, 1.0, -1.0)[:, None], 1.0, size=(rows, 2))
    found = model.probability(features, np.full(rows, 1 - hidden_share))
    assert found.mean() == pytest.approx(hidden.mean(), abs=0.006)
    for low, high in ((0.0, 0.05), (0.05, 0.3), (0.3, 0.7), (0.7, 1.0)):
        inside = (found >= low) & (found < high)
        assert hidden[inside].mean() == pytest.approx(found[inside].mean(), abs=0.06)


def test_settled_doubt_adds_up_to_what_certificates_say() -> None:
    rng = np.random.default_rng(0)
    # what the model has learnt lies 6 apart; of what it never heard, calls lie in the middle
    model = DoubtModel(evidence(rng, 3.0, 400), evidence(rng, -3.0, 400))
    hidden = rng.random(20_000) < 0.05
    features = rng.normal(np.where(hidden, 0.0, -3.0)[:, None], 1.0, size=(len(hidden), 2))
    confidence = rng.choice([0.9, 0.99, 0.96], len(hidden))
    believed = model.probability(features, confidence)
    assert believed.mean() < 0.03
    model.settle(features[:2000], confidence[:2000])
    assert model.shifts[NO_STRATUM] > 1
    settled = model.probability(features, confidence)
    assert settled[:2000].mean() == pytest.approx(1 - confidence[:2000].mean(), abs=1e-6)
    assert settled[hidden].mean() > believed[hidden].mean() + 0.2
    assert settled[~hidden].mean() < 0.02
    # the order stays where certificates are equal; at the bounds rows are alike
    same = confidence == 0.9
    assert (np.diff(settled[same][np.argsort(believed[same])]) >= 0).all()


def test_doubt_that_was_not_fitted_is_not_shifted() -> None:
    rng = np.random.default_rng(0)
    model = DoubtModel(evidence(rng, 1.0, 5), evidence(rng, -1.0, 5))
    model.settle(np.zeros((10, 2)), np.full(10, 0.5))
    assert not model.shifts


def test_a_surer_certificate_leaves_less_doubt() -> None:
    rng = np.random.default_rng(0)
    model = DoubtModel(evidence(rng, 1.0, 100), evidence(rng, -1.0, 100))
    features = np.array([[0.0, 0.0]] * 3)
    found = model.probability(features, np.array([0.5, 0.99, 1.0]))
    assert found[0] > found[1] > found[2] > 0


@pytest.mark.parametrize(("calls", "rejected"), [(0, 0), (19, 500), (500, 19)])
def test_with_too_few_clips_the_certificate_stands_alone(calls: int, rejected: int) -> None:
    rng = np.random.default_rng(0)
    model = DoubtModel(evidence(rng, 1.0, calls), evidence(rng, -1.0, rejected))
    assert math.isnan(model.auc)
    found = model.probability(np.array([[9.0, 9.0], [-9.0, -9.0]]), np.array([0.9, 0.9]))
    np.testing.assert_allclose(found, 0.1)


def test_calls_that_stand_in_one_recording_are_no_proof() -> None:
    rng = np.random.default_rng(0)
    calls = Evidence(evidence(rng, 1.0, 50).features, ["rec0"] * 50)
    model = DoubtModel(calls, evidence(rng, -1.0, 50))
    assert math.isnan(model.auc)
    assert model.probability(np.array([[3.0, 3.0]]), np.array([0.9]))[0] > 0.5


def test_features_that_say_nothing_tell_nothing_apart() -> None:
    rng = np.random.default_rng(0)
    calls, rejected = (replace(evidence(rng, 0, n), features=np.ones((n, 2))) for n in (60, 300))
    assert DoubtModel(calls, rejected).auc == 0.5


def test_recordings_that_are_judged_were_not_fitted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    # features tell the recording
    groups = [f"rec{i}" for i in np.random.default_rng(0).integers(0, 30, 400)]
    every = Evidence(np.array([[float(group[3:])] for group in groups]), groups)
    calls, rejected = (Evidence(every.features[at], groups[at]) for at in (_FIRST, _OTHERS))
    judged: list[float] = []
    fitted_on: list[int] = []

    class Recorded:
        def __init__(self, features: np.ndarray, hidden: np.ndarray) -> None:
            self._fitted = set(features[:, 0])
            fitted_on.append(len(features))

        def decision_function(self, features: np.ndarray) -> np.ndarray:
            assert not self._fitted & set(features[:, 0])
            judged.extend(features[:, 0])
            return features[:, 0]

    monkeypatch.setattr("negmine.mining.likelihood._fit", Recorded)
    assert 0 < DoubtModel(calls, rejected).auc < 1
    assert sorted(judged) == sorted(every.features[:, 0])
    # all but a fifth each, and at last on all
    assert fitted_on[-1] == 400
    assert all(250 <= count <= 380 for count in fitted_on[:-1])


def test_no_rows_have_no_doubts() -> None:
    rng = np.random.default_rng(0)
    model = DoubtModel(evidence(rng, 1.0, 50), evidence(rng, -1.0, 50))
    assert model.probability(np.zeros((0, 2)), np.zeros(0)).shape == (0,)


def test_bounds_are_what_one_more_misleading_clip_would_leave() -> None:
    rng = np.random.default_rng(0)
    hidden = np.arange(250) < 50
    for gap in (0.0, 1.0, 8.0):
        ratio = rng.normal(np.where(hidden, gap, -gap), 1.0)
        low, high = bounds(ratio, hidden)

        def shown(right: np.ndarray, wrong: np.ndarray) -> float:
            best = 0.0
            for at in right:
                above = (np.sum(wrong >= at) + 1) / (len(wrong) + 1)
                best = max(best, min(at, np.log(np.mean(right >= at) / above)))
            return best

        assert high == pytest.approx(shown(ratio[hidden], ratio[~hidden]))
        assert low == pytest.approx(-shown(-ratio[~hidden], -ratio[hidden]))
    # however far apart, 200 rejections show no ratio above 201
    assert high == pytest.approx(np.log(201), abs=0.5)
    assert bounds(np.zeros(250), hidden) == (0.0, 0.0)


def test_no_row_is_doubted_more_than_its_kind_allows() -> None:
    rng = np.random.default_rng(0)
    strata = [Stratum("external", "external", 0.1), Stratum("fp", "verified")]
    judged = evidence(rng, 3.0, 100), evidence(rng, -3.0, 300)
    model = DoubtModel(*judged, strata=strata)
    stratum = np.repeat([0, 1], 500)
    confidence = np.where(stratum == 0, 0.99, 0.95)
    features = rng.normal(-3.0, 1.0, size=(1000, 2))
    model.settle(features, confidence, stratum)
    # each kind adds up to its own, not all together
    found = model.probability(features, confidence, stratum)
    assert found[:500].mean() == pytest.approx(0.001, rel=0.01)
    assert found[500:].mean() == pytest.approx(0.05, rel=0.01)
    sounds_like_a_call = np.full((2, 2), 50.0)
    both = np.array([0, 1])
    top = model.probability(sounds_like_a_call, confidence[[0, 500]], both)
    np.testing.assert_allclose(top, model.most(confidence[[0, 500]], both))
    assert model.ratio is not None
    odds = 0.001 / 0.999 * np.exp(model.ratio.high)
    assert top[0] == pytest.approx(odds / (1 + odds))
    assert top[0] < 0.25 < 0.8 < top[1]


def test_of_what_a_network_has_heard_no_ratio_is_above_ten() -> None:
    rng = np.random.default_rng(0)
    judged = evidence(rng, 3.0, 400), evidence(rng, -3.0, 400)
    for held_out, most in ((True, 300.0), (False, MOST_HEARD)):
        model = DoubtModel(*judged, held_out=held_out)
        assert model.ratio is not None
        # of 400 rejections none is like a call
        tolerance = 0.4 if held_out else 1e-6
        assert np.exp(model.ratio.high) == pytest.approx(most, rel=tolerance)


@pytest.mark.parametrize("true_share", [0.001, 0.3])
@pytest.mark.parametrize("hardest", [False, True])
def test_thirty_verdicts_a_stratum_settle_its_level(true_share: float, hardest: bool) -> None:
    rng = np.random.default_rng(1)
    strata = [Stratum("fp", "verified"), Stratum("mix", "mixed")]
    model = DoubtModel(evidence(rng, 1.0, 300), evidence(rng, -1.0, 900), strata=strata)
    hidden = rng.random(4000) < true_share
    features = rng.normal(np.where(hidden, 1.0, -1.0)[:, None], 1.0, size=(4000, 2))
    confidence, stratum = np.full(4000, 0.97), np.zeros(4000, dtype=int)
    model.settle(features, confidence, stratum)
    before = model.probability(features, confidence, stratum)
    heard = np.argsort(-features.sum(axis=1))[:30] if hardest else rng.permutation(4000)[:30]
    model.hear(features[heard], confidence[heard], stratum[heard], hidden[heard])
    after = model.probability(features, confidence, stratum)
    # off by a factor of ten, and then by less than three on the rows that score highest
    top = np.argsort(-features.sum(axis=1))[:400]
    assert abs(after[top].mean() - hidden[top].mean()) < abs(
        before[top].mean() - hidden[top].mean()
    )
    assert after.mean() == pytest.approx(true_share, abs=0.12)
    # nobody listened to the other
    assert model.levels.keys() == {0}
    assert sum(model.heard.count) == 30


@pytest.mark.parametrize("true_slope", [0.0, 0.3, 1.0])
def test_verdicts_flatten_a_ratio_that_is_too_steep(true_slope: float) -> None:
    rng = np.random.default_rng(3)
    strata = [Stratum("fp", "verified"), Stratum("scene", "mixed")]
    model = DoubtModel(evidence(rng, 1.0, 300), evidence(rng, -1.0, 900), strata=strata)
    stratum = np.repeat([0, 1], 2000)
    features = rng.normal(-0.5, 1.0, size=(4000, 2))
    confidence = np.full(4000, 0.9)
    model.settle(features, confidence, stratum)
    # of two normal distributions a distance of 2 apart in both features
    odds = np.log(0.1 / 0.9) + true_slope * (2 * features.sum(axis=1) + 2)
    hidden = rng.random(4000) < 1 / (1 + np.exp(-odds))
    heard = rng.permutation(4000)[:300]
    before = model.probability(features, confidence, stratum)
    model.hear(features[heard], confidence[heard], stratum[heard], hidden[heard])
    after = model.probability(features, confidence, stratum)
    assert model.slope == pytest.approx(true_slope, abs=0.25)
    top = np.argsort(-before)[:400]
    off = [abs(one[top].mean() - hidden[top].mean()) for one in (before, after)]
    assert off[1] < max(0.07, 0.5 * off[0])
    assert model.to_dict()["slope"] == model.slope


def test_a_dozen_verdicts_hardly_change_the_slope() -> None:
    odds, added = np.full(12, -2.0), np.linspace(-1.0, 1.0, 12)
    none = np.zeros(12, dtype=bool)
    assert slope_of_verdicts(odds, added, np.zeros(12, dtype=int), none) > 0.8
    nothing = np.zeros(0)
    assert slope_of_verdicts(nothing, nothing, nothing.astype(int), nothing.astype(bool)) == 1.0


def test_rejections_that_are_calls_do_not_make_a_ratio_flat() -> None:
    rng = np.random.default_rng(0)
    missed = rng.random(4000) < 0.2
    mixed = rng.normal(np.where(missed, 1.0, -1.0)[:, None], 1.0, size=(4000, 2))
    rejected = Evidence(mixed, [f"rec{i % 40}" for i in range(4000)])
    calls = evidence(rng, 1.0, 1000)
    plain, told = (DoubtModel(calls, rejected, missed=share) for share in (0.0, 0.2))
    assert plain.ratio is not None
    assert told.ratio is not None
    features = np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]])
    # of two normal distributions a distance of 2 apart in both features
    true = 2 * features.sum(axis=1)
    # R of a mixture is never above 1 / 0.2
    assert plain.ratio.log(features).max() < np.log(5.5)
    error = [np.abs(one.ratio.log(features) - true).mean() for one in (plain, told)]  # type: ignore[union-attr]
    assert error[1] < 0.85 * error[0]
