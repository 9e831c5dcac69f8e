"""Time and memory of the LSEP loss against the matrix of all pairs, forward and backward.

Run it from the repository's root: `python -m benchmarks.losses`.
"""

from __future__ import annotations

import json
import resource
import time
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

import click

from benchmarks.measure import apart, peak_rss_mib

if TYPE_CHECKING:
    from torch import Tensor

FORMS = ("lsep_loss", "pair matrix")


def pair_matrix_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return LSEP as a log-sum-exp over all pairs of classes, left to autograd."""
    import torch

    gaps = (targets[:, :, None] - targets[:, None, :]).clamp(min=0)
    pairs = gaps.log() + logits[:, None, :] - logits[:, :, None]
    return torch.nn.functional.softplus(pairs.flatten(1).logsumexp(-1)).mean()


def measure(
    form: str, classes: int, batch: int, seconds: float, memory_gib: float
) -> tuple[float, float] | None:
    """Return the best time in ms and the peak memory in MiB, or None where memory ran out."""
    import torch

    from training.losses.losses import lsep_loss

    torch.set_num_threads(1)
    loss = lsep_loss if form == "lsep_loss" else pair_matrix_loss

    def step(logits: Tensor, targets: Tensor) -> float:
        start = time.perf_counter()
        torch.autograd.grad(loss(logits, targets), logits)
        return time.perf_counter() - start

    draw = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(batch, classes, generator=draw)).requires_grad_()
    targets = torch.rand(batch, classes, generator=draw)
    step(logits[:, :2], targets[:, :2])  # what is loaded once is not the loss's memory
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory_gib * 2**30),) * 2)
    before = peak_rss_mib()
    try:
        times = [step(logits, targets)]
        peak = peak_rss_mib() - before
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            times.append(step(logits, targets))
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        return None
    return 1e3 * min(times), peak


def measure_apart(
    form: str, classes: int, batch: int, seconds: float, memory_gib: float
) -> tuple[float, float] | None:
    """Run `measure` in a fresh process, whose death is an answer."""
    try:
        taken: tuple[float, float] | None = apart(
            measure, form, classes, batch, seconds, memory_gib
        )
        return taken
    except BrokenProcessPool:
        return None


@click.command()
@click.option("--classes", default="24,264,1000,10000", show_default=True, help="Comma-separated.")
@click.option("--batch", default=8, show_default=True, help="Rows in a batch.")
@click.option("--seconds", default=2.0, show_default=True, help="How long to repeat each form.")
@click.option("--memory-gib", default=4.0, show_default=True, help="Memory each form may take.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a Markdown table.")
def main(classes: str, batch: int, seconds: float, memory_gib: float, as_json: bool) -> None:
    """Time LSEP, forward and backward, and compare it with the matrix of all pairs.

    `lsep_loss` is the project's own; `pair matrix` is the same sum over all pairs as a safe
    log-sum-exp, left to autograd.
    """
    counts = [int(count) for count in classes.split(",")]
    results = {
        (count, form): measure_apart(form, count, batch, seconds, memory_gib)
        for count in counts
        for form in FORMS
    }
    if as_json:
        rows = [
            {
                "classes": count,
                "form": form,
                "milliseconds": measured and round(measured[0], 3),
                "peak_mib": measured and round(measured[1], 1),
            }
            for (count, form), measured in results.items()
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo("| classes | form | forward + backward, ms | peak memory, MiB |")
    click.echo("|--:|---|--:|--:|")
    for (count, form), measured in results.items():
        cells = f"did not fit in {memory_gib:g} GiB |"
        if measured is not None:
            cells = f"{measured[0]:,.2f} | {measured[1]:,.1f}"
        click.echo(f"| {count:,} | {form} | {cells} |")
    click.echo(
        f"\nBatch {batch}, one thread, best of as many runs as fit in {seconds:g} s. Peak memory "
        "is how far the first run raises a fresh process's peak resident size."
    )


if __name__ == "__main__":
    main()
