"""Precision wanted against precision got, of a frozen network's heads, at one site after another.

    python -m benchmarks.thresholds DATA... --run RUN --out WORK

RUN is of ``negmine train FIRST/train --tp --fp --backbone NETWORK --seeds 1 --folds K``, FIRST
being the first DATA. A DATA is a site: unlabelled/ with unlabelled_events.csv, test/ with
test_events.csv. Thresholds are chosen

- by *tables*: the confirmed calls and rejected detections of FIRST, each scored by the head that
  held it out (``calibrate`` without a site);
- by *site*: with verdicts on windows of unlabelled/ of the DATA by a listener who knows its calls
  (`benchmarks.listener`): a quarter each from a class's highest-scoring 0.2, 2, 20 and 100 %
  (``calibrate --site --verdicts``);

each once by the estimate and once ``--sure``, and applied to test/ as ``predict`` with all heads
does: windows side by side, scored by the mean of the heads. A window is right by the listener's
rule; those of which he is unsure do not count. WORK keeps embeddings: a second call reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from scipy.special import expit

from benchmarks.certificates import read_events
from benchmarks.listener import Listener
from negmine.annotations import read_rfcx
from negmine.annotations.recordings import open_annotated
from negmine.annotations.verdict_rows import ABSENT, PRESENT
from negmine.audio.read import read_all
from negmine.audio.silence import is_silent
from negmine.audio.windows import Span
from negmine.storage.csv_tables import write_csv
from training.calibration.choose import choose
from training.calibration.judged_rates import (
    Judged,
    ScoreCounts,
    intraclass_correlation,
    precision_at,
)
from training.calibration.judged_spans import as_logit, models_of, score_spans
from training.calibration.settings import CalibrateSettings

PRECISIONS = (0.5, 0.8, 0.9)

# Shares of a class's windows, the highest-scoring, from which as many are heard each.
_PARTS = (0.002, 0.02, 0.2, 1.0)


@dataclass(frozen=True)
class Windows:
    """Windows of some recordings: logits (N, C), verdicts (N, C) of 1, 0 and -1, and recordings."""

    logit: np.ndarray
    verdict: np.ndarray
    recording: np.ndarray
    hours: float

    def judged(self, column: int, rows: np.ndarray | slice = slice(None)) -> Judged:
        """Return the sure verdicts on a class, of some windows."""
        verdict = self.verdict[rows, column]
        sure = verdict >= 0
        return Judged(
            self.logit[rows, column][sure], verdict[sure] == 1, self.recording[rows][sure]
        )


def embedded(network: Any, folder: Path, most: int, kept: Path) -> tuple[np.ndarray, np.ndarray]:
    """Embed the windows of a folder's first recordings: embeddings, and recording and start."""
    if kept.exists():
        with np.load(kept) as found:
            return found["embeddings"], found["places"]
    rate, length = network.sample_rate, network.length
    embeddings, places = [], []
    paths = sorted(folder.iterdir())[:most]
    with click.progressbar(paths, label=str(folder)) as bar:
        for number, path in enumerate(bar):
            samples = read_all(path, rate)
            starts = np.arange(0, max(1, len(samples) - length + 1), length)
            clips = np.stack([samples[start : start + length] for start in starts])
            heard = np.array([not is_silent(clip) for clip in clips])
            if heard.any():
                embeddings.append(network.embed(np.ascontiguousarray(clips[heard])))
                places.append(np.stack([np.full(heard.sum(), number), starts[heard]], axis=1))
    kept.parent.mkdir(parents=True, exist_ok=True)
    arrays = np.concatenate(embeddings), np.concatenate(places)
    np.savez(kept, embeddings=arrays[0], places=arrays[1])
    return arrays


