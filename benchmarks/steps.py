"""What training costs to prepare, with few classes and with many, without and with cached sound.

    python -m benchmarks.steps --classes 20 --classes 1000

Makes recordings of noise with boxes of this many classes, certified rain, a pool of both with
mixes and a selection of it. Measures processor time: of making a run's clips, of reading all
recordings once as validation does, and of steps, with hard negatives and without; from the files,
and with a cache of whole files by ``negmine cache``.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
import soundfile as sf

from negmine.annotations import read_rfcx
from negmine.annotations.recordings import open_annotated
from negmine.cli.main import main as negmine
from negmine.mining.selection import Chosen, Selection
from negmine.pool import open_pool
from training.config import TrainConfig
from training.data.box_rows import BoxRows
from training.data.hard_negatives import HardNegatives
from training.data.settings import HardUse
from training.data.steps import StepDataset
from training.engine.validate import read_recordings

RATE, SECONDS, RECORDINGS = 16_000, 30.0, 40
COLUMNS = ["recording_id", "species_id", "songtype_id", "t_min", "f_min", "t_max", "f_max"]


@click.command(help=__doc__)
@click.option("--classes", multiple=True, type=int, default=(20, 1000), show_default=True)
@click.option("--steps", default=40, show_default=True, help="Steps to time of each kind.")
def main(classes: tuple[int, ...], steps: int) -> None:
    print("| classes | what | from the files, ms | with `negmine cache`, ms |\n|--:|---|--:|--:|")
    for count in classes:
        with tempfile.TemporaryDirectory() as folder:
            for name, (files, cached) in measured(Path(folder), count, steps).items():
                print(f"| {count:,} | {name} | {files:,.2f} | {cached:,.2f} |", flush=True)


def measured(folder: Path, classes: int, steps: int) -> dict[str, list[float]]:
    """Measure milliseconds of each job, in both ways."""
    make_data(folder, classes)
    tables = folder / "tp.csv", folder / "fp.csv"
    pool, hard = folder / "pool", folder / "hard.parquet"
    build = [
        "build-pool", folder / "recordings", "--tp", tables[0], "--fp", tables[1],
        "--external", folder / "rain", "--mix", 300, "--sample-rate", RATE, "--clip-s", 2,
        "--out", pool, "--quiet",
    ]  # fmt: skip
    negmine([str(one) for one in build], standalone_mode=False)
    select(pool, hard)
    recordings, annotations = open_annotated(folder / "recordings", read_rfcx(*tables))
    config = TrainConfig(clip_s=2.0, sample_rate=RATE, folds=1)
    found = defaultdict[str, list[float]](list)
    for cache in (folder / "cache", pool / "cache"):
        if cache.parent == pool:
            found["`negmine cache` itself"].append(0.0)
            with timed(found["`negmine cache` itself"]):
                negmine(["cache", str(pool), "--quiet"], standalone_mode=False)
        with timed(found["clips of boxes"]):
            rows = BoxRows(annotations, recordings, config, cache)
        negatives = HardNegatives(hard, HardUse(ratio=0.5), cache)
        with timed(found["clips of the selection"]):
            negatives.prepare(config, annotations.classes, frozenset())
        with timed(found["recordings read once"]):
            deque(read_recordings(recordings, RATE, cache), maxlen=0)
        for name, plugins in {"boxes": [], "boxes and hard negatives": [negatives]}.items():
            dataset, times = StepDataset(rows, plugins, config), list[float]()
            for step in range(steps + 5):
                with timed(times):
                    dataset[step]
            found[f"a step of {name}"].append(float(np.median(times[5:])))
    return found


@contextmanager
def timed(times: list[float]) -> Iterator[None]:
    """Append the processor time of a block, in milliseconds: that of all threads."""
    begun = time.process_time()
    yield
    times.append(1000 * (time.process_time() - begun))


def make_data(folder: Path, classes: int) -> None:
    """Write recordings of 16 bits with 50 boxes each, and rain without any class."""
    rng = np.random.default_rng(0)
    for name, count in (("recordings", RECORDINGS), ("rain", 10)):
        (folder / name).mkdir()
        for i in range(count):
            noise = 0.05 * rng.normal(size=round(SECONDS * RATE))
            sf.write(folder / name / f"{name}{i}.flac", noise, RATE, subtype="PCM_16")
    tables: dict[str, list[tuple[object, ...]]] = {"tp": [], "fp": []}
    for number in range(max(25 * RECORDINGS, classes)):
        for name, rows in tables.items():
            start = round(float(rng.uniform(0, SECONDS - 1)), 3)
            label = number % classes if name == "tp" else int(rng.integers(classes))
            recording = f"recordings{rng.integers(RECORDINGS)}"
            rows.append((recording, label, 1, start, 500, start + 0.8, 4000))
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])


def select(pool: Path, path: Path, most: int = 300) -> None:
    """Write a selection of certified clips, each for another class."""
    opened = open_pool(pool)
    chosen: list[Chosen] = []
    for number, recipe in enumerate(opened.recipes):
        absent = recipe.labels.absent
        if len(absent) < len(opened.classes) or len(chosen) == most:
            continue
        label = opened.classes[number % len(opened.classes)]
        sure = absent[label]
        chosen.append(
            Chosen(
                recipe.id, label, 1.0, 1, recipe.kind, sure.certificate.value, sure.confidence, "",
                0.5, 0.0,
            )
        )  # fmt: skip
    Selection(tuple(chosen), opened.path, opened.digest, "model").write(path)


if __name__ == "__main__":
    main()
