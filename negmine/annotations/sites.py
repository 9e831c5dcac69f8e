"""Which site each recording is from: what must not be on both sides of a split."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from negmine.errors import InputError, did_you_mean
from negmine.storage.csv_tables import check_name, read_rows
from negmine.storage.names import look_alikes

COLUMNS = ("recording_id", "site")


def alike_sites(sites: Mapping[str, str]) -> list[str]:
    """List groups of sites that look alike: one place in two spellings is two groups.

    Parameters
    ----------
    sites : mapping of str to str
        The site of each recording.
    """
    return look_alikes(Counter(sites.values()), "sites", "the recordings")


class SiteOf(Protocol):
    """Gives the site of each of some recordings; with ``partial``, of those that have one."""

    def __call__(
        self, recordings: Iterable[str], *, partial: bool = False
    ) -> Mapping[str, str]: ...


def sites_by_table(
    recordings: Iterable[str], table: Path, *, partial: bool = False
) -> dict[str, str]:
    """Read the site of each recording from a CSV with columns recording_id and site.

    Parameters
    ----------
    table : Path
        May name other recordings, too.
    partial : bool
        Leave out recordings that it does not name.

    Raises
    ------
    InputError
        If the table is malformed, gives a recording two sites, or lacks one.
    """
    sites: dict[str, str] = {}
    for where, (name, site) in read_rows(table, COLUMNS):
        if not site:
            raise InputError(f"{where}: recording '{name}' has no site")
        check_name(where, "recording_id", name)
        check_name(where, "site", site)
        if sites.setdefault(name, site) != site:
            raise InputError(
                f"{where}: recording '{name}' is from '{site}', and from '{sites[name]}' further up"
            )
    wanted = list(recordings)
    missing = [name for name in wanted if name not in sites]
    if missing and not partial:
        raise InputError(
            f"{table}: no site of recording '{missing[0]}'{did_you_mean(missing[0], sites)}; "
            f"{len(missing)} of {len(wanted)} recordings are missing"
        )
    return {name: sites[name] for name in wanted if name in sites}


def sites_by_pattern(
    recordings: Iterable[str], pattern: str, *, partial: bool = False
) -> dict[str, str]:
    """Find the site of each recording by a regular expression on its name.

    Parameters
    ----------
    recordings : iterable of str
        File names without suffix.
    pattern : str
        Searched for in each name. The site is what its first group matches, or all of it where it
        has none.
    partial : bool
        Leave out names that do not match.

    Raises
    ------
    InputError
        If it is not a regular expression, or a name does not match.

    Examples
    --------
    >>> sites_by_pattern(["hill_0601", "lake_0601"], "^[^_]+")
    {'hill_0601': 'hill', 'lake_0601': 'lake'}
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"'{pattern}' is not a regular expression: {error}") from error
    sites = {}
    for name in recordings:
        found = compiled.search(name)
        site = found[min(1, compiled.groups)] if found else None
        if not site and partial:
            continue
        if not site:
            raise InputError(f"'{pattern}' finds no site in recording '{name}'")
        sites[name] = site
    return sites
