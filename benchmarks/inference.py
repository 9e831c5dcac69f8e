"""One pass over a full clip against sliding windows: what each costs, and how far they agree.

Run it from the repository's root: `OMP_NUM_THREADS=1 python -m benchmarks.inference` for the cost
alone; with `RECORDINGS --truth truth.csv --model run/best.pt` trained models are read both ways.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from benchmarks.measure import median_s

if TYPE_CHECKING:
    import numpy as np

    from training.config import Readout
    from training.evaluation.inference import RecordingScorer

SECONDS = 60.0


def sliding(scorer: RecordingScorer, samples: np.ndarray, hop: int) -> np.ndarray:
    """Compute logits of windows that each pass the network by themselves: shape (N, C)."""
    import numpy as np
    import torch

    from training.engine.precision import autocast

    config = scorer.config
    length = scorer.window * scorer.frame
    starts = range(0, len(samples) - length + 1, hop)
    found = []
    for first in range(0, len(starts), 8):
        batch = np.stack([samples[a : a + length] for a in starts[first : first + 8]])
        with torch.inference_mode(), autocast(torch.device("cpu"), config.precision):
            found.append(scorer.detector(torch.from_numpy(batch)).float().numpy())
    return np.concatenate(found)


def made_scorer(backbone: str) -> RecordingScorer:
    """Make a detector with random weights: what it costs does not depend on them."""
    import torch

    from training.config import TrainConfig
    from training.evaluation.inference import RecordingScorer
    from training.models.detector import Detector
    from training.models.frontend import FrontEndSettings

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
        one = median_s(lambda s=scorer, x=samples: s.read(x), seconds)  # type: ignore[misc]
        lines.append(f"| {backbone} | one pass | {one:.2f} | 1.0 |")
        for title, hop in (("windows side by side", window), ("windows half over", window // 2)):
            cost = median_s(
                lambda s=scorer, x=samples, h=hop: sliding(s, x, h),  # type: ignore[misc]
                seconds,
            )
            lines.append(f"| {backbone} | {title} | {cost:.2f} | {cost / one:.1f} |")
    return "\n".join(lines)


def windows_alone(scorer: RecordingScorer, samples: np.ndarray, readout: str) -> np.ndarray:
    """Compute a clip's logits from half-overlapping windows passed one by one: shape (C,).

    ``max`` and ``lse`` join the logits that the windows have by themselves, ``mean`` and ``power``
    are the mean over windows of the readout of each.
    """
    import numpy as np
    import torch

    from training.models.readout import log_sum_exp

    config, detector = scorer.config, scorer.detector
    length = scorer.window * scorer.frame
    starts = range(0, len(samples) - length + 1, max(1, scorer.window // 2) * scorer.frame)
    found = []
    with torch.inference_mode():
        for first in range(0, len(starts), 8):
            batch = np.stack([samples[a : a + length] for a in starts[first : first + 8]])
            features = detector.features(torch.from_numpy(batch))
            alone: Readout = "power" if readout == "power" else "mean"
            found.append(detector.read_out(features, alone, scorer.window))
        logits = torch.cat(found)
        if readout == "max":
            return logits.amax(dim=0).numpy()
        if readout == "lse":
            return log_sum_exp(logits[None], config.lse_sharpness)[0].numpy()
        return logits.mean(dim=0).numpy()


def agreement_rows(model: Path, recordings: Path, truth: Path, most: int) -> list[str]:
    """Make a table row a readout: what both ways cost, how far they agree, their worth.

    The ways take turns, recording by recording, so that a busy machine slows both.
    """
    import numpy as np
    import torch
    from scipy.stats import spearmanr

    from negmine.audio.folder import open_folder
    from negmine.audio.read import read_all
    from training.config import Readout
    from training.engine.checkpoint import Checkpoint
    from training.evaluation.inference import RecordingScorer
    from training.evaluation.score_tables import read_truth
    from training.metrics import lwlrap

    checkpoint = Checkpoint.load(model)
    device = torch.device("cpu")
    table, _ = read_truth(truth, checkpoint.classes)
    row_of = {name: i for i, name in enumerate(table.recordings)}
    paths = open_folder(recordings).paths[:most]
    present = np.stack([table.scores[row_of[path.stem]] for path in paths]) > 0
    rows = []
    for readout in get_args(Readout):
        config = checkpoint.config.replace(readout=readout, precision="fp32")
        scorer = RecordingScorer(checkpoint.detector(device), config, device)
        scores: dict[str, list[np.ndarray]] = {"one": [], "alone": []}
        spent = dict.fromkeys(scores, 0.0)
        for path in paths:
            samples = read_all(path, config.sample_rate)
            start = time.process_time()
            scores["one"].append(scorer.read(samples).clip)
            middle = time.process_time()
            scores["alone"].append(windows_alone(scorer, samples, readout))
            spent["one"] += middle - start
            spent["alone"] += time.process_time() - middle
        one, alone = (np.stack(found) for found in scores.values())
        ranks = [spearmanr(a, b).statistic for a, b in zip(one, alone, strict=True)]
        cells = [
            model.parent.name,
            config.pooling,
            readout,
            f"{spent['alone'] / spent['one']:.1f}",
            f"{np.corrcoef(one.ravel(), alone.ravel())[0, 1]:.3f}",
            f"{np.mean(ranks):.3f}",
            f"{np.mean(one.argmax(axis=1) == alone.argmax(axis=1)):.0%}",
            f"{lwlrap(present, one):.3f}",
            f"{lwlrap(present, alone):.3f}",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


@click.command(help=__doc__)
@click.argument("recordings", required=False, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A trained checkpoint; may be given several times.",
)
@click.option(
    "--truth", type=click.Path(exists=True, path_type=Path), help="Of the recordings; with --model."
)
@click.option("--backbones", default="small,efficientnet_b0", show_default=True)
@click.option("--seconds", default=4.0, show_default=True, help="For each time.")
@click.option("--most", default=40, show_default=True, help="Recordings, the first by name.")
def main(
    recordings: Path | None,
    models: tuple[Path, ...],
    truth: Path | None,
    backbones: str,
    seconds: float,
    most: int,
) -> None:
    import torch

    torch.set_num_threads(1)
    if not models:
        click.echo(cost_table(tuple(backbones.split(",")), seconds))
        click.echo("\nWindows of 1 s at 32 kHz, 24 classes; one thread; medians.")
        return
    if not recordings or not truth:
        raise click.UsageError("--model goes with RECORDINGS and --truth")
    click.echo(
        "| run | pooling | readout | cost ratio | correlation | rank agreement | same top class "
        "| LWLRAP, one pass | LWLRAP, windows |\n|---|---|---|--:|--:|--:|--:|--:|--:|"
    )
    for model in models:
        click.echo("\n".join(agreement_rows(model, recordings, truth, most)))


if __name__ == "__main__":
    main()
