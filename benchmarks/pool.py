"""Pools at scale: what a million recipes cost to build, to keep and to read.

Run it from the repository's root: `python -m benchmarks.pool scale`. Each line of the table is
measured in fresh processes, with the headers and levels of the sound files already read: they are
made up, as the boxes are, and no sound is. What is measured is drawing the recipes, hashing them,
joining their labels, writing them, and reading them again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from benchmarks.measure import apart, peak_rss_mib

CALLS, REJECTED = 10_000, 8_000
RECORDING_S, CLIP_S, SAMPLE_RATE = 60.0, 2.0, 32_000
BATCH = 256

# What is timed of reading a pool, and what the table calls it.
READS = {
    "open": "open",
    "first_batch": f"first {BATCH} rows",
    "batch": f"{BATCH} rows",
    "confidence": "a class's confidences",
}


def made_up(
    files: int,
    classes: int,
    recipes: int,
    out: Path,
    calls: int = CALLS,
    rejected: int = REJECTED,
    annotated: int | None = None,
) -> Any:
    """Return a build's context: some files with boxes (a fifth), the others declared free."""
    import numpy as np

    from negmine.annotations import Annotation, Annotations
    from negmine.annotations.recordings import Recordings
    from negmine.audio.read import AudioInfo
    from negmine.audio.silence import LEVEL_BLOCK_S
    from negmine.audio.windows import Span
    from negmine.building.settings import EraseSettings, MixSettings, NoiseSettings, PoolSettings
    from negmine.building.settings import TransplantSettings as Transplant
    from negmine.building.sources.context import BuildContext, DeclaredFolder

    rng = np.random.default_rng(0)
    names = tuple(str(number) for number in range(classes))
    blocks, frames = round(RECORDING_S / LEVEL_BLOCK_S), round(RECORDING_S * SAMPLE_RATE)

    def folder(root: Path, first: int, count: int) -> Recordings:
        infos = {}
        for number in range(first, first + count):
            power = rng.uniform(1e-5, 1e-3, blocks).astype(np.float32)
            path = root / f"{number:05d}.flac"
            infos[path.stem] = AudioInfo(path, SAMPLE_RATE, frames, 1, f"{number:032x}", power)
        return Recordings(root, infos, ())

    boxed = files // 5 if annotated is None else annotated
    recordings = folder(out / "recordings", 0, boxed)
    other = folder(out / "external", boxed, files - boxed)
    recorded = list(recordings.infos)
    boxes = []
    for number in range(calls + rejected):
        start_s = round(float(rng.uniform(0, RECORDING_S - 2)), 3)
        span = Span(start_s, round(start_s + float(rng.uniform(0.3, 2.0)), 3))
        low_hz = 1000.0 + 100 * (number % classes % 40)
        boxes.append(
            Annotation(
                recording=recorded[rng.integers(len(recorded))],
                label=names[number % classes],
                songtype="1",
                present=number < calls,
                span=span,
                f_min_hz=low_hz,
                f_max_hz=low_hz + 1500,
                where=f"box {number}",
            )
        )
    changed = recipes // 20
    windows = len(other.infos) * int(RECORDING_S / CLIP_S)
    settings = PoolSettings(
        noise=NoiseSettings(count=changed // 10),
        erase=EraseSettings(count=changed),
        transplant=Transplant(count=changed),
        # what is left of the goal, and some for those without a partner
        mix=MixSettings(count=max(0, round((recipes - windows - 2 * changed) * 1.005))),
    )
    declared = DeclaredFolder(other, dict.fromkeys(other.infos, names))
    return BuildContext(Annotations(tuple(boxes), names), recordings, (declared,), settings)


def build(files: int, classes: int, recipes: int, out: Path, *boxes: int) -> dict[str, Any]:
    """Build a pool of made-up files: rows, seconds, peak of the resident size, bytes on disk.

    ``boxes``: calls, rejected detections and files that have them, as for `made_up`.
    """
    from negmine.building.fill import fill
    from negmine.pool.files import write_new
    from negmine.pool.writer import PoolWriter

    context = made_up(files, classes, recipes, out, *boxes)
    start, cpu = time.perf_counter(), time.process_time()
    writer = PoolWriter(CLIP_S, SAMPLE_RATE)
    fill(writer, context)
    filled = time.perf_counter()
    roots = {"recordings": out / "recordings", "external0": out / "external"}
    pool = out / "pool"
    write_new(
        pool,
        writer,
        classes=context.classes,
        roots=roots,
        settings={},
    )
    seconds = time.perf_counter() - start
    return {
        "files": files,
        "classes": classes,
        "rows": len(writer),
        "kinds": writer.counts,
        "build_s": seconds,
        "build_cpu_s": time.process_time() - cpu,
        "write_s": time.perf_counter() - filled,
        "peak_mib": peak_rss_mib(),
        "disk_mb": sum(p.stat().st_size for p in pool.rglob("*") if p.is_file()) / 1e6,
    }


def read(pool: Path) -> dict[str, list[float]]:
    """Open a pool and read random batches of its rows, the first apart: see `timed`."""
    import numpy as np

    # what is loaded once in a process is not the pool's cost
    import negmine.pool.recipe_table  # noqa: F401
    from negmine.pool import open_pool

    opened, opening = timed(lambda: open_pool(pool))
    rng = np.random.default_rng(0)
    times = []
    for _ in range(9):
        rows = rng.integers(len(opened), size=BATCH)
        batch, spent = timed(lambda rows=rows: list(opened.recipes[rows]))
        times.append(spent)
        assert all(recipe.labels.absent for recipe in batch)
    _, confidence = timed(lambda: opened.confidence(opened.classes[0]))
    median = [sorted(column)[4] for column in zip(*times[1:], strict=True)]
    return {"open": opening, "first_batch": times[0], "batch": median, "confidence": confidence}


def timed(job: Any) -> tuple[Any, list[float]]:
    """Run a job; return its result and its milliseconds, by the clock and of the processor."""
    start, cpu = time.perf_counter(), time.process_time()
    given = job()
    return given, [1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - cpu)]


