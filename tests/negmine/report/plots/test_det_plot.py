"""DET curves: points of a table, rates at a recall, and what does not compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from negmine.cli.main import main
from negmine.errors import InputError
from negmine.report.plots.det_plot import read_curves

HEAD = "model,class,recall,fp_per_hour,threshold,hours\n"


def write(path: Path, rates: list[float], hours: float = 2.0, name: str = "*") -> Path:
    """A curve whose recalls go up evenly."""
    count = len(rates)
    rows = [f"m,{name},{(n + 1) / count},{rate},,{hours}" for n, rate in enumerate(rates)]
    path.write_text(HEAD + "\n".join(rows) + "\n")
    return path


def plot(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["plot", "det", *map(str, arguments), "--json"])
    return result.exit_code, result.output


def test_models_are_told_at_three_recalls(tmp_path: Path) -> None:
    before = write(tmp_path / "before.csv", [0, 0, 1, 2, 4, 8, 16, 32, 64, 128])
    after = write(tmp_path / "after.csv", [0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
    code, text = plot(before, after, "--out", tmp_path / "a.svg")
    assert code == 0, text
    told = json.loads(text)["curves"]
    assert [one["model"] for one in told] == ["before", "after"]
    assert [one["fp/h@0.7"] for one in told] == [16, 1]
    assert [one["fp/h@0.9"] for one in told] == [64, 3]
    svg = (tmp_path / "a.svg").read_text()
    for words in ("before", "after", "false positives an hour, classes added up"):
        assert words in svg


def test_recordings_of_other_lengths_are_told(tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", [1, 2], hours=2.0)
    other = write(tmp_path / "b.csv", [1, 2], hours=3.0)
    code, text = plot(one, other, "--out", tmp_path / "a.png")
    assert code == 0
    assert "recordings of 2 h, 3 h" in text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("m,*,1.5,1,,2", r"row 2: recall 1.5.*expected"),
        ("m,*,0.5,-1,,2", r"row 2:.*fp_per_hour -1"),
        ("m,*,half,1,,2", "half"),
    ],
)
def test_a_malformed_point(row: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(HEAD + row + "\n")
    with pytest.raises(InputError, match=message):
        read_curves(tmp_path / "c.csv")


def test_an_unknown_class_and_too_many_models(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [1, 2])
    code, text = plot(path, "--class", "frog", "--out", tmp_path / "a.png")
    assert code != 0
    assert "no curve of class 'frog'" in text
    many = [write(tmp_path / f"{n}.csv", [1, 2]) for n in range(7)]
    code, text = plot(*many, "--out", tmp_path / "a.png")
    assert code != 0
    assert "7 models; at most 6" in text
    assert not (tmp_path / "a.png").exists()
