"""``negmine plot``: each kind from real inputs, the same bytes again, and one clear error each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from placeholder import PlaceholderScorer

from negmine import extras
from negmine.cli.main import main
from negmine.look import DARK, LIGHT
from negmine.mining.mine import MineSettings, mine
from negmine.mining.selection import Selection, open_selection
from negmine.pool import open_pool
from negmine.report.plots import KINDS, kind_of
from negmine.report.settings import PlotSettings
from negmine.storage.files import write_json

OF_SELECTIONS = [name for name, (inputs, _) in KINDS.items() if inputs == "SELECTION"]


@pytest.fixture(scope="module")
def mined(shared_pool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A selection as 'negmine mine' leaves it: report, control and scores beside it."""
    out = tmp_path_factory.mktemp("mined")
    pool = open_pool(shared_pool)
    settings = MineSettings(per_class=4, min_distance=0.0)
    found = mine(PlaceholderScorer(), pool, out / "scores", settings)
    # too few recordings here for a reliability of their own
    bins = {"claimed": [0.1, 0.6], "found": [0.2, 0.5], "count": [10, 3]}
    told = found.report.to_dict() | {"selection": found.selection.digest}
    write_json(out / "hard.report.json", told | {"doubt": {**told["doubt"], "judged": bins}})
    found.selection.write(out / "hard.parquet")
    found.control.write(out / "hard.control.parquet")
    return out / "hard.parquet"


def plot(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plot", *map(str, arguments)])


def drawn(*arguments: object) -> dict[str, Any]:
    result = plot(*arguments, "--json")
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


@pytest.mark.parametrize("kind", OF_SELECTIONS)
def test_every_kind_is_drawn_and_told(kind: str, mined: Path, tmp_path: Path) -> None:
    out = tmp_path / f"{kind}.png"
    told = drawn(kind, mined, "--out", out, "--dpi", 60)
    assert told["bytes"] == out.stat().st_size
    image = Image.open(out)
    assert image.text["Description"] == told["alt"]  # type: ignore[attr-defined]
    assert len(set(image.convert("RGB").resize((40, 40)).tobytes())) > 5
    # all but the date of a file
    assert not {"Software", "Creation Time", "date"} & image.info.keys()


def test_what_is_told_is_what_was_chosen(mined: Path, tmp_path: Path) -> None:
    selection = open_selection(mined)
    pool = selection.open_pool()
    out = tmp_path / "x.svg"
    chosen = {row.recipe for row in selection.rows}
    assert drawn("scores", mined, "--out", out)["chosen"] == len(selection.rows)
    told = drawn("embeddings", mined, "--out", out)
    assert told["rows"] == {
        "negatives of the pool": len(pool) - len(chosen),
        "confirmed calls": len(pool.distinct_calls),
        "chosen": len(chosen),
    }
    few = drawn("embeddings", mined, "--out", out, "--sample", 3)
    assert few["rows"]["negatives of the pool"] == 3
    assert drawn("sheet", mined, "--class", "1", "--per-class", 2, "--out", out)["negatives"] == 2
    told = drawn("doubt", mined, "--out", out)
    known = [row for row in selection.rows if np.isfinite(row.doubt)]
    assert told["rows"]["chosen"] == len(known)


def test_a_map_by_components_keeps_the_most_variance() -> None:
    from negmine.report.plots.embeddings_plot import _by_pca

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 4)) * [1.0, 9.0, 0.1, 3.0] + 7
    at, labels, about = _by_pca(rows, 0)
    # against the singular values of the centred rows
    singular = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(at, axis=0), singular[:2])
    shares = singular[:2] ** 2 / (singular**2).sum()
    assert about["variance"] == [round(float(share), 4) for share in shares]
    assert labels[0] == f"component 1 ({100 * shares[0]:.0f} % of variance)"


def test_the_same_inputs_give_the_same_bytes(mined: Path, tmp_path: Path) -> None:
    for ending in ("svg", "png"):
        made = []
        for name in ("a", "b"):
            assert plot("doubt", mined, "--out", tmp_path / f"{name}.{ending}").exit_code == 0
            made.append((tmp_path / f"{name}.{ending}").read_bytes())
        assert made[0] == made[1]
        assert b"<dc:date>" not in made[0]


