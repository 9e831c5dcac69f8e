"""Distributions of scores as drawn: whose counts, where, and nothing from nothing."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from negmine.report.plots import scores_plot as report_scores
from negmine.report.plots.scores_plot import draw_scores, joined
from negmine.report.read_report import Histogram

NOW = Histogram(np.array([-4.0, -2.0, 0.0, 2.0]), np.array([900.0, 90, 9]), np.array([0.0, 2, 5]))
THEN = Histogram(np.array([-3.0, 0.0, 3.0]), np.array([800.0, 199]), np.array([1.0, 6]))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn, to look into."""
    made: list[Figure] = []

    class Kept(Figure):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(report_scores, "Figure", Kept)
    return made


def steps(figure: Figure) -> dict[str, tuple[list[float], list[float]]]:
    """Counts and edges by what the legend calls them."""
    found = {}
    for patch in figure.axes[0].patches:
        assert isinstance(patch, StepPatch)
        values, edges, _ = patch.get_data()
        counts = [0.0 if value < 0.5 else float(value) for value in values]
        found[str(patch.get_label())] = (counts, [float(edge) for edge in edges])
    return found


def test_counts_stand_in_their_bins(drawn: list[Figure]) -> None:
    draw_scores(NOW, [1.5, 2.0001, -0.5], THEN, [0.1])
    assert steps(drawn[0]) == {
        "certified negatives": ([900, 90, 9], [-4, -2, 0, 2]),
        "chosen": ([0, 1, 2], [-4, -2, 0, 2]),
        "confirmed calls": ([0, 2, 5], [-4, -2, 0, 2]),
        "negatives, before": ([800, 199], [-3, 0, 3]),
        "calls, before": ([1, 6], [-3, 0, 3]),
        "chosen, before": ([0, 1], [-3, 0, 3]),
    }
    assert drawn[0].axes[0].get_yscale() == "log"


def test_chosen_scores_are_drawn_without_a_histogram(drawn: list[Figure]) -> None:
    draw_scores(None, [1.0, 1.0, 3.0])
    (label,) = steps(drawn[0])
    counts, edges = steps(drawn[0])[label]
    assert label == "chosen"
    assert (sum(counts), edges[0], edges[-1]) == (3, 1.0, 3.0)
    assert drawn[0].axes[0].get_yscale() == "linear"


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw_scores(None, []) is None
    assert draw_scores(None, [float("nan")], None, [float("inf")]) is None


def test_the_same_figure_has_the_same_bytes_and_no_date() -> None:
    made = {draw_scores(NOW, [1.5], THEN, [0.5]) for _ in range(2)}
    assert len(made) == 1
    (svg,) = made
    assert svg is not None
    assert not re.search(r"20\d\d-\d\d", svg)


def test_a_mark_is_drawn_where_its_score_is(drawn: list[Figure]) -> None:
    draw_scores(NOW, [1.5], marks={"threshold": 0.75, "unknown": float("nan")})
    (line,) = drawn[0].axes[0].lines
    assert line.get_label() == "threshold"
    assert list(np.asarray(line.get_xdata())) == [0.75, 0.75]


def test_histograms_are_joined_without_a_clip_lost() -> None:
    whole = joined([NOW, THEN])
    assert whole is not None
    assert (whole.edges[0], whole.edges[-1]) == (-4.0, 3.0)
    assert whole.negatives.sum() == pytest.approx(999 + 999)
    assert whole.calls.sum() == pytest.approx(7 + 7)
    # above 2, a third of what THEN has above 0, and nothing of NOW
    inside = np.interp(2.0, whole.edges, np.concatenate([[0.0], np.cumsum(whole.negatives)]))
    assert whole.negatives.sum() - inside == pytest.approx(199 / 3, rel=0.01)
    assert joined([]) is None
