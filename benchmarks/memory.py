r"""Memory of loader workers that render a pool from its cache, epoch after epoch.

    negmine build-pool DATA/train --tp DATA/train_tp.csv --fp DATA/train_fp.csv \
        --external DATA/external --mix 100000 --out POOL
    negmine cache POOL
    python -m benchmarks.memory POOL POOL/cache

All rows of the pool are rendered in another order each epoch, by the workers of a DataLoader that
stay for the next. *Own* is what processes have written. A page that several hold is counted once: a
share of it in each, so that the columns add up (the system's proportional set size). The cache's
pages in memory are counted that way, and then once for each process that sees them: the second is
that many times the first where they are shared. The system takes them back when it needs them.
Read from ``/proc``, so it runs on Linux only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from negmine.pool import open_pool
from negmine.recipes.cache import CachedReader
from negmine.recipes.render import render


class Rendered(Dataset[Any]):
    """A pool's clips, rendered from a cache."""

    def __init__(self, pool: Path, cache: Path) -> None:
        opened = open_pool(pool)
        self._recipes, self._rate = opened.recipes, opened.sample_rate
        self._reader = CachedReader(cache)

    def __len__(self) -> int:
        return len(self._recipes)

    def __getitems__(self, rows: Sequence[int]) -> torch.Tensor:
        recipes, rate = self._recipes[np.array(rows)], self._rate
        clips = [render(recipe, rate, self._reader) for recipe in recipes]
        return torch.from_numpy(np.stack(clips))


def own(pid: int | str) -> float:
    """Return what a process has written, in MiB; of shared pages, its share."""
    return sum(_mib(line) for line in _lines(pid, "smaps_rollup") if line.startswith("Pss_Anon:"))


def mapped(pid: int | str, file: Path) -> tuple[float, float]:
    """Return a file's pages that a process sees in memory, in MiB: its share of them, and all."""
    found = {"Pss:": 0.0, "Rss:": 0.0}
    inside = False
    for line in _lines(pid, "smaps"):
        name = line.split()[0]
        if not name.endswith(":"):  # here another mapping starts
            inside = line.endswith(str(file.resolve()))
        elif inside and name in found:
            found[name] += _mib(line)
    return found["Pss:"], found["Rss:"]


def _lines(pid: int | str, name: str) -> list[str]:
    return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8").splitlines()


def _mib(line: str) -> float:
    return int(line.split()[1]) / 1024


@click.command(help=__doc__)
@click.argument("pool", type=click.Path(exists=True, path_type=Path))
@click.argument("cache", type=click.Path(exists=True, path_type=Path))
@click.option("--workers", default=2, show_default=True)
@click.option("--epochs", default=2, show_default=True)
@click.option("--batch-size", default=32, show_default=True)
@click.option("--first-s", default=60.0, show_default=True, help="When it is looked at first.")
def main(
    pool: Path, cache: Path, workers: int, epochs: int, batch_size: int, first_s: float
) -> None:
    data, (file,) = Rendered(pool, cache), cache.glob("*.i16")
    loader: Any = DataLoader(
        data, batch_size, shuffle=True, num_workers=workers, collate_fn=lambda batch: batch,
        persistent_workers=True, generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    print(f"{len(data):,} rows, cache of {file.stat().st_size / 2**20:,.0f} MiB; MiB\n")
    heads = ["main", *(f"worker {number}" for number in range(workers))]
    columns = [f"own, {head}" for head in heads]
    columns += ["own, all", "cache in memory", "the same, once a process"]
    print(f"| after | rows | {' | '.join(columns)} |\n|---|{'--:|' * (1 + len(columns))}")
    started = time.perf_counter()
    for when, rows in stages(loader, epochs, first_s):
        pids = ["self", *(process.pid for process in loader._iterator._workers)]
        written = [own(pid) for pid in pids]
        shares, wholes = zip(*(mapped(pid, file) for pid in pids), strict=True)
        cells = [f"{one:,.1f}" for one in (*written, sum(written), sum(shares), sum(wholes))]
        print(f"| {when} | {rows:,} | {' | '.join(cells)} |", flush=True)
    rate = epochs * len(data) / (time.perf_counter() - started)
    print(f"\n{rate:,.0f} clips a second, all workers together.")


def stages(loader: Any, epochs: int, first_s: float) -> Iterator[tuple[str, int]]:
    """Run through a loader; say when to look, and how many rows came until then."""
    started, looked, rows = time.perf_counter(), False, 0
    for epoch in range(1, epochs + 1):
        for batch in loader:
            rows += len(batch)
            if not looked and time.perf_counter() - started > first_s:
                looked = True
                yield f"{first_s:g} s", rows
        yield f"epoch {epoch}", rows


if __name__ == "__main__":
    main()
