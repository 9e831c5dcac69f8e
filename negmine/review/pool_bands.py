"""The bands of a pool's classes, as its confirmed boxes had them when it was built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from negmine.annotations.class_bands import Band
from negmine.errors import PoolError
from negmine.pool import Pool


def pool_bands(pool: Pool) -> dict[str, Band]:
    """Return the band of each class in Hz, where the pool knows it: those before did not keep it.

    Raises
    ------
    PoolError
        If what the pool says is no band.
    """
    bands: dict[str, Band] = {}
    for record in _records(pool.settings):
        for name, band in record.get("class_bands", {}).items():
            try:
                low, high = map(float, band)
            except (TypeError, ValueError) as error:
                raise PoolError(f"{pool.path}: class_bands of '{name}': damaged") from error
            before = bands.get(name, (low, high))
            bands[name] = min(low, before[0]), max(high, before[1])
    return bands


def _records(settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what the pools were built with that a pool was split from, or merged of."""
    if "merged" in settings:
        for one in settings["merged"]:
            yield from _records(one["settings"])
    elif "split" in settings:
        yield from _records(settings["settings"])
    else:
        yield settings
