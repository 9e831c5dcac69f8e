"""Settings of a pool: defaults, pool.toml, flags; flags win, and mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from negmine.building.settings import PoolSettings
from negmine.cli.main import main
from negmine.cli.settings import settings_options, take_settings
from negmine.errors import InputError
from negmine.settings import first_flag, needs_text, no_effect, settings_from, settings_of


def taken(path: Path, *flags: object, toml: str | None = None) -> PoolSettings:
    """What a command takes from a file and flags."""
    found: list[PoolSettings] = []

    @click.command()
    @settings_options(PoolSettings)
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
    assert found == d.replace(
        clip_s=3.0,
        mix=d.mix.replace(count=7, snr_db=(-3.0, 4.5)),
        fp=d.fp.replace(pad="bed", placements=2),
        noise=d.noise.replace(kinds=("rain", "hum")),
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
        ("mix = 3", r"mix = 3: expected a table, as in \[mix\]"),
        (
            "[mix]\ncount = 'many'",
            r"\[mix\]: count = 'many': expected a whole number",
        ),
        ("[mix]\ncount = 1.5", r"count = 1.5: expected a whole number"),
        ("[mix]\ncount = true", r"count = True: expected a whole number"),
        ("[mix]\ncount = -1", r"count = -1: expected a whole number in \[0, 100000000\]"),
        (
            "[mix]\nparts = [2]",
            r"parts = \[2\]: expected a list of 2, each a whole ",
        ),
        ("[mix]\nparts = [4, 2]", r"\[mix\]: parts = \[4, 2\]: the range is empty; swap the two"),
        ("[external]\nfolders = 'a'", r"folders = 'a': expected a list, each a text"),
        ("[fp]\npad = 'sofa'", r"pad = 'sofa': expected one of beyond, bed, both"),
        ("[noise]\nkinds = ['snow']", r"kinds = \['snow'\]: expected a list, each one of white"),
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


def test_every_flag_has_its_own_name() -> None:
    flags = [first_flag(one) for one in settings_of(PoolSettings)]
    assert len(flags) == len(set(flags))
    assert all(one.help.endswith(".") for one in settings_of(PoolSettings))


# What stands before the option; nothing of it is there, and nothing is looked for.
REJECTING = "--fp or --verdicts or --annotations or --negative-files"
POOL = ["build-pool", "train", "--tp", "tp.csv", "--out", "pool"]

WITHOUT = [
    ("--fp-beyond 0", REJECTING),
    ("--fp-pad bed", REJECTING),
    ("--fp-placements 2", REJECTING),
    ("--external-confidence 0.9", "--external"),
    ("--external-windows energy", "--external"),
    ("--noise-kind rain", "--noise"),
    ("--near-placements 2", "--exclusive"),
    ("--near-confidence 0.9", "--exclusive"),
    ("--agreed-quantile 0.2", "--agreed-models"),
    ("--agreed-confidence 0.9", "--agreed-models"),
    ("--agreed-device cpu", "--agreed-models"),
    ("--unlabelled field", "--agreed-models or --erase or --transplant"),
    ("--band-margin 0.1", "--erase or --transplant"),
    ("--band-table bands.csv", "--erase or --transplant"),
    ("--band-widest 0.5", "--erase or --transplant"),
    ("--erase-own 0.2", "--erase"),
    ("--erase-confidence 0.9", "--erase"),
    ("--transplant-own 0.2", "--transplant"),
    ("--transplant-confidence 0.9", "--transplant"),
    ("--mix-parts 2 3", "--mix"),
    ("--mix-snr 0 5", "--mix"),
    ("--mix-offset 0.1", "--mix"),
    ("--scene-calls 1 2", "--scenes"),
    ("--scene-snr 0 5", "--scenes"),
    ("--scene-margin-s 0.1", "--scenes"),
    ("--scene-least-s 0.5", "--scenes"),
    ("--scene-alike 0.1", "--scenes"),
    ("--scene-marked 0.5", "--scenes"),
]


def build(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*POOL, *map(str, arguments)])


@pytest.mark.parametrize(("option", "wanted"), WITHOUT)
def test_what_changes_nothing_is_a_warning(option: str, wanted: str) -> None:
    result = build(*option.split())
    line = f"warning: {option.split()[0]} has no effect without {wanted}"
    assert result.stderr.splitlines()[0] == line
    assert "tp.csv" in result.stderr  # it went on


def test_only_settings_that_need_another_have_no_effect_alone() -> None:
    beside = {"--fp": None, "--verdicts": (), "--annotations": (), "--negative-files": ()}
    for one in settings_of(PoolSettings):
        lacking = list(no_effect([one], PoolSettings(), beside=beside))
        text = f"{first_flag(one)} has no effect without {needs_text(PoolSettings, one)}"
        assert lacking == ([text] if one.needs else [])


@pytest.mark.parametrize(
    "option",
    [
        "--mix 3 --mix-snr 0 5",
        "--transplant 3 --band-margin 0.1 --unlabelled field",
        "--fp fp.csv --fp-pad bed",
    ],
)
def test_what_changes_something_is_none(option: str) -> None:
    assert "no effect" not in build(*option.split()).stderr


def test_a_file_may_give_it_something_and_may_hold_more_than_is_used(tmp_path: Path) -> None:
    file = tmp_path / "pool.toml"
    file.write_text("[mix]\ncount = 3\n\n[erase]\nown = 0.2\n")
    result = build("--config", file, "--mix-snr", "0", "5")
    assert "no effect" not in result.stderr
    assert "tp.csv" in result.stderr
