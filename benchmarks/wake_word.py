"""What negatives do for a wake word: false activations an hour at a recall of unheard voices.

    python -m benchmarks.wake_word_sounds DATA
    python -m benchmarks.wake_word DATA --out WORK --seeds 2

DATA is a folder as `benchmarks.wake_word_sounds` composes it, or with sound of one's own:
positives/, negatives/ with a folder of each kind, test/positives/, test/negatives/. Everything is
done by negmine's commands. The arms train with as many steps and the same rows of positives and
negative files; what else they have is `ARMS`. Mined rows fooled the network of `random`, or of
`mixed`, of the same seed.

The threshold finds 0.7 or 0.9 of the test's positives, each by its best window. At it, activations
are counted in test/negatives/, with `evaluate --negative`'s refractory time. Intervals are 95 %,
Poisson, over the activations of all seeds. What is done already in WORK is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pandas as pd

from negmine.cli.main import main as negmine
from negmine.mining.selection import open_selection
from negmine.storage.csv_tables import write_csv
from negmine.storage.files import write_json
from negmine.storage.text_files import read_json

RECALLS = (0.7, 0.9)


@dataclass(frozen=True)
class Arm:
    """What an arm trains with besides positives and negative files.

    Attributes
    ----------
    mix : float
        Share of all rows that get a random negative mixed in; None: no random negatives at all.
    mined_by : str
        The arm whose network's mined rows are added; '' for none.
    control : bool
        Not the mined rows, but as many random ones.
    whole : bool
        Boxes of positives are whole files, not where their energy is.
    """

    mix: float | None = 0.0
    mined_by: str = ""
    control: bool = False
    whole: bool = False


ARMS: Mapping[str, Arm] = {
    "files": Arm(None),
    "random": Arm(),
    "mixed": Arm(0.5),
    "mixed-all": Arm(1.0),
    "mixed-whole": Arm(0.5, whole=True),
    "mined": Arm(mined_by="random"),
    "mined-control": Arm(mined_by="random", control=True),
    "mixed-mined": Arm(0.5, mined_by="mixed"),
    "mixed-mined-control": Arm(0.5, mined_by="mixed", control=True),
}


@dataclass(frozen=True)
class Bench:
    """Where everything is, and the settings of every run."""

    data: Path
    out: Path
    steps: int
    clip_s: float
    rate: int

    def run(self, *arguments: object) -> None:
        """Run a command of negmine in this process."""
        negmine.main([str(one) for one in arguments], prog_name="negmine", standalone_mode=False)

    def sound(self, whole: bool) -> list[object]:
        """Return the options that name the annotated files."""
        kinds = sorted(path for path in (self.data / "negatives").iterdir() if path.is_dir())
        negatives = [word for path in kinds for word in ("--negative-files", path)]
        if not whole:
            return ["--positives", f"{self.data / 'positives'}=word", *negatives]
        table = self.out / "whole.csv"
        if not table.exists():
            names = sorted(path.stem for path in (self.data / "positives").iterdir())
            rows = {"recording": names, "class": "word", "t_min": 0.0, "t_max": 2.5}
            write_csv(table, pd.DataFrame(rows))
        return [self.data / "positives", "--annotations", table, *negatives]

    @property
    def pool(self) -> Path:
        return self.out / "pool"

    def build(self) -> None:
        """Build the pool of certified negatives: several crops of each negative file."""
        if not self.pool.exists():
            self.run(
                "build-pool", *self.sound(False), "--out", self.pool, "--clip-s", self.clip_s,
                "--sample-rate", self.rate, "--quiet",
            )  # fmt: skip

    def folder(self, seed: int, name: str) -> Path:
        return self.out / f"seed{seed}" / name

    def train(self, seed: int, name: str) -> None:
        """Train an arm, and test it."""
        arm, folder = ARMS[name], self.folder(seed, name)
        if (folder / "test.json").exists():
            return
        if arm.mined_by:
            self.train(seed, arm.mined_by)
            self.mine(seed, arm.mined_by)
        more: list[object] = []
        if arm.mix is not None:
            more += ["--negatives", self.pool]
            more += ["--negative-mix", arm.mix]
        if arm.mined_by:
            suffix = ".control.parquet" if arm.control else ".parquet"
            selection = self.folder(seed, arm.mined_by) / f"hard{suffix}"
            # as rows, or mixed in like the random ones
            more += ["--hard-negatives", selection, "--hard-ratio", 0.5, "--hard-mix", arm.mix]
        self.run(
            "train", *self.sound(arm.whole), "--out", folder, "--cache", self.out / "cache",
            "--seed", seed, "--folds", 1, "--epochs", 1, "--steps-per-epoch", self.steps,
            "--clip-s", self.clip_s, "--window-s", self.clip_s, "--sample-rate", self.rate,
            "--n-mels", 40, "--patience", 0, "--quiet", *more,
        )  # fmt: skip
        write_json(folder / "test.json", self.test(folder / "last.pt"))

    def mine(self, seed: int, name: str) -> None:
        """Mine with an arm's network; write the selection, its control, and what is in it."""
        folder = self.folder(seed, name)
        if (folder / "hard.json").exists():
            return
        self.run(
            "mine", "--model", folder / "last.pt", "--pool", self.pool, "--out",
            folder / "hard.parquet", "--per-class", 200, "--control", "--quiet",
        )  # fmt: skip
        selection = open_selection(folder / "hard.parquet")
        recipes = selection.recipes(selection.open_pool())
        sources = [str(next(iter(one.sources)).name) for one in recipes]
        kinds = [path.name for path in (self.data / "negatives").iterdir()]
        shares = {kind: np.mean([kind in name for name in sources]) for kind in kinds}
        write_json(folder / "hard.json", {kind: float(share) for kind, share in shares.items()})

    def test(self, checkpoint: Path) -> dict[str, float]:
        """Count activations in the negative sound, at thresholds that find the positives."""
        import torch

        from training.evaluation.activations import Activations
        from training.evaluation.predict import Prediction, find_recordings, open_scorers, predict
        from training.evaluation.settings import ActivationSettings

        settings = ActivationSettings(hop_s=self.clip_s / 4)
        scorers, _, _ = open_scorers([checkpoint], torch.device("cpu"), settings.reading)

        def scored(part: str) -> list[Prediction]:
            recordings, _, _ = find_recordings([self.data / "test" / part])
            found = list(predict(scorers, recordings))
            return [one for one in found if isinstance(one, Prediction)]

        best = np.sort([one.windows.max() for one in scored("positives")])[::-1]
        negatives = scored("negatives")
        found = {"hours": sum(one.duration_s for one in negatives) / 3600}
        for recall in RECALLS:
            threshold = best[int(np.ceil(recall * len(best))) - 1]
            count = 0
            for one in negatives:
                activations = Activations(np.array([threshold]), settings, scorers[0].grid[1])
                count += len(activations.take(one.windows, one.start_s, one.end_s))
            found |= {f"threshold@{recall:g}": float(threshold), f"false@{recall:g}": count}
        return found


