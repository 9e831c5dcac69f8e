"""What augmentation costs: of each change a clip, and of presets a training step.

Run it from the repository's root: `python -m benchmarks.augment DATA`, with DATA in RFCX's layout
(train/, train_tp.csv, train_fp.csv).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import click
import numpy as np
import torch

from negmine.annotations import read_rfcx
from negmine.annotations.recordings import open_annotated
from negmine.recipes.labels import PartialLabels
from training.augmentation import AUGMENT_PRESETS, AugmentSettings
from training.config import TrainConfig
from training.data.augment import Augmenter, change_sound
from training.data.augment_labels import Change
from training.data.box_rows import BoxRows
from training.data.mixup import mix
from training.data.rows import Row, RowKind, make_example
from training.data.steps import Step, StepDataset, step_loader
from training.losses.losses import lsoft_bce_loss
from training.models.detector import Detector
from training.models.frontend import FrontEndSettings

CHANGES = {
    "Gaussian noise": Change(noise_snr_db=10.0),
    "pink noise": Change(pink_snr_db=10.0),
    "pitch shift": Change(semitones=1.0),
    "time stretch": Change(rate=1.1),
    "shift in time": Change(shift_s=0.3),
    "volume": Change(gain_db=3.0),
}


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--steps", default=30, show_default=True, help="Steps to time of each kind.")
@click.option("--repeats", default=50, show_default=True, help="Clips to time of each change.")
@click.option("--clip-s", default=2.0, show_default=True, help="Seconds a clip.")
def main(data: Path, steps: int, repeats: int, clip_s: float) -> None:
    config = TrainConfig(clip_s=clip_s, folds=1)
    click.echo(f"Clips of {clip_s:g} s at {config.sample_rate:,} Hz, median of {repeats}.\n")
    click.echo("| change | ms a clip |\n|---|--:|")
    for name, ms in clip_costs(config, repeats).items():
        click.echo(f"| {name} | {ms:.2f} |")
    opened, annotations = open_annotated(
        data / "train", read_rfcx(data / "train_tp.csv", data / "train_fp.csv")
    )
    click.echo(
        f"\nSteps of {config.tp_per_step} + {config.fp_per_step} rows, the small CNN, "
        f"{torch.get_num_threads()} torch thread(s), {steps} steps each.\n"
    )
    click.echo(
        "| preset | workers | steps/s | steps/s prepared, without training |\n|---|--:|--:|--:|"
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = BoxRows(annotations, opened, config, Path(folder))
        for preset, settings in AUGMENT_PRESETS.items():
            for workers in (0, 2):
                changed = config.replace(augment=settings, workers=workers)
                rates = [steps_per_s(rows, changed, steps, train) for train in (True, False)]
                click.echo(f"| {preset} | {workers} | {rates[0]:.2f} | {rates[1]:.1f} |")


def clip_costs(config: TrainConfig, repeats: int) -> dict[str, float]:
    """Measure median milliseconds of each change, of mixup and of the presets, a clip."""
    rng = np.random.default_rng(0)
    sound = (0.1 * rng.normal(size=round(config.clip_s * config.sample_rate))).astype(np.float32)
    row = Row(sound, PartialLabels(frozenset({"a"})), RowKind.TP)
    example = make_example(row, [str(i) for i in range(24)])

    def cost(job: Callable[[int], object], median: bool = True) -> float:
        times = []
        for i in range(repeats):
            start = time.perf_counter()
            job(i)
            times.append(1000 * (time.perf_counter() - start))
        return float(np.median(times) if median else np.mean(times))

    def changed(change: Change) -> float:
        return cost(lambda i: change_sound(row, change, config.sample_rate, i))

    def augmented(settings: AugmentSettings) -> float:
        augmenter = Augmenter(settings, config.sample_rate, {})
        return cost(lambda i: augmenter(row, np.random.default_rng(i)), median=False)

    found = {name: changed(change) for name, change in CHANGES.items()}
    found["mixup"] = cost(lambda i: mix(example, example, 3.0))
    for name in ("light", "full"):
        found[f"preset {name} (mean)"] = augmented(AUGMENT_PRESETS[name])
    return found


def steps_per_s(rows: BoxRows, config: TrainConfig, steps: int, train: bool) -> float:
    """Measure steps a second."""
    torch.manual_seed(0)
    front_end = FrontEndSettings.for_mels(config.sample_rate, config.n_mels)
    detector = Detector.from_config(config, len(rows.annotations.classes), front_end, ())
    optimiser = torch.optim.AdamW(detector.parameters(), lr=1e-3)

    def train_on(step: Step) -> None:
        if not train:
            return
        batch = step.batch
        logits = detector(batch.waveforms)
        loss = lsoft_bce_loss(logits, batch.targets, batch.known, config.lsoft, weight=batch.weight)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()

    # what workers prepare before the first step is taken is not their pace
    ahead = 2 * max(1, config.workers) + 2
    epochs = -(-(steps + ahead) // config.steps_per_epoch)
    dataset = StepDataset(rows, [], config.replace(epochs=epochs))
    loader = step_loader(dataset, 0, config.workers)
    for step in islice(loader, ahead):
        train_on(step)
    start = time.perf_counter()
    for step in islice(loader, steps):
        train_on(step)
    return steps / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
