"""What ``evaluate`` prints: a table of metrics, one of the classes, and how models differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from negmine.text_tables import table
from training.evaluation.differences import Difference, differences
from training.evaluation.evaluate import Evaluation
from training.metrics import NAMES


def as_dict(found: Sequence[Evaluation], names: Sequence[str]) -> dict[str, Any]:
    """Return the JSON of one model, or of several and how they differ from the first."""
    if len(found) == 1:
        return found[0].to_dict()
    return {
        "models": [
            {"model": name} | one.to_dict() for name, one in zip(names, found, strict=True)
        ],
        "differences": [
            {
                "model": name,
                "against": names[0],
                "metrics": {metric: vars(d) for metric, d in differences(found[0], one).items()},
            }
            for name, one in zip(names[1:], found[1:], strict=True)
        ],
    }  # fmt: skip


def as_text(found: Sequence[Evaluation], names: Sequence[str], resamples: int, events: bool) -> str:
    """Return the tables of one model, or of several, for a terminal."""
    first = found[0]
    parts = []
    for name, one in zip(names, found, strict=True):
        title = [name] if len(found) > 1 else []
        parts.append("\n".join([*title, *_metrics(one)]))
    if left := [name for name in NAMES if name not in first.metrics]:
        parts[-1] += f"\nleft out, the same for any model by this truth: {', '.join(left)}"
    for name, one in zip(names[1:], found[1:], strict=True):
        parts.append(f"{name} against {names[0]}, in pairs\n{_differences(first, one)}")
    parts += [
        _classes(one, [name] if len(found) > 1 else [])
        for name, one in zip(names, found, strict=True)
    ]
    return "\n\n".join([*parts, _about(found, resamples, events)])


def _metrics(one: Evaluation) -> list[str]:
    rows = [
        [name, _number(name, value)] + ([_ends(name, one.intervals[name])] if one.intervals else [])
        for name, value in one.metrics.items()
    ]
    return [table(["metric", "value", *(["95 %"] if one.intervals else [])], rows)]


def _differences(first: Evaluation, second: Evaluation) -> str:
    rows = []
    for name, found in differences(first, second).items():
        share, interval = _as_share(name, found)
        shown = [name, share, interval] if first.intervals else [name, share]
        rows.append(shown)
    return table(["metric", "difference", *(["95 %"] if first.intervals else [])], rows)


def _as_share(name: str, found: Difference) -> tuple[str, str]:
    """Format a difference: false positives as a share of the first model's, all else plainly."""
    if name.startswith("fp/h"):
        low, high = (f"{100 * end:+.0f}" for end in found.share_interval)
        return f"{100 * found.share:+.0f}%", f"{low}..{high}%"
    low, high = (f"{end:+.4f}" for end in found.interval)
    return f"{found.value:+.4f}", f"{low}..{high}"


def _number(name: str, value: float) -> str:
    return f"{value:.1f}" if name.startswith("fp/h") else f"{value:.4f}"


def _ends(name: str, ends: tuple[float, float]) -> str:
    return "..".join("-" if math.isnan(end) else _number(name, end) for end in ends)


def _classes(one: Evaluation, title: list[str]) -> str:
    shown = [c for c in one.classes.columns if not c.startswith("threshold") and ":" not in c]
    digits = dict.fromkeys(shown, 3) | {c: 1 for c in shown if c.startswith("fp/h")}
    whole = ("class", "clips", "calls")
    rows = [
        [str(row[c]) if c in whole else f"{row[c]:.{digits[c]}f}" for c in shown]
        for row in one.classes.to_dict("records")
    ]
    return "\n".join([*title, table(shown, rows)])


def _about(found: Sequence[Evaluation], resamples: int, events: bool) -> str:
    """Say what the figures are of: how much sound, which windows, which intervals."""
    first = found[0]
    count = len(first.scores.recordings)
    parts = [f"{count} recordings, {first.hours:.3g} h"]
    if events:
        grids = dict.fromkeys(_grid(one) for one in found)
        parts.append("calls against " + " or ".join(grids))
    if first.intervals:
        parts.append(f"intervals: bootstrap over recordings, {resamples} resamples")
    elif resamples:
        parts.append("no intervals: a single recording")
    return "; ".join(parts)


def _grid(one: Evaluation) -> str:
    hop = "side by side" if one.hop_s == one.window_s else f"every {one.hop_s:.3f} s"
    return f"windows of {one.window_s:.3f} s {hop}"
