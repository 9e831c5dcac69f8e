"""What doubt is fitted on: calls that are different sounds, of recordings that were held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pools import write_pool

from negmine.mining import fitting
from negmine.mining.doubt import DoubtModel
from negmine.mining.fitting import fit_doubt
from negmine.mining.known import know_calls
from negmine.mining.likelihood import Evidence
from negmine.pool import Pool, open_pool
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source

COUNT = 60
PRESENT = PartialLabels(present=frozenset({"a"}))
ABSENT = PartialLabels(absent={"a": Absence(Certificate.VERIFIED, 1.0)})


def recipe(recording: int, kind: str, group: str, start_s: float) -> Recipe:
    name = f"rec{recording:02d}"
    source = Source(Path("/sound"), f"{name}.wav", f"of {name}", 60.0, group)
    labels = PRESENT if kind == "tp" else ABSENT
    return Recipe(kind, (Layer(source, start_s),), 2.0, 8000, labels)


def made(path: Path, sites: bool, starts_s: tuple[float, ...] = (1.0,)) -> Pool:
    """A call and a rejection in each of some recordings, ten recordings a site."""
    rows: dict[str, list[Recipe]] = {"tp": [], "fp": []}
    for i in range(COUNT):
        group = f"site{i % 6}" if sites else f"rec{i:02d}"
        rows["tp"] += [recipe(i, "tp", group, start_s) for start_s in starts_s]
        rows["fp"].append(recipe(i, "fp", group, 30.0))
    write_pool(
        path, classes=("a",), clip_s=2.0, sample_rate=8000, roots={"r": Path("/sound")},
        recipes=rows["fp"], calls=rows["tp"], settings={},
    )  # fmt: skip
    return open_pool(path)


class FakeScores:
    """Logits and embeddings by the row's number."""

    def __init__(self, of_row: np.ndarray) -> None:
        self._of_row = of_row

    def logits(self, rows: np.ndarray) -> np.ndarray:
        return np.zeros((len(rows), 1), dtype=np.float32)

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        angle = self._of_row[rows]
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def fitted(
    pool: Pool, angles: np.ndarray, held_out: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Evidence, Evidence, bool]:
    """What doubt is fitted on: calls, rejections, and whether of held-out recordings alone."""
    seen: list[Evidence] = []

    class Spy(DoubtModel):
        def __init__(self, calls: Evidence, rejected: Evidence, **more: Any) -> None:
            seen.extend((calls, rejected))
            super().__init__(calls, rejected, **more)

    monkeypatch.setattr(fitting, "DoubtModel", Spy)
    calls: Any = FakeScores(angles)
    scores: Any = FakeScores(np.zeros(len(pool)))
    found = know_calls(pool, ("a",), calls)
    doubt, _ = fit_doubt(pool, found, scores, held_out, np.random.default_rng(0))
    return seen[0], seen[1], doubt.held_out


@pytest.mark.parametrize("sites", [False, True])
def test_doubt_is_fitted_on_held_out_recordings_whatever_their_groups(
    tmp_path: Path, sites: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = made(tmp_path / "pool", sites)
    # the recordings of sites 0 to 2, as a model names them that was validated by site
    held_out = frozenset(f"rec{i:02d}" for i in range(COUNT) if i % 6 < 3)
    calls, rejected, held = fitted(pool, np.linspace(0, 1, COUNT), held_out, monkeypatch)
    assert held
    assert (len(calls.features), len(rejected.features)) == (30, 30)
    groups = {f"site{i}" for i in range(3)} if sites else held_out
    assert set(calls.groups) == set(rejected.groups) == groups


def test_a_call_that_comes_twice_counts_once_and_is_no_neighbour_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = made(tmp_path / "once", sites=False)
    twice = made(tmp_path / "twice", sites=False, starts_s=(1.0, 1.0))
    angles = np.linspace(0, 1, COUNT)
    assert len(twice.calls) == 2 * len(once.calls) == 2 * len(twice.calls_of("a"))
    expected = fitted(once, angles, frozenset(), monkeypatch)[0].features
    found = fitted(twice, np.repeat(angles, 2), frozenset(), monkeypatch)[0].features
    assert found.tolist() == expected.tolist()
    assert found[:, 1].max() < 1 - 1e-5


def test_calls_that_share_half_a_clip_are_no_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start_s, near in ((1.05, False), (4.0, True)):
        pool = made(tmp_path / f"{start_s}", sites=False, starts_s=(1.0, start_s))
        angles = np.repeat(np.linspace(0, 1, COUNT), 2)
        features = fitted(pool, angles, frozenset(), monkeypatch)[0].features
        assert (features[:, 1].min() > 1 - 1e-6) == near


def test_a_pool_without_calls_has_none(tmp_path: Path) -> None:
    pool = made(tmp_path / "pool", sites=False, starts_s=())
    assert len(pool.calls_of("a")) == len(pool.distinct_calls) == 0
