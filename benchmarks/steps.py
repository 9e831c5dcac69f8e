"""What a training step costs to prepare, with few classes and with many, and where it goes.

    python -m benchmarks.steps --classes 20 --classes 1000

Makes recordings of noise with boxes of this many classes, certified rain, a pool of both with
mixes and a selection of it; measures processor time a step in one thread, with hard negatives and
without.
"""

from __future__ import annotations

import csv
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import soundfile as sf

from negmine.annotations import read_rfcx
from negmine.annotations.recordings import open_annotated
from negmine.cli.main import main as negmine
from negmine.mining.selection import Chosen, Selection
from negmine.pool import open_pool
from training.config import HardMix, TrainConfig
from training.data.hard_negatives import HardNegatives
from training.data.steps import BoxRows, StepDataset

RATE, SECONDS, RECORDINGS = 16_000, 30.0, 40
COLUMNS = ["recording_id", "species_id", "songtype_id", "t_min", "f_min", "t_max", "f_max"]


@click.command(help=__doc__)
@click.option("--classes", multiple=True, type=int, default=(20, 1000), show_default=True)
@click.option("--steps", default=40, show_default=True, help="Steps to time of each kind.")
def main(classes: tuple[int, ...], steps: int) -> None:
    print("| classes | rows | ms a step |\n|--:|---|--:|")
    for count in classes:
        with tempfile.TemporaryDirectory() as folder:
            for name, ms in prepared(Path(folder), count, steps).items():
                print(f"| {count:,} | {name} | {ms:.2f} |", flush=True)


def prepared(folder: Path, classes: int, steps: int) -> dict[str, float]:
    """Measure milliseconds a step, by what is in it."""
    make_data(folder, classes)
    tables = folder / "tp.csv", folder / "fp.csv"
    pool, hard = folder / "pool", folder / "hard.parquet"
    arguments = [
        "build-pool", folder / "recordings", "--tp", tables[0], "--fp", tables[1],
        "--external", folder / "rain", "--mix", 300, "--sample-rate", RATE, "--clip-s", 2,
        "--out", pool, "--quiet",
    ]  # fmt: skip
    negmine([str(one) for one in arguments], standalone_mode=False)
    select(pool, hard)
    recordings, annotations = open_annotated(folder / "recordings", read_rfcx(*tables))
    config = TrainConfig(clip_s=2.0, sample_rate=RATE, folds=1)
    rows = BoxRows(annotations, recordings, config, folder / "cache")
    negatives = HardNegatives(hard, 0.5, folder / "cache", mix=HardMix(0.5))
    negatives.prepare(config, annotations.classes, frozenset())
    found = {}
    for name, plugins in {"boxes": [], "boxes and hard negatives": [negatives]}.items():
        dataset = StepDataset(rows, plugins, config)
        times = []
        for step in range(steps + 5):
            begun = time.process_time()
            dataset[step]
            times.append(time.process_time() - begun)
        found[name] = 1000 * float(np.median(times[5:]))
    return found


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
