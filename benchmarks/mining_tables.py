"""The tables of `benchmarks.mining_helps`: what each arm scored, and what each choice took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.certificates import Auditor, read_events
from benchmarks.compare import mean_sd, read_scores
from benchmarks.mining_arms import ARMS
from negmine.mining.selection import Selection, open_selection
from negmine.pool import Pool, open_pool

METRICS = {
    "lwlrap": "LWLRAP",
    "macro_ap": "macro AP",
    "neg@3": "neg@3",
    "neg@5": "neg@5",
    "fp/h@0.7": "FP/h at 0.7",
    "fp/h@0.9": "FP/h at 0.9",
}


def results_table(out: Path, arms: Iterable[str], seeds: int) -> str:
    """Tabulate mean and deviation of each arm; its paired difference to its control, 95 %."""
    found = {arm: read_scores(out, arm, seeds, list(METRICS)) for arm in ("base", *arms)}
    head = [f"| arm | {' | '.join(METRICS.values())} |", "|---" * (len(METRICS) + 1) + "|"]
    lines = list(head)
    for arm, scores in found.items():
        title = "the bases" if arm == "base" else ARMS[arm].title
        cells = [mean_sd(scores[name].to_numpy()) for name in METRICS]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines += [
        "",
        "Mean (sd) over seeds. Paired differences, 95 % intervals (Student's t):",
        "",
    ]
    lines += head
    for arm in arms:
        control = ARMS[arm].control
        if control in found:
            cells = [_difference(found[arm][m] - found[control][m]) for m in METRICS]
            title = f"{ARMS[arm].title} - {ARMS[control].title}"
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(values: pd.Series) -> str:
    digits = 0 if values.abs().max() > 20 else 3
    mean = f"{values.mean():+.{digits}f}"
    if len(values) < 2:
        return mean
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{mean} ± {half:.{digits}f}"


def audit_table(
    out: Path, choices: Sequence[str], pool: Pool, events: list[Path], seeds: int
) -> str:
    """Tabulate how many chosen absences the truth contradicts, and what doubt said of them."""
    calls = {(call.layers[0], name) for call in pool.calls for name in call.labels.present}
    auditor = Auditor(read_events(events), calls)
    head = "choice | rows | class present after all | mean doubt | to review | of which present"
    lines = ["", f"| {head} |"]
    lines.append("|---" * 6 + "|")
    for name in ("random", *choices):
        kept = [open_selection(out / f"seed{s}" / f"{name}.parquet") for s in range(seeds)]
        rows = [row for selection in kept for row in selection.rows]
        wrong = _wrong(kept, auditor)
        doubt = float(np.mean([row.doubt for row in rows])) if rows else float("nan")
        cells = [name, str(len(rows)), _share(wrong), f"{doubt:.1%}", "", ""]
        if name != "random":
            review = [
                open_selection(out / f"seed{s}" / f"{name}.review.parquet") for s in range(seeds)
            ]
            found = _wrong(review, auditor)
            cells[4:] = [str(len(found)), _share(found)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _wrong(selections: Iterable[Selection], auditor: Auditor) -> list[bool]:
    return [
        auditor.contradicts(recipe, row.label)
        for selection in selections
        for row, recipe in zip(
            selection.rows, selection.recipes(open_pool(selection.pool)), strict=True
        )
    ]


def _share(found: list[bool]) -> str:
    return f"{np.mean(found):.1%}" if found else "-"
