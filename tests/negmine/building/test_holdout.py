"""What is held out enters a pool through no source, in no part of a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner, Result
from conftest import SAMPLE_RATE, Data, small_settings
from placeholder import PlaceholderScorer

from negmine.annotations import read_rfcx
from negmine.building import build_pool
from negmine.building.holdout import held_names, read_names
from negmine.building.settings import PoolSettings
from negmine.building.sources import agreed
from negmine.cli.main import main
from negmine.errors import InputError
from negmine.pool import Pool, open_pool

HELD = ("rec00", "rec03", "rec05")

SOURCES = PoolSettings().sources()

# What makes each source yield rows of the shared data: so many, or what is said here.
SECTIONS: dict[str, dict[str, Any]] = {
    name: {name: {"count": 40}}
    for name, settings in SOURCES.items()
    if "count" in settings.to_dict()
} | {
    "external": {},
    "fp": {"fp": {"pad": "both"}},
    "agreed": {"agreed": {"models": ("fine.pt", "coarse.pt")}},
}


@pytest.fixture
def sections(
    shared_data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, Any]]:
    """Settings under which every source runs."""
    table = tmp_path / "exclusive.csv"
    table.write_text("class,excludes\n0,1\n")

    def load(path: Path, device: str) -> PlaceholderScorer:
        return PlaceholderScorer(bands=64 if path.stem == "fine" else 32)

    monkeypatch.setattr(agreed, "load_scorer", load)
    nights = tmp_path / "unlabelled"
    nights.mkdir()
    # seeds of no other sound's: what two files share makes them one group
    for seed, name in enumerate(("night", "day"), start=100):
        noise = np.random.default_rng(seed).normal(0, 0.01, 4 * SAMPLE_RATE)
        sf.write(nights / f"{name}.flac", noise, SAMPLE_RATE)
    made = {name: dict(section) for name, section in SECTIONS.items()}
    made["near"] = {"near": {"exclusive": str(table), "placements": 2}}
    made["agreed"]["unlabelled"] = str(nights)
    return made


def build(data: Data, out: Path, holdout: tuple[str, ...], section: dict[str, Any]) -> Pool:
    return build_pool(
        data.recordings,
        read_rfcx(data.tp, data.fp),
        out,
        external=[str(data.external)],
        settings=small_settings(**section, holdout=holdout),
    ).pool


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in ("external", "noise")])
def test_no_source_takes_anything_of_what_is_held_out(
    shared_data: Data, tmp_path: Path, sections: dict[str, dict[str, Any]], name: str
) -> None:
    names = ("night",) if name == "agreed" else HELD
    assert name in sections, f"say in SECTIONS what makes '{name}' yield rows"
    free = build(shared_data, tmp_path / "free", (), sections[name])
    held = build(shared_data, tmp_path / "held", names, sections[name])
    drawn = any(r.kind == name and r.groups & set(names) for r in free)
    assert drawn, f"no row of '{name}' draws on {names}: say in SECTIONS what makes it yield some"
    assert any(r.kind == name for r in held)
    for row in (*held.recipes, *held.calls):
        assert row.groups.isdisjoint(names)
    assert not {source.group for source in held.sources} & set(names)


def test_external_files_are_held_names_their_path(shared_data: Data, tmp_path: Path) -> None:
    held = build(shared_data, tmp_path / "pool", ("external/other0.wav",), {"mix": 20})
    assert "external/other0.wav" not in {source.group for source in held.sources}
    assert "external/other1.wav" in {source.group for source in held.sources}


def test_a_site_holds_out_all_its_recordings() -> None:
    sites = {"a1": "a", "a2": "a", "b1": "b"}
    assert held_names(["a"], sites, sites) == {"a1", "a2"}


def test_a_name_that_is_not_there_would_hold_nothing_out() -> None:
    with pytest.raises(InputError, match=r"no such recording; .*did you mean rec0"):
        held_names(["rec0O"], ["rec00", "rec01"], {})
    with pytest.raises(InputError, match="no such recording or site"):
        held_names(["x"], ["rec00"], {"rec00": "hill"})


def test_names_come_from_options_and_files(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("rec01\n\n rec02 \n")
    assert read_names(["rec00", str(file), "rec00"]) == ("rec00", "rec01", "rec02")
    file.write_text("\n")
    with pytest.raises(InputError, match="names nothing"):
        read_names([str(file)])
    with pytest.raises(InputError, match="no such file"):
        read_names([str(tmp_path / "none.txt")])


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_holds_out_recordings_and_sites(shared_data: Data, tmp_path: Path) -> None:
    out, common = tmp_path / "pool", ["--clip-s", 1, "--sample-rate", 8000, "--quiet"]
    options = ["--holdout", "c01", "--site-regex", "..[0-9]$"]
    result = call("build-pool", *shared_data.options, "--out", out, *common, *options)
    assert result.exit_code == 0, result.output
    recordings = {source.recording for source in open_pool(out).sources}
    assert "rec01" not in recordings
    assert "rec02" in recordings
    assert json.loads((out / "pool.json").read_text())["settings"]["holdout"] == ["c01"]
    wrong = call("build-pool", *shared_data.options, "--out", out, *common, "--holdout", "rec99")
    assert wrong.exit_code == 2
    assert "no such recording" in wrong.stderr
    alone = call("build-pool", *shared_data.options, "--out", out, *common, "--site-regex", "x")
    assert alone.exit_code == 2