def results(bench: Bench, arms: list[str], seeds: int) -> pd.DataFrame:
    """Tabulate each arm: false activations an hour at each recall, with intervals."""
    from training.metrics import poisson_interval

    rows = []
    for name in arms:
        found = [read_json(bench.folder(seed, name) / "test.json") for seed in range(seeds)]
        hours = sum(one["hours"] for one in found)
        row: dict[str, object] = {"arm": name}
        for recall in RECALLS:
            counts = np.array([one[f"false@{recall:g}"] for one in found])
            low, high = (float(end) / hours for end in poisson_interval(counts.sum()))
            row |= {
                f"FA/h at {recall:g}": f"{counts.sum() / hours:.3g}",
                f"95 %, at {recall:g}": f"{low:.3g} to {high:.3g}",
                f"seeds, at {recall:g}": " ".join(map(str, counts)),
            }
        rows.append(row)
    return pd.DataFrame(rows)


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--seeds", default=2, show_default=True)
@click.option("--arms", default=",".join(ARMS), show_default=True)
@click.option("--steps", default=300, show_default=True)
@click.option("--clip-s", default=1.2, show_default=True)
@click.option("--sample-rate", "rate", default=16_000, show_default=True)
@click.option("--raw", type=click.Path(path_type=Path), help="CSV to write, a row an arm.")
def main(
    data: Path, out: Path, seeds: int, arms: str, steps: int, clip_s: float, rate: int,
    raw: Path | None,
) -> None:  # fmt: skip
    import torch

    torch.set_num_threads(1)
    names = arms.split(",")
    if unknown := [name for name in names if name not in ARMS]:
        raise click.UsageError(f"--arms: no arm '{unknown[0]}'; there are {', '.join(ARMS)}")
    out.mkdir(parents=True, exist_ok=True)
    bench = Bench(data, out, steps, clip_s, rate)
    bench.build()
    for seed in range(seeds):
        for name in names:
            bench.train(seed, name)
            click.echo(f"seed {seed}, {name}: {read_json(bench.folder(seed, name) / 'test.json')}")
    table = results(bench, names, seeds)
    click.echo(table.to_string(index=False))
    if raw:
        write_csv(raw, table)


if __name__ == "__main__":
    main()
