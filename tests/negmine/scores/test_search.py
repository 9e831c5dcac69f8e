"""Searching a pool by sound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from click.testing import CliRunner, Result
from placeholder import PlaceholderScorer

from negmine.cli.main import main
from negmine.pool import open_pool
from negmine.scores.embed import score_recipes
from negmine.scores.pool_index import open_index
from negmine.scores.search import find_neighbours


@pytest.fixture(autouse=True)
def placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: Path, device: str, compiled: bool) -> PlaceholderScorer:
        return PlaceholderScorer()

    monkeypatch.setattr("negmine.models.scorer.load_scorer", load)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["search", *map(str, arguments)])


@pytest.mark.parametrize("label", [None, "0", "1"])
@pytest.mark.parametrize("count", [3, 1000])
def test_the_neighbours_are_those_of_every_distance(
    shared_pool: Path, tmp_path: Path, label: str | None, count: int
) -> None:
    pool, scorer = open_pool(shared_pool), PlaceholderScorer()
    scores = score_recipes(scorer, pool.recipes, tmp_path)
    index, _ = open_index(scores, pool.digest)
    sound = pool[5].render()
    found, logits = find_neighbours(sound, scorer, pool, scores, index, count, label)
    embedded, expected = scorer.score(sound[None])
    np.testing.assert_array_equal(logits, expected[0])
    query = embedded[0] / np.linalg.norm(embedded[0])
    similar = scores.embeddings(np.arange(len(pool))) @ query
    may = [i for i in range(len(pool)) if not label or label in pool[i].labels.absent]
    best = sorted(may, key=lambda i: -similar[i])[:count]
    assert [n.similarity for n in found] == pytest.approx(similar[best].tolist(), abs=1e-6)
    assert all(not label or label in n.recipe.labels.absent for n in found)
    if not label:
        assert found[0].recipe.id == pool[5].id


def test_a_clip_that_does_not_exist_is_misuse(shared_pool: Path, tmp_path: Path) -> None:
    result = run(tmp_path / "gone.wav", "--pool", shared_pool, "--model", "x.pt")
    assert result.exit_code == 2
    assert "gone.wav: no such file" in result.stderr


def test_a_search_writes_a_table_and_a_picture(shared_pool: Path, tmp_path: Path) -> None:
    clip = tmp_path / "strange.wav"
    sf.write(clip, open_pool(shared_pool)[3].render(), 8000)
    options = [clip, "--pool", shared_pool, "--model", "x.pt", "--scores", tmp_path / "scores"]
    result = run(*options, "-k", 4, "-o", tmp_path / "near.csv", "--png", tmp_path / "near.png")
    assert result.exit_code == 0, result.output
    assert "index Flat" in result.output
    table = pd.read_csv(tmp_path / "near.csv", dtype={"recipe": str})
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["recipe"][0] == open_pool(shared_pool)[3].id
    assert table["similarity"].is_monotonic_decreasing
    assert (tmp_path / "near.png").read_bytes().startswith(b"\x89PNG")
    again = json.loads(run(*options, "-k", 4, "--json").stdout)
    assert again["index"] == {"factory": "Flat", "recall": 1.0, "built": False}
    assert [n["recipe"] for n in again["neighbours"]] == table["recipe"].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--at", 5], "is beyond its end at 1 s"),
        (["--class", "9"], "no class '9'"),
        (["--index", "Nonsense"], "FAISS makes no such index"),
    ],
)
def test_a_mistake_is_one_line(
    shared_pool: Path, tmp_path: Path, options: list[object], message: str
) -> None:
    clip = tmp_path / "strange.wav"
    sf.write(clip, open_pool(shared_pool)[3].render(), 8000)
    result = run(clip, "--pool", shared_pool, "--model", "x.pt", "--scores", tmp_path, *options)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_silence_sounds_like_nothing(shared_pool: Path, tmp_path: Path) -> None:
    clip = tmp_path / "silent.wav"
    sound = open_pool(shared_pool)[3].render()
    sf.write(clip, np.concatenate([sound, 0 * sound]), 8000)
    options = "--pool", shared_pool, "--model", "x.pt", "--scores", tmp_path
    result = run(clip, *options, "--at", 1)
    assert result.exit_code == 2
    assert "silent.wav: no sound from 1 s on for 1 s" in result.stderr
