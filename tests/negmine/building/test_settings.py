"""Settings of a pool: defaults, pool.toml, flags; flags win, and mistakes are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from negmine.building.settings import PoolSettings
from negmine.building.sources import ORDER
from negmine.cli.setting import setting_options, settings_from, settings_of, take_settings
from negmine.errors import InputError


def taken(path: Path, *flags: object, toml: str | None = None) -> PoolSettings:
    """What a command takes from a file and flags."""
    found: list[PoolSettings] = []

    @click.command()
    @setting_options(PoolSettings())
    @click.option("--config", multiple=True, type=click.Path(path_type=Path))
    def command(config: tuple[Path, ...], **parameters: Any) -> None:
        found.append(take_settings(PoolSettings(), config, parameters))
        assert parameters == {}

    arguments = list(map(str, flags))
    if toml is not None:
        (path / "pool.toml").write_text(toml)
        arguments += ["--config", str(path / "pool.toml")]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    if result.exit_code:
        raise click.UsageError(result.stderr)
    return found[0]


def test_without_anything_settings_are_the_defaults(tmp_path: Path) -> None:
    assert taken(tmp_path) == taken(tmp_path, toml="") == PoolSettings()


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    toml = """
        clip_s = 3
        [mix]
        count = 50
        snr_db = [-3, 4.5]
        [fp]
        pad = "bed"
        [noise]
        kinds = ["rain", "hum"]
    """
    found = taken(tmp_path, "--mix", 7, "--fp-placements", 2, toml=toml)
    d = PoolSettings()
    assert found == replace(
        d,
        clip_s=3.0,
        mix=replace(d.mix, count=7, snr_db=(-3.0, 4.5)),
        fp=replace(d.fp, pad="bed", placements=2),
        noise=replace(d.noise, kinds=("rain", "hum")),
    )
    # a flag that says the default wins too
    assert taken(tmp_path, "--clip-s", 2.0, toml=toml).clip_s == 2.0


def test_a_later_file_wins_over_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text("[mix]\ncount = 9")
    found = taken(
        tmp_path, "--config", tmp_path / "audit.toml", toml="clip_s = 3\n[mix]\ncount = 5"
    )
    assert (found.clip_s, found.mix.count) == (3.0, 5)
    (tmp_path / "late.toml").write_text("clip_s = 3\n[mix]\ncount = 5\nparts = [2, 2]")
    found = taken(tmp_path, "--config", tmp_path / "late.toml", "--config", tmp_path / "audit.toml")
    assert (found.clip_s, found.mix.count, found.mix.parts) == (3.0, 9, (2, 2))


def test_repeated_flags_and_ranges(tmp_path: Path) -> None:
    found = taken(tmp_path, "--external", "a/", "--external", "b/=1", "--mix-parts", 2, 3)
    assert found.external.folders == ("a/", "b/=1")
    assert found.mix.parts == (2, 3)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[mx]\ncount = 1", r"unknown key 'mx' \(did you mean mix\?\); expected clip_s"),
        ("[mix]\ncuont = 1", r"\[mix\]: unknown key 'cuont' \(did you mean count\?\)"),
        ("mix = 3", r"mix: a table is expected, as in \[mix\]"),
        ("[mix]\ncount = 'many'", r"count: 'many' is not a number"),
        ("[mix]\ncount = 1.5", r"count: 1.5 is not a whole number"),
        ("[mix]\ncount = true", r"count: True is not a number"),
        ("[mix]\ncount = -1", r"count: -1 is not in the range"),
        ("[mix]\nparts = [2]", r"parts: \[2\] is not a list of 2"),
        ("[mix]\nparts = [4, 2]", r"\[mix\] parts 4 2: the range is empty; swap the two"),
        ("[external]\nfolders = 'a'", r"folders: 'a' is not a list"),
        ("[fp]\npad = 'sofa'", r"pad: 'sofa' is not one of"),
        ("[noise]\nkinds = ['snow']", r"kinds: 'snow' is not one of"),
        ("[mix\n", r"not readable as TOML"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, toml: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        taken(tmp_path, toml=toml)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        taken(tmp_path, "--config", tmp_path / "none.toml")


def test_what_json_keeps_of_settings_gives_them_back() -> None:
    found = settings_from(PoolSettings(), {"mix": {"parts": [3, 4]}, "seed": 5}, "pool.json")
    assert (found.mix.parts, found.seed) == ((3, 4), 5)


def test_every_source_has_a_section_and_every_flag_its_own_name() -> None:
    assert set(ORDER) <= PoolSettings.__dataclass_fields__.keys()
    flags = [one.metadata["flag"] for _, one, _ in settings_of(PoolSettings())]
    assert len(flags) == len(set(flags))
    assert all(one.metadata["help"].endswith(".") for _, one, _ in settings_of(PoolSettings()))
