"""Clips as files: what is written is what the recipe renders, and a table says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from click.testing import CliRunner, Result

from negmine.cli.main import main
from negmine.errors import PoolError
from negmine.pool import Pool, open_pool
from negmine.pool.render_files import choose_rows, render_rows
from negmine.pool.settings import RowChoice
from negmine.pool.summary import summarise_pool
from negmine.pool.summary_figure import draw_summary


@pytest.fixture
def pool(shared_pool: Path) -> Pool:
    return open_pool(shared_pool)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_files_hold_what_recipes_render(pool: Pool, tmp_path: Path) -> None:
    rows = [len(pool) - 1, 0, 7]
    table = render_rows(pool, rows, tmp_path / "out")
    assert sorted(table["file"]) == [table["file"][i] for i in (1, 2, 0)]
    for row, file in zip(rows, table["file"], strict=True):
        samples, rate = sf.read(tmp_path / "out" / file, dtype="float32")
        assert rate == pool.sample_rate
        np.testing.assert_allclose(samples, pool[row].render(), atol=1 / 32000)
    read = pd.read_csv(tmp_path / "out" / "clips.csv", dtype=str, keep_default_na=False)
    assert read["id"].tolist() == [pool[row].id for row in rows]
    first = pool[rows[0]]
    assert read["sources"][0].count(" at ") == len(first.sources)
    for name, absence in first.labels.absent.items():
        assert f"{name} {absence.certificate.value} {absence.confidence:.4g}" in read["absent"][0]


def test_clips_of_an_earlier_run_are_made_again_or_said(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = render_rows(pool, [0, 1], tmp_path)["file"]
    assert capsys.readouterr().err == ""
    whole = (tmp_path / first).read_bytes()
    # as long and of the same rate, but another sound
    (tmp_path / first).write_bytes((tmp_path / second).read_bytes())
    render_rows(pool, [0, 2], tmp_path)
    assert (tmp_path / first).read_bytes() == whole
    assert f"holds 1 clips that clips.csv does not name, of an earlier run ({second})" in (
        capsys.readouterr().err
    )


def test_rows_are_chosen_by_id_kind_class_and_at_random(pool: Pool) -> None:
    assert choose_rows(pool, RowChoice(ids=(pool[5].id, pool[2].id))) == [2, 5]
    mixes = choose_rows(pool, RowChoice(kind="mix"))
    assert mixes
    assert all(pool[row].kind == "mix" for row in mixes)
    free = choose_rows(pool, RowChoice(label="1"))
    assert free == [i for i, recipe in enumerate(pool) if "1" in recipe.labels.absent]
    three, four = RowChoice(sample=5, seed=3), RowChoice(sample=5, seed=4)
    drawn = choose_rows(pool, three)
    assert drawn == sorted(set(drawn))
    assert len(drawn) == 5
    assert drawn == choose_rows(pool, three) != choose_rows(pool, four)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (RowChoice(ids=("0" * 24,)), "no recipe"),
        (RowChoice(kind="mixx"), r"no rows of kind 'mixx' \(did you mean mix\?\)"),
        (RowChoice(label="7"), "no class '7'"),
    ],
)
def test_what_is_not_there_cannot_be_rendered(pool: Pool, choice: RowChoice, message: str) -> None:
    with pytest.raises(PoolError, match=message):
        choose_rows(pool, choice)


def test_the_command_renders_a_sample(shared_pool: Path, tmp_path: Path) -> None:
    out = tmp_path / "listen"
    result = call("render", shared_pool, "--out", out, "--sample", 3, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["clips"] == len(list(out.glob("*.flac"))) == 3
    assert call("render", shared_pool, "--out", out, "--kind", "none").exit_code == 2


def test_a_summary_is_drawn(shared_pool: Path, tmp_path: Path) -> None:
    png = tmp_path / "pool.png"
    result = call("inspect", shared_pool, "--png", png)
    assert result.exit_code == 0, result.output
    assert png.read_bytes().startswith(b"\x89PNG")
    pool = open_pool(shared_pool)
    draw_summary(tmp_path / "again.png", summarise_pool(pool), pool.clip_s)
    assert (tmp_path / "again.png").read_bytes() == png.read_bytes()


def test_files_of_another_rate_are_made_anew(shared_pool: Path, tmp_path: Path) -> None:
    pool = open_pool(shared_pool)
    (name,) = render_rows(pool, [0], tmp_path)["file"]
    for rate in (4000, 8000):
        render_rows(pool, [0], tmp_path, sample_rate=rate)
        assert sf.info(tmp_path / name).samplerate == rate
    # and what is no sound at all
    (tmp_path / name).write_bytes(b"cut")
    render_rows(pool, [0], tmp_path)
    assert sf.info(tmp_path / name).frames == 8000
