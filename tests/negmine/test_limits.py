"""Settings that would fill memory or never end, and numbers that are none, are refused at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from negmine.cli.main import main
from negmine.errors import InputError
from negmine.mining.strategy import parse_strategy
from training.schedules.schedule import read_schedule


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build-pool", "x", "--tp", "x", "-o", "x", "--mix", "10000000000"], "'--mix'"),
        (["build-pool", "x", "--tp", "x", "-o", "x", "--clip-s", "1e9"], "'--clip-s'"),
        (["build-pool", "x", "--tp", "x", "-o", "x", "--band-margin", "nan"], "'--band-margin'"),
        (["train", "x", "--tp", "x", "-o", "x", "--n-mels", "10000000"], "'--n-mels'"),
        (["train", "x", "--tp", "x", "-o", "x", "--workers", "1000000"], "'--workers'"),
        (["train", "x", "--tp", "x", "-o", "x", "--lr", "nan"], "'--lr': nan is not a finite"),
        (["train", "x", "--tp", "x", "-o", "x", "--clip-norm", "inf"], "inf is not a finite"),
        (["mine", "--model", "x", "--pool", "x", "-o", "x", "--max-doubt", "nan"], "--max-doubt"),
        (["synthesise", "x", "--model", "x", "--above", "nan"], "'--above': nan is not a finite"),
        (["predict", "x", "--model", "x", "-o", "x", "--window-s", "inf"], "'--window-s'"),
    ],
)
def test_an_option_beyond_all_use_is_misuse(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stderr.count("Error: ")) == (2, 1), result.output
    assert message in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[mix]\ncount = 10000000000", "count = 10000000000: expected a whole number in"),
        ("clip_s = nan", "clip_s = nan: expected a finite number"),
        ("clip_s = 1e300", "clip_s = 1e+300: expected a number in"),
        ("x = " + "[" * 5000, "not readable as TOML"),
        ("seed = " + "9" * 5000, "not readable as TOML"),
    ],
)
def test_a_setting_of_a_file_is_held_to_the_same(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    arguments = ["build-pool", "x", "--tp", "x", "-o", "x", "--config", str(tmp_path / "s.toml")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()[-1]) < 300
    assert message in result.stderr


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("repeat = 1000000000", r"repeat = 1000000000: expected a whole number in \[1, 1000\]"),
        ("repeat = true", "repeat = True"),
        ("n_mels = 10000000", "n_mels = 10000000"),
        ("lr = nan", "lr = nan: expected a finite number"),
        ("x = " + "[" * 5000, "not readable as TOML"),
    ],
)
def test_a_recipe_is_held_to_the_same(tmp_path: Path, stage: str, message: str) -> None:
    (tmp_path / "r.toml").write_text(f'[[stage]]\nname = "a"\n{stage}\n')
    with pytest.raises(InputError, match=message):
        read_schedule(str(tmp_path / "r.toml"))


@pytest.mark.parametrize("value", ["1_0", "nan", "5.5", "inf", "\uff15"])
def test_a_rule_takes_plain_numbers(value: str) -> None:
    with pytest.raises(InputError, match=rf"'quota': most = '?{value}'?: expected a whole number"):
        parse_strategy(f"top + quota:most={value}")
