"""Strata: how often claims of a kind are wrong, where none was heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pools import write_pool

from negmine.mining.strata import Strata, unmarked_density
from negmine.pool import Pool, open_pool
from negmine.recipes.certificates import CERTIFICATES, Absence, Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.recipes.source import Source

CLASSES = tuple("abcdef")


def clip(number: int, kind: str, labels: PartialLabels) -> Recipe:
    name = f"rec{number:03d}"
    source = Source(Path("/sound"), f"{name}.wav", f"of {name}", 60.0, name)
    return Recipe(kind, (Layer(source, 1.0),), 2.0, 8000, labels)


def made(path: Path, both: int, clips: int = 40) -> Pool:
    """Clips of calls of class a, some of which hold a marked call of b as well; a claim a kind."""
    calls = [
        clip(i, "tp", PartialLabels(present=frozenset("ab" if i < both else "a")))
        for i in range(clips)
    ]
    claims = {
        "fp": Absence(Certificate.VERIFIED, 0.98),
        "external": Absence(Certificate.EXTERNAL, 0.99),
        "mix": Absence(Certificate.MIXED, 0.97),
    }
    rows = [
        clip(900 + i, kind, PartialLabels(absent={"c": claim}))
        for i, (kind, claim) in enumerate(claims.items())
    ]
    write_pool(
        path, classes=CLASSES, clip_s=2.0, sample_rate=8000, roots={"r": Path("/sound")},
        recipes=rows, calls=calls, settings={"scene": {"marked": 0.2}},
    )  # fmt: skip
    return open_pool(path)


def test_density_is_that_of_marked_calls_scaled_to_the_unmarked(tmp_path: Path) -> None:
    pool = made(tmp_path / "pool", both=8)
    # of 40 clips and 5 other classes each 8 pairs hold a marked call; four times as many are not
    assert unmarked_density(pool, 48) == pytest.approx(8.5 / 201 * 4)
    assert unmarked_density(made(tmp_path / "few", both=1, clips=19), 20) is None
    assert unmarked_density(made(tmp_path / "many", both=40), 80) == pytest.approx(40.5 / 201 * 4)


def test_rejections_are_as_wrong_as_certificates_and_density_say_between_them(
    tmp_path: Path,
) -> None:
    pool = made(tmp_path / "pool", both=8)
    strata = Strata(pool, 48)
    numbers = strata.of("c", np.arange(3))
    found = {strata.every[i].kind: strata.every[i] for i in numbers.tolist()}
    assert {kind: one.certificate for kind, one in found.items()} == {
        "fp": "verified", "external": "external", "mix": "mixed",
    }  # fmt: skip
    missed = np.sqrt(0.02 * 8.5 / 201 * 4)
    assert strata.rejected_missed == pytest.approx(missed)
    assert found["fp"].measured == pytest.approx(missed / 0.02)
    assert found["external"].measured == 0.1
    assert found["mix"].measured == 1.0
    # without calls to count, certificates are taken at their word
    assert Strata(pool).rejected_missed == pytest.approx(0.02)
    assert len(strata.every) == len(CERTIFICATES) * len(pool.recipes.kind_names)
