"""What benchmarks measure with: medians of time, peak memory, processes of their own."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Any


def median_s(run: Callable[[], object], seconds: float) -> float:
    """Measure the median of as many runs as fit, in seconds, after one that does not count."""
    run()
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or not times:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times)


def peak_rss_mib() -> float:
    """Return the largest resident size this process has had so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a fresh process, whose peak is its own: a peak never falls."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        return processes.submit(function, *arguments).result()
