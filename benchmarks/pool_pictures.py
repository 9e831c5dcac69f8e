"""Spectrograms for docs/pool.md: what each kind of negative sounds like, before and after.

    python -m benchmarks.pool_pictures docs/images

The sound is made here: a rising and a falling call over hiss, rain, an insect. Each picture is a
recipe rendered as any other.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from negmine.audio.dsp.generators import generate
from negmine.audio.windows import to_samples
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe
from negmine.recipes.render import render
from negmine.recipes.source import Source, synthetic_source

RATE = 16_000
CLIP_S = 2.0
LOW_HZ, HIGH_HZ = 2000.0, 3200.0


class Made:
    """Reads sources that are arrays, by name."""

    def __init__(self, sounds: dict[str, np.ndarray]) -> None:
        self.sounds = sounds

    def read(
        self, source: Source, start_s: float, duration_s: float, sample_rate: int
    ) -> np.ndarray:
        """See `negmine.recipes.reader.Reader`."""
        first = to_samples(start_s, sample_rate)
        return self.sounds[source.name][first : first + to_samples(duration_s, sample_rate)]


def sweep(low: float, high: float, seconds: float) -> np.ndarray:
    """Make a call: a tone that glides, faded in and out."""
    at = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * (low * at + (high - low) / (2 * seconds) * at**2)
    return 0.2 * np.sin(phase) * np.hanning(len(at))


def sounds() -> dict[str, np.ndarray]:
    """Make three recordings of four seconds."""
    size = 4 * RATE
    at = np.arange(size) / RATE
    marsh = 0.3 * generate("pink", 1, size, RATE)
    insect = 0.03 * np.sin(2 * np.pi * 5200 * at) * (np.sin(2 * np.pi * 9 * at) > 0)
    marsh += insect
    for start_s in (0.7, 2.5):
        call = sweep(2200, 3000, 0.5)
        marsh[round(start_s * RATE) :][: len(call)] += call
    for start_s in (0.3, 1.5, 3.4):
        other = sweep(1500, 700, 0.25)
        marsh[round(start_s * RATE) :][: len(other)] += other
    return {
        "marsh": marsh.astype(np.float32),
        "rain": 0.6 * generate("rain", 4, size, RATE),
        "stream": (0.3 * generate("white", 5, size, RATE)).astype(np.float32),
    }


def source(name: str) -> Source:
    return Source(Path("/made"), name, name, 4.0, name)


def recipe(*layers: Layer) -> Recipe:
    return Recipe("mix", layers, CLIP_S, RATE, PartialLabels())


def pictures() -> dict[str, list[tuple[str, Recipe]]]:
    """Return the recipes shown side by side, by the picture's name."""
    marsh, rain, stream = (Layer(source(name)) for name in ("marsh", "rain", "stream"))
    box = Layer(source("marsh"), 1.45, op="insert", offset_s=0.8, length_s=0.4)
    erase = Layer(None, op="erase", low_hz=LOW_HZ, high_hz=HIGH_HZ)
    donor = replace(stream, op="band", low_hz=LOW_HZ, high_hz=HIGH_HZ)
    late = replace(stream, snr_db=-3.0, offset_s=0.8)
    made = [Layer(synthetic_source(name), seed=3) for name in ("rain", "wind", "tones", "hum")]
    return {
        "fp": [
            (
                "in place: a call beyond the box (0.8 to 1.2 s)",
                recipe(replace(marsh, start_s=0.65)),
            ),
            ("the box alone, on a certified bed", recipe(rain, box)),
        ],
        "mix": [
            ("rain", recipe(rain)),
            ("stream", recipe(stream)),
            ("rain + stream, -3 dB, from 0.8 s", recipe(rain, late)),
        ],
        "erase": [("a confirmed call", recipe(marsh)), ("its band erased", recipe(marsh, erase))],
        "transplant": [
            ("a confirmed call", recipe(marsh)),
            ("the donor", recipe(stream)),
            ("its band, the rest as it was", recipe(marsh, donor)),
        ],
        "noise": [(layer.source.name, recipe(layer)) for layer in made if layer.source],
    }


@click.command(help=__doc__)
@click.argument("out", type=click.Path(path_type=Path))
def main(out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from PIL import Image

    out.mkdir(parents=True, exist_ok=True)
    reader = Made(sounds())
    for name, panels in pictures().items():
        figure, axes = pyplot.subplots(
            1, len(panels), figsize=(3.2 * len(panels), 2.4), sharey=True, layout="constrained"
        )
        for axis, (title, shown) in zip(axes, panels, strict=True):
            axis.specgram(
                render(shown, reader=reader), NFFT=512, Fs=RATE, noverlap=384, vmin=-120, vmax=-50
            )
            axis.set_title(title, fontsize=9)
            axis.set_xlabel("s")
        axes[0].set_ylabel("Hz")
        path = out / f"{name}.png"
        figure.savefig(picture := io.BytesIO(), dpi=75)
        pyplot.close(figure)
        Image.open(picture).convert("RGB").quantize(32).save(path, optimize=True)
        click.echo(f"{path}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
