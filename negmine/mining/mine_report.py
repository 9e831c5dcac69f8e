"""What a mining run did: what each rule kept and rejected, class by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from negmine.mining.choose import DOUBT, DUPLICATES, Choice
from negmine.mining.known import KnownClass
from negmine.mining.rules import RULES, rule_of
from negmine.mining.rules.rule import Limits, Takes
from negmine.text_tables import table

_BINS = 40


def model_name(path: Path) -> str:
    """Name a model by its file and the folder it is in, such as ``run0/best.pt``."""
    return "/".join(path.absolute().parts[-2:]).lstrip("/")


def reasons() -> dict[str, str]:
    """Return why rows are taken away, by what takes them: the rules, and mining itself."""
    kinds = {name: rule_of(name) for name in RULES}
    limits = [kind for kind in kinds.values() if isinstance(kind, Limits)]
    ends = [[kind.below for kind in limits], [kind.above for kind in limits]]
    below, above = (" or ".join(filter(None, of_end)) for of_end in ends)
    return {
        "easier": f"score below {below}",
        "harder": f"score above {above}",
        DOUBT: "too likely to hold the class: for review",
        DUPLICATES: "near a better-ranked row",
        **{name: kind.reason for name, kind in kinds.items() if isinstance(kind, Takes)},
        "below": "ranked below the last one chosen",
    }


@dataclass
class MineReport:
    """What each rule kept and rejected.

    Attributes
    ----------
    rows, scored : int
        Rows in the pool, and how many of them were scored in this run (the others were read).
    held_out : int
        Rows that draw on a recording the model was validated on.
    doubt_auc : float
        How well doubt tells confirmed calls from rejected detections, on recordings it was not
        fitted on; NaN where there are too few.
    doubt_held_out : bool
        Whether doubt was fitted on recordings that the models did not train on.
    doubt : dict
        Its level by kind of claim, its bounds and its reliability: see `DoubtModel.to_dict`.
    classes : dict of str to dict
        From `class_report`.
    max_doubt : float
        Beyond it, a row is left for review.
    """

    rows: int
    scored: int
    held_out: int
    strategy: str = "top"
    doubt_auc: float = math.nan
    doubt_held_out: bool = False
    doubt: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, dict[str, Any]] = field(default_factory=dict)
    max_doubt: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_text(self) -> str:
        rules = list(
            dict.fromkeys(
                rule["rule"] for of_class in self.classes.values() for rule in of_class["rules"]
            )
        )
        rows = []
        for name, of_class in self.classes.items():
            rejected = {rule["rule"]: rule["rejected"] for rule in of_class["rules"]}
            counts = [of_class["certified"], *(rejected[r] for r in rules), of_class["chosen"]]
            scores = [f"{of_class[c]:.2f}" for c in ("highest", "lowest", "calls")]
            rows.append([name, *map(str, counts), *scores])
        headers = ["class", "certified", *rules, "chosen", "highest", "lowest", "calls"]
        head = f"{self.rows} rows, {self.scored} scored now, {self.held_out} held out; by class:"
        said = reasons()
        notes = [f"{rule}: {said[rule]}" for rule in rules]
        notes.append("highest, lowest: logits chosen; calls: median logit of the confirmed calls")
        if not math.isnan(self.doubt_auc):
            where = (
                "held-out recordings"
                if self.doubt_held_out
                else "recordings in training, too, so that it is bounded more closely"
            )
            notes.append(
                f"doubt tells calls from rejections with AUC {self.doubt_auc:.3f} ({where})"
            )
        return "\n".join([head, table(headers, rows), *notes, *_levels(self.doubt)])


def _levels(doubt: Mapping[str, Any]) -> list[str]:
    """Tabulate how likely each kind of claim is wrong, where a report says so."""
    strata = doubt.get("strata") or []
    if not strata:
        return []
    rows = [
        [
            one["kind"],
            one["certificate"],
            *(f"{one[name]:.2%}" for name in ("certified", "level", "most")),
            f"{one['present']} of {one['heard']}" if one["heard"] else "",
        ]
        for one in strata
    ]
    headers = ["kind", "certificate", "it admits", "doubt", "at most", "heard"]
    found = [
        "doubt of random rows, and the most that a row of its kind may have:",
        table(headers, rows),
    ]
    if (slope := doubt.get("slope", 1.0)) < 1.0:
        found.append(
            f"by what was heard, the sound says less than it seems: {slope:.2f} of the log ratio"
        )
    return found


def class_report(
    known: KnownClass,
    certified: int,
    outside: np.ndarray,
    choice: Choice,
    chosen: Sequence[float],
) -> dict[str, Any]:
    """Report what became of a class's certified rows.

    Parameters
    ----------
    certified : int
        Rows that are eligible as its negatives.
    outside : int array, shape (2,)
        Of them, those that score below and above the strategy's limits.
    chosen : sequence of float
        Scores chosen, in order of rank.

    Returns
    -------
    dict
        ``certified``, ``chosen``; ``rules``: a list of ``rule``, ``kept``, ``rejected`` and
        ``reason``, which add up; ``highest`` and ``lowest`` score chosen, the median score of its
        ``calls``; ``histogram`` of scores: ``edges``, and counts of certified ``negatives`` (a
        sample, in a very large pool), of those ``chosen`` and of ``calls``.
    """
    rejected = {"easier": int(outside[0]), "harder": int(outside[1])}
    if not any(rejected.values()):
        rejected = {}
    rejected |= choice.rejected
    kept = certified
    rejected["below"] = certified - sum(rejected.values()) - len(choice.rows)
    rules, said = [], reasons()
    for rule, count in rejected.items():
        kept -= count
        rules.append({"rule": rule, "kept": kept, "rejected": count, "reason": said[rule]})
    calls = known.scores.calls
    return {
        "certified": certified,
        "chosen": len(choice.rows),
        "rules": rules,
        "highest": max(chosen, default=math.nan),
        "lowest": min(chosen, default=math.nan),
        "calls": float(np.median(calls)) if len(calls) else math.nan,
        "histogram": _histogram(known.scores.reference, calls, np.array(chosen)),
    }


def _histogram(negatives: np.ndarray, calls: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
    every = np.concatenate([negatives, calls, chosen])
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
    # wide enough that no two edges are the same once rounded
    span = (low, max(high, low + 0.01))
    counted = {"negatives": negatives, "chosen": chosen, "calls": calls}
    return {"edges": np.linspace(*span, _BINS + 1).round(4).tolist()} | {
        # bins given by their number and span are counted in a tenth of the time that edges take
        name: np.histogram(scores, _BINS, span)[0].tolist()
        for name, scores in counted.items()
    }
