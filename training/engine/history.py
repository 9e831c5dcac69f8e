"""A run's epochs: which is the best, when to stop, and what is written of them."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from negmine.look import LIGHT
from negmine.storage.digests import text_fingerprint
from negmine.storage.files import writing
from training.config import TrainConfig

Entry = dict[str, float]

# What validation says of an epoch, where the fold's labels let a model change it.
SCORES = ("known_ap", "neg@3", "neg@5")
# False positives an hour at a recall, where epochs are chosen by them.
RATE = "fp/h@"

# Seconds: an epoch of a head on a frozen network takes less time than its curve.
DRAWN_EVERY_S = 5.0

# Names of scores in the histories of older checkpoints.
_RENAMED = {"lwlrap": "known_ap"}


def renamed(entry: Mapping[str, float]) -> Entry:
    """Rename a line of an older checkpoint's history to today's names."""
    return {_RENAMED.get(name, name): value for name, value in entry.items()}


def scores_of(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return which of `SCORES`, and rates, any of the entries has: columns of a table of them."""
    found = {name: None for entry in entries for name in entry}
    return [name for name in SCORES if name in found] + [n for n in found if n.startswith(RATE)]


def scores_table(
    titles: Sequence[str],
    rows: Sequence[tuple[Sequence[object], Mapping[str, Any]]],
) -> tuple[list[str], list[list[str]]]:
    """Return headers and cells of a table: what each row is, its scores, and its loss."""
    names = scores_of(entry for _, entry in rows)
    cells = [
        [
            *map(str, what),
            *(f"{entry[k]:.3f}" if k in entry else "-" for k in names),
            f"{entry['loss']:.4f}" if "loss" in entry else "-",
        ]
        for what, entry in rows
    ]
    return [*titles, *names, "loss"], cells


def validation_score(entry: Mapping[str, float]) -> float:
    """Return what epochs and rounds are compared by, higher is better; NaN if nothing validates.

    The false positives an hour, negative, of a run that chooses by them; else ``known_ap``.
    """
    rates = [-value for name, value in entry.items() if name.startswith(RATE)]
    return rates[0] if rates else entry.get("known_ap", math.nan)


def shown_score(history: Sequence[Entry]) -> dict[str, str]:
    """Return what a progress bar shows of the last epoch, by its name."""
    entry = history[-1] if history else {}
    for name, value in entry.items():
        if name.startswith(RATE):
            return {name: f"{value:.0f}"}
    return {"known_ap": f"{entry.get('known_ap', math.nan):.3f}"}


def learning_rate(step: int, config: TrainConfig) -> float:
    """Compute a linear warm-up, then a cosine to zero, over the steps of the whole run."""
    warmup = max(1, round(config.warmup * config.total_steps))
    if step < warmup:
        return config.lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, config.total_steps - warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * progress))


def is_best(history: Sequence[Entry]) -> bool:
    """Return whether the last epoch is at least as good as all before it."""
    return _rank(history[-1]) >= max(map(_rank, history))


def should_stop(history: Sequence[Entry], patience: int) -> bool:
    """Return whether this many epochs passed since the best one; never with a patience of 0."""
    if not patience or not history:
        return False
    return len(history) - 1 - _best(history) >= patience


def _best(history: Sequence[Entry]) -> int:
    """Return the place of the first of the best epochs."""
    ranks = [_rank(entry) for entry in history]
    return ranks.index(max(ranks))


def _rank(entry: Entry) -> tuple[float, float]:
    # without validation, or where all models score the same, the latest epoch is the best
    score = validation_score(entry)
    # few negatives give few rates: of epochs with the same, the better ranking is the better
    ties = entry.get("known_ap", 0.0)
    return (entry["epoch"], 0.0) if math.isnan(score) else (score, ties)


class HistoryFiles:
    """``metrics.csv`` of a run, and ``curve.png``, its learning curve; what is right stays.

    Parameters
    ----------
    out : Path
        The run's folder.
    """

    def __init__(self, out: Path) -> None:
        self._table, self._curve = out / "metrics.csv", out / "curve.png"
        self._drawn = time.monotonic()

    def write(self, history: Sequence[Entry], *, last: bool) -> None:
        """Write both, or the table alone where the curve was drawn a moment ago and more follows.

        Parameters
        ----------
        history : sequence of dict
        last : bool
            Whether no epoch follows at once.
        """
        table = pd.DataFrame(history).astype({"epoch": int}).to_csv(index=False).encode()
        if not self._table.is_file() or self._table.read_bytes() != table:
            _write(self._table, table)
        if not last and time.monotonic() - self._drawn < DRAWN_EVERY_S:
            return
        mark = text_fingerprint(table.decode())
        if not self._curve.is_file() or mark.encode() not in self._curve.read_bytes():
            _write(self._curve, draw_curve(history, mark))
        self._drawn = time.monotonic()


def _write(path: Path, content: bytes) -> None:
    with writing(path) as temporary:
        temporary.write_bytes(content)


def draw_curve(history: Sequence[Entry], mark: str = "") -> bytes:
    """Draw loss and scores by epoch as PNG, the best epoch marked.

    Parameters
    ----------
    mark : str
        Written into the file: of what it was drawn.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [entry["epoch"] for entry in history]
    best = _best(history)
    names = [name for name in scores_of(history) if name in SCORES]
    rate = next((name for name in scores_of(history) if name.startswith(RATE)), None)
    figure = Figure(figsize=(8, 4.5))
    FigureCanvasAgg(figure)
    # a fixed place: to lay it out again would take most of the time of a figure
    left = figure.add_axes((0.08, 0.11, 0.75 if rate and names else 0.84, 0.79))
    left.plot(
        epochs, [e["loss"] for e in history], "o-", color=LIGHT.soft, markersize=3, label="loss"
    )
    left.set_xlabel("epoch")
    left.set_ylabel("loss")
    left.set_ylim(bottom=0)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.axvline(epochs[best], color=LIGHT.line, linestyle="--", zorder=0, label="best epoch")
    lines, labels = left.get_legend_handles_labels()
    if names:
        right = left.twinx()
        right.set_ylabel("score on known labels")
        right.set_ylim(0, 1)
        for name, color in zip(names, (LIGHT.negatives, LIGHT.chosen, LIGHT.calls), strict=False):
            values = [entry.get(name, math.nan) for entry in history]
            shown = f"{name} ({values[best]:.3f})"
            right.plot(epochs, values, "o-", color=color, markersize=3, label=shown)
        more = right.get_legend_handles_labels()
        lines, labels = lines + more[0], labels + more[1]
    if rate:
        outer = left.twinx()
        outer.spines["right"].set_position(("axes", 1.12 if names else 1.0))
        outer.set_ylabel("false positives per hour, held-out negatives")
        values = [entry.get(rate, math.nan) for entry in history]
        shown = f"{rate} ({values[best]:.0f})"
        outer.plot(epochs, values, "s-", color=LIGHT.doubted, markersize=3, label=shown)
        outer.set_ylim(bottom=0)
        more = outer.get_legend_handles_labels()
        lines, labels = lines + more[0], labels + more[1]
    figure.legend(
        lines, labels, loc="upper center", ncols=len(labels),
        fontsize="small", columnspacing=1.2, handlelength=1.5,
    )  # fmt: skip
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110, metadata={"Comment": mark})
    return drawn.getvalue()
