"""Sites of recordings: by a table or a pattern, and no recording without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from negmine.annotations.sites import alike_sites, sites_by_pattern, sites_by_table
from negmine.errors import InputError

NAMES = ["hill_0601", "lake_0601", "hill_0602"]


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sites.csv"
    path.write_text(text)
    return path


def test_table_names_the_site_of_each_recording_and_may_know_others(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "note,site,recording_id\n,h,hill_0601\n,h, hill_0602\n,l,lake_0601\n,w,wood\n,h,hill_0601",
    )
    assert sites_by_table(NAMES, path) == {"hill_0601": "h", "lake_0601": "l", "hill_0602": "h"}
    assert sites_by_table([], path) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "recording,site\nhill_0601,h",
            "unknown column 'recording' .*; expected recording_id, site",
        ),
        ("recording_id,site\nhill_0601,", "sites.csv row 2: recording 'hill_0601' has no site"),
        (
            "recording_id,site\nhill_0601,h\nhill_0601,l",
            "row 3: recording 'hill_0601' is from 'l', and from 'h' further up",
        ),
        (
            "recording_id,site\nhill_0601,h\nlake_601,l",
            r"no site of recording 'lake_0601' \(did you mean lake_601\?\); 2 of 3 recordings",
        ),
        (f"recording_id,site\nhill_0601,{'h' * 300}", "row 2: site 'h+...' has 300 characters"),
        ("recording_id,site\nhill_0601,\x1b[31mh", r"row 2: site holds the .* U\+001B"),
        ("", "sites.csv: the file is empty"),
    ],
)
def test_table_that_leaves_a_site_open_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sites_by_table(NAMES, table(tmp_path, text))


def test_missing_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        sites_by_table(NAMES, tmp_path / "none.csv")


@pytest.mark.parametrize("pattern", ["^[^_]+", "^(.*)_", "(?P<site>hill|lake)_06(01|02)"])
def test_pattern_finds_the_site_in_a_name(pattern: str) -> None:
    want = {"hill_0601": "hill", "lake_0601": "lake", "hill_0602": "hill"}
    assert sites_by_pattern(NAMES, pattern) == want


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(hill", r"'\(hill' is not a regular expression"),
        ("hill", "'hill' finds no site in recording 'lake_0601'"),
        ("x*", r"'x\*' finds no site in recording 'hill_0601'"),
        ("hill|(lake)", "finds no site in recording 'hill_0601'"),
    ],
)
def test_pattern_that_leaves_a_site_open_is_an_error(pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sites_by_pattern(NAMES, pattern)


def test_sites_that_look_alike_are_said() -> None:
    sites = {"a": "Hill", "b": "hill", "c": "hill", "d": "lake"}
    (line,) = alike_sites(sites)
    assert line.startswith("the recordings: the sites 'Hill' (1 times) and 'hill' (2 times) differ")
