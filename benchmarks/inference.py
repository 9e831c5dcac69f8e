"""One pass over a full clip against sliding windows: what each costs, and how far they agree.

Run it from the repository's root: `OMP_NUM_THREADS=1 python -m benchmarks.inference`. With
`--model run/best.pt RECORDINGS` agreement is measured on a trained model and real recordings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np

    from training.inference import RecordingScorer

SECONDS = 60.0


def sliding(scorer: RecordingScorer, samples: np.ndarray, hop: int) -> np.ndarray:
    """Logits of windows that each pass the network by themselves: shape (N, C)."""
    import numpy as np
    import torch

    from training.validate import autocast

    config = scorer.config
    length = scorer.window * scorer.frame
    starts = range(0, len(samples) - length + 1, hop)
    found = []
    for first in range(0, len(starts), 8):
        batch = np.stack([samples[a : a + length] for a in starts[first : first + 8]])
        with torch.inference_mode(), autocast(torch.device("cpu"), config.precision):
            found.append(scorer.detector(torch.from_numpy(batch)).float().numpy())
    return np.concatenate(found)


def timed(run: Callable[[], object], seconds: float) -> float:
    """Median of as many runs as fit, in seconds, after one that does not count."""
    run()
    times, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until or not times:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times)


def made_scorer(backbone: str) -> RecordingScorer:
    """A detector with random weights: what it costs does not depend on them."""
    import torch

    from training.config import TrainConfig
    from training.frontend import FrontEndSettings
    from training.inference import RecordingScorer
    from training.model import Detector

    torch.manual_seed(0)
    config = TrainConfig(backbone=backbone, n_mels=64 if backbone == "small" else 128)
    front_end = FrontEndSettings.for_mels(config.sample_rate, config.n_mels)
    detector = Detector.from_config(config, 24, front_end, ()).eval()
    return RecordingScorer(detector, config, torch.device("cpu"))


def cost_table(backbones: tuple[str, ...], seconds: float) -> str:
    """Time of a 60 s clip, by backbone and way."""
    import numpy as np

    lines = ["| backbone | way | 60 s clip, s | ratio |", "|---|---|--:|--:|"]
    for backbone in backbones:
        scorer = made_scorer(backbone)
        rate = scorer.config.sample_rate
        rng = np.random.default_rng(0)
        samples = (0.1 * rng.standard_normal(round(SECONDS * rate))).astype(np.float32)
        window = scorer.window * scorer.frame
        one = timed(lambda s=scorer, x=samples: s.read(x), seconds)  # type: ignore[misc]
        lines.append(f"| {backbone} | one pass | {one:.2f} | 1.0 |")
        for title, hop in (("windows side by side", window), ("windows half over", window // 2)):
            cost = timed(
                lambda s=scorer, x=samples, h=hop: sliding(s, x, h),  # type: ignore[misc]
                seconds,
            )
            lines.append(f"| {backbone} | {title} | {cost:.2f} | {cost / one:.1f} |")
    return "\n".join(lines)


def agreement(model: Path, recordings: Path, most: int) -> str:
    """How far the windows of one pass and windows by themselves agree, as probabilities."""
    import numpy as np
    import torch
    from scipy.special import expit

    from negmine.audio import find_audio, read_all
    from training.checkpoint import Checkpoint
    from training.inference import RecordingScorer

    checkpoint = Checkpoint.load(model)
    config, device = checkpoint.config, torch.device("cpu")
    scorer = RecordingScorer(checkpoint.detector(device), config, device)
    together, alone = [], []
    for path in find_audio(recordings)[:most]:
        samples = read_all(path, config.sample_rate)
        found = sliding(scorer, samples, scorer.window * scorer.frame)
        together.append(expit(scorer.read(samples).windows[: len(found)]))
        alone.append(expit(found))
    a, b = np.concatenate(together).ravel(), np.concatenate(alone).ravel()
    gap, same = np.abs(a - b), np.mean((a > 0.5) == (b > 0.5))
    return (
        f"{len(alone)} recordings, {len(a):,} probabilities of windows: correlation "
        f"{np.corrcoef(a, b)[0, 1]:.3f}, mean difference {gap.mean():.3f}, 99 % below "
        f"{np.quantile(gap, 0.99):.3f}; the same side of 0.5 in {same:.1%}"
    )


@click.command(help=__doc__)
@click.argument("recordings", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="A checkpoint.")
@click.option("--backbones", default="small,efficientnet_b0", show_default=True)
@click.option("--seconds", default=4.0, show_default=True, help="For each time.")
@click.option("--most", default=50, show_default=True, help="Recordings, the first by name.")
def main(
    recordings: Path | None, model: Path | None, backbones: str, seconds: float, most: int
) -> None:
    import torch

    torch.set_num_threads(1)
    click.echo(cost_table(tuple(backbones.split(",")), seconds))
    click.echo("\nWindows of 1 s at 32 kHz, 24 classes; one thread; medians.")
    if model and recordings:
        click.echo(agreement(model, recordings, most))


if __name__ == "__main__":
    main()
