"""Building a pool: from annotations, recordings and other sound, source by source."""

from negmine.build.build import BuildReport, build_pool
from negmine.pool.settings import PoolSettings

__all__ = ["BuildReport", "PoolSettings", "build_pool"]