@click.group()
def main() -> None:
    """Time pools at scale."""


@main.command()
@click.option("--recipes", default=1_000_000, show_default=True, help="How many, about.")
@click.option("--files", default=5_000, show_default=True, help="Sound files of a minute each.")
@click.option("--classes", default="24,10000", show_default=True, help="Comma-separated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a Markdown table.")
def scale(recipes: int, files: int, classes: str, as_json: bool) -> None:
    """Build pools of about as many recipes as asked for, and read them."""
    results = []
    for count in (int(text) for text in classes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            built = apart(build, files, count, recipes, Path(folder))
            results.append(built | apart(read, Path(folder) / "pool"))
    if as_json:
        click.echo(json.dumps(results, indent=2))
        return
    head = ["classes", "recipes", "build, s", "of processor, s", "peak memory, MiB", "disk, MB"]
    head += [f"{what}, ms" for what in READS.values()]
    click.echo(f"| {' | '.join(head)} |\n|{'--:|' * len(head)}")
    for row in results:
        cells = [f"{row['classes']:,}", f"{row['rows']:,}"]
        cells += [f"{row[name]:.1f}" for name in ("build_s", "build_cpu_s")]
        cells += [f"{row['peak_mib']:.0f}", f"{row['disk_mb']:.1f}"]
        cells += [" / ".join(f"{ms:.1f}" for ms in row[name]) for name in READS]
        click.echo(f"| {' | '.join(cells)} |")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in results[0]["kinds"].items())
    click.echo(
        f"\n{files:,} files of {RECORDING_S:g} s, clips of {CLIP_S:g} s; {kinds}. Python "
        f"{sys.version.split()[0]}. Milliseconds are by the clock / of the processor. "
        "Rows are drawn at random, each a recipe with its labels; the first batch pages the pool "
        "in, the others are the median of 8."
    )


if __name__ == "__main__":
    main()
