"""Time and memory of each metric, as a Markdown table.

Run it from the repository's root: `python -m benchmarks.metrics`.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable

import click
import numpy as np

from benchmarks.measure import peak_rss_mib
from training import metrics

MIB = 2**20


@click.command(help=__doc__)
@click.option("--clips", default=100_000, show_default=True, help="Clips to score.")
@click.option("--classes", default=264, show_default=True, help="Classes of each clip.")
@click.option("--present", default=0.02, show_default=True, help="Share of cells that are present.")
@click.option("--known", default=0.5, show_default=True, help="Share of cells that are known.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random scores.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(clips: int, classes: int, present: float, known: float, seed: int, as_json: bool) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((clips, classes)) < present
    scores = rng.normal(size=truth.shape)
    scores += 2 * truth
    sure = rng.random(truth.shape) < known
    calls = [scores[truth[:, c], c] for c in range(classes)]
    start_s = np.arange(clips, dtype=float)
    t_min_s = rng.uniform(0, clips, 100)
    events = np.column_stack([rng.integers(0, classes, 100), t_min_s, t_min_s + 3])

    jobs: dict[str, Callable[[], object]] = {
        "lwlrap": lambda: metrics.lwlrap(truth, scores),
        "masked_lwlrap": lambda: metrics.masked_lwlrap(truth, scores, sure),
        "known_ap": lambda: metrics.known_ap(truth, scores, sure),
        "lwlrap_bounds": lambda: metrics.lwlrap_bounds(truth, scores, sure),
        "neg_at_k": lambda: metrics.neg_at_k(truth, scores, 3, sure),
        "average_precision": lambda: metrics.average_precision(truth, scores, sure),
        "evaluate": lambda: metrics.evaluate(truth, scores, sure),
        "false_positives_per_hour": lambda: metrics.false_positives_per_hour(
            scores, ~truth, calls, clips / 3600, 0.7
        ),
        "match_windows, 100 events": lambda: metrics.match_windows(
            start_s, start_s + 2, scores, events
        ),
    }
    rows = [(name, *measure(job)) for name, job in jobs.items()]

    peak = peak_rss_mib()
    inputs = (truth.nbytes + scores.nbytes + sure.nbytes) / MIB
    if as_json:
        result = {"clips": clips, "classes": classes, "inputs_mib": inputs, "peak_mib": peak}
        columns = ("metric", "wall_s", "cpu_s", "extra_mib")
        metric_rows = [dict(zip(columns, row, strict=True)) for row in rows]
        click.echo(json.dumps(result | {"metrics": metric_rows}, indent=2))
        return
    click.echo(f"{clips:,} clips x {classes} classes, one thread\n")
    click.echo("| metric | wall, s | CPU, s | memory beyond the inputs, MiB |")
    click.echo("|---|---:|---:|---:|")
    for name, wall_s, cpu_s, extra_mib in rows:
        click.echo(f"| {name} | {wall_s:.2f} | {cpu_s:.2f} | {extra_mib:,.0f} |")
    click.echo(f"\nInputs: {inputs:,.0f} MiB. Highest memory of the process: {peak:,.0f} MiB.")


def measure(job: Callable[[], object]) -> tuple[float, float, float]:
    """Measure seconds and CPU seconds of one run, and the peak allocation of one in MiB."""
    wall, cpu = time.perf_counter(), time.process_time()
    job()
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    tracemalloc.start()
    job()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return wall_s, cpu_s, peak / MIB


if __name__ == "__main__":
    main()
