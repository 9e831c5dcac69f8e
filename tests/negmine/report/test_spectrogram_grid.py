"""Pictures of clips: their size, their panels, the marked bands, and where the sound is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pytest
from conftest import tone
from matplotlib.figure import Figure
from matplotlib.image import imread

from negmine.audio.spectrogram import hz_to_mel
from negmine.report.spectrogram_grid import Panel, draw_grid


def panel(hz: float = 1000.0, title: str = "frog") -> Panel:
    rng = np.random.default_rng(0)
    samples = tone(hz, 1.0) + rng.normal(0, 0.01, 8000).astype(np.float32)
    return Panel(samples, title, (hz - 200, hz + 200))


def share(hz: float) -> float:
    return float(hz_to_mel(hz) / hz_to_mel(4000.0))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn, to look into."""
    made: list[Figure] = []

    class Kept(Figure):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(matplotlib.figure, "Figure", Kept)
    return made


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (4, 1), (5, 2)])
def test_a_picture_has_four_panels_a_row(
    tmp_path: Path, count: int, rows: int, drawn: list[Figure]
) -> None:
    path = tmp_path / "deep" / "hard.png"
    draw_grid(path, [panel(title=str(i)) for i in range(count)], 8000, "The hardest negatives")
    height, width, channels = imread(path).shape
    assert width == round(3.6 * 4 * 110)
    assert height == pytest.approx((2.6 * rows + 0.6) * 110, abs=1)
    assert channels == 4
    assert [axis.get_title() for axis in drawn[0].axes] == list(map(str, range(count)))
    assert drawn[0].get_suptitle() == "The hardest negatives"
    assert [p.name for p in path.parent.iterdir()] == ["hard.png"]


def test_bands_are_marked_and_hold_the_loudest_row(tmp_path: Path, drawn: list[Figure]) -> None:
    panels = [panel(hz) for hz in (800.0, 1500.0, 3000.0)]
    draw_grid(tmp_path / "hard.png", [*panels, Panel(panels[0].samples, "x")], 8000, "title")
    for axis, one in zip(drawn[0].axes[:3], panels, strict=True):
        assert one.band_hz is not None
        low, high = (np.asarray(line.get_ydata())[0] for line in axis.lines)
        assert (low, high) == tuple(map(share, one.band_hz))
        levels = np.asarray(axis.images[0].get_array()).mean(axis=1)
        assert low < (levels.argmax() + 0.5) / len(levels) < high
        assert list(axis.images[0].get_extent()) == [0.0, 1.0, 0.0, 1.0]
    assert not drawn[0].axes[3].lines


@pytest.mark.parametrize("sample_rate", [8000, 32_000])
def test_padded_and_silent_clips_can_be_drawn(tmp_path: Path, sample_rate: int) -> None:
    samples = np.zeros(2 * sample_rate, np.float32)
    padded = samples.copy()
    padded[:sample_rate] = tone(1000, sample_rate / 8000)
    panels = [Panel(x, "frog", (500.0, 1500.0)) for x in (samples, padded)]
    draw_grid(tmp_path / "hard.png", panels, sample_rate, "title")
    assert imread(tmp_path / "hard.png").std() > 0


def test_the_same_panels_make_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_grid(tmp_path / name, [panel()], 8000, "title")
    np.testing.assert_array_equal(imread(tmp_path / "a.png"), imread(tmp_path / "b.png"))