def test_size_and_theme_are_those_asked_for(mined: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    looks = ["--width", 10, "--height", 8, "--dpi", 127, "--theme", "dark"]
    drawn("doubt", mined, "--out", out, *looks)
    image = Image.open(out).convert("RGB")
    assert image.size == (500, 400)
    assert "#{:02x}{:02x}{:02x}".format(*image.getpixel((0, 0))) == DARK.page  # type: ignore[misc]
    drawn("doubt", mined, "--out", tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert LIGHT.page in text
    assert ElementTree.fromstring(text).tag.endswith("svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scores", "{mined}", "--out", "a.pdf"], "a picture's name ends in .png or .svg"),
        (["scores", "{mined}", "{mined}", "--out", "a.png"], "drawn of one SELECTION; found 2"),
        (["scores", "none.parquet", "--out", "a.png"], "none.parquet"),
        (["scores", "{mined}", "--class", "frog", "--out", "a.png"], "no class 'frog'"),
        (["scores", "{mined}", "--method", "umap", "--out", "a.png"], "--method has no effect"),
        (["scores", "{mined}", "--dpi", "90", "--out", "a.svg"], "--dpi has no effect on an SVG"),
        (["learning", "{mined}", "--out", "a.png"], "not UTF-8|not readable"),
        (["learning", "{mined}/..", "--out", "a.png"], "no run: neither a folder with metrics.csv"),
        (["det", "{mined}.csv", "--out", "a.png"], "hard.parquet.csv"),
        (["sheet", "{mined}", "--per-class", "999", "--out", "a.png"], ""),
    ],
)
def test_wrong_inputs_are_one_clear_error(
    arguments: list[str],
    message: str,
    mined: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = plot(*(one.format(mined=mined) for one in arguments))
    if not message:  # as many as there are
        assert result.exit_code == 0
        return
    assert result.exit_code != 0
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error")]
    assert any(part in line for part in message.split("|")), line
    assert not list(tmp_path.iterdir())


def test_an_empty_selection_and_scores_that_are_gone(mined: Path, tmp_path: Path) -> None:
    found = open_selection(mined)
    empty = Selection((), found.pool, found.pool_digest, found.model)
    empty.write(tmp_path / "empty.parquet")
    result = plot("doubt", tmp_path / "empty.parquet", "--out", tmp_path / "a.png")
    assert "holds no row" in result.output
    found.write(tmp_path / "alone.parquet")
    result = plot("embeddings", tmp_path / "alone.parquet", "--out", tmp_path / "a.png")
    assert "no scores of the model" in result.output
    assert "--scores" in result.output
    where = ["--scores", mined.parent / "scores"]
    drawn("embeddings", tmp_path / "alone.parquet", "--out", tmp_path / "a.png", *where)
    result = plot("reliability", tmp_path / "alone.parquet", "--out", tmp_path / "b.png")
    assert "tells no reliability of doubt" in result.output
    result = plot("scores", tmp_path / "alone.parquet", "--out", tmp_path / "b.png")
    assert result.exit_code == 0
    assert "no histograms of scores beside it" in result.output


def test_umap_that_is_not_installed_is_named(
    mined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setattr(extras, "requires", lambda name: ["umap-learn>=0.5; extra == 'umap'"])
    result = plot("embeddings", mined, "--method", "umap", "--out", tmp_path / "a.png")
    assert result.exit_code != 0
    assert "umap-learn, which is not installed: python -m pip install 'negmine[umap]'" in (
        result.output
    )
    assert not (tmp_path / "a.png").exists()


@pytest.mark.slow
def test_a_map_by_umap_is_the_same_again(mined: Path, tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        told = drawn("embeddings", mined, "--method", "umap", "--out", tmp_path / "a.png")
        made.append((tmp_path / "a.png").read_bytes())
    assert made[0] == made[1]
    assert told["method"] == "umap"


def test_every_kind_is_in_the_help_and_uses_settings_that_exist() -> None:
    text = plot("--help").stdout
    for name, (_, what) in KINDS.items():
        assert f"{name} " in text
        assert what in text
        assert kind_of(name).uses <= PlotSettings.model_fields.keys()


def test_an_epoch_without_a_loss_or_a_run_named_twice_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "metrics.csv"
    run.write_text("epoch,loss\n1,0.5\n2,\n")
    out = tmp_path / "a.png"
    result = plot("learning", run, "--out", out)
    assert (result.exit_code, "row 3: loss is empty" in result.output) == (2, True), result.output
    run.write_text("epoch,loss\n1,0.5\n2,0.4\n")
    result = plot("learning", run, run, "--out", out)
    assert (result.exit_code, "named twice" in result.output) == (2, True), result.output
    assert not out.exists()


def test_a_plot_too_small_for_its_text_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "metrics.csv"
    run.write_text("epoch,loss,known_ap,neg@3,neg@5\n1,0.5,0.1,0.2,0.3\n2,0.4,0.2,0.1,0.2\n")
    out = tmp_path / "a.png"
    result = plot("learning", run, "--out", out, "--width", 4, "--height", 4)
    assert result.exit_code == 2, result.output
    assert "choose more --width and --height" in result.output
    assert not out.exists()
