"""Whether networks learn the seam of scenes: how sound that is cut out and laid on a bed scores.

    python -m benchmarks.seam DATA --out WORK --model none=a.pt --model scenes=b.pt

A class's threshold is the score that --recall of its confirmed calls reach, each in its own
recording. Rejected detections are cut out and laid on beds as scenes cut out confirmed calls. A
network that has learnt that what is cut out is a call takes more of them for calls than of the same
detections in their recordings; the level of a network that heard no scene is beside it. DATA is in
RFCX's layout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from negmine.annotations import read_rfcx
from negmine.building import PoolSettings, build_pool
from negmine.building.settings import SceneSettings
from negmine.cli.console import Bars
from negmine.models.scorer import load_scorer
from negmine.pool import Pool, open_pool
from negmine.recipes.recipe import Recipe
from negmine.scores.embed import Scores, score_pool


@dataclass(frozen=True)
class Bench:
    """Where everything is."""

    data: Path
    out: Path
    count: int

    def pool(self, swapped: bool, clip_s: float, sample_rate: int, bars: Bars) -> Pool:
        """Build scenes of one confirmed call each, or of one rejected detection each."""
        path = self.out / ("rejected" if swapped else "confirmed")
        if path.exists():
            return open_pool(path)
        annotations = read_rfcx(self.data / "train_tp.csv", self.data / "train_fp.csv")
        if swapped:
            boxes = [replace(box, present=not box.present) for box in annotations.boxes]
            annotations = replace(annotations, boxes=tuple(boxes))
        scenes = SceneSettings(count=self.count, calls=(1, 1))
        return build_pool(
            self.data / "train", annotations, path, external=[str(self.data / "external")],
            settings=PoolSettings(clip_s=clip_s, sample_rate=sample_rate, scene=scenes),
            progress=bars,
        ).pool  # fmt: skip


def cells(recipes: list[Recipe], present: bool, classes: tuple[str, ...]) -> tuple[list[int], ...]:
    """Return the cells of rows that hold a class, or that a person rejected: rows and columns."""
    found = [
        (row, classes.index(name))
        for row, recipe in enumerate(recipes)
        for name in (recipe.labels.present if present else recipe.labels.absent)
    ]
    return [row for row, _ in found], [column for _, column in found]


def share(scores: Scores, rows: np.ndarray, columns: list[int], thresholds: np.ndarray) -> float:
    logits = scores.logits(rows)[np.arange(len(rows)), columns]
    return float((logits >= thresholds[columns]).mean())


def measure(bench: Bench, model: Path, recall: float, bars: Bars) -> list[float]:
    """Return the shares over the threshold: calls in place, cut out; rejections, likewise."""
    scorer = load_scorer(model, "cpu")
    own, swapped = (bench.pool(s, scorer.clip_s, scorer.sample_rate, bars) for s in (False, True))
    scored = [score_pool(scorer, pool, bench.out / "scores") for pool in (own, swapped)]
    calls = scored[0][1]
    thresholds = np.array(
        [
            np.quantile(calls.logits(own.calls_of(name))[:, column], 1 - recall)
            for column, name in enumerate(scorer.classes)
        ]
    )
    found = []
    for pool, (rows, in_place) in zip((own, swapped), scored, strict=True):
        at, columns = cells(list(pool.calls), True, scorer.classes)
        found.append(share(in_place, np.array(at), columns, thresholds))
        scenes = np.flatnonzero(pool.recipes.of_kind("scene"))
        at, columns = cells(list(pool.recipes[scenes]), True, scorer.classes)
        found.append(share(rows, scenes[at], columns, thresholds))
    return found


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--model", "models", multiple=True, required=True, metavar="NAME=FILE")
@click.option("--count", default=1200, show_default=True, help="Scenes of either sort.")
@click.option("--recall", default=0.7, show_default=True)
def main(data: Path, out: Path, models: tuple[str, ...], count: int, recall: float) -> None:
    bench = Bench(data, out, count)
    click.echo("| network | calls in place | cut out | rejections in place | cut out | ratio |")
    click.echo("|---|--:|--:|--:|--:|--:|")
    with Bars(False) as bars:
        for model in models:
            name, _, path = model.partition("=")
            found = measure(bench, Path(path), recall, bars)
            shares = " | ".join(f"{value:.1%}" for value in found)
            click.echo(f"| {name} | {shares} | {found[3] / found[2]:.2f} |")


if __name__ == "__main__":
    main()