def windows_of(data: Path, part: str, scorers: Sequence[Any], most: int, work: Path) -> Windows:
    """Score a part of a site by all heads, and let the listener judge every window."""
    import torch

    network = scorers[0].detector.base
    kept = work / f"{data.name}-{part}-{most}.npz"
    embeddings, places = embedded(network, data / part, most, kept)
    with torch.inference_mode():
        given = torch.from_numpy(embeddings).unsqueeze(1)
        each = [expit(one.detector.logits(given).double().numpy()) for one in scorers]
    names = [path.stem for path in sorted((data / part).iterdir())[:most]]
    classes = pd.read_csv(data / "classes.csv", dtype=str)["species_id"].tolist()
    listener = Listener(read_events([data / f"{part}_events.csv"]))
    words = {PRESENT: 1, ABSENT: 0}
    length_s = network.length / network.sample_rate
    verdict = np.empty((len(places), len(classes)), dtype=np.int8)
    for row, (number, start) in enumerate(places.tolist()):
        begins = start / network.sample_rate
        span = Span(begins, begins + length_s)
        for column, label in enumerate(classes):
            verdict[row, column] = words.get(listener.hear(names[number], label, span), -1)
    hours = len(places) * length_s / 3600
    return Windows(as_logit(np.mean(each, axis=0)), verdict, places[:, 0], hours)


