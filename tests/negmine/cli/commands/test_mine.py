"""``negmine mine``: strategies, doubt, exclusion, search and page."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from auditing import call, fill
from click.testing import CliRunner, Result
from conftest import Data, make_data, make_pool
from placeholder import PlaceholderScorer

from negmine.cli.main import main
from negmine.mining.selection import open_selection
from negmine.pool import open_pool


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Models of made-up files; returns of which was asked that they be compiled."""
    asked: list[bool] = []

    def load(path: Path, device: str, compiled: bool) -> PlaceholderScorer:
        asked.append(compiled)
        return PlaceholderScorer()

    monkeypatch.setattr("negmine.models.scorer.load_scorer", load)
    return asked


@pytest.fixture
def pool(shared_data: Data, tmp_path: Path) -> Path:
    return make_pool(shared_data, tmp_path / "pool", mix=30)


def run(pool: Path, out: Path, *more: object) -> Result:
    options = ["--model", "plain.pt", "--pool", pool, "--out", out, "--per-class", 6]
    return CliRunner().invoke(main, ["mine", *map(str, [*options, *more])])


def test_several_models_are_refused(pool: Path, tmp_path: Path) -> None:
    result = run(pool, tmp_path / "hard.parquet", "--model", "tilted.pt")
    assert result.exit_code == 2
    assert "name one --model" in result.stderr


def test_models_are_compiled_where_asked(pool: Path, tmp_path: Path, models: list[bool]) -> None:
    assert run(pool, tmp_path / "hard.parquet").exit_code == 0
    assert run(pool, tmp_path / "again.parquet", "--compile").exit_code == 0
    assert models == [False, True]


def test_what_is_excluded_is_not_chosen(pool: Path, tmp_path: Path) -> None:
    out = tmp_path / "hard.parquet"
    assert run(pool, out).exit_code == 0
    first = open_selection(out).rows
    wrong = tmp_path / "wrong.csv"
    lines = [f"{row.recipe},{row.label}" for row in first[:3]]
    wrong.write_text("\n".join(["recipe,class", *lines]))
    assert run(pool, out, "--exclude", wrong).exit_code == 0
    cells = {(row.recipe, row.label) for row in open_selection(out).rows}
    assert not cells & {(row.recipe, row.label) for row in first[:3]}
    assert cells & {(row.recipe, row.label) for row in first[3:]}
    wrong.write_text(f"recipe,class\n{'0' * 24},0\n")
    result = run(pool, out, "--exclude", wrong)
    assert result.exit_code != 0
    assert "no recipe '000000000000000000000000' in this pool" in result.stderr


def test_what_is_doubted_goes_to_review(pool: Path, tmp_path: Path) -> None:
    out = tmp_path / "hard.parquet"
    assert run(pool, out, "--max-doubt", 0).exit_code == 0
    review = tmp_path / "hard.review.parquet"
    assert open_selection(out).rows == ()
    rows = open_selection(review).rows
    assert {row.label for row in rows} == {"0", "1"}
    assert all(row.doubt > 0 for row in rows)
    # with nothing to review there is no such file, not an old one
    assert run(pool, out, "--max-doubt", 1).exit_code == 0
    assert not review.exists()
    middle = float(np.median([row.doubt for row in open_selection(out).rows]))
    assert run(pool, out, "--max-doubt", middle).exit_code == 0
    assert all(row.doubt <= middle for row in open_selection(out).rows)
    assert all(row.doubt > middle for row in open_selection(review).rows)


def test_a_strategy_is_followed_and_reported(pool: Path, tmp_path: Path) -> None:
    out = tmp_path / "hard.parquet"
    strategy = "top + window:low=0.5,high=0.9 + quota:by=kind,most=2"
    result = run(pool, out, "--strategy", strategy, "--json", "--max-doubt", 1)
    report = json.loads(result.stdout)
    assert report["strategy"] == strategy
    rows = open_selection(out).rows
    for label in "01":
        kinds = [row.kind for row in rows if row.label == label]
        assert kinds
        assert all(kinds.count(kind) <= 2 for kind in kinds)
        rules = {rule["rule"]: rule for rule in report["classes"][label]["rules"]}
        assert list(rules) == ["easier", "harder", "doubt", "duplicates", "quota", "below"]
        assert rules["easier"]["rejected"] > rules["harder"]["rejected"] > 0
    assert run(pool, out, "--strategy", "tpo").exit_code == 2


