"""What frequency bands cost: both modes against a plain full-band network.

Run it from the repository's root: `OMP_NUM_THREADS=1 python -m benchmarks.bands`.
"""

from __future__ import annotations

import click

from benchmarks.measure import apart, median_s, peak_rss_mib

MODES = ("off", "shared", "crops")


def measure(mode: str, classes: int, backbone: str, seconds: float) -> tuple[float, float, float]:
    """Return a training step's ms, a 30 s clip's ms, and how far peak memory rose, in MiB."""
    import numpy as np
    import torch

    from training.models.detector import Detector
    from training.models.frontend import FrontEndSettings

    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    front_end = FrontEndSettings.for_mels(32_000, 64)
    # bands as calls have them: a fifth to one octave wide, anywhere from 500 Hz to 10 kHz
    low = np.geomspace(500, 10_000, classes)
    edges = tuple(zip(low, low * 2 ** rng.uniform(0.2, 1.0, classes), strict=True))
    detector = Detector(classes, front_end, backbone, bands=mode, edges_hz=edges)  # type: ignore[arg-type]
    detector.to(memory_format=torch.channels_last)
    crops, clip = 0.1 * torch.randn(8, 64_000), 0.1 * torch.randn(1, 960_000)
    before = peak_rss_mib()

    def train() -> None:
        detector.train().zero_grad()
        detector(crops).square().mean().backward()

    @torch.inference_mode()
    def score() -> None:
        detector.eval().read_out(detector.features(clip), "max", 8)

    times = [1000 * median_s(run, seconds) for run in (train, score)]
    return times[0], times[1], peak_rss_mib() - before


@click.command(help=__doc__)
@click.option("--classes", multiple=True, type=int, default=(24, 100), show_default=True)
@click.option("--backbone", default="small", show_default=True)
@click.option("--seconds", default=4.0, show_default=True, help="For each time.")
def main(classes: tuple[int, ...], backbone: str, seconds: float) -> None:
    print("| classes | bands | training step, ms | ratio | 30 s clip, ms | ratio | memory, MiB |")
    print("|--:|---|--:|--:|--:|--:|--:|")
    for count in classes:
        plain: tuple[float, float] | None = None
        for mode in MODES:
            step, clip, memory = apart(measure, mode, count, backbone, seconds)
            plain = plain or (step, clip)
            print(
                f"| {count} | {mode} | {step:.0f} | {step / plain[0]:.2f} | {clip:.0f} | "
                f"{clip / plain[1]:.2f} | {memory:.0f} |",
                flush=True,
            )
    print("\nBatches of 8 crops of 2 s; 64 mel bands at 32 kHz; one thread; medians.")


if __name__ == "__main__":
    main()
