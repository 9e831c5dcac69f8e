"""Scoring a pool end to end against its network alone: what rendering and the spectrogram cost.

    python -m benchmarks.scoring POOL [CACHE]

CACHE is made by ``negmine cache POOL --sample-rate 32000``; without one, sound is read from its
files. Both ways take the same clips, in turns: *network* is backbone, pooling and readout on
spectrograms that are in memory, *scoring* is what ``negmine mine`` does: render, spectrogram,
network. Times are of the processor, all threads together, so that other work on the machine changes
little; where no thread waits for another, their ratio is that of clips a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from negmine.recipes.recipe import Recipe
    from training.engine.scorer import CheckpointScorer

RATE = 32_000


def made_scorer(backbone: str, precision: Any) -> CheckpointScorer:
    """Make a checkpoint with random weights: what it costs does not depend on them."""
    import torch

    from training.config import TrainConfig
    from training.engine.checkpoint import Checkpoint
    from training.engine.scorer import CheckpointScorer
    from training.models.detector import Detector
    from training.models.frontend import FrontEndSettings

    torch.manual_seed(0)
    mels = 64 if backbone == "small" else 128
    config = TrainConfig(backbone=backbone, sample_rate=RATE, n_mels=mels, precision=precision)
    front_end = FrontEndSettings.for_mels(RATE, mels)
    detector = Detector.from_config(config, 24, front_end, ())
    classes = tuple(str(number) for number in range(24))
    state = detector.state_dict()
    made = Checkpoint(config, front_end, classes, state, {}, 0, [], [], ())
    return CheckpointScorer(made, torch.device("cpu"))


def spent(run: Callable[[], object]) -> tuple[float, float]:
    """Return seconds of the processor and of the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - cpu, time.perf_counter() - clock


def precisions() -> list[str]:
    """List fp32, and bf16 where the processor has instructions for it."""
    found = Path("/proc/cpuinfo")
    flags = found.read_text(encoding="utf-8") if found.exists() else ""
    return ["fp32"] + (["bf16"] if "avx512_bf16" in flags or "amx_bf16" in flags else [])


def measure(
    scorer: CheckpointScorer, recipes: list[Recipe], reader: Any, batch: int, rounds: int
) -> tuple[float, float, float, float]:
    """Measure clips a second of processor time, of network and scoring, and by the clock."""
    import numpy as np
    import torch

    from negmine.recipes.render import render_batches
    from training.engine.precision import autocast
    from training.models.detector import Detector

    detector, config = scorer._detector, scorer._config
    assert isinstance(detector, Detector)
    waveforms = list(render_batches(recipes, RATE, batch, reader=reader))
    with torch.inference_mode():
        spectrograms = [detector.log_mel(torch.from_numpy(part)) for part in waveforms]
    whole = detector.log_mel

    class Given(torch.nn.Module):
        def forward(self, spectrogram: torch.Tensor) -> torch.Tensor:
            return spectrogram

    def network() -> None:
        detector.log_mel = Given()  # type: ignore[assignment]
        try:
            with torch.inference_mode(), autocast(torch.device("cpu"), config.precision):
                for part in spectrograms:
                    features = detector.features(part)
                    detector.read_out(features, config.readout, scorer._window)
                    detector.embed(features)
        finally:
            detector.log_mel = whole

    def scoring() -> None:
        for part in render_batches(recipes, RATE, batch, reader=reader):
            scorer.score(part)

    network()
    scoring()
    times = np.array([(*spent(network), *spent(scoring)) for _ in range(rounds)])
    a, b, c, d = (len(recipes) / median(column) for column in times.T.tolist())
    return a, c, b, d


@click.command()
@click.argument("pool", type=click.Path(path_type=Path))
@click.argument("cache", required=False, type=click.Path(path_type=Path))
@click.option("--backbones", default="small,efficientnet_b0", show_default=True)
@click.option("--batches", default="4,8,32", show_default=True)
@click.option("--clips", default=64, show_default=True, help="Drawn from the pool.")
@click.option("--rounds", default=5, show_default=True, help="Of each; medians are taken.")
@click.option("--threads", default=1, show_default=True, help="Of torch.")
@click.option("--seed", default=0, show_default=True)
def main(
    pool: Path,
    cache: Path | None,
    backbones: str,
    batches: str,
    clips: int,
    rounds: int,
    threads: int,
    seed: int,
) -> None:
    """Print the table."""
    import numpy as np
    import torch

    from negmine.pool import open_pool
    from negmine.recipes.cache import CachedReader

    torch.set_num_threads(threads)
    opened = open_pool(pool)
    drawn = np.random.default_rng(seed).permutation(len(opened.recipes))[:clips]
    recipes = [opened.recipes[int(row)] for row in drawn]
    reader = CachedReader(cache) if cache else None
    print(f"{len(recipes)} clips of {opened.clip_s:g} s at {RATE} Hz, {threads} threads of torch\n")
    print(
        "| backbone | precision | batch | network, clips/s of one core | scoring | share "
        "| by the clock |\n|---|---|--:|--:|--:|--:|--:|"
    )
    for backbone in backbones.split(","):
        for precision in precisions():
            scorer = made_scorer(backbone, precision)
            for batch in map(int, batches.split(",")):
                bare, whole, *clock = measure(scorer, recipes, reader, batch, rounds)
                print(
                    f"| {backbone} | {precision} | {batch} | {bare:.0f} | {whole:.0f} "
                    f"| {whole / bare:.0%} | {clock[1] / clock[0]:.0%} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