def heard(logit: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw windows to hear, by score alone: int array."""
    order = np.argsort(-logit, kind="stable")
    parts = [order[: int(len(order) * share)] for share in _PARTS]
    drawn = [rng.choice(one, min(count // len(parts), len(one)), replace=False) for one in parts]
    return np.unique(np.concatenate(drawn))


def tables_of(
    first: Path, models: Sequence[Path], scorers: Sequence[Any], kept: Path
) -> list[Judged]:
    """Score the judged spans of the first data, each by the head that held it out."""
    if kept.exists():
        return _by_class(pd.read_csv(kept))
    from training.engine.checkpoint import Checkpoint

    tables = read_rfcx(first / "train_tp.csv", first / "train_fp.csv")
    recordings, annotations = open_annotated(first / "train", tables)
    held = models_of([Checkpoint.load(path) for path in models], scorers, [])
    spans = score_spans(held, annotations, recordings, [])
    columns = ("column", "logit", "present", "recording")
    found = pd.DataFrame({name: getattr(spans, name) for name in columns})
    write_csv(kept, found)
    return _by_class(found)


def _by_class(found: pd.DataFrame) -> list[Judged]:
    return [
        Judged(*(mine[name].to_numpy() for name in ("logit", "present", "recording")))
        for _, mine in found.groupby("column")
    ]


def rows_of(
    site: str,
    by: str,
    judged: Sequence[Judged],
    counts: Sequence[ScoreCounts] | None,
    test: Windows,
) -> list[dict[str, object]]:
    """Choose every class's thresholds, and see what they give on the test windows."""
    rho = intraclass_correlation(list(judged))
    of_test = [test.judged(column) for column in range(len(judged))]
    rho_test = intraclass_correlation(of_test)
    rows: list[dict[str, object]] = []
    for wanted in PRECISIONS:
        for sure in (False, True):
            settings = CalibrateSettings(precision=wanted, sure=sure)
            for column, one in enumerate(judged):
                choice = choose(one, settings, rho, counts[column] if counts else None)
                chosen = not np.isnan(choice.logit)
                got = precision_at(of_test[column], choice.logit if chosen else np.inf, rho_test)
                calls = int(of_test[column].present.sum())
                rows.append(
                    {
                        "site": site, "by": by, "sure": sure, "wanted": wanted, "class": column,
                        "verdicts": len(one.present), "confirmed": int(one.present.sum()),
                        "status": choice.status, "threshold": expit(choice.logit),
                        "estimated": choice.found.precision if chosen else np.nan,
                        "low": choice.found.low if chosen else np.nan,
                        "high": choice.found.high if chosen else np.nan,
                        "more_verdicts": choice.more, "got": got.precision, "got_low": got.low,
                        "got_high": got.high, "test_present": got.present,
                        "test_absent": got.absent, "test_calls": calls,
                        "recall": got.present / calls if calls else np.nan,
                        "fp_per_hour": got.absent / test.hours,
                    }
                )  # fmt: skip
    return rows


def summary(found: pd.DataFrame) -> str:
    """Tabulate what was got over classes, as Markdown."""
    lines = [
        "| site | by | `--sure` | wanted | classes with a threshold | got, all detections | got, "
        "median class | its interval reaches what is wanted | the table's interval holds it | "
        "recall | FP/h a class |",
        "|---" * 11 + "|",
    ]
    for (site, by, sure, wanted), rows in found.groupby(
        ["site", "by", "sure", "wanted"], sort=False
    ):
        chosen = rows[rows["threshold"].notna()]
        met = chosen[chosen["got"].notna()]
        hits, misses = met["test_present"].sum(), met["test_absent"].sum()
        reached = (met["got_high"] >= wanted).sum()
        inside = ((met["low"] <= met["got"]) & (met["got"] <= met["high"])).sum()
        share = f"{hits / max(1, hits + misses):.2f}" if len(met) else "-"
        median = f"{met['got'].median():.2f}" if len(met) else "-"
        means = chosen["recall"].mean(), chosen["fp_per_hour"].mean()
        rates = f"{means[0]:.2f} | {means[1]:.1f}" if len(chosen) else "- | -"
        lines.append(
            f"| {site} | {by} | {'yes' if sure else ''} | {wanted:g} "
            f"| {len(chosen)} of {len(rows)} | {share} | {median} | {reached} of {len(met)} "
            f"| {inside} of {len(met)} | {rates} |"
        )
    return "\n".join(lines)


def classes_table(found: pd.DataFrame) -> str:
    """Tabulate what each class got with its interval, without ``--sure``, as Markdown."""
    columns = {}
    for (site, by, wanted), rows in found[~found["sure"]].groupby(
        ["site", "by", "wanted"], sort=False
    ):
        columns[f"{site}, {by}, {wanted:g}"] = [
            "-" if np.isnan(row["threshold"])
            else "none detected" if np.isnan(row["got"])
            else f"{row['got']:.2f} ({row['got_low']:.2f}..{row['got_high']:.2f})"
            for row in rows.to_dict("records")
        ]  # fmt: skip
    lines = [f"| class | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for number, cells in enumerate(zip(*columns.values(), strict=True)):
        lines.append(f"| {number} | {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command(help=__doc__)
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--run", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--site", "most_site", default=400, show_default=True, help="Site recordings.")
@click.option("--test", "most_test", default=300, show_default=True, help="Test recordings.")
@click.option("--per-class", default=120, show_default=True, help="Site windows heard a class.")
@click.option("--seed", default=0, show_default=True)
def main(
    data: Sequence[Path], run: Path, out: Path, most_site: int, most_test: int, per_class: int,
    seed: int,
) -> None:  # fmt: skip
    import torch

    from training.evaluation.predict import open_scorers
    from training.evaluation.settings import ReadingSettings

    torch.set_num_threads(1)
    models = sorted(run.glob("seed0/fold*/best.pt"))
    scorers, classes, _ = open_scorers(models, torch.device("cpu"), ReadingSettings(readout="max"))
    tables = tables_of(data[0], models, scorers, out / "tables.csv")
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for one in data:
        test = windows_of(one, "test", scorers, most_test, out)
        rows += rows_of(one.name, "tables", tables, None, test)
        site = windows_of(one, "unlabelled", scorers, most_site, out)
        drawn = [heard(site.logit[:, c], per_class, rng) for c in range(len(classes))]
        judged = [site.judged(column, which) for column, which in enumerate(drawn)]
        counts = [
            ScoreCounts(*np.unique(site.logit[:, c], return_counts=True), site.hours)
            for c in range(len(classes))
        ]
        rows += rows_of(one.name, "site", judged, counts, test)
    found = pd.DataFrame(rows)
    write_csv(out / "thresholds.csv", found, float_format="%.4g")
    click.echo(f"{summary(found)}\n\n{classes_table(found)}")


if __name__ == "__main__":
    main()
