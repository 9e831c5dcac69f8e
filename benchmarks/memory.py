"""Memory of loader workers that render a pool from its cache, epoch after epoch.

    negmine build-pool DATA/train --tp DATA/train_tp.csv --fp DATA/train_fp.csv \
        --external DATA/external --mix 100000 --out POOL
    negmine cache POOL
    python -m benchmarks.memory POOL POOL/cache

All rows of the pool are rendered in another order each epoch, by the workers of a DataLoader that
stay for the next. *Own* is what a process alone has written (a forked worker shares the rest with
its parent); *mapped* are the pages of files that it sees in memory, which all that map them share
and the system takes back when it needs them. Read from ``/proc``, so it runs on Linux only.
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

from negmine.cache import CachedReader
from negmine.pool import open_pool
from negmine.render import render


class Rendered(Dataset[Any]):
    """A pool's clips, rendered from a cache; opened anew in each process."""

    def __init__(self, pool: Path, cache: Path) -> None:
        self._recipes, self._reader = open_pool(pool).recipes, CachedReader(cache)

    def __len__(self) -> int:
        return len(self._recipes)

    def __getitems__(self, rows: Sequence[int]) -> torch.Tensor:
        rate, reader = self._reader.sample_rate, self._reader
        clips = [render(recipe, rate, reader) for recipe in self._recipes.at(np.array(rows))]
        return torch.from_numpy(np.stack(clips))


def memory(pid: int | str) -> dict[str, float]:
    """A process's own and mapped memory, in MiB."""
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, value = line.split(":")
        fields[name] = int(value.split()[0]) / 1024
    return {"own": fields["Private_Dirty"], "mapped": fields["Rss"] - fields["Anonymous"]}


def workers(loader: Any) -> list[int]:
    """The processes of a loader that is being iterated."""
    return [process.pid for process in loader._iterator._workers]


@click.command(help=__doc__)
@click.argument("pool", type=click.Path(exists=True, path_type=Path))
@click.argument("cache", type=click.Path(exists=True, path_type=Path))
@click.option("--workers", "count", default=2, show_default=True)
@click.option("--epochs", default=2, show_default=True)
@click.option("--batch-size", default=32, show_default=True)
@click.option("--first-s", default=60.0, show_default=True, help="When it is looked at first.")
def main(pool: Path, cache: Path, count: int, epochs: int, batch_size: int, first_s: float) -> None:
    data = Rendered(pool, cache)
    loader = DataLoader(
        data, batch_size, shuffle=True, num_workers=count, collate_fn=lambda batch: batch,
        persistent_workers=True, generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    print(f"{len(data):,} rows, cache of {(cache / 'samples.i16').stat().st_size / 2**20:,.0f} MiB")
    heads = [f"worker {number}" for number in range(count)]
    columns = [f"{head}, {kind}, MiB" for head in ("main", *heads) for kind in ("own", "mapped")]
    print(f"\n| after | {' | '.join(columns)} |\n|---|{'--:|' * len(columns)}")
    started = time.perf_counter()
    for when in stages(loader, epochs, first_s):
        found = [memory("self"), *map(memory, workers(loader))]
        cells = [f"{one[kind]:,.0f}" for one in found for kind in ("own", "mapped")]
        print(f"| {when} | {' | '.join(cells)} |", flush=True)
    rate = epochs * len(data) / (time.perf_counter() - started)
    print(f"\n{rate:,.0f} clips a second, all workers together.")


def stages(loader: Any, epochs: int, first_s: float) -> Iterator[str]:
    """Run through a loader, and say when to look."""
    started, looked = time.perf_counter(), False
    for epoch in range(1, epochs + 1):
        for _ in loader:
            if not looked and time.perf_counter() - started > first_s:
                looked = True
                yield f"{first_s:g} s"
        yield f"epoch {epoch}"


if __name__ == "__main__":
    main()
