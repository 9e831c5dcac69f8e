"""What is written of a run's epochs: the table each time, the curve every few seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.engine import history
from training.engine.history import HistoryFiles

EPOCHS = [{"epoch": n, "loss": 1.0 / n, "known_ap": 0.1 * n} for n in (1.0, 2.0, 3.0)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many epochs each curve that was drawn has."""
    found: list[int] = []
    draw = history.draw_curve

    def counted(epochs: list[dict[str, float]], mark: str = "") -> bytes:
        found.append(len(epochs))
        return draw(epochs, mark)

    monkeypatch.setattr(history, "draw_curve", counted)
    return found


def test_the_curve_of_quick_epochs_is_drawn_at_the_end(tmp_path: Path, drawn: list[int]) -> None:
    files = HistoryFiles(tmp_path)
    for count in (1, 2):
        files.write(EPOCHS[:count], last=False)
        assert (tmp_path / "metrics.csv").read_text().count("\n") == count + 1
    assert not (tmp_path / "curve.png").exists()
    files.write(EPOCHS, last=True)
    assert drawn == [3]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_curve_of_slow_epochs_is_drawn_each_time(
    tmp_path: Path, drawn: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "DRAWN_EVERY_S", 0.0)
    files = HistoryFiles(tmp_path)
    for count in (1, 2, 3):
        files.write(EPOCHS[:count], last=False)
    assert drawn == [1, 2, 3]


def test_what_is_right_stays_and_what_is_of_an_earlier_epoch_does_not(
    tmp_path: Path, drawn: list[int]
) -> None:
    HistoryFiles(tmp_path).write(EPOCHS[:2], last=True)
    HistoryFiles(tmp_path).write(EPOCHS[:2], last=True)
    assert drawn == [2]
    HistoryFiles(tmp_path).write(EPOCHS, last=True)
    assert drawn == [2, 3]
