"""Building a pool: from annotations, recordings and other sound, source by source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from negmine.lazy import lazily

if TYPE_CHECKING:
    from negmine.building.build import BuildReport, build_pool
    from negmine.building.settings import PoolSettings

__all__ = ["BuildReport", "PoolSettings", "build_pool"]

__getattr__ = lazily(
    __name__, {"BuildReport": "build", "PoolSettings": "settings", "build_pool": "build"}
)
