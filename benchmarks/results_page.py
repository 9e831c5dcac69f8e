"""The tables of docs/results.md, from the CSV files in docs/results.

    python -m benchmarks.results_page

writes them again: what is between ``<!-- table: FILE.csv -->`` and ``<!-- table end -->`` is made
of that file. Most files are shown as they are. `MADE` holds what is computed from raw figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from benchmarks.benefit_arms import ARMS
from benchmarks.benefit_tables import RATIOS, Gain
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
    """Return what arms of `benchmarks.benefit` scored, means over seeds, and what they gain.

    The gains are in the file of the same name with ``-gains``.
    """
    lines = [
        "| data | seeds | arm | LWLRAP | macro AP | FP/h at 0.7 | recall at 1 FP/h "
        "| FP/h against TP + FP | control | FP/h against it | recall at 1 FP/h against it |",
        "|---|--:|---|--:|--:|--:|--:|---|---|---|---|",
    ]
    gains = pd.read_csv(path.with_name(f"{path.stem}-gains.csv"))
    for data, rows in pd.read_csv(path).groupby("data", sort=False):
        gained = dict(_texts(gains[gains["data"] == data]))
        for arm, runs in rows.groupby("arm", sort=False):
            own = runs.pivot(index="seed", columns="metric", values="value")
            mean, title, control = own.mean(), ARMS[str(arm)].title, ARMS[str(arm)].control
            beyond = (arm, control, "fp/h@0.7") in gained and control != "tp-fp"
            cells = [
                str(data),
                str(len(own)),
                title,
                *(f"{mean[name]:.3f}" for name in ("lwlrap", "macro_ap")),
                f"{mean['fp/h@0.7']:,.0f}",
                f"{mean['recall@1fp/h']:.3f}",
                gained.get((arm, "tp-fp", "fp/h@0.7"), ""),
                ARMS[str(control)].title if beyond else "",
                *(gained[arm, control, n] if beyond else "" for n in ("fp/h@0.7", "recall@1fp/h")),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _texts(gains: pd.DataFrame) -> Iterator[tuple[tuple[object, ...], str]]:
    """Yield arm, control and metric, and what is gained."""
    keys = gains[["arm", "against", "metric"]].itertuples(index=False, name=None)
    columns = ["change", "seeds_low", "seeds_high", "recordings_low", "recordings_high"]
    for key, (mean, *ends) in zip(keys, gains[columns].to_numpy(float).tolist(), strict=True):
        found = Gain(mean, (ends[0], ends[1]), (ends[2], ends[3]))
        yield key, found.text(key[2] in RATIOS)


def thresholds_table(path: Path) -> str:
    """Return what thresholds of `benchmarks.thresholds` gave, over classes, where there is any."""
    found = pd.read_csv(path)
    of = ["site", "by", "sure", "wanted"]
    return summary(found[found.groupby(of)["threshold"].transform("count") > 0])


MADE: dict[str, Callable[[Path], str]] = {
    "benefit.csv": benefit_table,
    "verdicts.csv": benefit_table,
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
