"""The picture of negatives: its size, its panels, and the marked bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import tone
from matplotlib.figure import Figure
from matplotlib.image import imread

from training.evaluation import figure
from training.evaluation.figure import Panel, draw_negatives


def panel(hz: float = 1000.0, seconds: float = 1.0, label: str = "frog") -> Panel:
    rng = np.random.default_rng(0)
    samples = tone(hz, seconds) + rng.normal(0, 0.01, round(seconds * 8000)).astype(np.float32)
    return Panel(samples, label, "mix, external", 0.91, 0.07, (hz - 200, hz + 200))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn, to look into."""
    made: list[Figure] = []

    class Kept(Figure):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(figure, "Figure", Kept)
    return made


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (4, 1), (5, 2)])
def test_picture_has_four_panels_a_row(
    tmp_path: Path, count: int, rows: int, drawn: list[Figure]
) -> None:
    path = tmp_path / "deep" / "hard.png"
    draw_negatives(path, [panel()] * count, 8000, "The hardest negatives")
    height, width, channels = imread(path).shape
    assert width == round(3.6 * 4 * 110)
    assert height == pytest.approx((2.9 * rows + 0.6) * 110, abs=1)
    assert channels == 4
    assert len(drawn[0].axes) == count
    assert [p.name for p in path.parent.iterdir()] == ["hard.png"]


def test_band_of_each_class_is_marked(tmp_path: Path, drawn: list[Figure]) -> None:
    panels = [panel(hz) for hz in (800.0, 1500.0, 3000.0)]
    draw_negatives(tmp_path / "hard.png", panels, 8000, "title")
    for axis, one in zip(drawn[0].axes, panels, strict=True):
        edges = [line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == "--"]
        assert edges == list(one.band_hz)
        low, high = axis.get_ylim()
        assert (low, high) == (0, 4000)


def test_loudest_row_of_a_panel_lies_in_its_band(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_negatives(tmp_path / "hard.png", [panel(1000.0), panel(3000.0)], 8000, "title")
    for axis, hz in zip(drawn[0].axes, (1000.0, 3000.0), strict=True):
        (image,) = axis.images
        left, right, bottom, top = image.get_extent()
        assert (bottom, top) == (0, 4000)
        assert 0 <= left < right <= 1.1
        levels = np.asarray(image.get_array()).mean(axis=1)
        # rows go down from the highest frequency
        loudest_hz = top * (1 - levels.argmax() / (len(levels) - 1))
        assert loudest_hz == pytest.approx(hz, abs=8000 / 512)


def test_titles_name_class_origin_and_both_scores(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_negatives(tmp_path / "hard.png", [panel(label="owl")], 8000, "The hardest negatives")
    (axis,) = drawn[0].axes
    title = axis.get_title()
    for text in ("owl", "0.91", "0.07", "mix, external"):
        assert text in title
    assert title.index("0.91") < title.index("0.07")
    assert drawn[0].get_suptitle() == "The hardest negatives"


@pytest.mark.parametrize("sample_rate", [8000, 32_000])
def test_padded_and_silent_clips_can_be_drawn(tmp_path: Path, sample_rate: int) -> None:
    samples = np.zeros(2 * sample_rate, np.float32)
    padded = samples.copy()
    padded[:sample_rate] = tone(1000, sample_rate / 8000)
    panels = [Panel(x, "frog", "external", 0.9, 0.1, (500.0, 1500.0)) for x in (samples, padded)]
    draw_negatives(tmp_path / "hard.png", panels, sample_rate, "title")
    assert imread(tmp_path / "hard.png").std() > 0


def test_same_panels_make_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_negatives(tmp_path / name, [panel()], 8000, "title")
    np.testing.assert_array_equal(imread(tmp_path / "a.png"), imread(tmp_path / "b.png"))
