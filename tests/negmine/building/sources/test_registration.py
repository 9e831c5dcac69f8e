"""A new source is its file, its settings, and one field of the pool's settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from auditing import key_of, verdicts
from click.testing import CliRunner
from conftest import Data, small_settings

from negmine.annotations import read_rfcx
from negmine.audit.hidden_rates import Audit
from negmine.audit.new_confidences import new_confidences
from negmine.building import build_pool
from negmine.building.general import Audited, SourceSettings
from negmine.building.settings import PoolSettings, Rows
from negmine.building.sources.context import BuildContext
from negmine.cli.settings import settings_options, take_settings
from negmine.recipes.certificates import Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.settings import Confidence, When, setting


class RestSettings(SourceSettings, frozen=True):
    """Rests: the beginnings of recordings."""

    audited = Audited("external", "confidence", "itself")

    count: Rows = setting(0, "How many recordings.", flag="--rests")
    confidence: Confidence = setting(0.9, "How sure they are.", needs=When("count"))


class WithRests(PoolSettings, frozen=True):
    """General."""

    rest: RestSettings = RestSettings()


def rows(context: BuildContext, settings: RestSettings) -> Iterator[Recipe]:
    labels = PartialLabels.certified(context.classes, Certificate.EXTERNAL, settings.confidence)
    kind = "rest" if settings.count < 4 else "other"
    for name in sorted(context.recordings.infos)[: settings.count]:
        layers = (Layer(context.recordings.source(name), 0.0),)
        yield Recipe(kind, layers, context.settings.clip_s, context.sample_rate, labels)


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ModuleType("rest")
    made.__dict__["rows"] = rows
    monkeypatch.setitem(sys.modules, "negmine.building.sources.rest", made)


def test_it_runs_in_its_place(shared_data: Data, tmp_path: Path) -> None:
    settings = WithRests(**dict(small_settings()), rest=RestSettings(count=3, confidence=0.8))
    assert [*settings.sources()] == [*PoolSettings().sources(), "rest"]
    annotations = read_rfcx(shared_data.tp, shared_data.fp)
    pool = build_pool(shared_data.recordings, annotations, tmp_path / "p", settings=settings).pool
    found = [row for row in pool if row.kind == "rest"]
    assert [row.groups for row in found] == [{"rec00"}, {"rec01"}, {"rec02"}]
    assert {one.confidence for row in found for one in row.labels.absent.values()} == {0.8}


def test_rows_of_another_kind_are_refused(shared_data: Data, tmp_path: Path) -> None:
    settings = WithRests(**dict(small_settings()), rest=RestSettings(count=4))
    annotations = read_rfcx(shared_data.tp, shared_data.fp)
    with pytest.raises(ValueError, match="source 'rest' yields rows of kind other"):
        build_pool(shared_data.recordings, annotations, tmp_path / "p", settings=settings)
    assert not (tmp_path / "p").exists()


def test_its_flags_and_its_table_are_there(tmp_path: Path) -> None:
    taken: list[WithRests] = []

    @click.command()
    @settings_options(WithRests)
    def command(**parameters: Any) -> None:
        taken.append(take_settings(WithRests(), [file], parameters))

    file = tmp_path / "pool.toml"
    file.write_text("[rest]\nconfidence = 0.7\n")
    result = CliRunner().invoke(command, ["--rests", "4"])
    assert result.exit_code == 0, result.output
    assert taken[0].rest == RestSettings(count=4, confidence=0.7)
    assert "How many recordings." in CliRunner().invoke(command, ["--help"]).output


def test_an_audit_corrects_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("negmine.audit.new_confidences.PoolSettings", WithRests)
    audit = Audit(
        key_of({"external, rest": (100, 20)}, 0), verdicts(("absent", 15), ("present", 5))
    )
    (found,) = new_confidences(audit, {"rest": {"confidence": 0.9}}, 0)
    assert (found.section, found.name, found.before) == ("rest", "confidence", 0.9)
    assert found.after == pytest.approx(0.75)
