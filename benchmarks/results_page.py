"""The tables of docs/results.md, from the CSV files in docs/results.

    python -m benchmarks.results_page

writes them again: what is between ``<!-- table: FILE.csv -->`` and ``<!-- table end -->`` is made
of that file. Most files are shown as they are. `MADE` holds what is computed from raw figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.benefit_arms import ARMS
from benchmarks.thresholds import summary
from negmine.storage.files import writing

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "results.md"

_BLOCK = re.compile(
    r"(?P<begin><!-- table: (?P<file>[\w.-]+) -->\n).*?(?P<end><!-- table end -->)", re.DOTALL
)


def filled(page: str) -> str:
    """Return a page with its tables made again."""

    def block(found: re.Match[str]) -> str:
        path = DOCS / "results" / found["file"]
        return f"{found['begin']}{MADE.get(path.name, as_it_is)(path)}\n{found['end']}"

    return _BLOCK.sub(block, page)


def as_it_is(path: Path) -> str:
    """Return a CSV as Markdown, its numbers to the right."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    number = re.compile(r"[-+]?[\d,.]+ ?(%|s|ms)?|")
    right = [all(number.fullmatch(cell) for cell in table[name]) for name in table]
    marks = ["--:" if one else "---" for one in right]
    lines: list[list[str]] = [[str(name) for name in table], marks, *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def benefit_table(path: Path) -> str:
    """Return what each arm of `benchmarks.benefit` scored: means over seeds, and its gains."""
    lines = [
        "| data | seeds | arm | LWLRAP | macro AP | FP/h at 0.7 | recall at 10 FP/h "
        "| FP/h against TP + FP | FP/h against |",
        "|---|--:|---|--:|--:|--:|--:|---|---|",
    ]
    for data, rows in pd.read_csv(path).groupby("data", sort=False):
        arms = {
            str(arm): runs.pivot(index="seed", columns="metric", values="value")
            for arm, runs in rows.groupby("arm", sort=False)
        }
        for arm, own in arms.items():
            mean = own.mean()
            control = ARMS[arm].control
            if control is None or control == "tp-fp" or control not in arms:
                against = ""
            else:
                against = f"{ARMS[control].title}: {_change(own, arms[control])}"
            cells = [
                str(data),
                str(len(own)),
                ARMS[arm].title,
                *(f"{mean[name]:.3f}" for name in ("lwlrap", "macro_ap")),
                f"{mean['fp/h@0.7']:,.0f}",
                f"{mean['recall@10fp/h']:.3f}",
                "" if arm == "tp-fp" else _change(own, arms["tp-fp"]),
                against,
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _change(runs: pd.DataFrame, control: pd.DataFrame) -> str:
    """Format the change of false positives an hour, paired by seed, with Student's 95 %."""
    ratios = (runs["fp/h@0.7"] / control["fp/h@0.7"]).dropna()
    logs = np.log(ratios.to_numpy(dtype=float))
    if len(logs) < 2:
        return f"{100 * np.expm1(logs.mean()):+.0f} %"
    half = stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
    changes = 100 * np.expm1([logs.mean(), logs.mean() - half, logs.mean() + half])
    return "{:+.0f} % [{:+.0f}, {:+.0f}]".format(*changes)


def thresholds_table(path: Path) -> str:
    """Return what thresholds of `benchmarks.thresholds` gave, over classes, where there is any."""
    found = pd.read_csv(path)
    of = ["site", "by", "sure", "wanted"]
    return summary(found[found.groupby(of)["threshold"].transform("count") > 0])


MADE: dict[str, Callable[[Path], str]] = {
    "benefit.csv": benefit_table,
    "thresholds.csv": thresholds_table,
}


def main() -> None:
    """Write the page's tables again."""
    page = PAGE.read_text(encoding="utf-8")
    if (new := filled(page)) != page:
        with writing(PAGE) as temporary:
            temporary.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