def test_a_search_first_adds_harder_ones(pool: Path, tmp_path: Path) -> None:
    out, before = tmp_path / "hard.parquet", len(open_pool(pool))
    assert run(pool, out, "--synthesise", 200, "--report", tmp_path / "p.html").exit_code == 0
    grown = open_pool(pool)
    assert len(grown) > before
    added = {recipe.id for recipe in list(grown)[before:]}
    assert added & {row.recipe for row in open_selection(out).rows}
    assert "<html" in (tmp_path / "p.html").read_text()
    # this model has searched the pool so; with another budget it has not
    again = run(pool, out, "--synthesise", 200)
    assert f"not searched again: the same search added {len(added)} recipes" in again.stderr
    assert len(open_pool(pool)) == len(grown)
    again = run(pool, out, "--synthesise", 260)
    assert "not searched again" not in again.stderr
    assert len(open_pool(pool)) > len(grown)


def test_a_search_looks_for_nothing_that_mining_would_doubt(tmp_path: Path) -> None:
    # calls and rejections enough to fit doubt on; and nothing is certain: all is doubted
    data = make_data(tmp_path / "data", recordings=12)
    pool = make_pool(data, tmp_path / "pool")
    before = len(open_pool(pool))
    result = run(pool, tmp_path / "hard.parquet", "--synthesise", 70, "--max-doubt", 0)
    assert result.exit_code == 0, result.output
    assert len(open_pool(pool)) == before
    # that nothing was found is kept as well
    result = run(pool, tmp_path / "hard.parquet", "--synthesise", 70, "--max-doubt", 0)
    assert "not searched again: the same search added 0 recipes" in result.stderr


def test_an_audit_settles_doubt_and_what_was_heard_is_not_chosen(
    pool: Path, data: Data, tmp_path: Path
) -> None:
    out = tmp_path / "hard.parquet"
    assert run(pool, out).exit_code == 0
    before = open_selection(out).rows
    hardest = {(row.recipe, row.label) for row in before if row.rank == 1}

    def level(path: Path, kind: str, certificate: str) -> dict[str, Any]:
        report = json.loads(path.with_suffix(".report.json").read_text())
        strata = report["doubt"]["strata"]
        return next(o for o in strata if (o["kind"], o["certificate"]) == (kind, certificate))

    folder = tmp_path / "audit"
    assert call("draw", out, "--out", folder, "--sample", 12, "--least", 1).exit_code == 0
    claims = fill(
        folder, lambda c: "present" if (c.recipe, c.label) in hardest or c.control else "absent"
    )
    told = tmp_path / "told.parquet"
    result = run(pool, told, "--audit", folder)
    assert result.exit_code == 0, result.output
    heard = {(c.recipe, c.label) for c in claims if not c.control}
    chosen = {(row.recipe, row.label) for row in open_selection(told).rows}
    assert not chosen & hardest & heard
    assert chosen & heard
    kinds = Counter((c.kind, c.certificate) for c in claims if not c.control)
    for (kind, certificate), count in kinds.items():
        assert level(told, kind, certificate)["heard"] == count
        assert level(out, kind, certificate)["heard"] == 0
    ((kind, certificate), _), *_ = Counter(
        (c.kind, c.certificate) for c in claims if (c.recipe, c.label) in hardest
    ).most_common(1)
    now, then = (level(path, kind, certificate)["level"] for path in (told, out))
    assert now > then

    other = make_pool(data, tmp_path / "other", mix=0)
    refused = run(other, tmp_path / "none.parquet", "--audit", folder)
    assert refused.exit_code == 2
    assert f"--audit {folder}: of another pool" in refused.stderr
    assert not (tmp_path / "none.parquet").exists()
