"""What mining is worth: TP+FP alone, + random negatives, + mined negatives, against the truth.

Every arm of a seed starts from the same weights, takes the same steps, and trains on the same TP
and FP rows; it differs in the rows added. Run:

    python -m benchmarks.hard_negatives DATA --out WORK

DATA is in RFCX's layout with the truth of a test part: train/, train_tp.csv, train_fp.csv,
external/, test/, test_truth.csv, test_events.csv. With train_events.csv beside them, the selections
are audited for hidden calls; it is never trained on. What is done already in WORK is not repeated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from negmine.annotations import read_rfcx
from negmine.build import PoolSettings, build_pool
from negmine.console import Bars
from negmine.mine import MineSettings
from negmine.pool import Pool
from negmine.recordings import open_annotated
from negmine.selection import open_selection
from negmine.sources.settings import FpSettings, MixSettings
from negmine.tables import write_json
from training.checkpoint import Checkpoint
from training.config import TrainConfig
from training.evaluate import Truth, evaluate, open_truth_recordings
from training.inference import RecordingScorer
from training.loop import run_loop
from training.scorer import choose_device

METRICS = {
    "lwlrap": "LWLRAP",
    "macro_ap": "macro AP",
    "neg@3": "neg@3",
    "fp/h@0.7": "FP/h at 0.7",
    "fp/h@0.7:bed": "of which without any call",
    "fp/h@0.9": "FP/h at 0.9",
}
MARGINS = {
    (-np.inf, -2.0): "more than 2 below",
    (-2.0, -1.0): "1 to 2 below",
    (-1.0, 0.0): "up to 1 below",
    (0.0, np.inf): "above",
}
ARMS = {"none": "TP + FP", "random": "+ random", "mined": "+ mined"}


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Work folder.")
@click.option("--seeds", default=5, show_default=True)
@click.option("--first-seed", default=0, show_default=True)
@click.option("--mix", default=3000, show_default=True, help="Mixes in the pool.")
@click.option("--per-class", default=50, show_default=True)
@click.option("--hard-ratio", default=0.25, show_default=True)
@click.option("--rounds", default=1, show_default=True)
@click.option("--epochs", default=8, show_default=True)
@click.option("--steps-per-epoch", default=50, show_default=True)
@click.option("--tp-per-step", default=28, show_default=True)
@click.option("--fp-per-step", default=12, show_default=True)
@click.option("--lsoft", default=0.1, show_default=True)
@click.option("--clip-s", default=2.0, show_default=True)
@click.option("--sample-rate", default=32_000, show_default=True)
@click.option("--precision", default="fp32", show_default=True)
@click.option("--backbone", default="small", show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--quiet", is_flag=True)
def main(
    data: Path,
    out: Path,
    seeds: int,
    first_seed: int,
    mix: int,
    per_class: int,
    hard_ratio: float,
    rounds: int,
    device: str,
    quiet: bool,
    **settings: Any,
) -> None:
    chosen = choose_device(device)
    clip = {"clip_s": settings["clip_s"], "sample_rate": settings["sample_rate"]}
    annotations = read_rfcx(data / "train_tp.csv", data / "train_fp.csv")
    results: list[dict[str, Any]] = []
    with Bars(quiet) as bars:
        recordings, annotations = open_annotated(
            data / "train", annotations, progress=lambda total: bars("reading recordings", total)
        )
        pool = build_pool(
            data / "train",
            annotations,
            out / "pool",
            external=[str(data / "external")] if (data / "external").is_dir() else [],
            settings=PoolSettings(
                fp=FpSettings(pad="beyond"),
                mix=MixSettings(count=mix, parts=(2, 2), offset=0.0),
                # composed soundscapes share beds and distractors with one another
                near_duplicates=False,
                **clip,
            ),
            progress=bars,
        ).pool
        truth = Truth(data / "test_truth.csv", data / "test_events.csv", annotations.classes)
        test = open_truth_recordings(data / "test", truth)
        for seed in range(first_seed, first_seed + seeds):
            config = TrainConfig(seed=seed, patience=0, **settings)
            done = run_loop(
                config,
                annotations,
                recordings,
                pool,
                out / f"seed{seed}",
                rounds=rounds,
                mining=MineSettings(per_class=per_class, seed=seed),
                hard_ratio=hard_ratio,
                control=True,
                device=chosen,
                progress=bars,
            )
            for found in done:
                stored = found.checkpoint.with_name("test.json")
                if not stored.exists():
                    # the last weights: every arm took the same steps
                    checkpoint = Checkpoint.load(found.checkpoint.with_name("last.pt"))
                    scorer = RecordingScorer(checkpoint.detector(chosen), config, chosen)
                    advance = bars(f"seed {seed}: testing {found.arm}", len(test.infos))
                    tested = evaluate(scorer, test, truth, on_done=advance)
                    write_json(stored, tested.metrics)
                scores = json.loads(stored.read_text())
                results.append({"seed": seed, "arm": found.arm, "round": found.number, **scores})
    print(markdown(pd.DataFrame(results)))
    if (data / "train_events.csv").exists():
        print(
            audit_table(
                data / "train_events.csv", pool, out, range(first_seed, first_seed + seeds), rounds
            )
        )


def markdown(results: pd.DataFrame) -> str:
    """Mean and deviation of each arm, and paired differences to the control and to TP+FP alone."""
    last = results[(results["arm"] == "none") | (results["round"] == results["round"].max())]
    lines = [f"| arm | {' | '.join(METRICS.values())} |", "|---" * (len(METRICS) + 1) + "|"]
    by_arm = {
        arm: last[last["arm"] == arm].sort_values("seed")[list(METRICS)].to_numpy() for arm in ARMS
    }
    for arm, title in ARMS.items():
        cells = [_cell(column) for column in by_arm[arm].T]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    for first, second in (("random", "none"), ("mined", "none"), ("mined", "random")):
        differences = by_arm[first] - by_arm[second]
        cells = [f"{_cell(column, sign='+')} ({_wins(column)})" for column in differences.T]
        title = f"{ARMS[first].strip('+ ')} - {ARMS[second].strip('+ ')}"
        lines.append(f"| {title}, paired | {' | '.join(cells)} |")
    lines.append("")
    lines.append("Mean (sd) over seeds; paired: seeds above zero of all.")
    return "\n".join(lines)


def _cell(values: np.ndarray, sign: str = "") -> str:
    digits = 0 if np.abs(values).max() > 20 else 3
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return f"{values.mean():{sign}.{digits}f} ({spread:.{digits}f})"


def _wins(differences: np.ndarray) -> str:
    return f"{int((differences > 0).sum())}/{len(differences)}"


def audit_table(events_file: Path, pool: Pool, out: Path, seeds: range, rounds: int) -> str:
    """How many chosen absences the truth contradicts: by kind of row, and by how hard it is."""
    events = pd.read_csv(events_file, dtype={"recording_id": str, "species_id": str})
    spans = {
        key: group[["t_min", "t_max"]].to_numpy()
        for key, group in events.groupby(["recording_id", "species_id"])
    }
    fields = pool.calls[0].sources[0].root
    rows = []
    for seed in seeds:
        folder = out / f"seed{seed}" / f"round{rounds}"
        report = json.loads((folder / "hard.report.json").read_text())["classes"]
        for arm, name in (("mined", "hard.parquet"), ("random", "hard.control.parquet")):
            selection = open_selection(folder / name)
            for row, recipe in zip(selection.rows, selection.recipes(pool), strict=True):
                hidden = any(
                    _calls(spans, layer.source.group, row.label, layer.start_s, recipe.duration_s)
                    for layer in recipe.layers
                    if layer.source is not None
                )
                boxed = any(source.root == fields for source in recipe.sources)
                margin = row.score - report[row.label]["calls"]
                rows.append((arm, row.kind, boxed, margin, hidden))
    frame = pd.DataFrame(rows, columns=["arm", "kind", "boxed", "margin", "hidden"])
    lines = ["", "| selection | kind | rows | class present after all |", "|---|---|---|---|"]
    for (arm, kind), group in frame.groupby(["arm", "kind"]):
        lines.append(f"| {arm} | {kind} | {len(group)} | {group.hidden.mean():.1%} |")
    lines += ["", "Mined rows that rest on a rejected box, by their score over the class's median"]
    lines += ["confirmed call, in logits:", "", "| score | rows | class present after all |"]
    lines += ["|---|---|---|"]
    hard = frame[(frame.arm == "mined") & frame.boxed]
    for (low, high), title in MARGINS.items():
        group = hard[(hard.margin >= low) & (hard.margin < high)]
        share = f"{group.hidden.mean():.1%}" if len(group) else "-"
        lines.append(f"| {title} | {len(group)} | {share} |")
    return "\n".join(lines)


def _calls(
    spans: dict[Any, np.ndarray], recording: str, label: str, start_s: float, clip_s: float
) -> bool:
    here = spans.get((recording, label), np.zeros((0, 2)))
    return bool(np.any((here[:, 0] < start_s + clip_s) & (here[:, 1] > start_s)))


if __name__ == "__main__":
    main()
